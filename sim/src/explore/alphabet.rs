//! The alphabet of small workloads: every sequence of up to so many commands.

use crate::oracle::model::{Model, Standing};
use crate::scenario::{Job, Step};
use crate::subject::Layout;

/// The letters: one of each command of the controller. Which job a command is about follows from what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Enqueue,
    Batch,
    Dispatch,
    Ack,
    Fail,
    Tick,
    Checkpoint,
    Reopen,
    Together,
}

/// The letters of a store: those of the queue, or of commands by number.
pub(super) fn letters(layout: Layout) -> &'static [Letter] {
    match layout {
        Layout::Documented => &LETTERS,
        Layout::Own { .. } => &OWN_LETTERS,
    }
}

const OWN_LETTERS: [Letter; 4] = [
    Letter::Enqueue,
    Letter::Together,
    Letter::Checkpoint,
    Letter::Reopen,
];

const LETTERS: [Letter; 8] = [
    Letter::Enqueue,
    Letter::Batch,
    Letter::Dispatch,
    Letter::Ack,
    Letter::Fail,
    Letter::Tick,
    Letter::Checkpoint,
    Letter::Reopen,
];

/// Every word of at most `ops` letters, shorter ones first, the empty one included.
pub(super) fn words(letters: &[Letter], ops: usize) -> Vec<Vec<Letter>> {
    let mut words: Vec<Vec<Letter>> = vec![Vec::new()];
    let mut longest = words.clone();
    for _ in 0..ops {
        let longer = longest.iter().flat_map(|word| {
            letters.iter().map(|letter| {
                let mut word = word.clone();
                word.push(*letter);
                word
            })
        });
        longest = longer.collect();
        words.extend(longest.iter().cloned());
    }
    words
}

/// The steps of a word, for a store with this layout whose queue looks like `model`.
pub(super) fn spell(layout: Layout, word: &[Letter], mut model: Model) -> Vec<Step> {
    let mut now_ms = 0;
    let mut steps = Vec::new();
    for letter in word {
        let step = match letter {
            Letter::Enqueue => Step::Enqueue {
                jobs: new_jobs(layout, &model, 1),
            },
            Letter::Batch => Step::Enqueue {
                jobs: new_jobs(layout, &model, 2),
            },
            Letter::Together => Step::Group {
                steps: one_by_one(new_jobs(layout, &model, 2)),
            },
            Letter::Dispatch => Step::Dispatch,
            Letter::Ack => Step::Ack {
                id: in_hand(&model),
            },
            Letter::Fail => Step::Fail {
                id: in_hand(&model),
            },
            Letter::Tick => Step::Tick { ms: 1000 },
            Letter::Checkpoint => Step::Checkpoint,
            Letter::Reopen => Step::Reopen,
        };
        if let Letter::Tick = letter {
            now_ms += 1000;
        }
        let commands = match &step {
            Step::Checkpoint | Step::Reopen => &[],
            Step::Group { steps } => &steps[..],
            one => std::slice::from_ref(one),
        };
        for command in commands {
            let records = model.expect(command, now_ms).unwrap_or_default();
            records.iter().for_each(|record| model.apply(record));
        }
        steps.push(step);
    }
    steps
}

/// The job that was handed out last, or one that nobody knows.
fn in_hand(model: &Model) -> String {
    let in_flight = |standing| matches!(standing, Standing::InFlight { .. });
    let mut jobs = model.jobs.iter().rev();
    let job = jobs.find(|job| in_flight(job.standing));
    job.map_or("nobody".to_owned(), |job| job.id.clone())
}

fn new_jobs(layout: Layout, model: &Model, count: u64) -> Vec<Job> {
    let first = model.jobs.len() as u64 + 1;
    let numbers = first..first + count;
    let jobs = numbers.map(|number| match layout {
        Layout::Own { words } => Job::numbered(number, &words(number)),
        Layout::Documented => Job {
            id: format!("job-{number}"),
            payload: format!("{{\"n\":{number}}}"),
            max_attempts: 2,
            timeout_ms: 500,
        },
    });
    jobs.collect()
}

/// A command for each job.
pub(super) fn one_by_one(jobs: Vec<Job>) -> Vec<Step> {
    let commands = jobs
        .into_iter()
        .map(|job| Step::Enqueue { jobs: vec![job] });
    commands.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_585_words_of_up_to_three_letters() {
        assert_eq!(words(&LETTERS, 3).len(), 1 + 8 + 64 + 512);
    }

    #[test]
    fn a_worker_answers_for_the_job_that_it_was_given() {
        let word = [
            Letter::Batch,
            Letter::Dispatch,
            Letter::Dispatch,
            Letter::Ack,
        ];
        let steps = spell(Layout::Documented, &word, Model::default());
        assert_eq!(
            steps[3],
            Step::Ack {
                id: "job-2".to_owned()
            }
        );
    }
}
