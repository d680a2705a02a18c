//! The library's queue with something wrong around it that no file shows.

use std::any::Any;
use std::sync::Arc;

use beaver::storage::Storage;
use beaver_sim::beaver::engine::{Done, Engine, LogEntry, Opening, Process, Reply};
use beaver_sim::beaver::{Command, Library, QueueState};
use beaver_sim::subject::{ErrorClass, Failure, Machine, PendingCheckpoint, Position};

/// How it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// After a recovery that found a job it takes no command.
    TakesNothingAfterRecovery,
    /// It looks at the directory before it refuses a command, and fails where it cannot.
    LooksBeforeRefusing,
}

struct Wrapped {
    around: Around,
    process: Box<dyn Process>,
    storage: Arc<dyn Storage>,
    recovered: bool,
}

impl Engine for Around {
    fn open(&self, machine: &Machine) -> Opening {
        let (process, report) = Library.open(machine)?;
        let wrapped = Wrapped {
            around: *self,
            storage: Arc::clone(&machine.storage),
            recovered: process.applied() > Position { epoch: 1, seq: 0 },
            process,
        };
        Ok((Box::new(wrapped), report))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure> {
        Library.replay_after(storage, after)
    }
}

impl Process for Wrapped {
    fn command(&mut self, command: &Command) -> Reply {
        if self.around == Around::TakesNothingAfterRecovery && self.recovered {
            return Err(Failure::new(ErrorClass::NotDone, "takes nothing any more"));
        }
        let reply = self.process.command(command);
        let refused = matches!(&reply, Ok((Done::Refused(_), _)));
        if self.around == Around::LooksBeforeRefusing
            && refused
            && let Err(error) = self.storage.list()
        {
            return Err(Failure::new(ErrorClass::NotDone, error.to_string()));
        }
        reply
    }

    fn group(&mut self, commands: &[Command]) -> Vec<Reply> {
        self.process.group(commands)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        self.process.begin_checkpoint()
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        self.process.finish_checkpoint(written)
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.process.checkpoint()
    }

    fn state(&self) -> QueueState {
        self.process.state()
    }

    fn applied(&self) -> Position {
        self.process.applied()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.process.close()
    }

    fn close_queued(self: Box<Self>, commands: &[Command]) -> Vec<Reply> {
        self.process.close_queued(commands)
    }
}
