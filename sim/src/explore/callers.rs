//! Two callers: what they, and the owner of the store, can do at once.
//!
//! A caller submits a command and waits until a sync has made it durable; the first who waits writes for all. So two callers
//! meet in four ways, and every interleaving of two programs is a sequence of these and of commands that are alone:
//!
//! * both wait for one sync, in either order;
//! * one waits, or both do, while the store is closed;
//! * a checkpoint is under way: commands wait when it begins and are written behind its first step, or they come between its
//!   steps, or between two storage calls of the step in which its snapshot is written;
//! * a sync fails: that of one of them, or of both, with commands queued behind it and given after it.
//!
//! Nobody needs to be named: a command does not say who gave it. What is left out changes no byte: a command that is submitted
//! while another one's batch is written goes into the next batch, as one does that is queued behind it, and shares its fate
//! where its sync fails; and where a sync comes late in a checkpoint its commands are written as if they had been given there.

use super::alphabet::{Letter, Speller};
use crate::scenario::{Meanwhile, Step};

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
    /// A checkpoint, and what the callers do just before these storage calls of its second step.
    Amid(Vec<(u64, Letter)>),
    /// These callers submit, some of them share a batch, and one of the syncs fails.
    Failing(Vec<Letter>),
}

/// How many storage calls the second step of a checkpoint makes in the library. A command before the first of them is given
/// between two steps; a store that makes more is not disturbed in between those.
const CALLS_OF_WRITE: u64 = 5;

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
        meetings.extend(amid(&program).into_iter().map(Phrase::Amid));
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

/// The commands spread over the storage calls of a checkpoint's second step, in order: at least one of them in the middle.
fn amid(program: &[Letter]) -> Vec<Vec<(u64, Letter)>> {
    let mut spread: Vec<Vec<(u64, Letter)>> = vec![Vec::new()];
    for letter in program {
        let longer = spread.iter().flat_map(|earlier: &Vec<(u64, Letter)>| {
            let first = earlier.last().map_or(1, |(call, _)| *call);
            (first..=CALLS_OF_WRITE + 1).map(move |call| {
                let mut spread = earlier.clone();
                spread.push((call, *letter));
                spread
            })
        });
        spread = longer.collect();
    }
    let middle = 2..=CALLS_OF_WRITE;
    spread.retain(|spread| spread.iter().any(|(call, _)| middle.contains(call)));
    spread
}

/// Every word of at most `ops` commands in which a sync fails, once: commands that are alone, callers of whom the sync of one
/// fails, and commands that are given after that.
pub(super) fn failing_words(alone: &[Letter], ops: usize) -> Vec<Vec<Phrase>> {
    let sequences = |length| {
        let longer = |words: Vec<Vec<Phrase>>| -> Vec<Vec<Phrase>> {
            let longer = words.iter().flat_map(|word| {
                let letters = alone.iter();
                letters.map(|letter| [&word[..], &[Phrase::Alone(*letter)]].concat())
            });
            longer.collect()
        };
        (0..length).fold(vec![Vec::new()], |words, _| longer(words))
    };
    let mut words = Vec::new();
    for callers in 1..=ops {
        for before in 0..=ops - callers {
            for after in 0..=ops - callers - before {
                for first in sequences(before) {
                    for program in programs(callers) {
                        for last in sequences(after) {
                            let failing = Phrase::Failing(program.clone());
                            words.push([&first[..], &[failing], &last].concat());
                        }
                    }
                }
            }
        }
    }
    words
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
            Phrase::Together(letters) | Phrase::Failing(letters) => Step::Group {
                steps: all(letters),
            },
            Phrase::Amid(letters) => Step::CheckpointAmid {
                during_write: letters
                    .iter()
                    .map(|(call, letter)| Meanwhile {
                        before_call: *call,
                        step: speller.step(*letter),
                    })
                    .collect(),
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
    use std::sync::Arc;

    use beaver::ManualClock;
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    use super::*;
    use crate::scenario::LogSettings;
    use crate::subject::Subject;

    #[test]
    fn two_commands_meet_in_every_order_and_at_every_step() {
        // Together, and one command while closing, at three places of a checkpoint, or in the middle of its second step.
        assert_eq!(meetings(2).len(), 25 + 5 * (1 + 3 + 4));
        // Two commands while closing, spread over three places, or with one of them in the middle: of all 21 pairs of six places
        // in order those that are not the first and the last alone.
        assert_eq!(meetings(3).len(), 25 * (1 + 6 + 21 - 3));
        assert_eq!(meetings(1), []);
    }

    /// How many storage calls the second step of a checkpoint makes in this store.
    fn calls_of_write(subject: &Subject) -> u64 {
        let sim = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let clock = Arc::new(ManualClock::new(0));
        let opened = subject.open(sim.storage(), clock, &LogSettings::default());
        let (mut process, _) = opened.unwrap();
        process.command(&Speller::default().step(Letter::Enqueue));
        let begun = process.begin_checkpoint().unwrap().unwrap();
        let before = sim.calls();
        begun.write().unwrap();
        sim.calls() - before
    }

    #[test]
    fn commands_come_between_all_calls_that_write_a_snapshot() {
        assert_eq!(calls_of_write(&Subject::default()), CALLS_OF_WRITE);
    }

    #[test]
    fn a_sync_fails_once_in_each_of_its_words() {
        let words = failing_words(&[Letter::Tick, Letter::Reopen], 3);
        // Five letters that can wait, alone with up to two others around them, in twos with up to one, in threes.
        let alone = 5 * (1 + 2 * 2 + 3 * 4);
        assert_eq!(words.len(), alone + 25 * (1 + 2 * 2) + 125);
        for word in &words {
            let failing = word
                .iter()
                .filter(|phrase| matches!(phrase, Phrase::Failing(_)));
            assert_eq!(failing.count(), 1);
        }
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
