//! The job queue's controller: commands in, durable events out.
//!
//! Every command is validated first, then logged, then applied; it is durable when it returns.
//! [`Controller`] has one owner and no threads; [`SharedController`] serves many threads, whose
//! commands share syncs.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{Event, JobId, Payload};
use crate::job_queue::{Command, JobError, JobQueue, JobSpec};
use crate::metrics::StoreMetrics;
use crate::position::Position;
use crate::storage::Storage;
use crate::store::{
    Checkpoint, CheckpointReport, CommandError, RecoveryReport, SharedStore, Store, StoreOptions,
    WrittenCheckpoint,
};
use crate::wal::{LogReader, Ticket};

/// Why a job command did not happen.
pub type JobCommandError = CommandError<JobError>;

/// How a controller behaves.
#[derive(Clone, Debug, Default)]
pub struct ControllerOptions {
    /// The store beneath it.
    pub store: StoreOptions,
    /// Whether opening takes back jobs that were in flight, because the workers that had them are
    /// gone. It does so with ordinary commands, logged like any other. Default: no; such jobs come
    /// back when their time is over.
    pub requeue_in_flight: bool,
}

/// A job that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// Its name.
    pub id: JobId,
    /// What to do, byte for byte as it was enqueued.
    pub payload: Payload,
    /// Which attempt this is, from 1. A worker names it in every report, so that a late one is
    /// known.
    pub attempt: u32,
    /// When it times out, in milliseconds since the Unix epoch.
    pub deadline_ms: u64,
}

/// What a command did: the number of its events, and the job that it handed out.
type Done = (usize, Option<Dispatched>);

fn plan(queue: &JobQueue, command: &Command, now_ms: u64) -> Result<(Vec<Event>, Done), JobError> {
    let events = queue.plan(command, now_ms)?;
    let dispatched = match (command, events.first()) {
        (Command::Dispatch, Some(event)) => dispatched(queue, event),
        _ => None,
    };
    // Counted before they are moved into the log.
    let count = events.len();
    Ok((events, (count, dispatched)))
}

/// The job of a DISPATCH, before that is applied.
fn dispatched(queue: &JobQueue, event: &Event) -> Option<Dispatched> {
    let job = queue.job(&event.job_id)?;
    Some(Dispatched {
        id: event.job_id.clone(),
        payload: job.payload().clone(),
        // Applying the event counts this attempt, and that comes later.
        attempt: job.attempts() + 1,
        deadline_ms: event.timestamp_ms.saturating_add(job.timeout_ms()),
    })
}

