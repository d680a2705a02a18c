//! Many threads in front of one log: the callers themselves write, one batch at a time.
//!
//! ```text
//! callers ─ submit (queue's lock) → queue ─ one leader (log's lock): write, sync → finish → wake
//! ```
//!
//! There is no writer thread that a caller would have to wait for: the first caller of a batch
//! leads, writes it, and asks a caller of the next batch to lead before it wakes its own. A thread
//! in the background serves only appends that no caller waits for. Lock order: log, what follows
//! it, queue.
//!
//! A panic while the log's lock is held (in a state machine, or in a foreign
//! [`Storage`](crate::Storage)) ends the pipeline: the log is dropped, every waiting caller is
//! answered, and every later call gets [`Error::Closed`].

use std::fmt;
use std::sync::Arc;

use super::Wal;
use super::commit_queue::{CommitQueue, Wakeup};
use super::preallocation::Preallocator;
use super::ticket::{Ticket, Woken};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::metrics::{Counters, StoreMetrics};
use crate::position::Position;
use crate::sync::{self, Condvar, Mutex, MutexGuard, Thread};

/// How long a leader waits for the callers of the last batch to come back, in microseconds (the
/// `commit_delay` of other databases). Less than a sync takes, so a wait in vain costs less than a
/// shared sync saves.
const COMMIT_DELAY_US: u64 = 40;

/// What follows the log: everything durable.
pub(crate) trait Follower<T>: fmt::Debug + Send {
    /// These appends are durable, in this order; `last` is the last position of the log.
    fn follow(&mut self, appends: &[T], last: Position);
}

/// Nothing follows a log that is kept for its own sake.
impl Follower<()> for () {
    fn follow(&mut self, _appends: &[()], _last: Position) {}
}

/// A log, the queue in front of it, and what follows it, each behind its own lock. `T` is queued
/// with each append and handed to `D` when that is durable.
#[derive(Debug)]
pub(crate) struct Pipeline<T, D, E> {
    queue: Mutex<CommitQueue<T>>,
    durable: Mutex<D>,
    /// Nothing once it is closed.
    log: Mutex<Option<Wal<E>>>,
    clock: Arc<dyn Clock>,
    /// Those of the log, to be read while it writes.
    counters: Arc<Counters>,
    /// Where the thread in the background should make free space.
    preallocator: Mutex<Option<Arc<Preallocator>>>,
    /// Whether there is no thread in the background.
    is_alone: bool,
    /// Wakes the thread in the background: something was queued that perhaps no caller waits for,
    /// there should be more free space, or the end has come.
    queued: Condvar,
}

