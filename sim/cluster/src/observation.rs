//! What a replica did, in the words of the Raft paper.
//!
//! An engine says these through its [`Host`](crate::host::Host) at the moment when they are true, from
//! inside the call that makes them true. Checkers know nothing else of an engine.

use serde::Serialize;

use crate::entry::{EntryId, NodeId, ObservedEntry};

/// What a node's disks held when a process of it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct RecoveredState {
    /// The term that it last saved.
    pub term: u64,
    /// For whom it voted in that term.
    pub voted_for: Option<NodeId>,
    /// The last entry that was purged from the log; the log begins after it.
    pub purged: EntryId,
    /// The log, in order.
    pub log: Vec<ObservedEntry>,
    /// The index up to which it knows the log to be committed, as it was saved.
    pub committed: u64,
    /// The last entry that its state machine has applied.
    pub applied: EntryId,
}

/// What a replica did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// A process of the node has read its disks and takes part from now on.
    Started(RecoveredState),
    /// A process of the node could not start on its disks, although no call on them failed.
    NotStarted {
        /// What it said.
        error: String,
    },
    /// The replica gave up by itself.
    Stopped {
        /// What it said.
        error: String,
    },
    /// Said by the world: the process is dead, and nothing of it may be seen afterwards.
    Died {
        /// Whether the power went with it.
        power_cut: bool,
    },
    /// Said by the world: the disks were replaced by empty ones, and the node comes back as a new one.
    Wiped,
    /// Term and vote are durable.
    VoteSaved {
        /// The term.
        term: u64,
        /// For whom the node voted in it.
        voted_for: Option<NodeId>,
    },
    /// An entry was put at the end of the log: it can be read, and need not be durable yet.
    Appended {
        /// The last entry of the log before it.
        previous: EntryId,
        /// The entry.
        entry: ObservedEntry,
    },
    /// All entries after `after` were removed from the log.
    Truncated {
        /// The last index that is left.
        after: u64,
    },
    /// The log up to here was removed: a snapshot covers it.
    Purged {
        /// The last entry that was removed.
        upto: EntryId,
    },
    /// The log up to here is durable.
    Flushed {
        /// The last durable entry.
        upto: EntryId,
    },
    /// The node leads in `term`: it has won the election.
    Leads {
        /// The term.
        term: u64,
    },
    /// The node does not lead any more, by what it knows: it has heard of a later term, which need not be
    /// durable yet, or no majority hears it.
    StepsDown,
    /// The node says that the log up to `index` is committed.
    Committed {
        /// The index.
        index: u64,
    },
    /// The state machine applied an entry, and the hash of its state after that.
    Applied {
        /// The entry.
        entry: ObservedEntry,
        /// A hash of the state after it; equal states have equal hashes.
        state: u64,
    },
    /// A snapshot of the node's own state machine is durable.
    SnapshotBuilt {
        /// The last entry that it covers.
        last: EntryId,
        /// A hash of its state, as in [`Observation::Applied`].
        state: u64,
    },
    /// The state machine was replaced by the snapshot of another node, which is durable.
    SnapshotInstalled {
        /// The last entry that it covers.
        last: EntryId,
        /// A hash of its state, as in [`Observation::Applied`].
        state: u64,
    },
}

/// An observation with its place in the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObservedEvent {
    /// When it was made, in nanoseconds of virtual time since the run began.
    pub at: u64,
    /// The node.
    pub node: NodeId,
    /// The process of that node: 1 for its first, one more after each crash.
    pub process: u64,
    /// What it did.
    pub what: Observation,
}