/// One method for each command, on top of `execute`. The two controllers differ in nothing but the
/// receiver, and a trait would have to be imported by every caller.
macro_rules! job_commands {
    ($self:ident: $receiver:ty) => {
        /// Adds a job at the end of the queue.
        ///
        /// # Errors
        /// Rejected if a job of that name was ever enqueued; see [`Store::commit`] and, for the shared
        /// controller, [`SharedStore::commit`] for the rest.
        pub fn enqueue($self: $receiver, spec: JobSpec) -> Result<(), JobCommandError> {
            $self.enqueue_all(vec![spec])
        }

        /// Adds all jobs, or none of them.
        ///
        /// # Errors
        /// As [`enqueue`](Self::enqueue).
        pub fn enqueue_all($self: $receiver, specs: Vec<JobSpec>) -> Result<(), JobCommandError> {
            $self.execute(&Command::Enqueue(specs)).map(drop)
        }

        /// Hands out the first job of the queue; `None` if there is none.
        ///
        /// # Errors
        /// As [`Store::commit`].
        pub fn dispatch($self: $receiver) -> Result<Option<Dispatched>, JobCommandError> {
            let (_, dispatched) = $self.execute(&Command::Dispatch)?;
            Ok(dispatched)
        }

        /// The worker that has `attempt` at a job is alive, and has the job's whole timeout again.
        ///
        /// # Errors
        /// As [`ack`](Self::ack).
        pub fn heartbeat(
            $self: $receiver,
            id: &JobId,
            attempt: u32,
        ) -> Result<(), JobCommandError> {
            let id = id.clone();
            $self.execute(&Command::Heartbeat { id, attempt }).map(drop)
        }

        /// A job that was handed out is done. `attempt` is the one that
        /// [`dispatch`](Self::dispatch) handed out.
        ///
        /// # Errors
        /// Rejected if the job is not in flight, or is at another attempt
        /// ([`JobError::WrongAttempt`]): the time of this one was over, and another worker has the
        /// job. See [`Store::commit`] for the rest.
        pub fn ack($self: $receiver, id: &JobId, attempt: u32) -> Result<(), JobCommandError> {
            let id = id.clone();
            $self.execute(&Command::Ack { id, attempt }).map(drop)
        }

        /// A job that was handed out has failed: back to the end of the queue, after the job's
        /// delay, or to the dead letters after its last attempt.
        ///
        /// # Errors
        /// As [`ack`](Self::ack).
        pub fn fail($self: $receiver, id: &JobId, attempt: u32) -> Result<(), JobCommandError> {
            let id = id.clone();
            $self.execute(&Command::Fail { id, attempt }).map(drop)
        }

        /// Takes back every job whose time is over, and puts every job whose delay is over back into
        /// the queue. To be called regularly: nothing else looks at the clock for that. Returns for how
        /// many jobs there was something to do; see [`Command::Tick`].
        ///
        /// # Errors
        /// As [`Store::commit`]. Of more than [`JobQueue::PLAN_LIMIT`] jobs some may be taken back
        /// already.
        pub fn tick($self: $receiver) -> Result<usize, JobCommandError> {
            take_all(|| $self.execute(&Command::Tick))
        }

        /// Puts a dead letter back into the queue, with all its attempts again.
        ///
        /// # Errors
        /// Rejected if it is not a dead letter; see [`Store::commit`] for the rest.
        pub fn revive($self: $receiver, id: &JobId) -> Result<(), JobCommandError> {
            $self.execute(&Command::Revive(id.clone())).map(drop)
        }

        /// Removes a dead letter. Its name stays known and is not accepted again.
        ///
        /// # Errors
        /// As [`revive`](Self::revive).
        pub fn drop_dead($self: $receiver, id: &JobId) -> Result<(), JobCommandError> {
            $self.execute(&Command::Drop(id.clone())).map(drop)
        }

        /// Takes back every job that is in flight. Returns how many these were.
        ///
        /// # Errors
        /// As [`tick`](Self::tick).
        pub fn requeue_in_flight($self: $receiver) -> Result<usize, JobCommandError> {
            take_all(|| $self.execute(&Command::RequeueInFlight))
        }
    };
}

/// A durable job queue for one owner.
#[derive(Debug)]
pub struct Controller {
    store: Store<JobQueue>,
    clock: Arc<dyn Clock>,
}

impl Controller {
    /// Opens the queue in `storage`, or makes a new one where there is none.
    ///
    /// # Errors
    /// As [`Store::open`]; and as any command, if jobs in flight are to be taken back.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: ControllerOptions,
    ) -> Result<(Self, RecoveryReport)> {
        // One clock for events and segments, so that a test that sets it sets both.
        let clock = Arc::clone(&options.store.wal.clock);
        let (store, report) = Store::open(storage, options.store)?;
        let mut controller = Controller { store, clock };
        if options.requeue_in_flight {
            controller.requeue_in_flight().map_err(only_log)?;
        }
        Ok((controller, report))
    }

    job_commands!(self: &mut Self);

    /// Carries out any command: the number of its events, and the job that it handed out.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn execute(
        &mut self,
        command: &Command,
    ) -> Result<(usize, Option<Dispatched>), JobCommandError> {
        let now_ms = self.clock.now_ms();
        let (_, done) = self.store.commit(|queue| plan(queue, command, now_ms))?;
        Ok(done)
    }

    /// Validates and queues a command, for a later [`flush`](Controller::flush) that makes all
    /// queued ones durable together. `None` in place of a ticket: there is nothing to log.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit(
        &mut self,
        command: &Command,
    ) -> Result<(Option<Ticket>, Option<Dispatched>), JobCommandError> {
        let now_ms = self.clock.now_ms();
        let submitted = self.store.submit(|queue| plan(queue, command, now_ms));
        submitted.map(|(ticket, (_, dispatched))| (ticket, dispatched))
    }

    /// As [`Store::is_due`].
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.store.is_due()
    }

    /// Makes every queued command durable and applies it.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.store.flush()
    }

    /// As [`Store::checkpoint`].
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn checkpoint(&mut self) -> Result<Option<CheckpointReport>> {
        self.store.checkpoint()
    }

    /// As [`Store::begin_checkpoint`].
    ///
    /// # Errors
    /// As [`Store::begin_checkpoint`].
    pub fn begin_checkpoint(&mut self) -> Result<Option<Checkpoint<JobQueue>>> {
        self.store.begin_checkpoint()
    }

    /// As [`Store::finish_checkpoint`].
    ///
    /// # Errors
    /// As [`Store::finish_checkpoint`].
    pub fn finish_checkpoint(&mut self, written: WrittenCheckpoint) -> Result<CheckpointReport> {
        self.store.finish_checkpoint(written)
    }

    /// What the queue has done since it was opened, in numbers.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.store.metrics()
    }

    /// The durable state of the queue: status, counts, dead letters.
    #[must_use]
    pub fn state(&self) -> &JobQueue {
        self.store.state()
    }

    /// The position of the last applied event.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.store.applied()
    }

    /// The last position of the log.
    #[must_use]
    pub fn last_position(&self) -> Position {
        self.store.last_position()
    }

    /// What stopped the queue from accepting changes, if anything did.
    #[must_use]
    pub fn poisoned(&self) -> Option<&Error> {
        self.store.poisoned()
    }

    /// A reader of the durable part of the log.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.store.reader()
    }

    /// As [`Store::close`].
    ///
    /// # Errors
    /// As [`Store::close`].
    pub fn close(self) -> Result<()> {
        self.store.close()
    }
}