impl<T, D: Follower<T>, E> Pipeline<T, D, E> {
    pub(crate) fn new(
        queue: CommitQueue<T>,
        durable: D,
        log: Wal<E>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Pipeline {
            queue: Mutex::new(queue),
            durable: Mutex::new(durable),
            counters: Arc::clone(&log.counters),
            log: Mutex::new(Some(log)),
            clock,
            preallocator: Mutex::new(None),
            is_alone: false,
            queued: Condvar::default(),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, CommitQueue<T>> {
        self.queue.lock()
    }

    /// Whatever a caller has been told is durable is in it.
    pub(crate) fn durable(&self) -> MutexGuard<'_, D> {
        self.durable.lock()
    }

    pub(crate) fn metrics(&self) -> StoreMetrics {
        self.counters.read()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Waits until the append is durable or has failed, and writes its batch if no other caller
    /// does.
    pub(crate) fn wait(&self, ticket: &Ticket) -> Result<Position> {
        if self.is_alone {
            // A batch that is full comes before this one, and perhaps none of its callers waits in a
            // call that can write. What goes wrong, the ticket tells.
            let _ = self.write_queued(&mut self.lock_log().log);
        }
        loop {
            match ticket.wait() {
                Woken::Done(result) => return result,
                Woken::Lead => {
                    sync::spin_wait(COMMIT_DELAY_US, || ticket.is_as_expected());
                    self.write_one();
                }
            }
        }
    }

    /// Tells the thread in the background that there may be an append that no caller waits for.
    pub(crate) fn announce(&self) {
        self.queued.notify_one();
    }

    /// Writes the next batch, if there is one.
    pub(crate) fn write_one(&self) {
        let written = self.write_next(&mut self.lock_log().log);
        drop(written);
    }

    /// Writes everything that is queued now.
    ///
    /// # Errors
    /// That of the first batch that failed; [`Error::Poisoned`] and [`Error::Closed`] also where
    /// nothing was queued.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut locked = self.lock_log();
        self.write_queued(&mut locked.log)?;
        locked.log.as_ref().ok_or(Error::Closed)?.check_writable()
    }

    /// Writes everything that is queued, then does `work` between batches: nothing is in flight.
    pub(crate) fn with_log<R>(&self, work: impl FnOnce(&mut Wal<E>) -> Result<R>) -> Result<R> {
        let mut locked = self.lock_log();
        // What went wrong with an append, its own ticket tells.
        let _ = self.write_queued(&mut locked.log);
        work(locked.log.as_mut().ok_or(Error::Closed)?)
    }

    /// Does `work` between two batches, whatever is queued: nothing is in flight.
    pub(crate) fn between_batches<R>(
        &self,
        work: impl FnOnce(&mut Wal<E>) -> Result<R>,
    ) -> Result<R> {
        work(self.lock_log().log.as_mut().ok_or(Error::Closed)?)
    }

    /// Refuses further appends.
    pub(crate) fn refuse(&self) {
        self.queue.lock().close();
        self.queued.notify_all();
    }

    /// Refuses further appends, writes what is queued, answers every caller, and takes the log out.
    pub(crate) fn close(&self) -> Result<Wal<E>> {
        self.refuse();
        let mut locked = self.lock_log();
        let _ = self.write_queued(&mut locked.log);
        locked.log.take().ok_or(Error::Closed)
    }

    /// Has free space made while the disk syncs, or makes it where there is no other thread. If no
    /// thread comes to it in time, appends do without.
    fn fill_in_background(&self, preallocator: &Arc<Preallocator>) {
        if self.is_alone {
            return preallocator.fill();
        }
        let queue = self.queue.lock();
        *self.preallocator.lock() = Some(Arc::clone(preallocator));
        drop(queue);
        self.queued.notify_one();
    }

    /// Serves appends that no caller waits for, and makes free space, until the pipeline is closed.
    fn serve(&self) {
        let mut queue = self.queue.lock();
        while !queue.is_closed() {
            let preallocator = self.preallocator.lock().take();
            if let Some(preallocator) = preallocator {
                drop(queue);
                preallocator.fill();
                queue = self.queue.lock();
                continue;
            }
            let now_ms = self.clock.now_ms();
            if queue.lead_if_due(now_ms) {
                drop(queue);
                self.write_one();
                queue = self.queue.lock();
                continue;
            }
            queue = match queue.look_again_ms(now_ms) {
                None => self.queued.wait(queue),
                Some(wait_ms) => self.queued.wait_timeout_ms(&self.queue, queue, wait_ms),
            };
        }
    }

    /// Writes what is queued now. Not what comes meanwhile: callers that never stop would keep it
    /// here for ever.
    fn write_queued(&self, log: &mut Option<Wal<E>>) -> Result<()> {
        let batches = self.queue.lock().batches();
        let mut first = Ok(());
        for _ in 0..batches {
            if let Some((written, wakeup)) = self.write_next(log) {
                first = first.and(written);
                drop(wakeup);
            }
        }
        first
    }

    /// Writes and syncs the next batch, if there is one, and applies it before the log's lock is
    /// given up. Answers with how it went, and whom to wake when the lock is given up.
    fn write_next(&self, log: &mut Option<Wal<E>>) -> Option<(Result<()>, Wakeup)> {
        let batch = self.queue.lock().take()?;
        let result = log
            .as_mut()
            .ok_or(Error::Closed)
            .and_then(|log| log.commit_with(batch.groups(), |it| self.fill_in_background(it)));
        let last = result.as_ref().ok().copied();
        // Taken before a caller can learn that the batch is durable, and kept until it is applied:
        // a caller that has learned it finds it applied. Commands are planned meanwhile.
        let mut durable = self.durable.lock();
        let (tags, wakeup) = self.queue.lock().settle(&batch, result);
        let written = tags.map(|tags| {
            if let Some(last) = last {
                durable.follow(&tags, last);
            }
        });
        Some((written, wakeup))
    }

    fn lock_log(&self) -> LockedLog<'_, T, D, E> {
        LockedLog {
            log: self.log.lock(),
            pipeline: self,
            was_panicking: std::thread::panicking(),
        }
    }
}

/// The log's lock.
struct LockedLog<'a, T, D: Follower<T>, E> {
    log: MutexGuard<'a, Option<Wal<E>>>,
    pipeline: &'a Pipeline<T, D, E>,
    was_panicking: bool,
}

impl<T, D: Follower<T>, E> Drop for LockedLog<'_, T, D, E> {
    /// After a panic the log may be half changed, so it is dropped, and no caller may be left
    /// waiting for it.
    fn drop(&mut self) {
        if self.was_panicking || !std::thread::panicking() {
            return;
        }
        *self.log = None;
        self.pipeline.queue.lock().abandon();
        self.pipeline.queued.notify_all();
    }
}

/// The thread that a pipeline needs. To be had before anything is opened or made: where there is
/// none, nothing has happened.
pub(crate) fn background_thread() -> Result<Thread> {
    Thread::start().map_err(|error| Error::out_of("a thread", error))
}

/// What the handles of a pipeline share. With the last of them the pipeline is closed and its
/// thread ends.
#[derive(Debug)]
pub(crate) struct Owner<T, D: Follower<T>, E>(Arc<Pipeline<T, D, E>>);

impl<T, D, E> Owner<T, D, E>
where
    T: Send + 'static,
    D: Follower<T> + 'static,
    E: Send + 'static,
{
    /// Starts to serve, with `thread` in the background.
    pub(crate) fn start(pipeline: Pipeline<T, D, E>, thread: Thread) -> Arc<Self> {
        let pipeline = Arc::new(pipeline);
        let background = Arc::clone(&pipeline);
        thread.run(move || background.serve());
        Arc::new(Owner(pipeline))
    }
}

impl<T, D: Follower<T>, E> Owner<T, D, E> {
    /// Starts to serve without a thread: what no caller waits for is written when it is asked for.
    pub(crate) fn alone(mut pipeline: Pipeline<T, D, E>) -> Arc<Self> {
        pipeline.is_alone = true;
        Arc::new(Owner(Arc::new(pipeline)))
    }

    pub(crate) fn pipeline(&self) -> &Arc<Pipeline<T, D, E>> {
        &self.0
    }
}

impl<T, D: Follower<T>, E> Drop for Owner<T, D, E> {
    fn drop(&mut self) {
        // A caller that needs the result closes; the log that comes back here gives up its lock by
        // being dropped.
        drop(self.0.close());
    }
}
