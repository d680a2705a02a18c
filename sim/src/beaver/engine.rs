//! A store that keeps the job queue in the documented files: the library, or one of the broken
//! ones of the package `beaver-zoo`.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use beaver::Storage;

use super::command::Command;
use super::model::{Record, Refusal};
use super::state::QueueState;
use crate::subject::{Failure, Machine, OpenReport, PendingCheckpoint, Position};

/// One entry of the history as a log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub position: Position,
    /// What happened.
    pub record: Record,
}

/// What came of opening a store: a process that has it open and what it reported, or why it did not
/// open.
pub type Opening = Result<(Box<dyn Process>, OpenReport), Failure>;

/// A kind of store.
pub trait Engine: Debug + Send + Sync + 'static {
    /// The name in reports.
    fn name(&self) -> String {
        format!("{self:?}")
    }

    /// See [`Concurrent::refusals_wait`](crate::subject::Concurrent::refusals_wait).
    fn refusals_wait(&self) -> bool {
        false
    }

    /// Opens the store in a directory, recovering whatever an earlier process left.
    ///
    /// # Errors
    /// Why it did not open.
    fn open(&self, machine: &Machine) -> Opening;

    /// The history after `after` that the files can still tell, read strictly, by a reader that does
    /// not own the store and changes nothing.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure>;

    /// Whether it keeps old snapshots as the log's settings say, with the segments above them, and opens
    /// from one of those where newer files are damaged.
    fn falls_back(&self) -> bool {
        true
    }

    /// Whether it puts what is in flight back when it is opened, where the log's settings say so.
    fn requeues(&self) -> bool {
        true
    }

    /// Everything that a lenient reader still finds; nothing if the store has no lenient reader.
    ///
    /// # Errors
    /// It gave up.
    fn replay_leniently(&self, storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        let _ = storage;
        Ok(None)
    }
}

/// A range of events that lenient replay says it left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedRange {
    /// The segment.
    pub epoch: u64,
    /// The first seq that is missing.
    pub from: u64,
    /// The last one, if anything that survived tells.
    pub to: Option<u64>,
}

/// What a lenient reader gets: the entries, what it says it left out, and whether it cut an
/// unfinished end off.
pub type Salvaged = (Vec<LogEntry>, Vec<SkippedRange>, bool);

/// What a command answered, and where the last record stands that it wrote down, if it did.
pub type Reply = Result<(Done, Option<Position>), Failure>;

/// What a command that did not fail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Done, and durable; the job that was handed out.
    Accepted(Option<HandedOut>),
    /// Refused by the rules of the queue.
    Refused(Refusal),
}

/// A job that a worker has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// Its id.
    pub id: String,
    /// Which attempt it is.
    pub attempt: u32,
}

/// What came of the first step of a checkpoint, and of what callers had submitted before it.
pub type BegunQueued = (Result<Option<PendingCheckpoint>, Failure>, Vec<Reply>);

/// A process that has a store open. Dropping it ends the process without a farewell.
pub trait Process {
    /// Carries out one command of the queue.
    fn command(&mut self, command: &Command) -> Reply;

    /// Several callers submit their commands, then one sync serves all. An answer for each caller.
    fn group(&mut self, commands: &[Command]) -> Vec<Reply>;

    /// Several callers submit their commands and do not wait. When the store finds that what is queued is
    /// due it is synced; until then `pass` lets time pass, as long as it is true. By default it is due at
    /// once.
    fn unawaited(&mut self, commands: &[Command], pass: &mut dyn FnMut() -> bool) -> Vec<Reply> {
        let _ = pass;
        self.group(commands)
    }

    /// The first step of a checkpoint, which other commands may follow. Nothing: there was nothing
    /// to do.
    ///
    /// # Errors
    /// It failed.
    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure>;

    /// Several callers submit their commands, and the first step of a checkpoint comes before any of
    /// them has flushed. An answer for each caller, as for [`group`](Process::group).
    fn begin_checkpoint_queued(&mut self, commands: &[Command]) -> BegunQueued {
        let begun = self.begin_checkpoint();
        (begun, self.group(commands))
    }

    /// The last step of a checkpoint.
    ///
    /// # Errors
    /// It failed.
    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure>;

    /// All of a checkpoint.
    ///
    /// # Errors
    /// It failed.
    fn checkpoint(&mut self) -> Result<(), Failure>;

    /// The state, as the queue shows it.
    fn state(&self) -> QueueState;

    /// The last applied position.
    fn applied(&self) -> Position;

    /// Closes the store cleanly.
    ///
    /// # Errors
    /// It failed, and is closed all the same.
    fn close(self: Box<Self>) -> Result<(), Failure>;

    /// Several callers submit their commands, and the store is closed before any of them has
    /// flushed. An answer for each caller, as for [`group`](Process::group).
    fn close_queued(self: Box<Self>, commands: &[Command]) -> Vec<Reply>;
}
