//! The log as the core sees it: what will be on disk when everything that was asked for is written.

use std::sync::Arc;

use super::super::record::{RaftConfig, RaftPayload, SmallEntry};
use crate::entry::EntryId;

/// Entries after a purged start, each with the number of the record that makes it durable.
#[derive(Debug)]
pub(super) struct MemoryLog {
    purged: EntryId,
    entries: Vec<(u64, Arc<SmallEntry>)>,
    /// Up to here it is durable.
    durable: u64,
    /// For a planted bug: up to here it is taken for durable, whatever was written there since.
    believed: u64,
    /// The membership at its start, and the index of its entry.
    start_config: (u64, RaftConfig),
}

impl MemoryLog {
    pub(super) fn new(
        purged: EntryId,
        entries: Vec<Arc<SmallEntry>>,
        start_config: (u64, RaftConfig),
    ) -> Self {
        let entries: Vec<_> = entries.into_iter().map(|entry| (0, entry)).collect();
        let last = entries.last().map_or(purged.index, |(_, e)| e.id.index);
        MemoryLog {
            purged,
            entries,
            durable: last,
            believed: 0,
            start_config,
        }
    }

    pub(super) fn purged(&self) -> EntryId {
        self.purged
    }

    pub(super) fn last(&self) -> EntryId {
        self.entries.last().map_or(self.purged, |(_, e)| e.id)
    }

    fn place(&self, index: u64) -> Option<usize> {
        let place = index.checked_sub(self.purged.index + 1)?;
        usize::try_from(place).ok()
    }

    pub(super) fn get(&self, index: u64) -> Option<&Arc<SmallEntry>> {
        self.entries.get(self.place(index)?).map(|(_, entry)| entry)
    }

    /// The term of the entry `index`, if it is known.
    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.purged.index {
            return Some(self.purged.term);
        }
        self.get(index).map(|entry| entry.id.term)
    }

    pub(super) fn has(&self, id: EntryId) -> bool {
        self.term_at(id.index) == Some(id.term)
    }

    /// At most `most` entries from `index` on.
    pub(super) fn from(&self, index: u64, most: usize) -> Vec<Arc<SmallEntry>> {
        let start = self.place(index).unwrap_or(0);
        let rest = self.entries.iter().skip(start).take(most);
        rest.map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// The first index whose entry has the term of the entry `index`.
    pub(super) fn first_of_term(&self, index: u64) -> u64 {
        let term = self.term_at(index);
        let mut first = index;
        while first > self.purged.index + 1 && self.term_at(first - 1) == term {
            first -= 1;
        }
        first
    }

    /// The membership that counts: the last one in the log, committed or not, with its index.
    pub(super) fn config(&self) -> (u64, RaftConfig) {
        let newest = self.entries.iter().rev();
        let mut configs = newest.filter_map(|(_, entry)| config_of(entry));
        configs.next().unwrap_or_else(|| self.start_config.clone())
    }

    pub(super) fn push(&mut self, record: u64, entry: Arc<SmallEntry>) {
        self.entries.push((record, entry));
        self.believe_durable(0);
    }

    pub(super) fn truncate(&mut self, after: u64) {
        let left = self.place(after + 1).unwrap_or(0);
        self.entries.truncate(left);
        self.durable = self.durable.min(after);
    }

    /// Removes the entries up to `upto`, which is in the log.
    pub(super) fn purge(&mut self, upto: EntryId) {
        let gone = self.place(upto.index + 1).unwrap_or(0);
        let gone = gone.min(self.entries.len());
        let removed = self.entries.drain(..gone);
        if let Some(config) = removed.rev().find_map(|(_, entry)| config_of(&entry)) {
            self.start_config = config;
        }
        self.purged = upto;
        self.durable = self.durable.max(upto.index);
    }

    /// Begins anew after `upto`, which a snapshot covers.
    pub(super) fn reset(&mut self, upto: EntryId, start_config: (u64, RaftConfig)) {
        self.entries.clear();
        (self.purged, self.durable) = (upto, upto.index);
        self.start_config = start_config;
    }

    /// For a planted bug: as `reset`, but the entries after `upto` stay.
    pub(super) fn keep_after(&mut self, upto: EntryId, start_config: (u64, RaftConfig)) {
        self.entries
            .retain(|(_, entry)| entry.id.index > upto.index);
        (self.purged, self.durable) = (upto, self.durable.max(upto.index));
        self.start_config = start_config;
    }

    /// All records up to this number are durable. Whether that moves the durable end.
    pub(super) fn flushed(&mut self, records: u64) -> bool {
        let durable = self
            .entries
            .partition_point(|(number, _)| *number <= records);
        let durable = self.purged.index + durable as u64;
        let moved = durable > self.durable;
        self.durable = self.durable.max(durable);
        moved
    }

    /// For a planted bug: the log is taken for durable up to `index`.
    pub(super) fn believe_durable(&mut self, index: u64) {
        self.believed = self.believed.max(index);
        self.durable = self.durable.max(self.believed.min(self.last().index));
    }

    /// The last durable entry.
    pub(super) fn durable(&self) -> EntryId {
        let term = self.term_at(self.durable).unwrap_or(self.purged.term);
        EntryId::new(term, self.durable)
    }
}

fn config_of(entry: &SmallEntry) -> Option<(u64, RaftConfig)> {
    match &entry.payload {
        RaftPayload::Config(config) => Some((entry.id.index, config.clone())),
        _ => None,
    }
}
