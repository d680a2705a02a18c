//! What the log keeps, one line each.
//!
//! ```text
//! {"vote":{"leader_id":{"term":2,"node_id":1},"committed":true}}
//! {"entry":{"log_id":{"leader_id":2,"index":7},"payload":{"Normal":…}}}
//! {"truncate_after":6}
//! {"purge":{"leader_id":1,"index":3}}
//! {"committed":{"leader_id":2,"index":7}}
//! ```
//!
//! The form of votes, entries and ids is openraft's, by serde. The records are told apart by one key
//! each and not by a tag among the others: serde reads what has a tag into a buffer first, and there
//! the keys of a membership's nodes, which JSON can only write as texts, are no numbers any more.

use std::ops::Deref;
use std::sync::Arc;

use beaver::{DecodeError, LogEvent};
use openraft::RaftTypeConfig;
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that happens to a Raft log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, bound = "")]
pub enum LogRecord<C: RaftTypeConfig> {
    /// A vote was given, or a leader was accepted.
    Vote(VoteOf<C>),
    /// An entry comes after the last one.
    Entry(SharedEntry<C>),
    /// Every entry after this index is gone; after nothing: every entry.
    TruncateAfter(Option<u64>),
    /// A snapshot covers everything up to and including this entry, and the log forgets it.
    Purge(LogIdOf<C>),
    /// The log is known to be committed up to and including this entry.
    Committed(Option<LogIdOf<C>>),
}

impl<C: RaftTypeConfig> Clone for LogRecord<C> {
    fn clone(&self) -> Self {
        match self {
            LogRecord::Vote(vote) => LogRecord::Vote(vote.clone()),
            LogRecord::Entry(entry) => LogRecord::Entry(entry.clone()),
            LogRecord::TruncateAfter(index) => LogRecord::TruncateAfter(*index),
            LogRecord::Purge(upto) => LogRecord::Purge(upto.clone()),
            LogRecord::Committed(committed) => LogRecord::Committed(committed.clone()),
        }
    }
}

impl<C: RaftTypeConfig> LogEvent for LogRecord<C> {
    fn encode(&self, out: &mut Vec<u8>) {
        // Where a command cannot be written as JSON the line is left empty, which an append refuses.
        let start = out.len();
        if let Err(error) = serde_json::to_writer(&mut *out, self) {
            tracing::error!(%error, "a record of the Raft log cannot be written");
            out.truncate(start);
        }
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }

    fn kind(&self) -> &'static str {
        match self {
            LogRecord::Vote(_) => "vote",
            LogRecord::Entry(_) => "entry",
            LogRecord::TruncateAfter(_) => "truncate_after",
            LogRecord::Purge(_) => "purge",
            LogRecord::Committed(_) => "committed",
        }
    }
}

/// An entry that the durable state, the speculative one and the record on its way share.
#[derive(Debug)]
pub struct SharedEntry<C: RaftTypeConfig>(Arc<EntryOf<C>>);

impl<C: RaftTypeConfig> SharedEntry<C> {
    /// Shares `entry`.
    #[must_use]
    pub fn new(entry: EntryOf<C>) -> Self {
        SharedEntry(Arc::new(entry))
    }
}

impl<C: RaftTypeConfig> Clone for SharedEntry<C> {
    fn clone(&self) -> Self {
        SharedEntry(Arc::clone(&self.0))
    }
}

impl<C: RaftTypeConfig> Deref for SharedEntry<C> {
    type Target = EntryOf<C>;

    fn deref(&self) -> &EntryOf<C> {
        &self.0
    }
}

impl<C: RaftTypeConfig> Serialize for SharedEntry<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de, C: RaftTypeConfig> Deserialize<'de> for SharedEntry<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EntryOf::<C>::deserialize(deserializer).map(Self::new)
    }
}
