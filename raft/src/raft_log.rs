//! The Raft log as a state machine: a fold over [`LogRecord`]s.
//!
//! One ordered log holds the votes, the entries and the truncations, so a crash leaves a prefix of
//! what happened: no vote without the entries before it, no new entry beside one that it replaced, no
//! commit index that runs ahead of its entries.
//!
//! Entries live in memory.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeBounds;

use beaver::{DecodeError, StateMachine};
use openraft::RaftTypeConfig;
use openraft::alias::{LogIdOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::vote::RaftVote;
use serde::{Deserialize, Serialize};

use crate::record::{LogRecord, SharedEntry};

/// Vote, entries, and what was cut off at the start.
#[derive(Debug)]
pub struct RaftLog<C: RaftTypeConfig> {
    vote: Option<VoteOf<C>>,
    committed: Option<LogIdOf<C>>,
    purged: Option<LogIdOf<C>>,
    entries: BTreeMap<u64, SharedEntry<C>>,
}

/// Why a record does not fit the log. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalRecord {
    /// An entry does not follow the last one.
    #[error("entry {entry} does not follow {last}")]
    Gap {
        /// The entry's id.
        entry: String,
        /// The id of the last entry.
        last: String,
    },
    /// A truncation reaches what is purged or committed.
    #[error("what comes after index {after:?} cannot be cut off: {kept} is committed or purged")]
    Truncation {
        /// The last index that was to be kept.
        after: Option<u64>,
        /// What must be kept.
        kept: String,
    },
    /// A purge goes back, or its id is not that of the entry at its index.
    #[error("the log cannot be purged up to {upto}: it has {found}")]
    Purge {
        /// What was to be purged.
        upto: String,
        /// What the log has there.
        found: String,
    },
    /// A vote is less than the one that was given.
    #[error("vote {vote} takes back {given}")]
    Vote {
        /// The vote.
        vote: String,
        /// The one before.
        given: String,
    },
    /// The commit index runs ahead of the log, or goes back.
    #[error("{committed} cannot be the last committed entry: {found}")]
    Committed {
        /// The id.
        committed: String,
        /// What is in the way.
        found: String,
    },
}

impl<C: RaftTypeConfig> RaftLog<C> {
    /// The last vote.
    #[must_use]
    pub fn vote(&self) -> Option<&VoteOf<C>> {
        self.vote.as_ref()
    }

    /// The last entry that is known to be committed.
    #[must_use]
    pub fn committed(&self) -> Option<&LogIdOf<C>> {
        self.committed.as_ref()
    }

    /// The last entry that was purged.
    #[must_use]
    pub fn purged(&self) -> Option<&LogIdOf<C>> {
        self.purged.as_ref()
    }

    /// The id of the last entry, or of the last purged one where there is none.
    #[must_use]
    pub fn last(&self) -> Option<LogIdOf<C>> {
        let last = self.entries.last_key_value();
        last.map_or_else(|| self.purged.clone(), |(_, entry)| Some(id_of::<C>(entry)))
    }

    /// The entries of a range of indices, in order.
    pub fn entries(&self, range: impl RangeBounds<u64>) -> impl Iterator<Item = &SharedEntry<C>> {
        self.entries.range(range).map(|(_, entry)| entry)
    }

    fn check(&self, record: &LogRecord<C>) -> Result<(), IllegalRecord> {
        match record {
            LogRecord::Vote(vote) => match &self.vote {
                Some(given) if takes_back::<C>(vote, given) => Err(IllegalRecord::Vote {
                    vote: vote.to_string(),
                    given: given.to_string(),
                }),
                _ => Ok(()),
            },
            LogRecord::Entry(entry) => self.check_entry(&id_of::<C>(entry)),
            LogRecord::TruncateAfter(after) => {
                let mut kept = self.committed.iter().chain(&self.purged);
                match kept.find(|kept| after.is_none_or(|after| kept.index > after)) {
                    None => Ok(()),
                    Some(kept) => Err(IllegalRecord::Truncation {
                        after: *after,
                        kept: kept.to_string(),
                    }),
                }
            }
            LogRecord::Purge(upto) => self.check_purge(upto),
            LogRecord::Committed(committed) => self.check_committed(committed.as_ref()),
        }
    }

