//! Entries are applied in order, each once and none left out, only when the node says that they are
//! committed, and as they stand in its log (Raft paper, figure 2: lastApplied); and what a node has applied
//! or called committed it never truncates.
//!
//! A process begins with the entry after the state that it found. Not checked: that it applies soon.

use super::checker::ClusterChecker;
use super::cluster_view::{ClusterView, NodeView};
use crate::entry::ObservedEntry;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct AppliedInOrder;

fn apply(node: &NodeView, entry: &ObservedEntry) -> Result<(), String> {
    let (id, applied) = (entry.id, node.applied);
    if id.index != applied.index + 1 {
        return Err(format!("applies {id} after {applied}"));
    }
    if id.index > node.committed {
        let committed = node.committed;
        return Err(format!(
            "applies {id}, and says that {committed} is committed"
        ));
    }
    match node.log.entry(id.index) {
        Some(logged) if logged == entry => Ok(()),
        Some(logged) => Err(format!("applies {entry:?}, and its log says {logged:?}")),
        None => Err(format!("applies {id}, which is not in its log")),
    }
}

/// What a durable snapshot covers is kept, whatever becomes of the log.
fn truncate(node: &NodeView, after: u64) -> Result<(), String> {
    let kept = after.max(node.snapshot.index);
    let (committed, applied) = (node.committed, node.applied);
    if kept < committed {
        return Err(format!(
            "truncates after {after}, and said that {committed} is committed"
        ));
    }
    if kept < applied.index {
        return Err(format!(
            "truncates after {after}, and has applied {applied}"
        ));
    }
    Ok(())
}

impl ClusterChecker for AppliedInOrder {
    fn name(&self) -> &'static str {
        "applied in order"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let none = NodeView::default();
        let node = before.node(event.node).unwrap_or(&none);
        match &event.what {
            Observation::Started(state) if state.applied.index > before.last_committed() => {
                let (applied, committed) = (state.applied, before.last_committed());
                Err(format!(
                    "starts with {applied} applied, and {committed} is committed"
                ))
            }
            Observation::Applied { entry, .. } => apply(node, entry),
            Observation::Truncated { after } => truncate(node, *after),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryId;
    use crate::observation::Observation;

    fn three_are_committed() -> EventScript {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]);
        script.replicate(2, &[1, 2]).append(2, 2).commit(1, 3);
        script
    }

    #[test]
    fn a_gap_or_a_repetition_breaks_it() {
        let mut script = three_are_committed();
        let mut gap = script.clone();
        gap.apply(1, 3);
        assert_eq!(gap.broken(), ["applied in order"]);
        script.apply(1, 2).apply(1, 3);
        assert_eq!(script.broken(), [""; 0]);
        script.apply(1, 3);
        assert_eq!(script.broken(), ["applied in order"]);
    }

    #[test]
    fn what_the_node_does_not_call_committed_may_not_be_applied() {
        let mut script = three_are_committed();
        script.apply(2, 2);
        assert_eq!(script.broken(), ["applied in order"]);
    }

    #[test]
    fn a_process_applies_again_what_its_snapshot_does_not_have() {
        let mut script = three_are_committed();
        script.apply(1, 2).crash(1).restart(1).commit(1, 3);
        script.apply(1, 1).apply(1, 2).apply(1, 3);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_log_that_a_snapshot_replaces_may_be_truncated() {
        let mut script = three_are_committed();
        script.apply(1, 2).append(3, 1);
        let (last, state) = (EntryId::new(2, 2), EventScript::state_at(2));
        script.at(3, Observation::SnapshotInstalled { last, state });
        script
            .truncate(3, 1)
            .at(3, Observation::Purged { upto: last });
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_committed_entry_that_is_truncated_breaks_it() {
        let mut script = three_are_committed();
        script.commit(2, 3).truncate(2, 3);
        assert_eq!(script.broken(), [""; 0]);
        script.truncate(2, 2);
        assert_eq!(script.broken(), ["applied in order"]);
    }
}
