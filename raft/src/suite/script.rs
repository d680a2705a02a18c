//! What the store under test is told, in order.

/// One call, with plain numbers for terms, nodes and indices.
#[derive(Clone, Copy, Debug)]
pub(super) enum LogCall {
    /// A vote for this node in this term; whether it was elected.
    Vote(u64, u64, bool),
    /// Entries of this term, this many of them, after the last one.
    Append(u64, u64),
    /// A change of membership, of this term.
    Membership(u64),
    /// Cuts everything after this index off.
    Truncate(u64),
    Purge(u64),
    Commit(u64),
    /// Waits until every append is answered.
    Settle,
    /// Ends the process and opens the store again.
    Reopen,
}

/// Every kind of call, several times and in an order that a Raft node can come to. Truncations cut
/// entries that were answered and entries that were not. One script: other orders are not tried.
pub(super) const SCRIPT: &[LogCall] = {
    use LogCall::{Append, Commit, Membership, Purge, Reopen, Settle, Truncate, Vote};
    &[
        Vote(1, 1, false),
        Vote(1, 1, true),
        Membership(1),
        Append(1, 2),
        Settle,
        Commit(1),
        Append(1, 2),
        Vote(2, 2, false),
        Truncate(2),
        Append(2, 1),
        Settle,
        Commit(3),
        Append(2, 3),
        Commit(5),
        Settle,
        Vote(3, 1, false),
        Purge(2),
        Append(3, 1),
        Settle,
        Truncate(5),
        Settle,
        Vote(4, 3, true),
        Append(4, 1),
        Purge(4),
        Reopen,
        Append(4, 2),
        Settle,
        Commit(6),
        Purge(6),
        Append(5, 2),
        Truncate(7),
        Vote(6, 2, false),
        Append(6, 1),
        Settle,
        Reopen,
        Vote(7, 1, false),
        Settle,
    ]
};