    /// The first entry of a log may have any index: a snapshot may have come before it.
    fn check_entry(&self, entry: &LogIdOf<C>) -> Result<(), IllegalRecord> {
        match self.last() {
            Some(last) if last.index.checked_add(1) != Some(entry.index) || *entry < last => {
                Err(IllegalRecord::Gap {
                    entry: entry.to_string(),
                    last: last.to_string(),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_purge(&self, upto: &LogIdOf<C>) -> Result<(), IllegalRecord> {
        let there = self.entries.get(&upto.index).map(|entry| id_of::<C>(entry));
        let goes_back = self
            .purged
            .clone()
            .filter(|purged| purged.index >= upto.index);
        match there.filter(|there| there != upto).or(goes_back) {
            None => Ok(()),
            Some(found) => Err(IllegalRecord::Purge {
                upto: upto.to_string(),
                found: found.to_string(),
            }),
        }
    }

    fn check_committed(&self, committed: Option<&LogIdOf<C>>) -> Result<(), IllegalRecord> {
        let Some(id) = committed else {
            return self.refuse_committed("nothing", self.committed.as_ref());
        };
        let ahead = self.last().is_none_or(|last| id.index > last.index);
        if ahead {
            let last = show(self.last());
            return self.refuse_committed(id, Some(&format!("the log ends at {last}")));
        }
        self.refuse_committed(id, self.committed.as_ref().filter(|before| *before > id))
    }

    fn refuse_committed(
        &self,
        committed: impl Display,
        found: Option<&impl Display>,
    ) -> Result<(), IllegalRecord> {
        match found {
            None => Ok(()),
            Some(found) => Err(IllegalRecord::Committed {
                committed: committed.to_string(),
                found: found.to_string(),
            }),
        }
    }
}

/// Whether `vote` would forget `given`: it is of an earlier leader, or of another candidate in the
/// same term, or no longer says that the leader was elected. A leader that was elected may follow a
/// candidate that this node had voted for in the same term.
fn takes_back<C: RaftTypeConfig>(vote: &VoteOf<C>, given: &VoteOf<C>) -> bool {
    match vote.leader_id().partial_cmp(given.leader_id()) {
        Some(std::cmp::Ordering::Less) => true,
        Some(std::cmp::Ordering::Equal) => given.is_committed() && !vote.is_committed(),
        Some(std::cmp::Ordering::Greater) => false,
        None => !vote.is_committed(),
    }
}

pub(crate) fn id_of<C: RaftTypeConfig>(entry: &C::Entry) -> LogIdOf<C> {
    let (leader_id, index) = entry.log_id_parts();
    LogIdOf::<C>::new(leader_id.clone(), index)
}

fn show(id: Option<impl Display>) -> String {
    id.map_or_else(|| "nothing".to_owned(), |id| id.to_string())
}

impl<C: RaftTypeConfig> Clone for RaftLog<C> {
    fn clone(&self) -> Self {
        RaftLog {
            vote: self.vote.clone(),
            committed: self.committed.clone(),
            purged: self.purged.clone(),
            entries: self.entries.clone(),
        }
    }
}

/// A log in a snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
struct LogDocument<C: RaftTypeConfig> {
    vote: Option<VoteOf<C>>,
    committed: Option<LogIdOf<C>>,
    purged: Option<LogIdOf<C>>,
    /// In order. A list: an index is in its entry already.
    entries: Vec<SharedEntry<C>>,
}

impl<C: RaftTypeConfig> StateMachine for RaftLog<C> {
    type Event = LogRecord<C>;
    type Error = IllegalRecord;

    fn apply(&mut self, record: &LogRecord<C>) -> Result<(), IllegalRecord> {
        self.check(record)?;
        match record {
            LogRecord::Vote(vote) => self.vote = Some(vote.clone()),
            LogRecord::Entry(entry) => {
                let (_, index) = entry.log_id_parts();
                self.entries.insert(index, entry.clone());
            }
            LogRecord::TruncateAfter(after) => {
                // Nothing comes after the largest index.
                if let Some(first) = after.map_or(Some(0), |after| after.checked_add(1)) {
                    drop(self.entries.split_off(&first));
                }
            }
            LogRecord::Purge(upto) => {
                self.entries = match upto.index.checked_add(1) {
                    Some(first) => self.entries.split_off(&first),
                    None => BTreeMap::new(),
                };
                self.purged = Some(upto.clone());
            }
            LogRecord::Committed(committed) => self.committed = committed.clone(),
        }
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        let document = LogDocument::<C> {
            vote: self.vote.clone(),
            committed: self.committed.clone(),
            purged: self.purged.clone(),
            entries: self.entries.values().cloned().collect(),
        };
        serde_json::to_writer(out, &document).expect("each part was written before, in its record");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        let document: LogDocument<C> = serde_json::from_slice(json).map_err(DecodeError::new)?;
        let mut log = RaftLog::initial();
        log.purged = document.purged;
        for entry in document.entries {
            let entry = LogRecord::Entry(entry);
            log.apply(&entry).map_err(DecodeError::new)?;
        }
        (log.vote, log.committed) = (document.vote, document.committed);
        Ok(log)
    }

    fn initial() -> Self {
        RaftLog {
            vote: None,
            committed: None,
            purged: None,
            entries: BTreeMap::new(),
        }
    }
}
