//! Every sequence of up to `ops` ops, and every way for two callers to issue that many at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::scenario::{Around, ConcurrentStep, Scheduled, Step, When};
use crate::subject::{AnyOp, AnyState, AnySubject};

/// What one caller does: one of the subject's ops, by its place among them, or a step of every
/// store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    Op(usize),
    Checkpoint,
    Reopen,
}

/// What happens at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpRound {
    /// One step, and no other caller waits.
    Single(Single),
    /// Several callers' ops, around a flush, a checkpoint or a close.
    Concurrent(Around, Vec<(When, usize)>),
    /// These callers submit, some of them share a batch, and one of the syncs fails.
    FailingSync(Vec<usize>),
    /// One step in which one of the syncs fails.
    FailingAlone(Single),
}

impl OpRound {
    /// Whether a sync fails in it.
    pub(super) fn has_failing_sync(&self) -> bool {
        matches!(self, OpRound::FailingSync(_) | OpRound::FailingAlone(_))
    }

    /// How many ops it counts for. A checkpoint or a close around which ops are given is one more.
    fn ops(&self) -> usize {
        match self {
            OpRound::Single(_) | OpRound::FailingAlone(_) => 1,
            OpRound::FailingSync(ops) => ops.len(),
            OpRound::Concurrent(Around::Flush | Around::Interval, ops) => ops.len(),
            OpRound::Concurrent(Around::Checkpoint | Around::Close, ops) => ops.len() + 1,
        }
    }
}

/// How many ops a sequence has.
pub(super) fn length(sequence: &[OpRound]) -> usize {
    sequence.iter().map(OpRound::ops).sum()
}

/// How many storage calls the second step of a checkpoint makes in the library. An op before the
/// first of them is given between two steps; a store that makes more is not disturbed in between
/// those.
const CALLS_OF_WRITE: u64 = 5;

/// The steps that one caller can do in the course of `ops` ops from `state` on.
fn singles(subject: &AnySubject, state: &AnyState, ops: usize) -> Vec<Single> {
    let most = most_ops(&StepBuilder::new(subject, state.clone()), ops);
    let ops = (0..most).map(Single::Op);
    ops.chain([Single::Checkpoint, Single::Reopen]).collect()
}

/// The most ops that the store has in any of the states to which fewer than `ops` ops lead. In a state
/// where it has fewer, the sequences with the others end.
fn most_ops(builder: &StepBuilder<'_>, ops: usize) -> usize {
    let here = builder.subject.ops(&builder.state).len();
    let after = |op| {
        let mut next = builder.clone();
        next.op(op);
        most_ops(&next, ops - 1)
    };
    let after = (0..here).filter(|_| ops > 1).map(after);
    after.max().unwrap_or(0).max(here)
}

/// Every sequence of at most `ops` ops from `state` on, shorter ones first, the empty one included.
/// With more than one caller what they can do at once is a round too, as long as the ops in it. None when
/// `cancel` is set: of many ops there are millions.
pub(super) fn sequences(
    subject: &AnySubject,
    state: &AnyState,
    ops: usize,
    callers: u32,
    cancel: &AtomicBool,
) -> Vec<Vec<OpRound>> {
    let shared = subject.shared_ops().filter(|_| callers > 1);
    let singles = singles(subject, state, ops).into_iter();
    let singles: Vec<OpRound> = singles.map(OpRound::Single).collect();
    let mut by_length: Vec<Vec<Vec<OpRound>>> = vec![vec![Vec::new()]];
    for length in 1..=ops {
        let mut longer = Vec::new();
        for last in 1..=length {
            let rounds = match (last, shared) {
                (1, _) => singles.clone(),
                (_, Some(shared)) => interleavings(shared, last),
                (_, None) => Vec::new(),
            };
            for earlier in &by_length[length - last] {
                if cancel.load(Ordering::Relaxed) {
                    return Vec::new();
                }
                longer.extend(rounds.iter().map(|round| {
                    let mut sequence = earlier.clone();
                    sequence.push(round.clone());
                    sequence
                }));
            }
        }
        by_length.push(longer);
    }
    by_length.into_iter().flatten().collect()
}

