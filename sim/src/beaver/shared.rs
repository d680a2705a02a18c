//! The library's front for many threads as an engine of the job queue.
//!
//! Its callers have threads of their own, and yet nothing depends on a scheduler: each storage call is
//! made under the lock of the log, so it is enough to hold one caller before such a call while the
//! others queue.
//!
//! ```text
//! caller 1  ─ queues, leads ─┤ before its write          ├─ write, sync ─ answered
//! caller 2 …                  └ queue: they share a batch ┘               ─ write, sync ─ answered
//! ```
//!
//! A checkpoint is held before it makes its snapshot, and again before the snapshot's name is synced:
//! there it holds no lock that a command takes. The thread in the background has nothing to do here:
//! every append is waited for, the clock stands still in a command, and no space is made ahead.

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use beaver::event::EventKind;
use beaver::store::CheckpointReport;
use beaver::{Clock, CommandError, Error, JobError, JobQueue, SharedStore, Storage, StoreOptions};
use beaver_storage::{Op, interpose};

use super::border;
use super::command::Command;
use super::engine::{Engine, HandedOut, LogEntry, Opening, Process, Reply, Salvaged};
use super::library::{Library, library_command, options, reply, report_of};
use super::state::QueueState;
use crate::lockstep::{Lockstep, LockstepThread};
use crate::subject::{Failure, Machine, PendingCheckpoint, Position};

/// The library through its front for many threads.
#[derive(Clone, Copy, Debug)]
pub struct SharedLibrary;

impl Engine for SharedLibrary {
    fn refusals_wait(&self) -> bool {
        true
    }

    fn open(&self, machine: &Machine) -> Opening {
        let mut options: StoreOptions = options(machine);
        options.wal.preallocate_bytes = 0;
        let storage = interpose(Arc::clone(&machine.storage), Arc::new(Lockstep));
        let (store, report) = SharedStore::open(storage, options)?;
        let clock = Arc::clone(&machine.clock);
        Ok((Box::new(Callers { store, clock }), report_of(&report)))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure> {
        Library.replay_after(storage, after)
    }

    fn replay_leniently(&self, storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        Library.replay_leniently(storage)
    }
}

/// A process whose threads share the store.
#[derive(Clone)]
struct Callers {
    store: SharedStore<JobQueue>,
    clock: Arc<dyn Clock>,
}

/// What came of a checkpoint.
type Checkpointed = Result<Option<CheckpointReport>, Error>;

impl Callers {
    /// Carries out a command on this thread. `planned` is called under the locks of the queue: what
    /// the log does with it afterwards comes after the command was queued.
    fn commit(&self, command: &Command, planned: impl FnOnce()) -> Reply {
        let now_ms = self.clock.now_ms();
        let committed = self.store.commit(|queue| {
            planned();
            let events = queue.plan(&library_command(command), now_ms)?;
            let dispatched = events.iter().find(|it| it.kind == EventKind::Dispatch);
            let handed_out = dispatched.map(|event| HandedOut {
                id: event.job_id.as_str().to_owned(),
                // Applying the event counts this attempt, and that comes later.
                attempt: 1 + queue.job(&event.job_id).map_or(0, |job| job.attempts()),
            });
            Ok((events, handed_out))
        });
        match committed {
            Ok((position, job)) => reply(Ok(job), position.map(border::position)),
            Err(error) => reply(Err::<_, CommandError<JobError>>(error), None),
        }
    }

    /// Callers one after the other, until one of them stands before its first storage call; the rest
    /// queue meanwhile. Then `meanwhile` runs, and all of them go on. An answer for each.
    fn together(&self, commands: &[Command], meanwhile: impl FnOnce()) -> Vec<Reply> {
        let count = commands.len();
        let mut replies = Vec::new();
        let mut commands = commands.iter();
        for command in commands.by_ref() {
            let (caller, own) = (self.clone(), command.clone());
            let mut leader = LockstepThread::start(move || caller.commit(&own, || {}));
            if !leader.run_to(|_, _| true) {
                let reply = ended(leader);
                let failure = reply.as_ref().err().cloned();
                replies.push(reply);
                match failure {
                    None => continue,
                    // The log refuses everything, so the others have nothing to share.
                    Some(failure) => replies.resize(count, Err(failure)),
                }
                break;
            }
            let queued: Vec<_> = commands
                .by_ref()
                .map(|command| self.queue(command))
                .collect();
            meanwhile();
            replies.push(ended(leader));
            replies.extend(queued.into_iter().map(joined));
            return replies;
        }
        meanwhile();
        replies
    }

    /// A caller on a thread of its own, which has queued its command when this returns.
    fn queue(&self, command: &Command) -> JoinHandle<Reply> {
        let (caller, command) = (self.clone(), command.clone());
        let (sender, queued): (Sender<()>, _) = channel();
        let thread = thread::spawn(move || {
            let sender = sender;
            caller.commit(&command, || sender.send(()).unwrap_or_default())
        });
        // Where it was refused before it planned anything the sender is gone.
        let _ = queued.recv();
        thread
    }
}

fn ended<T: Send + 'static>(thread: LockstepThread<T>) -> T {
    match thread.finish() {
        Ok(done) => done,
        Err(panicked) => panic!("{panicked}"),
    }
}

fn joined<T>(thread: JoinHandle<T>) -> T {
    match thread.join() {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked),
    }
}

impl Process for Callers {
    fn command(&mut self, command: &Command) -> Reply {
        self.commit(command, || {})
    }

    fn group(&mut self, commands: &[Command]) -> Vec<Reply> {
        self.together(commands, || {})
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        let store = self.store.clone();
        let mut checkpoint = LockstepThread::start(move || store.checkpoint());
        let makes_snapshot = |op, file: &str| op == Op::Create && file.starts_with("snapshot-");
        if !checkpoint.run_to(makes_snapshot) {
            let done = ended(checkpoint)?;
            assert!(done.is_none(), "a checkpoint without a snapshot");
            return Ok(None);
        }
        Ok(Some(Box::new(move || {
            match checkpoint.run_to(|op, _| op == Op::SyncDir) {
                true => Ok(Box::new(checkpoint) as Box<dyn Any + Send>),
                false => match ended(checkpoint) {
                    Err(error) => Err(error.into()),
                    Ok(_) => unreachable!("a snapshot whose name was never synced"),
                },
            }
        })))
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        let written = written.downcast::<LockstepThread<Checkpointed>>();
        ended(*written.expect("the run hands back what the second step returned"))?;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.store.checkpoint()?;
        Ok(())
    }

    fn state(&self) -> QueueState {
        QueueState::Observed(self.store.read(JobQueue::clone))
    }

    fn applied(&self) -> Position {
        border::position(self.store.applied())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.store.close()?)
    }

    fn close_queued(self: Box<Self>, commands: &[Command]) -> Vec<Reply> {
        let mut closing = None;
        let replies = self.together(commands, || {
            let store = self.store.clone();
            closing = Some(thread::spawn(move || store.close()));
        });
        // What became of each its caller says, whatever the close says.
        let _ = closing.map(joined);
        replies
    }
}
