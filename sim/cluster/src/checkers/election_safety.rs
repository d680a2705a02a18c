//! Election safety: at most one node is elected in a term (Raft paper, figure 3 and section 5.2).
//!
//! Not checked: a node that leads again in a term after a restart. That is harmless as long as no entry
//! was forgotten, and log matching finds the harm.

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Remembers who led in each term.
#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<u64, NodeId>,
}

impl ClusterChecker for ElectionSafety {
    fn name(&self) -> &'static str {
        "election safety"
    }

    fn observe(&mut self, event: &ObservedEvent, _: &ClusterView) -> Result<(), String> {
        let Observation::Leads { term } = event.what else {
            return Ok(());
        };
        let first = *self.leaders.entry(term).or_insert(event.node);
        if first == event.node {
            return Ok(());
        }
        Err(format!("leads in term {term}, in which node {first} led"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    #[test]
    fn two_nodes_that_lead_in_one_term_break_it() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).leads(2, 2);
        assert_eq!(script.broken(), ["elected by a quorum", "election safety"]);
    }

    #[test]
    fn two_nodes_may_lead_in_two_terms() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).leads(2, 3).leads(1, 2);
        assert_eq!(script.broken(), [""; 0]);
    }
}