/// Repeats a command that takes back a limited number of jobs until it has taken all, and adds them
/// up.
fn take_all<E>(mut execute: impl FnMut() -> Result<Done, E>) -> Result<usize, E> {
    let mut total = 0;
    loop {
        let (taken, _) = execute()?;
        total += taken;
        // Exactly the limit may mean that there are more; one command too many does no harm.
        if taken < JobQueue::PLAN_LIMIT {
            return Ok(total);
        }
    }
}

/// Taking back what is in flight is never rejected.
fn only_log(error: JobCommandError) -> Error {
    match error {
        CommandError::Log(error) => error,
        CommandError::Rejected(error) => unreachable!("a job in flight can be taken back: {error}"),
    }
}

/// A durable job queue for many threads. Cheap to clone; all clones are one queue.
#[derive(Clone, Debug)]
pub struct SharedController {
    store: SharedStore<JobQueue>,
    clock: Arc<dyn Clock>,
}

impl SharedController {
    /// As [`Controller::open`].
    ///
    /// # Errors
    /// As [`Controller::open`].
    pub fn open(
        storage: Arc<dyn Storage>,
        options: ControllerOptions,
    ) -> Result<(Self, RecoveryReport)> {
        let clock = Arc::clone(&options.store.wal.clock);
        let (store, report) = SharedStore::open(storage, options.store)?;
        let controller = SharedController { store, clock };
        if options.requeue_in_flight {
            controller.requeue_in_flight().map_err(only_log)?;
        }
        Ok((controller, report))
    }

    /// Carries out a command and waits until it is durable: the number of its events, and the job
    /// that it handed out.
    ///
    /// # Errors
    /// As [`SharedStore::commit`].
    pub fn execute(
        &self,
        command: &Command,
    ) -> Result<(usize, Option<Dispatched>), JobCommandError> {
        let now_ms = self.clock.now_ms();
        let (_, done) = self.store.commit(|queue| plan(queue, command, now_ms))?;
        Ok(done)
    }

    job_commands!(self: &Self);

    /// Looks at the durable state of the queue.
    pub fn read<R>(&self, look: impl FnOnce(&JobQueue) -> R) -> R {
        self.store.read(look)
    }

    /// As [`SharedStore::checkpoint`].
    ///
    /// # Errors
    /// As [`SharedStore::checkpoint`].
    pub fn checkpoint(&self) -> Result<Option<CheckpointReport>> {
        self.store.checkpoint()
    }

    /// As [`SharedStore::metrics`].
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.store.metrics()
    }

    /// As [`SharedStore::close`].
    ///
    /// # Errors
    /// As [`SharedStore::close`].
    pub fn close(&self) -> Result<()> {
        self.store.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limited_command_is_repeated_until_all_jobs_are_taken() {
        let mut answers = [JobQueue::PLAN_LIMIT, JobQueue::PLAN_LIMIT, 7].into_iter();
        let taken = take_all(|| answers.next().map(|count| (count, None)).ok_or(()));
        assert_eq!(taken, Ok(2 * JobQueue::PLAN_LIMIT + 7));
        assert_eq!(
            take_all(|| Err("the log is poisoned")),
            Err("the log is poisoned")
        );
    }
}
