//! What a caller holds while its append is queued or in flight, and what it is woken for.
//!
//! All tickets of a batch share one slot, so that a batch that is finished wakes its own callers
//! and no others:
//!
//! ```text
//!             ask_lead            lead (one caller)
//!   WAITING ───────────→ LEAD ─────────────────────→ WAITING …
//!      └──────────── decide ──────────→ DECIDED ←─────┘
//! ```

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};
use crate::position::{Position, Seq};
use crate::sync::{Mutex, WaitWord};

/// What became of an append.
#[derive(Clone, Debug)]
pub enum AppendOutcome {
    /// Queued or in flight.
    Pending,
    /// Durable, up to and including this position: that of its last event.
    Durable(Position),
    /// Not acknowledged. [`Error::is_indeterminate`] tells whether the next open may bring it back.
    Failed(Error),
}

/// A claim on the outcome of one append. To await it is to wait for that outcome; it does not write
/// anything, so something else must: a call that waits or flushes, or a thread in the background.
///
/// Every ticket is answered: with an error too if its batch fails or its queue is dropped.
///
/// The waker of a task that awaits it is called while the log is locked: it must only schedule the
/// task. One that polls it at once, or calls the store, may wait for itself.
#[derive(Clone, Debug)]
pub struct Ticket {
    slot: Arc<BatchSlot>,
    /// How many events of the batch come up to and including this append.
    events: u64,
}

/// What a waiting caller is woken for.
pub(crate) enum Woken {
    /// Its outcome is known.
    Done(Result<Position>),
    /// It must write the next batch itself.
    Lead,
}

/// The outcome of one batch.
#[derive(Debug, Default)]
pub(super) struct BatchSlot {
    /// The position before the batch's first event, or what went wrong. Set before the word says
    /// so.
    result: OnceLock<Result<Position>>,
    word: WaitWord,
    /// The tasks that wait.
    wakers: Mutex<Vec<Waker>>,
    /// How many appends the batch has.
    joined: AtomicUsize,
    /// How many it is expected to get.
    expected: AtomicUsize,
}

const WAITING: u32 = 0;
/// A caller that waits for this batch should write it.
const LEAD: u32 = 1;
const DECIDED: u32 = 2;

impl BatchSlot {
    /// One more append belongs to the batch.
    pub(super) fn join(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// The leader need not wait for more than `appends`.
    pub(super) fn expect(&self, appends: usize) {
        self.expected.store(appends, Ordering::Relaxed);
    }

    /// Asks for a caller that writes the batch. It wakes none that sleep already.
    pub(super) fn ask_lead(&self) {
        self.word.replace(WAITING, LEAD);
    }

    /// Whether the caller is now the one that writes the batch.
    pub(super) fn lead(&self) -> bool {
        self.word.replace(LEAD, WAITING)
    }

    /// Notes what became of the batch, and says whether that was open. Wakes no caller.
    pub(super) fn decide(&self, result: Result<Position>) -> bool {
        let open = self.result.set(result).is_ok();
        if open {
            self.word.store(DECIDED);
        }
        open
    }

    /// Wakes one that sleeps, to lead.
    pub(super) fn wake_one(&self) {
        self.word.wake_one();
    }

    /// Wakes all that sleep, and all tasks.
    pub(super) fn wake_all(&self) {
        self.word.wake_all();
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has a task woken when the outcome is known, if it is not known yet.
    fn register(&self, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

impl Ticket {
    pub(super) fn new(slot: &Arc<BatchSlot>, events: u64) -> Self {
        let slot = Arc::clone(slot);
        Ticket { slot, events }
    }

    /// What is known by now.
    #[must_use]
    pub fn outcome(&self) -> AppendOutcome {
        match self.result() {
            None => AppendOutcome::Pending,
            Some(Ok(position)) => AppendOutcome::Durable(position),
            Some(Err(error)) => AppendOutcome::Failed(error),
        }
    }

    /// Blocks until there is something to do.
    pub(crate) fn wait(&self) -> Woken {
        loop {
            match self.slot.word.load() {
                LEAD if self.slot.lead() => return Woken::Lead,
                WAITING => self.slot.word.wait_while(WAITING),
                _ => {}
            }
            if let Some(result) = self.result() {
                return Woken::Done(result);
            }
        }
    }

    /// Whether as many appends share the batch as are expected, so that its leader need not wait.
    pub(crate) fn is_as_expected(&self) -> bool {
        let joined = self.slot.joined.load(Ordering::Relaxed);
        joined >= self.slot.expected.load(Ordering::Relaxed)
    }

    fn result(&self) -> Option<Result<Position>> {
        let result = self.slot.result.get()?;
        let position = result.as_ref().map(|before| self.position(*before));
        Some(position.map_err(Error::clone))
    }

    fn position(&self, before: Position) -> Position {
        let seq = Seq(before.seq.0 + self.events);
        Position { seq, ..before }
    }
}

impl Future for Ticket {
    type Output = Result<Position>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Position>> {
        if let Some(result) = self.result() {
            return Poll::Ready(result);
        }
        self.slot.register(context.waker());
        // It may have been decided since, and the tasks that were known then are woken already.
        self.result().map_or(Poll::Pending, Poll::Ready)
    }
}
