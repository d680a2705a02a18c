//! What a checker may learn of a store while it works. Every method does nothing unless it is written.

use openraft::RaftTypeConfig;
use openraft::alias::{EntryPayloadOf, LogIdOf, StoredMembershipOf, VoteOf};

/// Learns what happens to a log.
///
/// Its methods are called under the store's locks, all but [`vote_saved`](LogObserver::vote_saved): they
/// should be short, and must not call the store.
pub trait LogObserver<C: RaftTypeConfig>: Send + Sync + 'static {
    /// `entry` was queued after the one with the id `previous`. It can be read and is not durable.
    fn appended(&self, previous: Option<&LogIdOf<C>>, entry: &C::Entry) {
        let _ = (previous, entry);
    }

    /// Every entry after the one with the id `after` was cut off; that is not durable yet.
    fn truncated(&self, after: Option<&LogIdOf<C>>) {
        let _ = after;
    }

    /// The log forgets everything up to and including `upto`; that is not durable yet.
    fn purged(&self, upto: &LogIdOf<C>) {
        let _ = upto;
    }

    /// A flush has succeeded, and the durable log ends with `last`. No callback of it was called yet.
    fn flushed(&self, last: Option<&LogIdOf<C>>) {
        let _ = last;
    }

    /// openraft says that the log up to `upto` is committed, and applies it after that. This is not
    /// durable yet.
    fn committed(&self, upto: Option<&LogIdOf<C>>) {
        let _ = upto;
    }

    /// `vote` is durable.
    fn vote_saved(&self, vote: &VoteOf<C>) {
        let _ = vote;
    }
}

/// Learns what happens to a replicated state machine. `state` is the machine as
/// [`ReplicatedMachine::snapshot`](crate::ReplicatedMachine::snapshot) writes it.
///
/// Its methods are called under the store's locks: they should be short, and must not call the store.
pub trait ApplyObserver<C: RaftTypeConfig>: Send + Sync + 'static {
    /// The entry with the id `log_id` is about to be applied.
    fn applied(&self, log_id: &LogIdOf<C>, payload: &EntryPayloadOf<C>) {
        let _ = (log_id, payload);
    }

    /// A snapshot of everything up to and including `last` was built, and is durable.
    fn built(&self, last: Option<&LogIdOf<C>>, membership: &StoredMembershipOf<C>, state: &[u8]) {
        let _ = (last, membership, state);
    }

    /// A snapshot from elsewhere was installed, and is durable.
    fn installed(
        &self,
        last: Option<&LogIdOf<C>>,
        membership: &StoredMembershipOf<C>,
        state: &[u8],
    ) {
        let _ = (last, membership, state);
    }
}

/// Observes nothing.
impl<C: RaftTypeConfig> LogObserver<C> for () {}

/// Observes nothing.
impl<C: RaftTypeConfig> ApplyObserver<C> for () {}
