//! Group commit without threads and without a clock: which callers wait, what goes into the next
//! batch, and what each caller learns.
//!
//! ```text
//! submit ─→ queued ──take──→ in flight (at most one batch) ──finish──→ outcome of every ticket
//! ```
//!
//! The queue decides and does not write. [`BatchWriter`](super::BatchWriter) and the shared
//! store drive it from threads, the simulator drives it step by step.

use std::collections::VecDeque;
use std::sync::Arc;

use super::BATCH_BYTES;
use super::group::Group;
use super::line::MAX_BATCH;
use super::ticket::{BatchSlot, Ticket};
use crate::error::{Error, Result};
use crate::position::{Position, Seq};

/// When a batch is full or due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// A batch takes no further append once it has this many events. Default: 1,000.
    pub max_batch_events: usize,
    /// A batch takes no further append if that would make it larger than this, in bytes; one
    /// append alone may. At most 64 MiB. Default: 16 MiB.
    pub max_batch_bytes: usize,
    /// How long an append that no caller waits for may stay in the queue, in milliseconds. Default:
    /// 10.
    pub flush_interval_ms: u64,
}

impl Default for QueueOptions {
    fn default() -> Self {
        QueueOptions {
            max_batch_events: 1_000,
            max_batch_bytes: BATCH_BYTES,
            flush_interval_ms: 10,
        }
    }
}

/// What goes into one write and one sync.
#[derive(Debug)]
pub struct Batch {
    groups: Vec<Group>,
    slot: Arc<BatchSlot>,
    /// Whether it may be partly written.
    taken: bool,
}

impl Drop for Batch {
    /// A batch that is dropped without an outcome (its writer panicked, or its queue is gone) still
    /// answers its callers.
    fn drop(&mut self) {
        let decided = self.slot.decide(Err(if self.taken {
            let cause = Arc::new(Error::Closed);
            Error::Indeterminate { cause }
        } else {
            Error::Closed
        }));
        if decided {
            self.slot.wake_all();
        }
    }
}

impl Batch {
    /// An empty one, with memory for as many appends as the last one had.
    fn with_capacity(appends: usize) -> Self {
        Batch {
            groups: Vec::with_capacity(appends),
            slot: Arc::new(BatchSlot::default()),
            taken: false,
        }
    }

    /// The appends, in order.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
}

/// A batch that still takes appends.
#[derive(Debug)]
struct QueuedBatch<T> {
    batch: Batch,
    tags: Vec<T>,
    events: usize,
    bytes: usize,
    /// When its first append came.
    since_ms: u64,
}

/// The batch that was taken and is not finished: what readers of the queue must still see of it.
#[derive(Debug)]
struct InFlightBatch<T> {
    slot: Arc<BatchSlot>,
    tags: Vec<T>,
}

/// The appends that wait for a sync. `T` is whatever the caller wants back when an append is
/// durable.
#[derive(Debug)]
pub struct CommitQueue<T> {
    options: QueueOptions,
    /// Full batches first; only the last one takes more.
    queued: VecDeque<QueuedBatch<T>>,
    in_flight: Option<InFlightBatch<T>>,
    closed: bool,
    /// Whether a caller writes, or is asked to write, what is queued. Unused without threads.
    led: bool,
    /// How many appends the last batch had.
    last_appends: usize,
    /// How many batches have failed.
    failures: u64,
    /// The last position that is known to be durable.
    durable: Position,
}

/// The callers to wake once no lock is held: the next leader first, so that the next write starts
/// at once, then all whose batch is decided.
#[derive(Debug, Default)]
pub(crate) struct Wakeup {
    leader: Option<Arc<BatchSlot>>,
    decided: Vec<Arc<BatchSlot>>,
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        if let Some(slot) = &self.leader {
            slot.wake_one();
        }
        for slot in &self.decided {
            slot.wake_all();
        }
    }
}