/// Everything that two callers can do at once with `ops` ops, a checkpoint or a close included.
fn interleavings(shared: usize, ops: usize) -> Vec<OpRound> {
    let all_waiting = |program: &[usize]| -> Vec<(When, usize)> {
        program.iter().map(|op| (When::Waiting, *op)).collect()
    };
    let mut interleavings = Vec::new();
    if ops == 2 {
        let programs = programs(shared, 2).into_iter();
        interleavings.extend(
            programs.map(|program| OpRound::Concurrent(Around::Flush, all_waiting(&program))),
        );
    }
    let Some(inside) = ops.checked_sub(1).filter(|inside| *inside > 0) else {
        return interleavings;
    };
    for program in programs(shared, inside) {
        let amid = amid(&program).into_iter();
        interleavings
            .extend(amid.map(|schedule| OpRound::Concurrent(Around::Checkpoint, schedule)));
        if inside <= 2 {
            interleavings.push(OpRound::Concurrent(Around::Close, all_waiting(&program)));
        }
        for begun in 0..=inside.min(2) {
            for written in begun..=inside {
                let at = |index| match index {
                    _ if index < begun => When::Waiting,
                    _ if index < written => When::BeforeWrite,
                    _ => When::BeforeFinish,
                };
                let schedule = program.iter().enumerate();
                let schedule = schedule.map(|(index, op)| (at(index), *op)).collect();
                interleavings.push(OpRound::Concurrent(Around::Checkpoint, schedule));
            }
        }
    }
    interleavings
}

/// The ops spread over the storage calls of a checkpoint's second step, in order: at least one of
/// them in the middle.
fn amid(program: &[usize]) -> Vec<Vec<(When, usize)>> {
    let mut spread: Vec<Vec<(u64, usize)>> = vec![Vec::new()];
    for op in program {
        let longer = spread.iter().flat_map(|earlier| {
            let first = earlier.last().map_or(1, |(call, _)| *call);
            (first..=CALLS_OF_WRITE + 1).map(move |call| {
                let mut spread = earlier.clone();
                spread.push((call, *op));
                spread
            })
        });
        spread = longer.collect();
    }
    let middle = 2..=CALLS_OF_WRITE;
    spread.retain(|spread| spread.iter().any(|(call, _)| middle.contains(call)));
    let scheduled = spread.into_iter().map(|spread| {
        let scheduled = spread.into_iter();
        scheduled
            .map(|(call, op)| (When::BeforeCall(call), op))
            .collect()
    });
    scheduled.collect()
}

/// Every sequence of at most `ops` ops in which a sync fails, once. Of a store with several callers:
/// ops of one caller, a round of callers in which one sync fails, and ops that are given after that;
/// none if it is used by one, or when `cancel` is set.
pub(super) fn sequences_with_a_failure(
    subject: &AnySubject,
    state: &AnyState,
    ops: usize,
    callers: u32,
    cancel: &AtomicBool,
) -> Vec<Vec<OpRound>> {
    let Some(shared) = subject.shared_ops() else {
        return sequences_with_a_failing_step(&sequences(subject, state, ops, 1, cancel));
    };
    if callers < 2 {
        return Vec::new();
    }
    let singles = singles(subject, state, ops);
    let alone = |length| -> Vec<Vec<OpRound>> {
        let longer = |sequences: Vec<Vec<OpRound>>| -> Vec<Vec<OpRound>> {
            let longer = sequences.iter().flat_map(|earlier| {
                let singles = singles.iter();
                singles.map(|single| [&earlier[..], &[OpRound::Single(*single)]].concat())
            });
            longer.collect()
        };
        (0..length).fold(vec![Vec::new()], |sequences, _| longer(sequences))
    };
    let mut sequences = Vec::new();
    for callers in 1..=ops {
        for before in 0..=ops - callers {
            for after in 0..=ops - callers - before {
                for first in alone(before) {
                    if cancel.load(Ordering::Relaxed) {
                        return Vec::new();
                    }
                    for program in programs(shared, callers) {
                        for last in alone(after) {
                            let failing = OpRound::FailingSync(program.clone());
                            sequences.push([&first[..], &[failing], &last].concat());
                        }
                    }
                }
            }
        }
    }
    sequences
}

/// These sequences of single steps, once for each of their steps in which a sync may fail.
fn sequences_with_a_failing_step(sequences: &[Vec<OpRound>]) -> Vec<Vec<OpRound>> {
    let failing = |round: &OpRound| match round {
        OpRound::Single(single) => OpRound::FailingAlone(*single),
        other => other.clone(),
    };
    let sequences = sequences.iter().flat_map(|sequence| {
        (0..sequence.len()).map(move |at| {
            let mut sequence = sequence.clone();
            sequence[at] = failing(&sequence[at]);
            sequence
        })
    });
    sequences.collect()
}

/// Every sequence of `length` ops that callers can wait for.
fn programs(shared: usize, length: usize) -> Vec<Vec<usize>> {
    let mut programs = vec![Vec::new()];
    for _ in 0..length {
        let longer = programs.iter().flat_map(|program: &Vec<usize>| {
            (0..shared).map(|op| {
                let mut program = program.clone();
                program.push(op);
                program
            })
        });
        programs = longer.collect();
    }
    programs
}

