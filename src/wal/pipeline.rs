//! Many threads in front of one log: the callers themselves write, one batch at a time.
//!
//! ```text
//! callers ── submit (front's lock) ──→ queue ── one leader (log's lock): write, sync ──→ finish (all locks) ──→ wake
//! ```
//!
//! There is no writer thread that a caller would have to wait for: the first caller of a batch
//! leads, writes it, and asks a caller of the next batch to lead before it wakes its own. A thread
//! in the background serves only appends that nobody waits for. Lock order: log, what
//! follows it, front.
//!
//! A panic while the log's lock is held (in a state machine, or in a [`Storage`](crate::Storage) of
//! somebody else's making) ends the pipeline: the log is dropped, everybody who waits is answered,
//! and every later call gets [`Error::Closed`].

use std::sync::Arc;

use super::Wal;
use super::commit_queue::{CommitQueue, Wakeup};
use super::room::Room;
use super::ticket::{Ticket, Woken};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::position::Position;
use crate::sync::{self, Condvar, Mutex, MutexGuard};

/// How long a leader waits for the callers of the last batch to come back, in microseconds: less
/// than a sync takes, so what it costs when nobody comes is less than what a shared sync saves.
const COMPANY_US: u64 = 40;

/// What stands in front of a log and must move with it.
pub(crate) trait Front: Send + 'static {
    /// What is queued with each append.
    type Tag: Send;

    /// What follows the log: everything durable.
    type Durable: std::fmt::Debug + Send;

    /// The queue.
    fn queue(&mut self) -> &mut CommitQueue<Self::Tag>;

    /// A batch is durable, and `last` the last position of the log; or it failed, and everything
    /// queued behind it with it.
    fn decided(&mut self, last: Option<Position>);

    /// These appends are durable, in this order; `last` is the last position of the log.
    fn apply(durable: &mut Self::Durable, tags: &[Self::Tag], last: Position);
}

/// A log, its front, and what follows it, each behind its own lock.
#[derive(Debug)]
pub(crate) struct Pipeline<F: Front, E> {
    front: Mutex<F>,
    durable: Mutex<F::Durable>,
    /// Nothing once it is closed.
    log: Mutex<Option<Wal<E>>>,
    clock: Arc<dyn Clock>,
    /// Where the thread in the background should make free space.
    room: Mutex<Option<Arc<Room>>>,
    /// Wakes the thread in the background: something was queued that nobody may wait for, there
    /// should be more free space, or the end has come.
    queued: Condvar,
}

impl<F: Front, E> Pipeline<F, E> {
    pub(crate) fn new(front: F, durable: F::Durable, log: Wal<E>, clock: Arc<dyn Clock>) -> Self {
        Pipeline {
            front: Mutex::new(front),
            durable: Mutex::new(durable),
            log: Mutex::new(Some(log)),
            clock,
            room: Mutex::new(None),
            queued: Condvar::default(),
        }
    }

