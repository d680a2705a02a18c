//! The workload: draws the next step. It knows what a client knows of the store, and nothing about
//! storage.

use crate::scenario::{Around, CommandKind, Meeting, Range, Scheduled, Step, When, Workload};
use crate::stream::Stream;
use crate::subject::{AnyOp, AnyState, AnySubject};

/// Draws steps.
#[derive(Debug)]
pub struct Steps<'a> {
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
    pub fn new(workload: &'a Workload, subject: AnySubject, seed: u64) -> Self {
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
    pub fn next(&mut self, state: &AnyState, now_ms: u64) -> Step {
        match self.kind(state) {
            CommandKind::Group => self.meeting(Around::Flush, state, now_ms),
            CommandKind::CloseQueued => self.meeting(Around::Close, state, now_ms),
            CommandKind::Checkpoint => Step::Checkpoint,
            CommandKind::SlowCheckpoint => {
                let mut between = state.clone();
                let mut at = |at| {
                    let ops = self.several(&mut between, now_ms, Range::new(0, 2));
                    ops.into_iter().map(move |op| Scheduled { at, op })
                };
                let ops = at(When::BeforeWrite).chain(at(When::BeforeFinish));
                Step::Concurrent(Meeting {
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

    fn meeting(&mut self, around: Around, state: &AnyState, now_ms: u64) -> Step {
        let mut inside = state.clone();
        let ops = self.several(&mut inside, now_ms, self.workload.group_size);
        Step::Concurrent(Meeting::waiting(around, ops))
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
            let op = self.op(kind, state);
            let (op, expected) = self.subject.resolve(&op, state, now_ms);
            if expected.changes {
                op.apply(state);
            }
            op
        });
        ops.collect()
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
