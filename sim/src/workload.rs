//! The workload: draws the next step. It knows what a client knows of the store, and nothing about
//! storage.

use crate::scenario::{
    Around, CommandKind, ConcurrentStep, Range, Scheduled, Step, When, Workload,
};
use crate::stream::Stream;
use crate::subject::{AnyOp, AnyState, AnySubject};

/// Draws steps.
#[derive(Debug)]
pub(crate) struct Steps<'a> {
    workload: &'a Workload,
    subject: AnySubject,
    /// The kinds of step that are drawn, each with its weight.
    kinds: Vec<(CommandKind, u32)>,
    stream: Stream,
    /// What the subject made up so far.
    drawn: u64,
}

impl<'a> Steps<'a> {
    /// The steps of `seed`.
    #[must_use]
    pub(crate) fn new(workload: &'a Workload, subject: AnySubject, seed: u64) -> Self {
        Steps {
            workload,
            subject,
            kinds: workload
                .weights
                .iter()
                .map(|(kind, weight)| (*kind, *weight))
                .collect(),
            stream: Stream::new(seed, "workload"),
            drawn: 0,
        }
    }

    /// The next step, in view of the store as the client knows it at `now_ms`.
    pub(crate) fn next(&mut self, state: &AnyState, now_ms: u64) -> Step {
        match self.kind(state) {
            CommandKind::Group => self.concurrent(Around::Flush, state, now_ms),
            CommandKind::Unawaited => self.concurrent(Around::Interval, state, now_ms),
            CommandKind::CloseQueued => self.concurrent(Around::Close, state, now_ms),
            CommandKind::Checkpoint => Step::Checkpoint,
            CommandKind::SlowCheckpoint => {
                let mut between = state.clone();
                let mut at = |at| {
                    let ops = self.several(&mut between, now_ms, Range::new(0, 2));
                    ops.into_iter().map(move |op| Scheduled { at, op })
                };
                let ops = at(When::BeforeWrite).chain(at(When::BeforeFinish));
                Step::Concurrent(ConcurrentStep {
                    around: Around::Checkpoint,
                    ops: ops.collect(),
                })
            }
            CommandKind::Reopen => Step::Reopen,
            CommandKind::Kill => Step::Kill,
            CommandKind::PowerCut => Step::PowerCut { image: None },
            CommandKind::SecondOpener => Step::SecondOpener,
            CommandKind::Inspect => Step::Inspect,
            CommandKind::Lenient => Step::Lenient { damage: Vec::new() },
            op => Step::Op(self.op(op, state)),
        }
    }

    /// Draws the kind of the next step. What takes longer the larger the store is gets rarer as it
    /// grows.
    fn kind(&mut self, state: &AnyState) -> CommandKind {
        loop {
            let kind = self.weighted();
            if !kind.grows_with_the_store() || self.stream.still_often(state.size()) {
                return kind;
            }
        }
    }

    fn weighted(&mut self) -> CommandKind {
        let kind = self
            .stream
            .pick_weighted(&self.kinds, |(_, weight)| *weight);
        kind.map_or(CommandKind::Op, |(kind, _)| *kind)
    }

    fn concurrent(&mut self, around: Around, state: &AnyState, now_ms: u64) -> Step {
        let mut inside = state.clone();
        let ops = self.several(&mut inside, now_ms, self.workload.group_size);
        Step::Concurrent(ConcurrentStep::waiting(around, ops))
    }

    /// Several ops in a row, each in view of what the ones before it will have done.
    fn several(&mut self, state: &mut AnyState, now_ms: u64, how_many: Range) -> Vec<AnyOp> {
        const KINDS: [CommandKind; 8] = [
            CommandKind::Enqueue,
            CommandKind::Enqueue,
            CommandKind::EnqueueBatch,
            CommandKind::Dispatch,
            CommandKind::Dispatch,
            CommandKind::Ack,
            CommandKind::Ack,
            CommandKind::Fail,
        ];
        let count = self.stream.draw(how_many.least, how_many.most);
        let ops = (0..count).map(|_| {
            let kind = *self.stream.pick(&KINDS);
            let op = self.shared_op(kind, state);
            let (op, expected) = self.subject.resolve(&op, state, now_ms);
            if expected.changes {
                op.apply(state);
            }
            op
        });
        ops.collect()
    }