/// Makes steps of rounds, one after the other: what an op is about follows from what came before it.
#[derive(Clone)]
pub(super) struct StepBuilder<'s> {
    subject: &'s AnySubject,
    /// What the store looks like now.
    state: AnyState,
    now_ms: u64,
}

impl<'s> StepBuilder<'s> {
    /// For a store that looks like `state`.
    pub(super) fn new(subject: &'s AnySubject, state: AnyState) -> Self {
        StepBuilder {
            subject,
            state,
            now_ms: 0,
        }
    }

    /// The step of a round, which happens; nothing if the store has not as many ops in this state.
    pub(super) fn step(&mut self, round: &OpRound) -> Option<Step> {
        Some(match round {
            OpRound::Single(single) | OpRound::FailingAlone(single) => match single {
                Single::Op(op) => Step::Op(self.op(*op)?),
                Single::Checkpoint => Step::Checkpoint,
                Single::Reopen => Step::Reopen,
            },
            OpRound::Concurrent(around, schedule) => {
                let ops = schedule.iter().map(|(at, op)| {
                    Some(Scheduled {
                        at: *at,
                        op: self.op(*op)?,
                    })
                });
                Step::Concurrent(ConcurrentStep {
                    around: *around,
                    ops: ops.collect::<Option<_>>()?,
                })
            }
            OpRound::FailingSync(ops) => {
                let ops: Option<Vec<AnyOp>> = ops.iter().map(|op| self.op(*op)).collect();
                Step::Concurrent(ConcurrentStep::waiting(Around::Flush, ops?))
            }
        })
    }

