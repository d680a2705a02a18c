//! What the observations so far say about all nodes: one model that all checkers share.

use std::collections::{BTreeMap, BTreeSet};

use super::node_log::{NodeLog, VoterSets};
use crate::entry::{EntryId, EntryKind, NodeId, ObservedEntry};
use crate::observation::{Observation, ObservedEvent, RecoveredState};

/// What is known of a node.
#[derive(Debug, Default)]
pub(super) struct NodeView {
    pub(super) log: NodeLog,
    /// The term of the vote that was last said to be durable, and the vote.
    pub(super) saved_term: u64,
    pub(super) voted_for: Option<NodeId>,
    /// The greatest term that the node was seen in.
    pub(super) term: u64,
    /// The term in which it leads.
    pub(super) leads: Option<u64>,
    /// The greatest index that this process said to be committed or found so.
    pub(super) committed: u64,
    pub(super) applied: EntryId,
    /// The newest durable snapshot.
    pub(super) snapshot: EntryId,
    /// Its disks were replaced by empty ones since it last started. What it had acknowledged before
    /// that still counts where a leader counts.
    pub(super) wiped: bool,
}

impl NodeView {
    fn recovered(state: &RecoveredState) -> Self {
        NodeView {
            log: NodeLog::recovered(state.purged, &state.log),
            saved_term: state.term,
            voted_for: state.voted_for,
            term: state.term,
            leads: None,
            committed: state.committed.max(state.applied.index),
            applied: state.applied,
            // Its state can have come from nowhere else.
            snapshot: state.applied,
            wiped: false,
        }
    }

    /// The last entry of the log, or of the snapshot if that goes further.
    pub(super) fn tip(&self) -> EntryId {
        let tip = self.log.tip();
        if tip.index < self.snapshot.index {
            self.snapshot
        } else {
            tip
        }
    }

    /// Whether its log or its snapshot has the entry.
    pub(super) fn has(&self, id: EntryId) -> bool {
        let covered = self.log.purged().index.max(self.snapshot.index);
        id.index <= covered || self.log.id_at(id.index) == Some(id)
    }

    /// Whether its disk has acknowledged the entry, or a snapshot that covers it.
    pub(super) fn has_durable(&self, id: EntryId) -> bool {
        let in_log = || id.index <= self.log.durable() && self.log.id_at(id.index) == Some(id);
        id.index <= self.snapshot.index || in_log()
    }
}

/// An entry that a node has said to be committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommittedEntry {
    pub(super) id: EntryId,
    /// The term of the node that said it first: at least the term of the leader that committed it.
    pub(super) said_in: u64,
}

/// What is known of all nodes before the next event.
#[derive(Debug, Default)]
pub(super) struct ClusterView {
    pub(super) nodes: BTreeMap<NodeId, NodeView>,
    /// The committed entries from index 1 on.
    committed: Vec<CommittedEntry>,
    committed_memberships: BTreeMap<u64, VoterSets>,
    /// The applied entries from index 1 on, each with the hash of the state after it.
    applied: Vec<(ObservedEntry, u64)>,
}

fn at<T>(list: &[T], index: u64) -> Option<&T> {
    list.get(usize::try_from(index.checked_sub(1)?).ok()?)
}

impl ClusterView {
    /// What is known of `node`; `None`: nothing.
    pub(super) fn node(&self, node: NodeId) -> Option<&NodeView> {
        self.nodes.get(&node)
    }

    /// The committed entry at `index`, if one was said.
    pub(super) fn committed(&self, index: u64) -> Option<CommittedEntry> {
        at(&self.committed, index).copied()
    }

    /// The committed entries from index 1 on.
    pub(super) fn all_committed(&self) -> &[CommittedEntry] {
        &self.committed
    }

    /// The last index that was said to be committed.
    pub(super) fn last_committed(&self) -> u64 {
        self.committed.len() as u64
    }

    /// What was first applied at `index`, and the hash of the state after it.
    pub(super) fn applied(&self, index: u64) -> Option<&(ObservedEntry, u64)> {
        at(&self.applied, index)
    }

    /// The voters by which `id` may have been committed: those in force at its index, and every later
    /// ones in a log that has it, because a leader goes by the last ones in its log from the moment
    /// when it has appended them.
    pub(super) fn voters_for(&self, id: EntryId) -> Vec<&VoterSets> {
        let mut voters = Vec::new();
        let has_it = |node: &&NodeView| node.log.id_at(id.index) == Some(id);
        for node in self.nodes.values().filter(has_it) {
            let memberships = node.log.memberships();
            let later = memberships.range(id.index + 1..).map(|(_, voters)| voters);
            voters.extend(later);
            voters.extend(in_force(memberships, id.index).or_else(|| self.voters_at(id.index)));
        }
        match voters.is_empty() {
            true => Vec::from_iter(self.voters_at(id.index)),
            false => voters,
        }
    }

