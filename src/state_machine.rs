//! The state machine that a log keeps alive.

use crate::log_event::{DecodeError, LogEvent};

/// A deterministic state machine: a fold over events, without I/O.
///
/// Bring one, and [`Store`](crate::Store) gives it a log, snapshots and recovery; the simulator
/// gives it crashes.
///
/// # Rules
/// * `apply` is a pure function of the state and the event. Time comes from the event, never from a
///   clock; no randomness; no iteration order of a hash map. Two machines that applied the same
///   events are equal and stay equal.
/// * The caller validates before it logs, so `apply` of an event that was logged never fails. When
///   replay meets an illegal one all the same (a log made by other code), the error is reported
///   with its position and nothing is applied.
/// * `restore(snapshot(m)) == m`, field by field, for every reachable `m`.
/// * `Clone` is used for the copy that a checkpoint writes and to forget events that did not reach
///   the log. A cheap clone (shared structure) keeps a checkpoint from stalling appends; a deep one
///   costs the time of a copy.
pub trait StateMachine: Clone + Send + Sync + 'static {
    /// What the log keeps.
    type Event: LogEvent + Clone + Send + Sync + 'static;
    /// Why an event cannot be applied.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Applies one event. On error the state is unchanged.
    ///
    /// # Errors
    /// The event is illegal in this state.
    fn apply(&mut self, event: &Self::Event) -> Result<(), Self::Error>;

    /// Appends the whole state to `out` as JSON on one line: equal states give equal bytes.
    fn snapshot(&self, out: &mut Vec<u8>);

    /// The state that [`snapshot`](StateMachine::snapshot) wrote. `json` has the
    /// checksum that it was written with; whether it is JSON, and what it says, is checked here for
    /// the first time.
    ///
    /// # Errors
    /// Says why `json` is not a state of this machine.
    fn restore(json: &[u8]) -> Result<Self, DecodeError>;

    /// The state before the first event.
    fn initial() -> Self;
}
