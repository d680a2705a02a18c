//! The log of one node, as its observations tell it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::entry::{EntryId, EntryKind, NodeId, ObservedEntry};

/// Sets of voters: each must have a majority.
pub(super) type VoterSets = Vec<BTreeSet<NodeId>>;

/// What can be read of a node's log, and how much of it is durable.
#[derive(Debug, Default)]
pub(super) struct NodeLog {
    purged: EntryId,
    entries: VecDeque<ObservedEntry>,
    memberships: BTreeMap<u64, VoterSets>,
    durable: u64,
    /// Truncations since the process started: what was removed, and the last index that was left. A
    /// flush that covers a removed entry may be said after its removal.
    cuts: Vec<(Vec<EntryId>, u64)>,
}

impl NodeLog {
    /// The log that a process found. It is durable: a process may not show what a power cut can take.
    pub(super) fn recovered(purged: EntryId, entries: &[ObservedEntry]) -> Self {
        let mut log = NodeLog {
            purged,
            ..NodeLog::default()
        };
        for entry in entries {
            log.push(entry.clone());
        }
        log.durable = log.tip().index;
        log
    }

    /// The last entry; the last purged one if the log is empty.
    pub(super) fn tip(&self) -> EntryId {
        self.entries.back().map_or(self.purged, |entry| entry.id)
    }

    /// The last purged entry.
    pub(super) fn purged(&self) -> EntryId {
        self.purged
    }

    /// The last index that an acknowledged flush covers and that was not truncated since.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// The entry at `index`; `None`: it was purged, or was never there.
    pub(super) fn entry(&self, index: u64) -> Option<&ObservedEntry> {
        let place = index.checked_sub(self.purged.index + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The entry at `index`, also if it is the last purged one.
    pub(super) fn id_at(&self, index: u64) -> Option<EntryId> {
        if index == self.purged.index {
            return Some(self.purged);
        }
        self.entry(index).map(|entry| entry.id)
    }

    /// The memberships in the log by their index.
    pub(super) fn memberships(&self) -> &BTreeMap<u64, VoterSets> {
        &self.memberships
    }

    /// Puts `entry` after `previous`. Where that is not the tip, which a checker reports, the log is
    /// made to fit, so that one error is not followed by many.
    pub(super) fn append(&mut self, previous: EntryId, entry: ObservedEntry) {
        if self.id_at(previous.index) == Some(previous) {
            self.truncate(previous.index);
        } else {
            self.rebase(previous);
        }
        self.push(entry);
    }

    fn push(&mut self, entry: ObservedEntry) {
        if let EntryKind::Membership(voters) = &entry.kind {
            self.memberships.insert(entry.id.index, voters.clone());
        }
        self.entries.push_back(entry);
    }

    /// Removes all entries after the index `after`.
    pub(super) fn truncate(&mut self, after: u64) {
        if after >= self.tip().index {
            return;
        }
        let left = after.saturating_sub(self.purged.index);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let removed = self.entries.drain(left.min(self.entries.len())..);
        self.cuts
            .push((removed.map(|entry| entry.id).collect(), after));
        self.memberships.split_off(&(after + 1));
        self.durable = self.durable.min(after);
    }

    /// Removes all entries up to `upto`.
    pub(super) fn purge(&mut self, upto: EntryId) {
        if upto.index <= self.purged.index {
            return;
        }
        if upto.index >= self.tip().index {
            self.rebase(upto);
            return;
        }
        while self
            .entries
            .front()
            .is_some_and(|e| e.id.index <= upto.index)
        {
            self.entries.pop_front();
        }
        self.memberships = self.memberships.split_off(&(upto.index + 1));
        self.purged = upto;
    }

    /// An empty log that begins after `purged`.
    fn rebase(&mut self, purged: EntryId) {
        self.truncate(self.purged.index);
        self.purged = purged;
    }

    /// The log up to `upto` is durable.
    pub(super) fn flush(&mut self, upto: EntryId) {
        let mut index = upto.index;
        if self.id_at(index) != Some(upto) {
            // It was removed when its flush was said: what it shares with today's log is durable.
            let cut = self.cuts.iter().position(|(ids, _)| ids.contains(&upto));
            let Some(cut) = cut else { return };
            let left = self.cuts[cut..].iter().map(|(_, after)| *after);
            index = left.fold(index, u64::min);
        }
        self.durable = self.durable.max(index);
    }
}