    /// The voters by the last membership in the log of `node`, or under the snapshot before it.
    pub(super) fn voters_of(&self, node: NodeId) -> Option<&VoterSets> {
        let log = &self.nodes.get(&node)?.log;
        let in_log = log.memberships().last_key_value();
        let purged = log.purged().index;
        match in_log.filter(|(index, _)| **index > purged) {
            Some((_, voters)) => Some(voters),
            None => self.voters_at(purged),
        }
    }

    /// The committed voters at `index`, for logs in which they were purged.
    fn voters_at(&self, index: u64) -> Option<&VoterSets> {
        in_force(&self.committed_memberships, index)
    }

    /// The nodes with a disk that has acknowledged the entry, also if it was wiped since.
    pub(super) fn holders(&self, id: EntryId) -> BTreeSet<NodeId> {
        let durable = self.nodes.iter().filter(|(_, node)| node.has_durable(id));
        durable.map(|(node, _)| *node).collect()
    }

    /// Whether a majority of each set of voters in `holders` has the entry; if not, why.
    pub(super) fn require_quorum(
        &self,
        id: EntryId,
        holders: &BTreeSet<NodeId>,
    ) -> Result<(), String> {
        let majority = |set: &BTreeSet<_>| set.intersection(holders).count() * 2 > set.len();
        let voters = self.voters_for(id);
        if voters.iter().any(|sets| sets.iter().all(majority)) {
            return Ok(());
        }
        Err(format!(
            "entry {id} is durable on nodes {holders:?} only, of the voters {voters:?}"
        ))
    }

    /// Takes `event` in.
    pub(super) fn record(&mut self, event: &ObservedEvent) {
        let node = self.nodes.entry(event.node).or_default();
        match &event.what {
            Observation::Started(state) => *node = NodeView::recovered(state),
            Observation::NotStarted { .. } | Observation::Stopped { .. } => {}
            Observation::Died { .. } => node.leads = None,
            Observation::Wiped => (node.wiped, node.leads) = (true, None),
            Observation::VoteSaved { term, voted_for } => {
                (node.saved_term, node.voted_for) = (*term, *voted_for);
                node.term = node.term.max(*term);
                node.leads = node.leads.filter(|leads| leads >= term);
            }
            Observation::Leads { term } => {
                node.term = node.term.max(*term);
                node.leads = Some(*term);
            }
            Observation::StepsDown => node.leads = None,
            Observation::Appended { previous, entry } => {
                node.log.append(*previous, entry.clone());
            }
            Observation::Truncated { after } => node.log.truncate(*after),
            Observation::Purged { upto } => node.log.purge(*upto),
            Observation::Flushed { upto } => node.log.flush(*upto),
            Observation::Committed { index } => node.committed = node.committed.max(*index),
            Observation::Applied { entry, .. } => node.applied = entry.id,
            Observation::SnapshotBuilt { last, .. } => {
                node.snapshot = later(node.snapshot, *last);
            }
            Observation::SnapshotInstalled { last, .. } => {
                node.snapshot = later(node.snapshot, *last);
                node.applied = *last;
                node.committed = node.committed.max(last.index);
            }
        }
        self.record_committed(event.node);
        if let Observation::Applied { entry, state } = &event.what
            && entry.id.index == self.applied.len() as u64 + 1
        {
            self.applied.push((entry.clone(), *state));
        }
    }

    /// What the node has said to be committed is so, as far as its log shows it.
    fn record_committed(&mut self, node: NodeId) {
        let node = &self.nodes[&node];
        while self.last_committed() < node.committed {
            let Some(entry) = node.log.entry(self.last_committed() + 1) else {
                return;
            };
            if let EntryKind::Membership(voters) = &entry.kind {
                self.committed_memberships
                    .insert(entry.id.index, voters.clone());
            }
            self.committed.push(CommittedEntry {
                id: entry.id,
                said_in: node.term,
            });
        }
    }
}

fn in_force(memberships: &BTreeMap<u64, VoterSets>, index: u64) -> Option<&VoterSets> {
    memberships
        .range(..=index)
        .next_back()
        .map(|(_, voters)| voters)
}

fn later(one: EntryId, other: EntryId) -> EntryId {
    if one.index < other.index { other } else { one }
}
