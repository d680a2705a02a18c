//! A leader commits by counting only entries of its own term; earlier ones are committed with them (Raft
//! paper, section 5.4.2 and figure 8).
//!
//! Not checked: what followers say. They learn the leader's index, or less if their logs are shorter.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct OwnTermCommit;

impl ClusterChecker for OwnTermCommit {
    fn name(&self) -> &'static str {
        "commit in the own term"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let (Observation::Committed { index }, Some(node)) = (&event.what, before.node(event.node))
        else {
            return Ok(());
        };
        match (node.leads, node.log.id_at(*index)) {
            (Some(term), Some(id)) if *index > before.last_committed() && id.term != term => Err(
                format!("leads in term {term} and commits {id}, with no entry of its term"),
            ),
            _ => Ok(()),
        }
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
}
