//! The job queue as a subject.

use std::any::Any;

use super::command::Command;
use super::engine::{Done, Engine, Process, Reply};
use super::inspected::{Documented, OpenLog};
use super::op::{QueueOp, handed_out, refused};
use super::state::QueueState;
use super::{small, workload};
use crate::scenario::CommandKind;
use crate::subject::{
    Answer, BegunWithCallers, Concurrent, Durability, Expected, Failure, Inspection, Machine,
    OpenReport, PendingCheckpoint, Position, Subject, any_op,
};

/// Why the queue has no such command.
const OF_LOG: &str = "only where `log.sync` is `on-request`";

/// Why Beaver's own stores have no `op`.
pub(super) const OF_OWN_STORE: &str = "only of a store of one's own, which has its own test";

/// A store that keeps the job queue in the documented files.
#[derive(Debug)]
pub struct Queue<E: Engine> {
    documented: Documented<E, OpenQueue>,
}

impl<E: Engine> Queue<E> {
    /// The queue that this keeps.
    pub fn new(engine: E) -> Self {
        Queue {
            documented: Documented::new(engine, any_op::<Queue<E>>),
        }
    }
}

/// A queue that a process has open.
pub struct OpenQueue {
    process: Box<dyn Process>,
    report: OpenReport,
}

impl OpenLog for OpenQueue {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn applied(&self) -> Position {
        self.process.applied()
    }
}

impl<E: Engine> Subject for Queue<E> {
    type Op = QueueOp;
    type State = QueueState;
    type Store = OpenQueue;

    fn name(&self) -> String {
        self.documented.engine().name()
    }

    fn apply(state: &mut QueueState, op: &QueueOp) {
        op.apply_to(state);
    }

    fn ops(&self, state: &QueueState) -> Vec<QueueOp> {
        small::ops(state.model())
    }

    fn simpler(&self, op: &QueueOp) -> Vec<QueueOp> {
        workload::simpler(op)
    }

    fn simpler_together(&self, ops: &[QueueOp]) -> Vec<Vec<QueueOp>> {
        workload::simpler_together(ops)
    }

    fn resolve(&self, op: &QueueOp, state: &QueueState, now_ms: u64) -> (QueueOp, Expected) {
        op.resolved(state.model(), now_ms)
    }

    fn invalid(&self, op: &QueueOp, _nested: bool) -> Vec<(String, String)> {
        let mut found = op.command.invalid();
        if op.command.is_of_log() {
            found.push((String::new(), OF_LOG.to_owned()));
        }
        found
    }

    fn lacks(&self, kind: CommandKind) -> Option<String> {
        use CommandKind as K;
        match kind {
            K::Op => Some(OF_OWN_STORE.to_owned()),
            K::Sync | K::Rotate | K::Preallocate => Some(OF_LOG.to_owned()),
            _ => None,
        }
    }

    fn takes_ms(op: &QueueOp) -> i64 {
        op.takes_ms()
    }

    fn open(&self, machine: &Machine) -> Result<OpenQueue, Failure> {
        let (process, report) = self.documented.engine().open(machine)?;
        Ok(OpenQueue { process, report })
    }

    fn run(&self, store: &mut OpenQueue, op: &QueueOp) -> Result<Answer, Failure> {
        let reply = store.process.command(&op.command);
        Ok(Answer {
            position: Some(store.process.applied()),
            ..answer(&op.command, reply)?
        })
    }

    fn state(&self, store: &mut OpenQueue) -> Result<QueueState, Failure> {
        Ok(store.process.state())
    }

    fn difference(expected: &QueueState, found: &QueueState) -> (String, String) {
        expected.difference(found)
    }

    fn size(state: &QueueState) -> usize {
        state.model().len()
    }

    fn checkpoint(&self, store: &mut OpenQueue) -> Result<(), Failure> {
        store.process.checkpoint()
    }

    fn close(&self, store: OpenQueue) -> Result<(), Failure> {
        store.process.close()
    }

    fn concurrent(&self) -> Option<&dyn Concurrent<Self>> {
        Some(self)
    }

    fn inspected(&self) -> Option<Inspection<'_>> {
        Some(Inspection(&self.documented))
    }
}

impl<E: Engine> Concurrent<Queue<E>> for Queue<E> {
    fn shared_ops(&self) -> usize {
        small::SHARED
    }

    fn refusals_wait(&self) -> bool {
        self.documented.engine().refusals_wait()
    }

    fn group(&self, store: &mut OpenQueue, ops: &[QueueOp]) -> Vec<Result<Answer, Failure>> {
        answers(ops, store.process.group(&commands(ops)))
    }

    fn unawaited(
        &self,
        store: &mut OpenQueue,
        ops: &[QueueOp],
        pass: &mut dyn FnMut() -> bool,
    ) -> Vec<Result<Answer, Failure>> {
        answers(ops, store.process.unawaited(&commands(ops), pass))
    }

    fn close_queued(&self, store: OpenQueue, ops: &[QueueOp]) -> Vec<Result<Answer, Failure>> {
        answers(ops, store.process.close_queued(&commands(ops)))
    }

    fn begin_checkpoint(
        &self,
        store: &mut OpenQueue,
    ) -> Result<Option<PendingCheckpoint>, Failure> {
        store.process.begin_checkpoint()
    }

    fn begin_checkpoint_queued(&self, store: &mut OpenQueue, ops: &[QueueOp]) -> BegunWithCallers {
        let (begun, replies) = store.process.begin_checkpoint_queued(&commands(ops));
        (begun, answers(ops, replies))
    }

    fn finish_checkpoint(
        &self,
        store: &mut OpenQueue,
        written: Box<dyn Any + Send>,
    ) -> Result<(), Failure> {
        store.process.finish_checkpoint(written)
    }
}

fn commands(ops: &[QueueOp]) -> Vec<Command> {
    ops.iter().map(|op| op.command.clone()).collect()
}

fn answers(ops: &[QueueOp], replies: Vec<Reply>) -> Vec<Result<Answer, Failure>> {
    let answers = ops.iter().zip(replies);
    answers
        .map(|(op, reply)| answer(&op.command, reply))
        .collect()
}

/// What a command answered, in the terms of the checker.
pub(super) fn answer(command: &Command, reply: Reply) -> Result<Answer, Failure> {
    let (done, position) = reply?;
    let text = match done {
        Done::Refused(refusal) => refused(refusal),
        Done::Accepted(job) if *command == Command::Dispatch => handed_out(job.as_ref()),
        Done::Accepted(_) => String::new(),
    };
    Ok(Answer {
        text,
        durability: Durability::Durable,
        position,
    })
}
