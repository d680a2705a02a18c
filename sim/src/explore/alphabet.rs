//! The alphabet of small workloads: every sequence of up to so many commands.

use crate::oracle::model::{Model, Standing};
use crate::scenario::{Job, Step};
use crate::subject::Layout;

use super::callers::{Phrase, failing_words, meetings};

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
fn letters(layout: Layout) -> &'static [Letter] {
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

/// Every word of at most `ops` commands, shorter ones first, the empty one included. With more than one caller what they can
/// do at once is a letter too, as long as the commands in it.
pub(super) fn words(layout: Layout, ops: usize, callers: u32) -> Vec<Vec<Phrase>> {
    let letters = letters(layout).iter().copied().map(Phrase::Alone);
    let alone: Vec<Phrase> = letters.collect();
    let mut by_length: Vec<Vec<Vec<Phrase>>> = vec![vec![Vec::new()]];
    for length in 1..=ops {
        let mut words = Vec::new();
        for last in 1..=length {
            let phrases = match (last, layout) {
                (1, _) => alone.clone(),
                (_, Layout::Documented) if callers > 1 => meetings(last),
                _ => Vec::new(),
            };
            for word in &by_length[length - last] {
                words.extend(phrases.iter().map(|phrase| {
                    let mut word = word.clone();
                    word.push(phrase.clone());
                    word
                }));
            }
        }
        by_length.push(words);
    }
    by_length.concat()
}

/// The same with a sync that fails in each of them; none for one caller.
pub(super) fn words_with_a_failure(layout: Layout, ops: usize, callers: u32) -> Vec<Vec<Phrase>> {
    match layout {
        Layout::Documented if callers > 1 => failing_words(letters(layout), ops),
        _ => Vec::new(),
    }
}

/// Spells words out, one command after the other: which job a command is about follows from what came before it.
pub(super) struct Speller {
    layout: Layout,
    /// What the queue looks like now.
    model: Model,
    now_ms: u64,
}

impl Default for Speller {
    /// For an empty queue.
    fn default() -> Self {
        Speller::new(Layout::Documented, Model::default())
    }
}

impl Speller {
    /// For a store with this layout whose queue looks like `model`.
    pub(super) fn new(layout: Layout, model: Model) -> Self {
        Speller {
            layout,
            model,
            now_ms: 0,
        }
    }

    /// The step of a letter, which happens.
    pub(super) fn step(&mut self, letter: Letter) -> Step {
        let (layout, model) = (self.layout, &self.model);
        let step = match letter {
            Letter::Enqueue => Step::Enqueue {
                jobs: new_jobs(layout, model, 1),
            },
            Letter::Batch => Step::Enqueue {
                jobs: new_jobs(layout, model, 2),
            },
            Letter::Together => Step::Group {
                steps: one_by_one(new_jobs(layout, model, 2)),
            },
            Letter::Dispatch => Step::Dispatch,
            Letter::Ack => Step::Ack { id: in_hand(model) },
            Letter::Fail => Step::Fail { id: in_hand(model) },
            Letter::Tick => Step::Tick { ms: 1000 },
            Letter::Checkpoint => Step::Checkpoint,
            Letter::Reopen => Step::Reopen,
        };
        if let Letter::Tick = letter {
            self.now_ms += 1000;
        }
        let commands = match &step {
            Step::Checkpoint | Step::Reopen => &[],
            Step::Group { steps } => &steps[..],
            one => std::slice::from_ref(one),
        };
        for command in commands {
            let records = self.model.expect(command, self.now_ms).unwrap_or_default();
            records.iter().for_each(|record| self.model.apply(record));
        }
        step
    }
}

/// The job that was handed out last, or one that nobody knows.
fn in_hand(model: &Model) -> String {
    let in_flight = |standing| matches!(standing, Standing::InFlight { .. });
    let mut jobs = model.open().rev();
    let job = jobs.find(|job| in_flight(job.standing));
    job.map_or("nobody".to_owned(), |job| job.id.clone())
}

fn new_jobs(layout: Layout, model: &Model, count: u64) -> Vec<Job> {
    let first = model.len() as u64 + 1;
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
        let words = |callers| words(Layout::Documented, 3, callers).len();
        assert_eq!(words(1), 1 + 8 + 64 + 512);
        assert_eq!(words(2), words(1) + 65 + 2 * 8 * 65 + 625);
    }

    #[test]
    fn a_worker_answers_for_the_job_that_it_was_given() {
        let word = [
            Letter::Batch,
            Letter::Dispatch,
            Letter::Dispatch,
            Letter::Ack,
        ];
        let mut speller = Speller::default();
        let steps = word.map(|letter| speller.step(letter));
        assert_eq!(
            steps[3],
            Step::Ack {
                id: "job-2".to_owned()
            }
        );
    }
}
