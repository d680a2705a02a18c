//! What a store was told and what it has answered, and so what a crash may leave.

use std::collections::BTreeMap;

use openraft::RaftTypeConfig;
use openraft::alias::VoteOf;

use super::subject::BrokenPromise;

/// A log: the last purged index, and each entry by its index, as JSON. Ids are in the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ModelLog {
    pub(super) purged: Option<u64>,
    pub(super) entries: BTreeMap<u64, String>,
}

impl ModelLog {
    pub(super) fn last(&self) -> Option<u64> {
        let last = self.entries.last_key_value();
        last.map_or(self.purged, |(index, _)| Some(*index))
    }

    /// Whether `found` is this log, perhaps with entries that this one has purged; `all` has every
    /// entry that was ever purged.
    fn may_be_left_as(&self, found: &ModelLog, all: &BTreeMap<u64, String>) -> bool {
        let mut expected = self.entries.clone();
        let purged = all
            .iter()
            .filter(|(index, _)| Some(**index) > found.purged && Some(**index) <= self.purged);
        expected.extend(purged.map(|(index, entry)| (*index, entry.clone())));
        found.purged <= self.purged && found.entries == expected && found.last() == self.last()
    }
}

/// What a store shows.
#[derive(Debug)]
pub(super) struct ShownLog<C: RaftTypeConfig> {
    pub(super) vote: Option<VoteOf<C>>,
    pub(super) committed: Option<u64>,
    pub(super) log: ModelLog,
}

impl<C: RaftTypeConfig> PartialEq for ShownLog<C> {
    fn eq(&self, other: &Self) -> bool {
        (&self.vote, self.committed, &self.log) == (&other.vote, other.committed, &other.log)
    }
}

/// Everything that was asked for so far, and how much of it was answered.
#[derive(Clone, Debug)]
pub(super) struct LogHistory<C: RaftTypeConfig> {
    /// The logs after each entry, truncation and purge; at first an empty one.
    pub(super) logs: Vec<ModelLog>,
    /// From this one on.
    pub(super) durable_log: usize,
    /// The votes; at first none.
    pub(super) votes: Vec<Option<VoteOf<C>>>,
    pub(super) durable_vote: usize,
    /// The commit indices; at first none.
    pub(super) committed: Vec<Option<u64>>,
    /// Every entry that was ever purged.
    pub(super) purged: BTreeMap<u64, String>,
}

impl<C: RaftTypeConfig> LogHistory<C> {
    pub(super) fn new() -> Self {
        LogHistory {
            logs: vec![ModelLog::default()],
            durable_log: 0,
            votes: vec![None],
            durable_vote: 0,
            committed: vec![None],
            purged: BTreeMap::new(),
        }
    }

    pub(super) fn log(&self) -> &ModelLog {
        &self.logs[self.logs.len() - 1]
    }

    /// Takes over how much was answered from an earlier moment: what was answered since does not count.
    pub(super) fn answered_as_in(&self, before: &Self) -> Self {
        LogHistory {
            durable_log: before.durable_log,
            durable_vote: before.durable_vote,
            ..self.clone()
        }
    }

    /// Whether a crash may leave this.
    pub(super) fn judge(&self, found: &ShownLog<C>) -> Result<(), BrokenPromise> {
        let broken = |promise, expected: String| {
            let what = format!("found {found:?}, expected {expected}");
            Err(BrokenPromise { promise, what })
        };
        let votes = &self.votes[self.durable_vote..];
        if !votes.contains(&found.vote) {
            return broken("vote", format!("one of {votes:?}"));
        }
        let logs = &self.logs[self.durable_log..];
        let mut may_be = logs.iter();
        if !may_be.any(|log| log.may_be_left_as(&found.log, &self.purged)) {
            return broken("log", format!("one of {logs:?}"));
        }
        let is_known = self.committed.contains(&found.committed);
        if !is_known || found.committed > found.log.last() {
            return broken(
                "commit index",
                format!("one of {:?}, in the log", self.committed),
            );
        }
        Ok(())
    }
}
