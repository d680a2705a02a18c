//! Short event lists for the tests of the checkers, written with verbs.

use std::collections::BTreeMap;

use super::Checkers;
use crate::entry::{EntryId, EntryKind, NodeId, ObservedEntry};
use crate::observation::{Observation, ObservedEvent, RecoveredState};

/// An event list, and of each node what the verbs need to know.
#[derive(Clone, Debug, Default)]
pub(super) struct EventScript {
    events: Vec<ObservedEvent>,
    nodes: BTreeMap<NodeId, Scripted>,
}

#[derive(Clone, Debug, Default)]
struct Scripted {
    process: u64,
    state: RecoveredState,
}

impl EventScript {
    /// `nodes` nodes that hold, have committed and have applied the membership with which they begin.
    pub(super) fn founded(nodes: u64) -> Self {
        let mut script = EventScript::default();
        let voters = EntryKind::Membership(vec![(1..=nodes).collect()]);
        for node in 1..=nodes {
            script.restart_with(node, |_| {});
            script.append_kind(node, 0, voters.clone()).flush(node);
        }
        for node in 1..=nodes {
            script.commit(node, 1).apply(node, 1);
        }
        script
    }

    /// The hash of the state after the entry at `index`.
    pub(super) fn state_at(index: u64) -> u64 {
        index * 10
    }

    pub(super) fn at(&mut self, node: NodeId, what: Observation) -> &mut Self {
        self.events.push(ObservedEvent {
            at: self.events.len() as u64,
            node,
            process: self.nodes[&node].process,
            what,
        });
        self
    }

    fn scripted(&mut self, node: NodeId) -> &mut Scripted {
        self.nodes.entry(node).or_default()
    }

    pub(super) fn vote(&mut self, node: NodeId, term: u64, voted_for: Option<NodeId>) -> &mut Self {
        let state = &mut self.scripted(node).state;
        (state.term, state.voted_for) = (term, voted_for);
        self.at(node, Observation::VoteSaved { term, voted_for })
    }

    /// All nodes that were not in the term before vote for the node, and it wins.
    pub(super) fn leads(&mut self, node: NodeId, term: u64) -> &mut Self {
        let nodes = self.nodes.iter();
        let free = nodes.filter(|(_, other)| other.state.term < term);
        for voter in free.map(|(voter, _)| *voter).collect::<Vec<_>>() {
            self.vote(voter, term, Some(node));
        }
        self.at(node, Observation::Leads { term })
    }

    /// A command that is the same on all nodes for one term and index.
    pub(super) fn append(&mut self, node: NodeId, term: u64) -> &mut Self {
        let index = self.scripted(node).state.log.len() as u64 + 1;
        self.append_kind(node, term, EntryKind::Command(term * 1_000 + index))
    }

    pub(super) fn append_kind(&mut self, node: NodeId, term: u64, kind: EntryKind) -> &mut Self {
        let log = &mut self.scripted(node).state.log;
        let previous = log.last().map(|entry| entry.id).unwrap_or_default();
        let id = EntryId::new(term, previous.index + 1);
        let entry = ObservedEntry { id, kind };
        log.push(entry.clone());
        self.at(node, Observation::Appended { previous, entry })
    }

    pub(super) fn flush(&mut self, node: NodeId) -> &mut Self {
        let last = self.scripted(node).state.log.last();
        let upto = last.map(|entry| entry.id).unwrap_or_default();
        self.at(node, Observation::Flushed { upto })
    }

    /// Each of these nodes appends a command and flushes it.
    pub(super) fn replicate(&mut self, term: u64, nodes: &[NodeId]) -> &mut Self {
        for node in nodes {
            self.append(*node, term).flush(*node);
        }
        self
    }

    pub(super) fn truncate(&mut self, node: NodeId, after: u64) -> &mut Self {
        self.scripted(node)
            .state
            .log
            .retain(|entry| entry.id.index <= after);
        self.at(node, Observation::Truncated { after })
    }

    pub(super) fn commit(&mut self, node: NodeId, index: u64) -> &mut Self {
        self.at(node, Observation::Committed { index })
    }

    pub(super) fn apply(&mut self, node: NodeId, index: u64) -> &mut Self {
        self.apply_to(node, index, EventScript::state_at(index))
    }

    pub(super) fn apply_to(&mut self, node: NodeId, index: u64, state: u64) -> &mut Self {
        let log = &self.scripted(node).state.log;
        let entry = log.iter().find(|entry| entry.id.index == index);
        let entry = entry
            .expect("a script applies what it has appended")
            .clone();
        self.at(node, Observation::Applied { entry, state })
    }

    pub(super) fn crash(&mut self, node: NodeId) -> &mut Self {
        self.at(node, Observation::Died { power_cut: true })
    }

    /// The next process finds all that was appended, and a state machine without state.
    pub(super) fn restart(&mut self, node: NodeId) -> &mut Self {
        self.restart_with(node, |_| {})
    }

    /// The same, with what it finds changed.
    pub(super) fn restart_with(
        &mut self,
        node: NodeId,
        change: impl FnOnce(&mut RecoveredState),
    ) -> &mut Self {
        let scripted = self.scripted(node);
        scripted.process += 1;
        change(&mut scripted.state);
        let state = scripted.state.clone();
        self.at(node, Observation::Started(state))
    }

    /// What the node does next is done by this process.
    pub(super) fn as_process(&mut self, node: NodeId, process: u64) -> &mut Self {
        self.scripted(node).process = process;
        self
    }

    /// The names of the checkers that find a promise broken.
    pub(super) fn broken(&self) -> Vec<&'static str> {
        let mut checkers = Checkers::new();
        let observed = self.events.iter().flat_map(|event| checkers.observe(event));
        let mut broken: Vec<_> = observed.collect();
        broken.extend(checkers.finish());
        broken.iter().map(|broken| broken.checker).collect()
    }
}
