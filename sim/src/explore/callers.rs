//! Two callers: what they, and the owner of the store, can do at once.
//!
//! A caller submits a command and waits until a sync has made it durable; the first who waits writes for all. So two callers
//! meet in three ways, and every interleaving of two programs is a sequence of these and of commands that are alone:
//!
//! * both wait for one sync, in either order;
//! * one waits, or both do, while the store is closed;
//! * a checkpoint is under way: commands wait when it begins and are written behind its first step, or they come between its
//!   steps.
//!
//! Nobody needs to be named: a command does not say who gave it. What is left out changes no byte: a command that is submitted
//! while another one's batch is written goes into the next batch, as one does that is submitted behind it; and where a sync
//! comes late in a checkpoint its commands are written as if they had been given there.

use super::alphabet::{Letter, Speller};
use crate::scenario::Step;

/// Commands that a caller can wait for.
const WAITED_FOR: [Letter; 5] = [
    Letter::Enqueue,
    Letter::Batch,
    Letter::Dispatch,
    Letter::Ack,
    Letter::Fail,
];

/// What happens at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    /// One command, and nobody waits.
    Alone(Letter),
    /// These callers share a sync.
    Together(Vec<Letter>),
    /// These callers wait while the store is closed; it is opened again.
    Closing(Vec<Letter>),
    /// A checkpoint, and what the callers do meanwhile.
    Checkpoint {
        /// They wait when it begins.
        waiting: Vec<Letter>,
        /// Given behind its first step.
        before_write: Vec<Letter>,
        /// Given behind its second step.
        before_finish: Vec<Letter>,
    },
}

/// Everything that two callers can do at once with `ops` commands, a checkpoint or a close included.
pub(super) fn meetings(ops: usize) -> Vec<Phrase> {
    let mut meetings = Vec::new();
    if ops == 2 {
        meetings.extend(programs(2).into_iter().map(Phrase::Together));
    }
    let Some(inside) = ops.checked_sub(1).filter(|inside| *inside > 0) else {
        return meetings;
    };
    for program in programs(inside) {
        if inside <= 2 {
            meetings.push(Phrase::Closing(program.clone()));
        }
        for begun in 0..=inside.min(2) {
            for written in begun..=inside {
                meetings.push(Phrase::Checkpoint {
                    waiting: program[..begun].to_vec(),
                    before_write: program[begun..written].to_vec(),
                    before_finish: program[written..].to_vec(),
                });
            }
        }
    }
    meetings
}

/// Every sequence of `length` commands that callers can wait for.
fn programs(length: usize) -> Vec<Vec<Letter>> {
    let mut programs = vec![Vec::new()];
    for _ in 0..length {
        let longer = programs.iter().flat_map(|program: &Vec<Letter>| {
            WAITED_FOR.iter().map(|letter| {
                let mut program = program.clone();
                program.push(*letter);
                program
            })
        });
        programs = longer.collect();
    }
    programs
}

impl Phrase {
    /// The step that does this.
    pub(super) fn spell(&self, speller: &mut Speller) -> Step {
        let mut all = |letters: &[Letter]| -> Vec<Step> {
            letters.iter().map(|letter| speller.step(*letter)).collect()
        };
        match self {
            Phrase::Alone(letter) => speller.step(*letter),
            Phrase::Together(letters) => Step::Group {
                steps: all(letters),
            },
            Phrase::Closing(letters) => Step::CloseQueued {
                steps: all(letters),
            },
            Phrase::Checkpoint {
                waiting,
                before_write,
                before_finish,
            } if waiting.is_empty() => Step::SlowCheckpoint {
                before_write: all(before_write),
                before_finish: all(before_finish),
            },
            Phrase::Checkpoint {
                waiting,
                before_write,
                before_finish,
            } => Step::QueuedCheckpoint {
                steps: all(waiting),
                before_write: all(before_write),
                before_finish: all(before_finish),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_commands_meet_in_every_order_and_at_every_step() {
        // Together, and one command while closing or at three places of a checkpoint.
        assert_eq!(meetings(2).len(), 25 + 5 * (1 + 3));
        // Two commands while closing, or spread over three places.
        assert_eq!(meetings(3).len(), 25 * (1 + 6));
        assert_eq!(meetings(1), []);
    }

    #[test]
    fn what_one_caller_does_is_seen_by_the_next() {
        let mut speller = Speller::default();
        let together = Phrase::Together(vec![Letter::Enqueue, Letter::Dispatch]);
        together.spell(&mut speller);
        let ack = Phrase::Alone(Letter::Ack).spell(&mut speller);
        assert_eq!(
            ack,
            Step::Ack {
                id: "job-1".to_owned()
            }
        );
    }
}
