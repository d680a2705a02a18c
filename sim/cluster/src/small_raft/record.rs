//! What a node keeps of Raft, as one fold over the records of one log: the state machine of a
//! [`Store`](beaver::Store).
//!
//! ```text
//! {"vote":{"term":3,"voted_for":2}}
//! {"entry":{"id":{"term":3,"index":8},"payload":"blank"}} after the last one
//! {"truncate":{"after":7}}                              entries after 7 are gone
//! {"purge":{"upto":{"term":3,"index":5}}}               a snapshot covers entries up to here
//! {"reset":{"upto":{"term":4,"index":9}}}               … and none of the others is left
//! {"committed":{"index":6}}                             a hint
//! ```
//!
//! Vote, entries and truncation share one order, so no crash can swap them.

use std::collections::BTreeSet;
use std::sync::Arc;

use beaver::{DecodeError, LogEvent, StateMachine};
use serde::{Deserialize, Serialize};

use crate::entry::{EntryId, EntryKind, NodeId, ObservedEntry};
use crate::replicated_command::ReplicatedCommand;
use crate::replicated_state::hash_of;

/// Who takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RaftConfig {
    pub(crate) voters: BTreeSet<NodeId>,
    pub(crate) learners: BTreeSet<NodeId>,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SmallEntry {
    pub(crate) id: EntryId,
    pub(crate) payload: RaftPayload,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RaftPayload {
    Blank,
    Command(ReplicatedCommand),
    Config(RaftConfig),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RaftRecord {
    Vote {
        term: u64,
        voted_for: Option<NodeId>,
    },
    Entry(Arc<SmallEntry>),
    Truncate {
        after: u64,
    },
    Purge {
        upto: EntryId,
    },
    Reset {
        upto: EntryId,
    },
    Committed {
        index: u64,
    },
    /// Written by planted bugs only: the vote without its term.
    VoteAlone {
        voted_for: Option<NodeId>,
    },
    /// Written by planted bugs only: the term without its vote.
    TermAlone {
        term: u64,
    },
    /// Written by planted bugs only: the node leads in its term.
    Leads {
        term: u64,
    },
    /// Written by planted bugs only: an entry in the place of another one, or after the last.
    Overwrite(Arc<SmallEntry>),
    /// Written by planted bugs only: as `reset`, but the entries after it stay.
    KeepAfter {
        upto: EntryId,
    },
}

/// The records, folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SmallLog {
    pub(crate) term: u64,
    pub(crate) voted_for: Option<NodeId>,
    pub(crate) committed: u64,
    /// For planted bugs: the last term in which the node led.
    pub(crate) led: u64,
    pub(crate) purged: EntryId,
    /// In order, the first one after `purged`.
    pub(crate) entries: Vec<Arc<SmallEntry>>,
}

/// A record that does not fit the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{record} of {index} in a log of {first} to {last}")]
pub(crate) struct UnfitRecord {
    record: &'static str,
    index: u64,
    first: u64,
    last: u64,
}

impl SmallEntry {
    /// The entry as checkers see it.
    pub(crate) fn observed(&self) -> ObservedEntry {
        let kind = match &self.payload {
            RaftPayload::Blank => EntryKind::Blank,
            RaftPayload::Config(config) => EntryKind::Membership(vec![config.voters.clone()]),
            command @ RaftPayload::Command(_) => {
                let json = serde_json::to_vec(command).expect("a command can be written");
                EntryKind::Command(hash_of(&json))
            }
        };
        ObservedEntry { id: self.id, kind }
    }
}

impl SmallLog {
    /// The index of the last entry, that of the last purged one if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.entries
            .last()
            .map_or(self.purged.index, |entry| entry.id.index)
    }

    fn illegal(&self, record: &RaftRecord, index: u64) -> UnfitRecord {
        UnfitRecord {
            record: record.kind(),
            index,
            first: self.purged.index + 1,
            last: self.last(),
        }
    }

    /// How many of the entries come up to and including `index`.
    fn count_upto(&self, index: u64) -> usize {
        self.entries
            .partition_point(|entry| entry.id.index <= index)
    }
}

impl LogEvent for RaftRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a record can be written");
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }

    fn kind(&self) -> &'static str {
        match self {
            RaftRecord::Vote { .. } => "vote",
            RaftRecord::Entry(_) => "entry",
            RaftRecord::Truncate { .. } => "truncate",
            RaftRecord::Purge { .. } => "purge",
            RaftRecord::Reset { .. } => "reset",
            RaftRecord::Committed { .. } => "committed",
            RaftRecord::VoteAlone { .. } => "vote alone",
            RaftRecord::TermAlone { .. } => "term alone",
            RaftRecord::Leads { .. } => "leads",
            RaftRecord::Overwrite(_) => "overwrite",
            RaftRecord::KeepAfter { .. } => "keep after",
        }
    }
}

impl StateMachine for SmallLog {
    type Event = RaftRecord;
    type Error = UnfitRecord;

    fn apply(&mut self, record: &RaftRecord) -> Result<(), UnfitRecord> {
        match record {
            RaftRecord::Vote { term, voted_for } => {
                (self.term, self.voted_for) = (*term, *voted_for);
            }
            RaftRecord::Entry(entry) => {
                if entry.id.index != self.last() + 1 {
                    return Err(self.illegal(record, entry.id.index));
                }
                self.entries.push(Arc::clone(entry));
            }
            RaftRecord::Truncate { after } => {
                if *after < self.purged.index {
                    return Err(self.illegal(record, *after));
                }
                self.entries.truncate(self.count_upto(*after));
            }
            RaftRecord::Purge { upto } => {
                if upto.index > self.last() {
                    return Err(self.illegal(record, upto.index));
                }
                self.entries.drain(..self.count_upto(upto.index));
                self.purged = self.purged.max(*upto);
            }
            RaftRecord::Reset { upto } => {
                self.entries.clear();
                self.purged = *upto;
            }
            RaftRecord::Committed { index } => self.committed = *index,
            RaftRecord::VoteAlone { voted_for } => self.voted_for = *voted_for,
            RaftRecord::TermAlone { term } => self.term = *term,
            RaftRecord::Leads { term } => self.led = *term,
            RaftRecord::Overwrite(entry) => match self.count_upto(entry.id.index).checked_sub(1) {
                Some(at) if self.entries[at].id.index == entry.id.index => {
                    self.entries[at] = Arc::clone(entry);
                }
                _ => self.entries.push(Arc::clone(entry)),
            },
            RaftRecord::KeepAfter { upto } => {
                self.entries.drain(..self.count_upto(upto.index));
                self.purged = *upto;
            }
        }
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a log can be written");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }

    fn initial() -> Self {
        SmallLog::default()
    }
}