    fn op(&mut self, nth: usize) -> Option<AnyOp> {
        let op = self.subject.ops(&self.state).into_iter().nth(nth)?;
        self.now_ms = self.now_ms.saturating_add_signed(op.takes_ms());
        let (resolved, expected) = self.subject.resolve(&op, &self.state, self.now_ms);
        if expected.changes {
            resolved.apply(&mut self.state);
        }
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use beaver::ManualClock;
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    use super::*;
    use crate::beaver::{Command, Library, Queue, QueueOp};
    use crate::scenario::LogSettings;
    use crate::subject::{Answer, Failure, Machine, Subject};

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// The ops of the queue by their places.
    const ENQUEUE: usize = 0;
    const BATCH: usize = 1;
    const DISPATCH: usize = 2;
    const ACK: usize = 3;

    fn queue() -> AnySubject {
        AnySubject::new(Queue::new(Library))
    }

    fn alone(op: usize) -> OpRound {
        OpRound::Single(Single::Op(op))
    }

    fn acknowledges(step: &Step, job: &str) -> bool {
        let (id, attempt) = (job.to_owned(), None);
        let ack = Command::Ack { id, attempt };
        matches!(step, Step::Op(op) if op.get::<QueueOp>().command == ack)
    }

    /// A store for one caller that can be told one thing, twice.
    #[derive(Debug)]
    struct Twice;

    impl Subject for Twice {
        type Op = ();
        type State = usize;
        type Store = ();

        fn apply(state: &mut usize, (): &()) {
            *state += 1;
        }

        fn ops(&self, state: &usize) -> Vec<()> {
            vec![(); usize::from(*state < 2)]
        }

        fn open(&self, _: &Machine) -> Result<(), Failure> {
            Ok(())
        }

        fn run(&self, (): &mut (), (): &()) -> Result<Answer, Failure> {
            Ok(Answer::default())
        }

        fn state(&self, (): &mut ()) -> Result<usize, Failure> {
            Ok(0)
        }
    }

    #[test]
    fn there_are_585_sequences_of_up_to_three_steps_of_one_caller() {
        let sequences = |callers| sequences(&queue(), &queue().initial(), 3, callers, &NEVER).len();
        assert_eq!(sequences(1), 1 + 8 + 64 + 512);
        assert_eq!(sequences(2), sequences(1) + 65 + 2 * 8 * 65 + 625);
    }

    #[test]
    fn a_store_for_one_caller_has_no_concurrent_steps() {
        let subject = AnySubject::new(Twice);
        let initial = subject.initial();
        let alone = sequences(&subject, &initial, 3, 1, &NEVER);
        assert_eq!(alone.len(), 1 + 3 + 9 + 27);
        assert_eq!(sequences(&subject, &initial, 3, 2, &NEVER), alone);
    }

    #[test]
    fn a_sync_fails_in_each_step_of_a_store_for_one_caller() {
        let subject = AnySubject::new(Twice);
        let failing = sequences_with_a_failure(&subject, &subject.initial(), 3, 2, &NEVER);
        assert_eq!(failing.len(), 3 + 2 * 9 + 3 * 27);
        for sequence in &failing {
            let failing = sequence.iter().filter(|round| round.has_failing_sync());
            assert_eq!(failing.count(), 1);
        }
    }

    #[test]
    fn a_sequence_is_as_long_as_the_ops_in_it() {
        let (subject, initial) = (queue(), queue().initial());
        let of_two = |sequences: &[Vec<OpRound>]| {
            let two = sequences.iter().filter(|sequence| length(sequence) == 2);
            two.count()
        };
        let all = sequences(&subject, &initial, 3, 2, &NEVER);
        assert_eq!(
            of_two(&all),
            sequences(&subject, &initial, 2, 2, &NEVER).len() - 1 - 8
        );
        let failing = sequences_with_a_failure(&subject, &initial, 3, 2, &NEVER);
        let shorter = |ops| sequences_with_a_failure(&subject, &initial, ops, 2, &NEVER).len();
        assert_eq!(of_two(&failing), shorter(2) - shorter(1));
    }

    #[test]
    fn two_ops_meet_in_every_order_and_at_every_step() {
        let shared = queue().shared_ops().expect("it serves several callers");
        assert_eq!(shared, 5);
        // Together, and one op while closing, at three places of a checkpoint, or in the middle of
        // its second step.
        assert_eq!(interleavings(shared, 2).len(), 25 + 5 * (1 + 3 + 4));
        // Two ops while closing, spread over three places, or with one of them in the middle: of all
        // 21 pairs of six places in order those that are not the first and the last alone.
        assert_eq!(interleavings(shared, 3).len(), 25 * (1 + 6 + 21 - 3));
        assert_eq!(interleavings(shared, 1), []);
    }

    #[test]
    fn no_concurrent_step_is_generated_twice() {
        let interleavings = [interleavings(5, 2), interleavings(5, 3)].concat();
        for (at, round) in interleavings.iter().enumerate() {
            assert!(!interleavings[..at].contains(round), "{round:?}");
        }
    }

    /// How many storage calls the second step of a checkpoint makes in this store.
    fn calls_of_write(subject: &AnySubject) -> u64 {
        let sim = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let mut store = subject
            .open(Machine {
                storage: sim.storage(),
                clock: Arc::new(ManualClock::new(0)),
                log: LogSettings::default(),
            })
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        let op = &subject.ops(&subject.initial())[ENQUEUE];
        store.run(op).unwrap();
        let begun = store.begin_checkpoint().unwrap();
        let begun = begun.expect("there is something to write");
        let before = sim.calls();
        begun().unwrap();
        sim.calls() - before
    }

    #[test]
    fn ops_come_between_all_calls_that_write_a_snapshot() {
        assert_eq!(calls_of_write(&queue()), CALLS_OF_WRITE);
    }

    #[test]
    fn a_sync_fails_once_in_each_of_its_sequences() {
        let sequences = sequences_with_a_failure(&queue(), &queue().initial(), 3, 2, &NEVER);
        // Five ops that can wait, alone with up to two of eight steps around them, in twos with up to
        // one, in threes.
        let alone = 5 * (1 + 2 * 8 + 3 * 64);
        assert_eq!(sequences.len(), alone + 25 * (1 + 2 * 8) + 125);
        for sequence in &sequences {
            let failing = sequence
                .iter()
                .filter(|round| matches!(round, OpRound::FailingSync(_)));
            assert_eq!(failing.count(), 1);
        }
        assert_eq!(
            sequences_with_a_failure(&queue(), &queue().initial(), 3, 1, &NEVER),
            Vec::<Vec<_>>::new()
        );
    }

    #[test]
    fn a_worker_answers_for_the_job_that_it_was_given() {
        let subject = queue();
        let mut builder = StepBuilder::new(&subject, subject.initial());
        let rounds = [BATCH, DISPATCH, DISPATCH, ACK].map(alone);
        let steps = rounds.map(|round| builder.step(&round).expect("the queue has this op"));
        assert!(acknowledges(&steps[3], "job-2"), "{:?}", steps[3]);
    }

    #[test]
    fn what_one_caller_does_is_seen_by_the_next() {
        let subject = queue();
        let mut builder = StepBuilder::new(&subject, subject.initial());
        let waiting = |op| (When::Waiting, op);
        let together = OpRound::Concurrent(Around::Flush, [ENQUEUE, DISPATCH].map(waiting).into());
        builder.step(&together);
        let ack = builder.step(&alone(ACK)).expect("the queue has this op");
        assert!(acknowledges(&ack, "job-1"), "{ack:?}");
    }

    #[test]
    fn a_sequence_ends_where_the_store_has_no_such_op() {
        let subject = AnySubject::new(Twice);
        let mut builder = StepBuilder::new(&subject, subject.initial());
        let steps = [(); 3].map(|()| builder.step(&alone(0)));
        assert_eq!(steps.map(|step| step.is_some()), [true, true, false]);
    }
}