impl<T> CommitQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(options: QueueOptions) -> Self {
        let max_batch_bytes = options.max_batch_bytes.min(MAX_BATCH);
        let options = QueueOptions {
            max_batch_bytes,
            ..options
        };
        CommitQueue {
            options,
            queued: VecDeque::new(),
            in_flight: None,
            closed: false,
            led: false,
            last_appends: 0,
            failures: 0,
            durable: Position::default(),
        }
    }

    /// Queues an append.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`close`](CommitQueue::close): nothing was queued.
    pub fn submit(&mut self, now_ms: u64, group: Group, tag: T) -> Result<Ticket> {
        if self.closed {
            return Err(Error::Closed);
        }
        let (events, bytes) = (group.len(), group.max_encoded_len());
        let max = self.options;
        let fits = self.queued.back().is_some_and(|open| {
            open.events < max.max_batch_events && open.bytes + bytes <= max.max_batch_bytes
        });
        if !fits {
            if let Some(full) = self.queued.back() {
                full.batch.slot.expect(0);
            }
            let batch = Batch::with_capacity(self.last_appends);
            self.queued.push_back(QueuedBatch {
                batch,
                tags: Vec::with_capacity(self.last_appends),
                events: 0,
                bytes: 0,
                since_ms: now_ms,
            });
        }
        let open = self
            .queued
            .back_mut()
            .expect("one was just pushed if there was none");
        open.batch.groups.push(group);
        open.tags.push(tag);
        open.events += events;
        open.bytes += bytes;
        open.batch.slot.join();
        let ticket = Ticket::new(&open.batch.slot, open.events as u64);
        // The first caller that waits for this batch finds the lead without being woken.
        self.pass_lead(0);
        Ok(ticket)
    }

    /// Whether the next batch should be written now: it is full, or its first append has waited
    /// long enough.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        let full = |open: &QueuedBatch<T>| {
            open.events >= self.options.max_batch_events
                || open.bytes >= self.options.max_batch_bytes
        };
        // A clock that was set back must not make a caller wait for the difference.
        let late = |open: &QueuedBatch<T>| {
            now_ms < open.since_ms || now_ms - open.since_ms >= self.options.flush_interval_ms
        };
        let ready = |open| full(open) || late(open);
        self.in_flight.is_none()
            && (self.queued.len() > 1 || self.queued.front().is_some_and(ready))
    }

    /// When the next batch is due if nothing else happens, in the time that `submit` was told.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        let first = self.queued.front()?;
        Some(
            first
                .since_ms
                .saturating_add(self.options.flush_interval_ms),
        )
    }

    /// How long to wait at most before looking again whether a batch is due, in milliseconds.
    pub(crate) fn look_again_ms(&self, now_ms: u64) -> Option<u64> {
        let wait_ms = self.due_ms()?.saturating_sub(now_ms);
        // At least a millisecond: a batch that is due and led by another caller is not waited for
        // in circles.
        Some(wait_ms.min(self.options.flush_interval_ms).max(1))
    }

    /// How many batches the queue makes up.
    pub(crate) fn batches(&self) -> usize {
        self.queued.len()
    }

    /// Whether nothing is queued (something may be in flight).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Whether a batch was taken and is not finished.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Takes the next batch, unless one is in flight or nothing is queued.
    pub fn take(&mut self) -> Option<Batch> {
        if self.in_flight.is_some() {
            return None;
        }
        let QueuedBatch {
            mut batch, tags, ..
        } = self.queued.pop_front()?;
        let slot = Arc::clone(&batch.slot);
        self.in_flight = Some(InFlightBatch { slot, tags });
        batch.taken = true;
        Some(batch)
    }

    /// Tells every caller of `batch` how it went, and gives back what was queued with it. `result`
    /// is what [`Wal::commit`](super::Wal::commit) returned.
    ///
    /// After an error, everything queued after the batch fails too: it was not written, and it may
    /// build on what failed.
    ///
    /// # Errors
    /// The error in `result`.
    ///
    /// # Panics
    /// If `batch` is not the one that was taken last.
    pub fn finish(&mut self, batch: Batch, result: Result<Position>) -> Result<Vec<T>> {
        self.settle(&batch, result).0
    }

    /// As [`finish`](CommitQueue::finish), but leaves the waking to the caller, which holds locks
    /// that the woken threads would want.
    pub(crate) fn settle(
        &mut self,
        batch: &Batch,
        result: Result<Position>,
    ) -> (Result<Vec<T>>, Wakeup) {
        let in_flight = self.in_flight.take();
        let InFlightBatch { tags, .. } = in_flight
            .filter(|taken| Arc::ptr_eq(&taken.slot, &batch.slot))
            .expect("a batch is finished once, by the queue that gave it out");
        self.led = false;
        let mut wakeup = Wakeup::default();
        let events: u64 = batch.groups.iter().map(|group| group.len() as u64).sum();
        let decided = match result {
            Ok(last) => {
                self.durable = last;
                let seq = Seq(last.seq.0 - events);
                self.last_appends = batch.groups.len();
                let waiting = self
                    .queued
                    .front()
                    .map_or(0, |open| open.batch.groups.len());
                wakeup.leader = self.pass_lead(waiting);
                batch.slot.decide(Ok(Position { seq, ..last }));
                Ok(tags)
            }
            Err(error) => {
                self.failures += 1;
                batch.slot.decide(Err(error.clone()));
                let not_written = not_written(&error);
                for open in self.queued.drain(..) {
                    open.batch.slot.decide(Err(not_written.clone()));
                    wakeup.decided.push(Arc::clone(&open.batch.slot));
                }
                Err(error)
            }
        };
        wakeup.decided.push(Arc::clone(&batch.slot));
        (decided, wakeup)
    }

    /// Asks a caller of the next batch to write it, unless one writes or is asked already. Besides
    /// the `waiting` ones, the callers of the last batch are likely to come back, so
    /// the leader may wait for as many for a moment. Answers with whom to wake.
    fn pass_lead(&mut self, waiting: usize) -> Option<Arc<BatchSlot>> {
        let next = self.queued.front().filter(|_| !self.led)?;
        self.led = true;
        let slot = &next.batch.slot;
        let is_open = self.queued.len() == 1;
        slot.expect(if is_open {
            self.last_appends + waiting
        } else {
            0
        });
        slot.ask_lead();
        Some(Arc::clone(slot))
    }

    /// Whether the caller should write the next batch, because it is due and none of its own
    /// callers has begun to.
    pub(crate) fn lead_if_due(&mut self, now_ms: u64) -> bool {
        self.is_due(now_ms)
            && self
                .queued
                .front()
                .is_some_and(|open| open.batch.slot.lead())
    }

    /// A ticket for everything that was queued so far: it is decided when all of that is. `None` if
    /// it is already.
    pub(crate) fn barrier(&self) -> Option<Ticket> {
        let queued = self.queued.back().map(|open| &open.batch.slot);
        let in_flight = self.in_flight.as_ref().map(|taken| &taken.slot);
        let slot = queued.or(in_flight)?;
        Some(Ticket::new(slot, 0))
    }

    /// How many batches have failed, each with everything that was queued after it. A caller
    /// that keeps the state of queued appends rebuilds it when this changes.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// The last position that a batch has made durable; the default before the first one.
    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// Answers every queued caller, because no thread is left that could write, and takes no
    /// further append.
    pub(crate) fn abandon(&mut self) {
        self.closed = true;
        self.in_flight = None;
        self.queued.clear();
    }

    /// What was queued and is not decided, in order: what is in flight, then what is queued.
    pub fn tags(&self) -> impl Iterator<Item = &T> {
        let in_flight = self.in_flight.iter().flat_map(|taken| &taken.tags);
        in_flight.chain(self.queued.iter().flat_map(|open| &open.tags))
    }

    /// Takes no further append. What is queued can still be taken.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it takes no further append.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// What the callers after a failed batch learn: theirs was certainly not written.
pub(crate) fn not_written(error: &Error) -> Error {
    match error {
        Error::Indeterminate { cause } => Error::Poisoned {
            cause: Arc::clone(cause),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
