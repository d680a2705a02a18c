//! What is committed survives: while nodes lose their disks one at a time, another one has the last
//! committed entry; and at the end a majority of its voters has it (Raft paper, section 5.4; Ongaro's
//! thesis, section 4.2.1 for nodes that come back empty).
//!
//! Not checked: each entry before the last, for which log matching answers; and durability as clients
//! see it, which is in their history.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::EntryId;
use crate::observation::{Observation, ObservedEvent, RecoveredState};

/// Looks at what is left of the last committed entry.
#[derive(Debug)]
pub(super) struct CommittedSurvives;

fn finds(state: &RecoveredState, id: EntryId) -> bool {
    let covered = id.index <= state.applied.index;
    covered
        || state
            .log
            .binary_search_by_key(&id, |entry| entry.id)
            .is_ok()
}

impl ClusterChecker for CommittedSurvives {
    fn name(&self) -> &'static str {
        "committed survives"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let Some(last) = before.committed(before.last_committed()) else {
            return Ok(());
        };
        let itself = match &event.what {
            Observation::Wiped => false,
            Observation::Started(state) => finds(state, last.id),
            _ => return Ok(()),
        };
        let mut others = before.nodes.iter().filter(|(node, _)| **node != event.node);
        if itself || others.any(|(_, node)| !node.wiped && node.has_durable(last.id)) {
            return Ok(());
        }
        Err(format!(
            "committed entry {} is on no disk any more",
            last.id
        ))
    }

    fn finish(&mut self, view: &ClusterView) -> Result<(), String> {
        let Some(last) = view.committed(view.last_committed()) else {
            return Ok(());
        };
        let mut holders = view.holders(last.id);
        holders.retain(|node| !view.nodes[node].wiped);
        view.require_quorum(last.id, &holders)
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::observation::Observation;

    fn committed_on(nodes: &[u64]) -> EventScript {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, nodes).commit(1, 2);
        script
    }

    #[test]
    fn one_lost_disk_leaves_the_committed_entry_on_another() {
        let mut script = committed_on(&[1, 2]);
        script.crash(1).at(1, Observation::Wiped);
        script.crash(2).at(2, Observation::Wiped);
        assert_eq!(script.broken(), ["committed survives"]);
    }

    #[test]
    fn after_a_lost_disk_a_majority_gets_it_again() {
        let mut script = committed_on(&[1, 2]);
        script.crash(1).at(1, Observation::Wiped);
        assert_eq!(script.broken(), ["committed survives"]);
        script.replicate(2, &[3]);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn at_the_end_a_majority_has_it() {
        let mut script = committed_on(&[1, 2]);
        script.truncate(2, 1);
        assert_eq!(script.broken(), ["committed survives"]);
    }
}
