//! What a node is when its process starts: what its disks hold, and no more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use beaver_sim::stream::Stream;

use super::super::bug::PlantedBug;
use super::super::message::SnapshotFile;
use super::super::record::{RaftConfig, RaftPayload, RaftRecord, SmallEntry, SmallLog};
use super::machine::CoreMachine;
use super::memory_log::MemoryLog;
use super::role::RaftRole;
use super::state::RaftCore;
use crate::entry::{EntryId, NodeId};
use crate::observation::{Observation, RecoveredState};

/// What the disks hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedState {
    pub(crate) log: SmallLog,
    /// JSON on one line.
    pub(crate) snapshot: Option<Arc<[u8]>>,
}

impl RaftCore {
    /// The node as it comes back. The records that it asks for must be durable before anything else
    /// that it asks for is done.
    ///
    /// # Errors
    /// Log and snapshot do not belong together.
    pub(crate) fn recover(
        id: NodeId,
        bug: Option<PlantedBug>,
        seed: u64,
        now: Duration,
        saved: SavedState,
    ) -> Result<Self, String> {
        let SavedState { log, snapshot } = saved;
        let machine = match &snapshot {
            Some(state) => CoreMachine::from_snapshot(state)?,
            None => CoreMachine::default(),
        };
        let covered = machine.applied;
        let is_old = bug == Some(PlantedBug::OlderSnapshotWithCompactedLog);
        if log.purged.index > covered.index && !is_old {
            let purged = log.purged;
            return Err(format!(
                "the log begins after {purged}, the snapshot ends at {covered}"
            ));
        }
        let (hint, led) = (log.committed, log.led);
        let snapshot = snapshot.map(|state| SnapshotFile {
            last: covered,
            state,
        });
        let mut core = RaftCore {
            id,
            bug,
            random: Stream::new(seed, "small raft"),
            now,
            term: log.term,
            voted_for: log.voted_for,
            log: MemoryLog::new(log.purged, log.entries, machine.config.clone()),
            config: machine.config.clone(),
            commit: covered.index,
            machine,
            snapshot,
            saving: None,
            records: 0,
            awaited: 0,
            flushed: 0,
            unsent: VecDeque::new(),
            unsaved_votes: VecDeque::new(),
            late_callbacks: VecDeque::new(),
            role: RaftRole::Follower,
            leader: None,
            heard: Duration::ZERO,
            election_at: now,
            outputs: Vec::new(),
        };
        core.draw_election();
        core.match_snapshot(covered);
        core.config = core.log.config();
        core.start(hint, led);
        Ok(core)
    }

    /// A crash may have come between the snapshot of another node and the log that begins after it.
    fn match_snapshot(&mut self, covered: EntryId) {
        let is_ahead = covered.index > self.log.purged().index;
        if is_ahead && !self.log.has(covered) {
            if self.has_bug(PlantedBug::EntriesUnderSnapshotKept) {
                self.record(RaftRecord::KeepAfter { upto: covered });
                self.log.keep_after(covered, self.machine.config.clone());
            } else {
                self.record(RaftRecord::Reset { upto: covered });
                self.log.reset(covered, self.machine.config.clone());
            }
        }
    }

    /// Takes part from now on.
    fn start(&mut self, hint: u64, led: u64) {
        let purged = self.log.purged();
        let entries = self.log.from(purged.index + 1, usize::MAX);
        let believes = self.has_bug(PlantedBug::CommitIndexDurableBeforeEntries);
        let committed = if believes {
            hint
        } else {
            // The hint was written after the entries, and these may have given way to a snapshot.
            hint.min(self.log.last().index).max(self.commit)
        };
        if self.has_bug(PlantedBug::AppliedIndexApartFromData) {
            let term = self.log.term_at(committed).unwrap_or(self.term);
            self.machine.applied = EntryId::new(term, committed);
        }
        self.observe(Observation::Started(RecoveredState {
            term: self.term,
            voted_for: self.voted_for,
            purged,
            log: entries.iter().map(|entry| entry.observed()).collect(),
            committed,
            applied: self.machine.applied,
        }));
        self.commit = committed;
        if self.has_bug(PlantedBug::RestartedLeaderWithStaleState) && self.led_in_term(led) {
            // The bug: what is committed is applied when the next entry is.
            self.lead_again();
            return;
        }
        self.apply_committed();
        if self.has_bug(PlantedBug::RestartedLeaderReusesIndex) && self.led_in_term(led) {
            self.lead_again();
        }
    }

    fn led_in_term(&self, led: u64) -> bool {
        led == self.term && self.log.last().term == self.term && self.is_voter()
    }

    /// For planted bugs: leads on in the term that it led, without an election.
    fn lead_again(&mut self) {
        let first = self.log.first_of_term(self.log.last().index);
        self.lead();
        if let Some(lead) = self.leadership() {
            lead.first = first;
            lead.restored = true;
        }
    }

    /// Founds a cluster: every founder begins its log with the same entry of term 0.
    pub(crate) fn found(&mut self, voters: BTreeSet<NodeId>) {
        let is_new = self.term == 0 && self.log.last() == EntryId::default();
        if voters.is_empty() || !is_new {
            return;
        }
        let learners = BTreeSet::new();
        let payload = RaftPayload::Config(RaftConfig { voters, learners });
        let id = EntryId::new(0, 1);
        self.append(Arc::new(SmallEntry { id, payload }));
    }
}
