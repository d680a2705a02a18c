//! Two states: what is durable, and what will be when everything queued is.
//!
//! With threads each has its own lock, so that commands are planned while a batch is applied. Lock
//! order: speculative state, log, committed state, queue.

use std::fmt;
use std::sync::Arc;

use super::CommandError;
use super::applied_state::AppliedState;
use crate::error::{Error, Result};
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::wal::pipeline::Follower;
use crate::wal::{CommitQueue, Group, Ticket};

/// The appends that wait for a sync, each with its events.
pub(super) type CommandQueue<M> = CommitQueue<Vec<<M as StateMachine>::Event>>;

/// The state after everything durable, and nothing else.
pub(super) struct Committed<M> {
    state: AppliedState<M>,
    /// Whether `apply` is at work. Where it stays so, `apply` has panicked.
    applying: bool,
}

/// A state machine need not be `Debug`.
impl<M> fmt::Debug for Committed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Committed");
        debug
            .field("applied", &self.state.applied)
            .finish_non_exhaustive()
    }
}

impl<M: StateMachine> Committed<M> {
    pub(super) fn new(state: AppliedState<M>) -> Self {
        Committed {
            state,
            applying: false,
        }
    }

    pub(super) fn state(&self) -> &AppliedState<M> {
        assert!(!self.applying, "the state machine panicked in `apply`");
        &self.state
    }

    /// The last position that the state has applied, also after a panic.
    pub(super) fn applied(&self) -> Position {
        self.state.applied
    }
}

impl<M: StateMachine> Follower<Vec<M::Event>> for Committed<M> {
    fn follow(&mut self, appends: &[Vec<M::Event>], last: Position) {
        self.applying = true;
        apply_queued(&mut self.state.machine, appends.iter().flatten());
        self.applying = false;
        self.state.applied = last;
    }
}

/// The state after everything durable, in flight and queued: commands are planned on it.
#[derive(Debug)]
pub(super) struct Speculative<M> {
    machine: M,
    /// How many batches had failed when `machine` was right. Nothing while `apply` is at work:
    /// where it stays so, `apply` has failed or panicked half-way.
    failures: Option<u64>,
    /// The position of the state that was opened.
    opened: Position,
}

impl<M: StateMachine> Speculative<M> {
    /// Begins with the state that was opened; nothing is queued.
    pub(super) fn new(committed: &Committed<M>) -> Self {
        Speculative {
            machine: committed.state.machine.clone(),
            failures: Some(0),
            opened: committed.state.applied,
        }
    }

    /// Begins anew with a state that was installed; nothing is queued.
    pub(super) fn installed(committed: &Committed<M>, queue: &CommandQueue<M>) -> Self {
        Speculative {
            failures: Some(queue.failures()),
            ..Speculative::new(committed)
        }
    }

    pub(super) fn machine(&self) -> &M {
        &self.machine
    }

    /// Whether it must be [renewed](Speculative::renew) before a command is submitted: something
    /// that it has applied will never be durable.
    pub(super) fn is_stale(&self, queue: &CommandQueue<M>) -> bool {
        self.failures != Some(queue.failures())
    }

    /// Makes the state anew where it is stale: the committed one with what is in flight and queued
    /// on top. An event cannot be taken back, so there is no cheaper way.
    pub(super) fn renew(&mut self, committed: &Committed<M>, queue: &CommandQueue<M>) {
        // A closed queue takes no command, and what closed it may have been a panic in `apply`.
        if !self.is_stale(queue) || queue.is_closed() {
            return;
        }
        self.machine = committed.state().machine.clone();
        apply_queued(&mut self.machine, queue.tags().flatten());
        self.failures = Some(queue.failures());
    }

    /// Validates, encodes and queues one command.
    pub(super) fn submit<R, X>(
        &mut self,
        queue: &mut CommandQueue<M>,
        now_ms: u64,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Ticket>, R), CommandError<X>> {
        if queue.is_closed() {
            return Err(Error::Closed.into());
        }
        assert!(!self.is_stale(queue), "a stale state is renewed first");
        let (events, answer) = plan(&self.machine).map_err(CommandError::Rejected)?;
        if events.is_empty() {
            return Ok((None, answer));
        }
        // Encoded before it is applied: an event that does not fit the format changes nothing.
        let group = Group::encode(&events)?;
        let failures = self.failures.take();
        for event in &events {
            // The plan made an event that its own machine refuses. The events before it may be
            // applied, so the state stays stale.
            let applied = self.machine.apply(event);
            applied.map_err(|error| Error::IllegalEvent {
                position: queue.durable().max(self.opened),
                source: Arc::new(error),
            })?;
        }
        self.failures = failures;
        let ticket = queue.submit(now_ms, group, events)?;
        Ok((Some(ticket), answer))
    }
}

/// Applies events that were applied in the same order when they were queued.
fn apply_queued<'e, M: StateMachine>(machine: &mut M, events: impl Iterator<Item = &'e M::Event>) {
    for event in events {
        let applied = machine.apply(event);
        applied.expect("it was applied in the same order when it was queued");
    }
}
