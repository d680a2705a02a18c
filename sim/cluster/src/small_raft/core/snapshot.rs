//! Snapshots: the state machine is saved, then the log before it is purged. A follower that lacks what
//! is purged gets the snapshot itself.

use std::time::Duration;

use super::super::bug::PlantedBug;
use super::super::message::{RaftBody, SnapshotFile};
use super::super::record::RaftRecord;
use super::machine::CoreMachine;
use super::output::RaftOutput;
use super::state::{RaftCore, SnapshotSave};
use crate::entry::{EntryId, NodeId};
use crate::observation::Observation;

/// A snapshot is taken when this many entries were applied since the last one.
const SNAPSHOT_EVERY: u64 = 12;
/// This many entries before a snapshot stay, for followers that lack only few.
const KEPT_ENTRIES: u64 = 2;

impl RaftCore {
    fn snapshot_index(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |file| file.last.index)
    }

    pub(super) fn snapshot_if_due(&mut self) {
        if self.machine.applied.index >= self.snapshot_index() + SNAPSHOT_EVERY {
            self.take_snapshot(None);
        }
    }

    pub(super) fn take_snapshot(&mut self, call: Option<u64>) {
        let is_new = self.machine.applied.index > self.snapshot_index();
        if self.saving.is_some() || !is_new {
            if let Some(call) = call {
                let busy = "another snapshot is being written".to_owned();
                self.answer_admin(call, if is_new { Err(busy) } else { Ok(()) });
            }
            return;
        }
        let file = self.machine.to_snapshot();
        if self.has_bug(PlantedBug::PurgeBeforeSnapshotIsDurable) {
            self.purge(file.last);
        }
        self.save(SnapshotSave {
            file,
            install: None,
            call,
        });
    }

    fn save(&mut self, save: SnapshotSave) {
        self.outputs
            .push(RaftOutput::SaveSnapshot(save.file.clone()));
        self.saving = Some(save);
    }

    /// The snapshot that was to be saved is durable.
    ///
    /// # Errors
    /// It came from another node, and is none.
    pub(crate) fn snapshot_saved(&mut self, now: Duration) -> Result<(), String> {
        self.now = now;
        let Some(SnapshotSave {
            file,
            install,
            call,
        }) = self.saving.take()
        else {
            return Ok(());
        };
        let machine = CoreMachine::from_snapshot(&file.state)?;
        let (last, state) = (file.last, machine.state.hash());
        if let Some(round) = install {
            return self.install(file, machine, round);
        }
        self.snapshot = Some(file);
        self.observe(Observation::SnapshotBuilt { last, state });
        if let Some(call) = call {
            self.answer_admin(call, Ok(()));
        }
        let index = last.index.saturating_sub(KEPT_ENTRIES);
        if let Some(term) = self.log.term_at(index) {
            self.purge(EntryId::new(term, index));
        }
        Ok(())
    }

    /// A follower got a snapshot of the leader of its term.
    pub(super) fn receive_snapshot(&mut self, from: NodeId, file: SnapshotFile, round: u64) {
        if file.last.index <= self.commit && !self.has_bug(PlantedBug::StaleSnapshotTruncatesLog) {
            // It has all of that already, and perhaps more.
            let matched = file.last.index;
            self.send_durable(from, RaftBody::Appended { matched, round });
            return;
        }
        // Busy: the leader sends it again.
        if self.saving.is_none() {
            let (install, call) = (Some(round), None);
            self.save(SnapshotSave {
                file,
                install,
                call,
            });
        }
    }

    /// Replaces state machine and log by a snapshot that is durable.
    fn install(
        &mut self,
        file: SnapshotFile,
        machine: CoreMachine,
        round: u64,
    ) -> Result<(), String> {
        let last = file.last;
        let is_stale = last.index <= self.commit;
        if !is_stale || self.has_bug(PlantedBug::StaleSnapshotTruncatesLog) {
            let state = machine.state.hash();
            self.snapshot = Some(file);
            let is_replaced = is_stale || !self.log.has(last);
            let after = self.commit.max(self.log.purged().index);
            let keeps = self.has_bug(PlantedBug::EntriesUnderSnapshotKept);
            if is_replaced && !keeps && after < self.log.last().index {
                self.observe(Observation::Truncated { after });
            }
            self.observe(Observation::SnapshotInstalled { last, state });
            if is_replaced {
                self.replace_log(last, &machine);
            } else {
                self.purge(last);
            }
            (self.machine, self.commit) = (machine, last.index);
        }
        if let Some(leader) = self.leader.filter(|leader| *leader != self.id) {
            let matched = last.index;
            self.send_durable(leader, RaftBody::Appended { matched, round });
        }
        Ok(())
    }

    fn replace_log(&mut self, upto: EntryId, machine: &CoreMachine) {
        let config = machine.config.clone();
        if self.has_bug(PlantedBug::EntriesUnderSnapshotKept) {
            self.record(RaftRecord::KeepAfter { upto });
            self.log.keep_after(upto, config);
        } else {
            self.record(RaftRecord::Reset { upto });
            self.log.reset(upto, config);
        }
        self.observe(Observation::Purged { upto });
        // The bug: a membership with a higher index passes for a newer one.
        let is_kept = self.has_bug(PlantedBug::StaleMembershipAfterSnapshot)
            && self.config.0 > machine.config.0;
        if !is_kept {
            self.config = self.log.config();
        }
    }
}
