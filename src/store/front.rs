//! Two states and the queue between them: what is durable, and what will be if everything queued
//! becomes durable.
//!
//! With threads each has its own lock, so that commands are planned while a batch is applied. Whoever
//! needs both takes that of what is durable first.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::store::CommandError;
use crate::wal::pipeline::Front;
use crate::wal::{Batch, CommitQueue, Group, QueueOptions, Ticket};

/// Everything durable.
pub(crate) struct Committed<M> {
    machine: M,
    applied: Position,
    /// Whether `apply` is at work. Where it stays so, `apply` has panicked.
    applying: bool,
}

/// A state machine need not be `Debug`.
impl<M> fmt::Debug for Committed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Committed");
        debug
            .field("applied", &self.applied)
            .finish_non_exhaustive()
    }
}

impl<M: StateMachine> Committed<M> {
    pub(crate) fn state(&self) -> &M {
        assert!(!self.applying, "the state machine panicked in `apply`");
        &self.machine
    }

    /// The last position that the state has applied.
    pub(crate) fn applied(&self) -> Position {
        self.applied
    }

    /// The state and the last position that it has applied.
    pub(crate) fn copy(&self) -> (Position, M) {
        (self.applied, self.state().clone())
    }

    /// Follows a batch that is durable; `last` is the last position of the log.
    fn apply(&mut self, tags: &[Vec<M::Event>], last: Position) {
        self.applying = true;
        for event in tags.iter().flatten() {
            self.machine
                .apply(event)
                .expect("it was applied in the same order when it was queued");
        }
        self.applying = false;
        self.applied = last;
    }
}

/// What commands are planned on, and the queue that they go into.
#[derive(Debug)]
pub(crate) struct StoreFront<M: StateMachine> {
    queue: CommitQueue<Vec<M::Event>>,
    /// Everything durable, in flight and queued.
    tip: M,
    /// Whether the tip is to be made anew before it is used: something that was applied to it is
    /// gone, or `apply` has failed or panicked half-way.
    tip_is_stale: bool,
    /// The last position that is durable.
    last: Position,
}

impl<M: StateMachine> StoreFront<M> {
    /// Starts from a recovered state.
    pub(crate) fn new(
        machine: M,
        applied: Position,
        options: QueueOptions,
    ) -> (Self, Committed<M>) {
        let front = StoreFront {
            queue: CommitQueue::new(options),
            tip: machine.clone(),
            tip_is_stale: false,
            last: applied,
        };
        let committed = Committed {
            machine,
            applied,
            applying: false,
        };
        (front, committed)
    }

    /// Whether the tip must be [renewed](StoreFront::renew_tip) before a command is submitted.
    pub(crate) fn tip_is_stale(&self) -> bool {
        self.tip_is_stale
    }

    /// Makes the tip anew where it is stale: the durable state with what is in flight and what is
    /// queued on top.
    pub(crate) fn renew_tip(&mut self, committed: &Committed<M>) {
        if !self.tip_is_stale || self.queue.is_closed() {
            return;
        }
        self.tip = committed.state().clone();
        for event in self.queue.tags().flatten() {
            self.tip
                .apply(event)
                .expect("it was applied in the same order when it was queued");
        }
        self.tip_is_stale = false;
    }

    /// A ticket for everything that a command may have seen and that is not decided yet.
    pub(crate) fn barrier(&self) -> Option<Ticket> {
        self.queue.barrier()
    }

    pub(crate) fn is_due(&self, now_ms: u64) -> bool {
        self.queue.is_due(now_ms)
    }

    /// Validates, encodes and queues one command.
    pub(crate) fn submit<R, X>(
        &mut self,
        now_ms: u64,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Ticket>, R), CommandError<X>> {
        if self.queue.is_closed() {
            return Err(Error::Closed.into());
        }
        assert!(!self.tip_is_stale, "a stale tip is renewed first");
        let (events, answer) = plan(&self.tip).map_err(CommandError::Rejected)?;
        if events.is_empty() {
            return Ok((None, answer));
        }
        let group = Group::encode(&events)?;
        self.tip_is_stale = true;
        for event in &events {
            // The plan made an event that its own machine refuses. Some of the others may be
            // applied, so the tip stays stale.
            self.tip.apply(event).map_err(|error| Error::IllegalEvent {
                position: self.last,
                source: Arc::new(error),
            })?;
        }
        self.tip_is_stale = false;
        let ticket = self.queue.submit(now_ms, group, events)?;
        Ok((Some(ticket), answer))
    }

    /// Tells the callers of a batch, and applies it if it is durable.
    pub(crate) fn finish(
        &mut self,
        committed: &mut Committed<M>,
        batch: Batch,
        result: Result<Position>,
    ) -> Result<()> {
        let last = result.as_ref().ok().copied();
        let tags = self.queue.finish(batch, result);
        self.decided(last);
        committed.apply(&tags?, self.last);
        Ok(())
    }
}

impl<M: StateMachine> Front for StoreFront<M> {
    type Tag = Vec<M::Event>;
    type Durable = Committed<M>;

    fn queue(&mut self) -> &mut CommitQueue<Self::Tag> {
        &mut self.queue
    }

    fn decided(&mut self, last: Option<Position>) {
        match last {
            Some(last) => self.last = last,
            None => self.tip_is_stale = true,
        }
    }

    fn apply(committed: &mut Committed<M>, tags: &[Self::Tag], last: Position) {
        committed.apply(tags, last);
    }
}