    pub(crate) fn front(&self) -> MutexGuard<'_, F> {
        self.front.lock()
    }

    /// Whatever a caller has been told is durable is in it.
    pub(crate) fn durable(&self) -> MutexGuard<'_, F::Durable> {
        self.durable.lock()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Waits until the append is durable or has failed, and writes its batch if nobody else does.
    pub(crate) fn wait(&self, ticket: &Ticket) -> Result<Position> {
        loop {
            match ticket.wait() {
                Woken::Done(result) => return result,
                Woken::Lead => {
                    sync::give_way(COMPANY_US, || ticket.has_company());
                    self.write_one();
                }
            }
        }
    }

    /// Tells the thread in the background that there may be an append nobody waits for.
    pub(crate) fn announce(&self) {
        self.queued.notify_one();
    }

    /// Writes the next batch, if there is one.
    pub(crate) fn write_one(&self) {
        let wakeup = self.write_next(&mut self.lock_log().log);
        drop(wakeup);
    }

    /// Writes everything that is queued, then does `work` between batches: nothing is in flight.
    pub(crate) fn with_log<T>(&self, work: impl FnOnce(&mut Wal<E>) -> Result<T>) -> Result<T> {
        let mut locked = self.lock_log();
        self.write_queued(&mut locked.log);
        work(locked.log.as_mut().ok_or(Error::Closed)?)
    }

    /// Does `work` between two batches, whatever is queued: nothing is in flight.
    pub(crate) fn between_batches<T>(
        &self,
        work: impl FnOnce(&mut Wal<E>) -> Result<T>,
    ) -> Result<T> {
        work(self.lock_log().log.as_mut().ok_or(Error::Closed)?)
    }

    /// Refuses further appends.
    pub(crate) fn refuse(&self) {
        self.front.lock().queue().close();
        self.queued.notify_all();
    }

    /// Refuses further appends, writes what is queued, answers everybody, and takes the log out.
    pub(crate) fn close(&self) -> Result<Wal<E>> {
        self.refuse();
        let mut locked = self.lock_log();
        self.write_queued(&mut locked.log);
        locked.log.take().ok_or(Error::Closed)
    }

    /// Has free space made while the disk syncs. If nobody comes to it in time, appends do without.
    fn want_room(&self, room: &Arc<Room>) {
        let front = self.front.lock();
        *self.room.lock() = Some(Arc::clone(room));
        drop(front);
        self.queued.notify_one();
    }

    /// Serves appends that nobody waits for, and makes free space, until the pipeline is closed.
    fn serve(&self) {
        let mut front = self.front.lock();
        while !front.queue().is_closed() {
            let room = self.room.lock().take();
            if let Some(room) = room {
                drop(front);
                room.make();
                front = self.front.lock();
                continue;
            }
            let now_ms = self.clock.now_ms();
            if front.queue().lead_if_due(now_ms) {
                drop(front);
                self.write_one();
                front = self.front.lock();
                continue;
            }
            front = match front.queue().look_again_ms(now_ms) {
                None => self.queued.wait(front),
                Some(wait_ms) => self.queued.wait_timeout_ms(&self.front, front, wait_ms),
            };
        }
    }

    /// Writes what is queued now. Not what comes meanwhile: callers that never stop would keep it
    /// here for ever.
    fn write_queued(&self, log: &mut Option<Wal<E>>) {
        let batches = self.front.lock().queue().batches();
        for _ in 0..batches {
            drop(self.write_next(log));
        }
    }

    /// Writes and syncs the next batch, if there is one, and applies it before the log's lock is
    /// given up. Answers with whom to wake when it is.
    fn write_next(&self, log: &mut Option<Wal<E>>) -> Option<Wakeup> {
        let batch = self.front.lock().queue().take()?;
        let result = log
            .as_mut()
            .ok_or(Error::Closed)
            .and_then(|log| log.commit_with_room(batch.groups(), |room| self.want_room(room)));
        let last = result.as_ref().ok().copied();
        // Taken before anybody can learn that the batch is durable, and kept until it is applied:
        // whoever has learned it finds it applied. Commands are planned meanwhile.
        let mut durable = self.durable.lock();
        let mut front = self.front.lock();
        let (tags, wakeup) = front.queue().settle(&batch, result);
        front.decided(last);
        drop(front);
        if let (Ok(tags), Some(last)) = (tags, last) {
            F::apply(&mut durable, &tags, last);
        }
        Some(wakeup)
    }

    fn lock_log(&self) -> LockedLog<'_, F, E> {
        LockedLog {
            log: self.log.lock(),
            pipeline: self,
            was_panicking: std::thread::panicking(),
        }
    }
}

/// The log's lock.
struct LockedLog<'a, F: Front, E> {
    log: MutexGuard<'a, Option<Wal<E>>>,
    pipeline: &'a Pipeline<F, E>,
    was_panicking: bool,
}

impl<F: Front, E> Drop for LockedLog<'_, F, E> {
    /// After a panic the log may be half changed, so it is dropped, and nobody may be left waiting
    /// for it.
    fn drop(&mut self) {
        if self.was_panicking || !std::thread::panicking() {
            return;
        }
        *self.log = None;
        self.pipeline.front.lock().queue().abandon();
        self.pipeline.queued.notify_all();
    }
}

/// What the handles of a pipeline share. With the last of them the pipeline is closed and its
/// thread ends.
#[derive(Debug)]
pub(crate) struct Owner<F: Front, E>(Arc<Pipeline<F, E>>);

impl<F: Front, E: Send + 'static> Owner<F, E> {
    /// Starts the thread in the background.
    pub(crate) fn start(pipeline: Pipeline<F, E>) -> Arc<Self> {
        let pipeline = Arc::new(pipeline);
        let background = Arc::clone(&pipeline);
        sync::spawn(move || background.serve());
        Arc::new(Owner(pipeline))
    }
}

impl<F: Front, E> Owner<F, E> {
    pub(crate) fn pipeline(&self) -> &Arc<Pipeline<F, E>> {
        &self.0
    }
}

impl<F: Front, E> Drop for Owner<F, E> {
    fn drop(&mut self) {
        // Whoever needs to know closes; the log that comes back here gives up its lock by being
        // dropped.
        drop(self.0.close());
    }
}