    /// An op that several callers can wait for at once: of a store that is not ours one of the first
    /// of its ops.
    fn shared_op(&mut self, kind: CommandKind, state: &AnyState) -> AnyOp {
        let shared = self.subject.shared_ops().unwrap_or(0);
        let mut ops = self.subject.ops(state);
        ops.truncate(shared);
        match self.subject.inspected().is_some() || ops.is_empty() {
            true => self.op(kind, state),
            false => self.stream.pick(&ops).clone(),
        }
    }

    fn op(&mut self, kind: CommandKind, state: &AnyState) -> AnyOp {
        match self.subject.inspected() {
            Some(inspected) => {
                let (workload, random) = (self.workload, &mut self.stream);
                inspected.draw(kind, workload, state, random, &mut self.drawn)
            }
            None => self.subject.draw(state, &mut self.stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beaver::{Command, Job, Library, Queue, QueueOp};
    use crate::subject::any_op;

    fn queue() -> AnySubject {
        AnySubject::new(Queue::new(Library))
    }

    /// Gives an op to a model of a store, as a client would.
    fn give(subject: &AnySubject, state: &mut AnyState, op: &AnyOp, now_ms: u64) {
        let (op, expected) = subject.resolve(op, state, now_ms);
        if expected.changes {
            op.apply(state);
        }
    }

    fn steps(workload: &Workload, seed: u64, count: u64) -> Vec<Step> {
        let subject = queue();
        let mut drawn = Steps::new(workload, subject.clone(), seed);
        let mut state = subject.initial();
        let steps = (0..count).map(|now_ms| {
            let step = drawn.next(&state, now_ms);
            for op in step.ops() {
                give(&subject, &mut state, op, now_ms);
            }
            step
        });
        steps.collect()
    }

    #[test]
    fn equal_seeds_draw_equal_steps() {
        let workload = Workload::default();
        assert_eq!(steps(&workload, 3, 200), steps(&workload, 3, 200));
        assert_ne!(steps(&workload, 3, 200), steps(&workload, 4, 200));
    }

    #[test]
    fn every_step_that_has_a_weight_is_drawn() {
        let workload = Workload::default();
        let drawn = steps(&workload, 1, 2000);
        let commands = drawn.iter().flat_map(Step::ops);
        let mut commands = commands.map(|op| &op.get::<QueueOp>().command);
        assert!(commands.any(|command| matches!(command, Command::Tick { .. })));
        assert!(drawn.contains(&Step::Checkpoint));
        assert!(drawn.contains(&Step::Reopen));
        let group = |step: &Step| step.kind() == Some(CommandKind::Group);
        assert!(drawn.iter().any(group));
        assert!(!drawn.contains(&Step::Kill));
    }

    #[test]
    fn an_op_in_a_group_is_drawn_in_view_of_those_before_it() {
        let workload = Workload {
            weights: [(CommandKind::Group, 1)].into(),
            ..Workload::default()
        };
        let handed_out_and_reported = |step: &Step| {
            let Step::Concurrent(round) = step else {
                return false;
            };
            let ops = round.at(When::Waiting);
            let mut commands = ops.iter().map(|op| &op.get::<QueueOp>().command);
            commands.any(|command| *command == Command::Dispatch)
                && commands.any(|command| matches!(command, Command::Ack { .. }))
        };
        let drawn = steps(&workload, 1, 400);
        assert!(drawn.iter().any(handed_out_and_reported));
    }

    #[test]
    fn what_takes_long_in_a_large_store_gets_rarer_as_it_grows() {
        let workload = Workload::default();
        let subject = queue();
        let long = |jobs: usize| {
            let mut state = subject.initial();
            for id in 0..jobs {
                let enqueue = QueueOp::from(Command::Enqueue {
                    jobs: vec![Job {
                        id: format!("job-{id}"),
                        payload: "1".to_owned(),
                        max_attempts: 1,
                        timeout_ms: 1,
                        backoff_ms: [0, 0],
                    }],
                });
                give(&subject, &mut state, &any_op::<Queue<Library>>(enqueue), 0);
            }
            let mut drawn = Steps::new(&workload, subject.clone(), 1);
            let kinds = (0..4000).map(|_| drawn.kind(&state));
            kinds.filter(|kind| kind.grows_with_the_store()).count()
        };
        assert_eq!(long(0), long(250), "as the weights say");
        let (small, large) = (long(250), long(2500));
        assert!(small > 200 && large > 0, "{small}, {large}");
        assert!(large < small / 5, "{small}, {large}");
    }
}
