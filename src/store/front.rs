//! The state in front of the log: what is durable, and what will be if everything queued becomes
//! durable.

use crate::error::{Error, Result};
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::store::CommandError;
use crate::wal::pipeline::Front;
use crate::wal::{Batch, CommitQueue, Group, QueueOptions, Ticket};
use std::sync::Arc;

/// Two states and the queue between them.
#[derive(Debug)]
pub(crate) struct StoreFront<M: StateMachine> {
    queue: CommitQueue<Vec<M::Event>>,
    /// Everything durable.
    committed: M,
    /// Everything durable and everything queued: commands are validated against this.
    tip: M,
    applied: Position,
    /// Whether the tip is to be made anew before it is used: something that was applied to it is
    /// gone, or `apply` has failed or panicked half-way.
    tip_is_stale: bool,
    /// Whether `apply` is at work on what is durable. Where it stays so, `apply` has panicked.
    applying: bool,
}

impl<M: StateMachine> StoreFront<M> {
    /// Starts from a recovered state.
    pub(crate) fn new(machine: M, applied: Position, options: QueueOptions) -> Self {
        let tip = machine.clone();
        StoreFront {
            queue: CommitQueue::new(options),
            committed: machine,
            tip,
            applied,
            tip_is_stale: false,
            applying: false,
        }
    }

    pub(crate) fn committed_state(&self) -> &M {
        assert!(!self.applying, "the state machine panicked in `apply`");
        &self.committed
    }

    /// The durable state and the last position that it has applied.
    pub(crate) fn copy(&self) -> (Position, M) {
        (self.applied, self.committed_state().clone())
    }

    pub(crate) fn applied(&self) -> Position {
        self.applied
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
        if self.tip_is_stale {
            self.rebuild_tip();
        }
        let (events, answer) = plan(&self.tip).map_err(CommandError::Rejected)?;
        if events.is_empty() {
            return Ok((None, answer));
        }
        let group = Group::encode(&events)?;
        self.tip_is_stale = true;
        if let Err(error) = events.iter().try_for_each(|event| self.tip.apply(event)) {
            // The plan made an event that its own machine refuses. Some of the others are applied,
            // so it stays stale.
            let position = self.applied;
            return Err(Error::IllegalEvent {
                position,
                source: Arc::new(error),
            }
            .into());
        }
        self.tip_is_stale = false;
        let ticket = self.queue.submit(now_ms, group, events)?;
        Ok((Some(ticket), answer))
    }

    /// Tells the callers of a batch, and applies it if it is durable.
    pub(crate) fn finish(&mut self, batch: Batch, result: Result<Position>) -> Result<()> {
        let last = result.as_ref().ok().copied();
        match (self.queue.finish(batch, result), last) {
            (Ok(tags), Some(last)) => {
                self.committed(tags, last);
                Ok(())
            }
            (Err(error), _) => {
                self.failed();
                Err(error)
            }
            (Ok(_), None) => unreachable!("a batch that failed does not finish well"),
        }
    }

    /// The durable state with what is in flight and what is queued on top.
    fn rebuild_tip(&mut self) {
        self.tip = self.committed.clone();
        for event in self.queue.tags().flatten() {
            self.tip
                .apply(event)
                .expect("it was applied in the same order when it was queued");
        }
        self.tip_is_stale = false;
    }
}

impl<M: StateMachine> Front for StoreFront<M> {
    type Tag = Vec<M::Event>;

    fn queue(&mut self) -> &mut CommitQueue<Self::Tag> {
        &mut self.queue
    }

    fn committed(&mut self, tags: Vec<Self::Tag>, last: Position) {
        self.applying = true;
        for event in tags.iter().flatten() {
            self.committed
                .apply(event)
                .expect("it was applied in the same order when it was queued");
        }
        self.applying = false;
        self.applied = last;
    }

    fn failed(&mut self) {
        self.tip_is_stale = true;
    }
}
