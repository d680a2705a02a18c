//! A leader commits by counting only entries of its own term; earlier ones are committed with them (Raft
//! paper, section 5.4.2 and figure 8).
//!
//! A leader may say late what it committed when it led before: an entry that a majority stored while it
//! was in the entry's term is safe, as no node that lacks it can win a vote of theirs (section 5.4.3).
//! Not checked: what followers say. They learn the leader's index, or less if their logs are shorter.

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::{EntryId, NodeId};
use crate::observation::{Observation, ObservedEvent};

/// Remembers what each node has stored in its own term.
#[derive(Debug, Default)]
pub(super) struct OwnTermCommit {
    /// By term and node: the last index of an entry of that term that was durable while the node was in it.
    stored: BTreeMap<(u64, NodeId), u64>,
}

impl OwnTermCommit {
    /// The log of a node that is in `term` is durable up to `upto`.
    fn store(&mut self, node: NodeId, term: u64, upto: EntryId) {
        if upto.term == term {
            let index = self.stored.entry((term, node)).or_default();
            *index = upto.index.max(*index);
        }
    }

    /// Whether a majority stored the entry while it was in its term.
    fn is_committed(&self, id: EntryId, view: &ClusterView) -> bool {
        let stored = self.stored.range((id.term, 0)..=(id.term, NodeId::MAX));
        let stored = stored.filter(|(_, index)| **index >= id.index);
        let holders = stored.map(|((_, node), _)| *node).collect();
        view.require_quorum(id, &holders).is_ok()
    }

    fn check_commit(
        &self,
        event: &ObservedEvent,
        index: u64,
        view: &ClusterView,
    ) -> Result<(), String> {
        let Some(node) = view.node(event.node) else {
            return Ok(());
        };
        let (Some(term), Some(id)) = (node.leads, node.log.id_at(index)) else {
            return Ok(());
        };
        if index <= view.last_committed() || id.term == term || self.is_committed(id, view) {
            return Ok(());
        }
        Err(format!(
            "leads in term {term} and commits {id}, with no entry of its term"
        ))
    }
}

impl ClusterChecker for OwnTermCommit {
    fn name(&self) -> &'static str {
        "commit in the own term"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::Started(state) => {
                if let Some(last) = state.log.last() {
                    self.store(event.node, state.term, last.id);
                }
            }
            Observation::Flushed { upto } => {
                if let Some(node) = before.node(event.node) {
                    self.store(event.node, node.term, *upto);
                }
            }
            Observation::Committed { index } => return self.check_commit(event, *index, before),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    #[test]
    fn an_earlier_entry_that_is_committed_by_counting_breaks_it() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1]).leads(1, 3);
        script.replicate(2, &[2]);
        let mut early = script.clone();
        early.commit(1, 2);
        assert_eq!(early.broken(), ["commit in the own term"]);
        script.replicate(3, &[1, 2]).commit(1, 3);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn an_entry_that_was_committed_in_its_own_term_may_be_said_in_a_later_one() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]).leads(1, 3);
        script.commit(1, 2);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_node_counts_for_the_term_in_which_it_stored_the_entry() {
        let mut script = EventScript::founded(5);
        script.leads(1, 2).replicate(2, &[1, 2]).leads(1, 3);
        script.replicate(2, &[3, 4]).commit(1, 2);
        assert_eq!(script.broken(), ["commit in the own term"]);
    }
}
