//! What openraft and its storage do, said in the words of the checkers.

use std::sync::{Arc, Mutex};

use beaver_raft::{ApplyObserver, LogObserver};
use openraft::alias::StoredMembershipOf;
use openraft::{RaftMetrics, ServerState};

use super::types::{
    ClusterTypes, RaftEntry, RaftLogId, RaftVote, index_of, observed, place_of, vote_of,
};
use crate::entry::ObservedEntry;
use crate::host::Host;
use crate::observation::{Observation, RecoveredState};
use crate::ready::lock;
use crate::replicated_state::hash_of;

/// Tells the host what happens, each thing once.
#[derive(Debug)]
pub(super) struct ReplicaObserver {
    host: Arc<dyn Host>,
    said: Mutex<Said>,
}

/// What was said last.
#[derive(Debug, Default)]
struct Said {
    leads: Option<u64>,
    committed: u64,
    stopped: bool,
    /// The hash of the state, and the index up to which it is applied.
    applied: (u64, u64),
}

impl ReplicaObserver {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        ReplicaObserver {
            host,
            said: Mutex::default(),
        }
    }

    /// The hash of the state, and the index up to which it is applied.
    pub(super) fn applied_state(&self) -> (u64, u64) {
        lock(&self.said).applied
    }

    /// What the disks hold, and the hash of the state.
    pub(super) fn recovered(&self, recovered: RecoveredState, state: u64) {
        let mut said = lock(&self.said);
        said.applied = (state, recovered.applied.index);
        said.committed = recovered.committed.max(recovered.applied.index);
        drop(said);
        self.host.observe(Observation::Started(recovered));
    }

    /// An entry was applied.
    pub(super) fn applied(&self, entry: ObservedEntry, state: u64) {
        lock(&self.said).applied = (state, entry.id.index);
        self.host.observe(Observation::Applied { entry, state });
    }

    fn leads(&self, term: u64) {
        if lock(&self.said).leads.replace(term) != Some(term) {
            self.host.observe(Observation::Leads { term });
        }
    }

    fn steps_down(&self) {
        if lock(&self.said).leads.take().is_some() {
            self.host.observe(Observation::StepsDown);
        }
    }

    /// What openraft says of itself.
    pub(super) fn metrics(&self, metrics: &RaftMetrics<ClusterTypes>) {
        match metrics.state {
            ServerState::Leader if metrics.vote.committed => self.leads(metrics.current_term),
            ServerState::Leader => {}
            _ => self.steps_down(),
        }
        if let Err(fatal) = &metrics.running_state
            && !std::mem::replace(&mut lock(&self.said).stopped, true)
        {
            let error = fatal.to_string();
            self.host.observe(Observation::Stopped { error });
        }
    }
}

impl LogObserver<ClusterTypes> for ReplicaObserver {
    fn appended(&self, previous: Option<&RaftLogId>, entry: &RaftEntry) {
        self.host.observe(Observation::Appended {
            previous: place_of(previous),
            entry: observed(entry),
        });
    }

    fn truncated(&self, after: Option<&RaftLogId>) {
        let after = index_of(after);
        self.host.observe(Observation::Truncated { after });
    }

    fn purged(&self, upto: &RaftLogId) {
        let upto = place_of(Some(upto));
        self.host.observe(Observation::Purged { upto });
    }

    fn flushed(&self, last: Option<&RaftLogId>) {
        let upto = place_of(last);
        self.host.observe(Observation::Flushed { upto });
    }

    fn committed(&self, upto: Option<&RaftLogId>) {
        // Not by the metrics: they count what a snapshot covers before it is installed, when the log
        // may still hold other entries.
        let index = index_of(upto);
        if std::mem::replace(&mut lock(&self.said).committed, index) != index {
            self.host.observe(Observation::Committed { index });
        }
    }

    fn vote_saved(&self, vote: &RaftVote) {
        let (term, voted_for) = vote_of(vote);
        self.host
            .observe(Observation::VoteSaved { term, voted_for });
        // A candidate saves that it has won before it sends anything as the leader.
        if vote.committed && voted_for == Some(self.host.node()) {
            self.leads(term);
        }
    }
}

impl ApplyObserver<ClusterTypes> for ReplicaObserver {
    fn built(
        &self,
        last: Option<&RaftLogId>,
        _: &StoredMembershipOf<ClusterTypes>,
        machine: &[u8],
    ) {
        // One of the state before the first entry, which an operator can ask for, covers nothing.
        if last.is_some() {
            let (last, state) = (place_of(last), hash_of(machine));
            self.host
                .observe(Observation::SnapshotBuilt { last, state });
        }
    }

    fn installed(
        &self,
        last: Option<&RaftLogId>,
        _: &StoredMembershipOf<ClusterTypes>,
        machine: &[u8],
    ) {
        let (last, state) = (place_of(last), hash_of(machine));
        lock(&self.said).applied = (state, last.index);
        self.host
            .observe(Observation::SnapshotInstalled { last, state });
    }
}
