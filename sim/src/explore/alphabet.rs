//! The alphabet of small workloads: every sequence of up to so many commands.

use crate::scenario::{Job, Step};

/// The letters: one of each command of the controller. Which job a command is about follows from what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Enqueue,
    Batch,
    Dispatch,
    Ack,
    Fail,
    Tick,
    Checkpoint,
    Reopen,
}

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

/// Every sequence of at most `ops` letters, shorter ones first, the empty one included.
pub(super) fn sequences(ops: usize) -> Vec<Vec<Step>> {
    let mut words: Vec<Vec<Letter>> = vec![Vec::new()];
    let mut longest = words.clone();
    for _ in 0..ops {
        let longer = longest.iter().flat_map(|word| {
            LETTERS.iter().map(|letter| {
                let mut word = word.clone();
                word.push(*letter);
                word
            })
        });
        longest = longer.collect();
        words.extend(longest.iter().cloned());
    }
    words.iter().map(|word| spell(word)).collect()
}

/// The steps of a word. Jobs are handed out in the order in which they came, so the last one handed out is known.
fn spell(word: &[Letter]) -> Vec<Step> {
    let mut jobs = 0;
    let mut handed_out = 0;
    let mut steps = Vec::new();
    for letter in word {
        let in_hand = || format!("job-{handed_out}");
        let step = match letter {
            Letter::Enqueue => Step::Enqueue {
                jobs: new_jobs(&mut jobs, 1),
            },
            Letter::Batch => Step::Enqueue {
                jobs: new_jobs(&mut jobs, 2),
            },
            Letter::Dispatch => {
                handed_out += 1;
                Step::Dispatch
            }
            Letter::Ack => Step::Ack { id: in_hand() },
            Letter::Fail => Step::Fail { id: in_hand() },
            Letter::Tick => Step::Tick { ms: 1000 },
            Letter::Checkpoint => Step::Checkpoint,
            Letter::Reopen => Step::Reopen,
        };
        steps.push(step);
    }
    steps
}

fn new_jobs(jobs: &mut u64, count: u64) -> Vec<Job> {
    let first = *jobs + 1;
    *jobs += count;
    let numbers = first..first + count;
    let jobs = numbers.map(|number| Job {
        id: format!("job-{number}"),
        payload: format!("{{\"n\":{number}}}"),
        max_attempts: 2,
        timeout_ms: 500,
    });
    jobs.collect()
}
