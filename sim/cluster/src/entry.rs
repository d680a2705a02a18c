//! Entries of a Raft log, as far as checkers look at them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a node. Numbers start at 1.
pub type NodeId = u64;

/// The place of an entry in a Raft log. (0, 0) is the place before the first entry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EntryId {
    /// The term of the leader that made it.
    pub term: u64,
    /// Its number. Numbers start at 1.
    pub index: u64,
}

impl EntryId {
    /// The entry `index` of `term`.
    #[must_use]
    pub fn new(term: u64, index: u64) -> Self {
        EntryId { term, index }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// Nothing: what a leader appends first.
    Blank,
    /// A command for the state machine, by a hash of its bytes.
    Command(u64),
    /// Sets of voters: each must have a majority. There is one, or two in a joint configuration.
    Membership(Vec<BTreeSet<NodeId>>),
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObservedEntry {
    /// Its place.
    pub id: EntryId,
    /// What it holds.
    pub kind: EntryKind,
}
