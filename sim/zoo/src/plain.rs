//! A plain store: a log, a snapshot and a job queue, as simple as they can be and still be right,
//! with bugs that can be switched on.
//!
//! It follows the same protocol as the library and shares no code with it but the checksum. Where
//! the library rewrites the last batch, this one rewrites the whole segment; where the library keeps
//! an older snapshot, this one keeps none; it reads whole files into memory, twice. Its state is the
//! checker's model, because its bugs are in how it logs and recovers. With all bugs off it must pass
//! everything that the library passes: a store that fails by itself proves nothing about the judge.

mod bug;
mod checkpoint;
mod files;
mod line;
mod process;
mod reader;
mod recovery;
mod rules;
mod segment;
mod snapshot;

use std::any::Any;
use std::sync::Arc;

use beaver::Storage;

pub use bug::PlainBug;

use beaver_sim::beaver::engine::{Engine, LogEntry, Opening, Process, Reply};
use beaver_sim::beaver::{Command, Queue, QueueState};
use beaver_sim::subject::{AnySubject, ErrorClass, Failure, Machine, PendingCheckpoint, Position};

use process::PlainProcess;
use reader::PlainReader;

/// The plain store, with a bug or without.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainStore {
    bug: Option<PlainBug>,
}

impl PlainStore {
    /// The plain store without any bug.
    #[must_use]
    pub fn sound() -> AnySubject {
        AnySubject::new(Queue::new(PlainStore::default()))
    }

    /// The plain store with one bug.
    #[must_use]
    pub fn with(bug: PlainBug) -> AnySubject {
        AnySubject::new(Queue::new(PlainStore { bug: Some(bug) }))
    }
}

impl Engine for PlainStore {
    fn open(&self, machine: &Machine) -> Opening {
        let (process, report) = recovery::open(machine, self.bug)?;
        Ok((Box::new(process), report))
    }

    fn falls_back(&self) -> bool {
        false
    }

    fn requeues(&self) -> bool {
        false
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure> {
        let reader = PlainReader {
            disk: &**storage,
            bug: self.bug,
        };
        reader.history(after)
    }
}

impl Process for PlainProcess {
    fn command(&mut self, command: &Command) -> Reply {
        let mut replies = self.together(std::slice::from_ref(command));
        replies.pop().expect("one reply to one command")
    }

    fn group(&mut self, commands: &[Command]) -> Vec<Reply> {
        self.together(commands)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        self.begin()
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        self.finish(&*written)
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        match self.begin()? {
            Some(pending) => self.finish(&*pending()?),
            None => Ok(()),
        }
    }

    fn state(&self) -> QueueState {
        QueueState::Model(self.state.clone())
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.end()
    }

    fn close_queued(mut self: Box<Self>, commands: &[Command]) -> Vec<Reply> {
        let written = match self.has(PlainBug::CloseStrandsCallers) {
            true => commands.len().min(1),
            false => commands.len(),
        };
        let mut replies = self.together(&commands[..written]);
        let waits = Failure::new(ErrorClass::Unanswered, "no answer");
        replies.resize(commands.len(), Err(waits));
        // Every caller has an answer, whatever the close says.
        let _ = self.end();
        replies
    }
}
