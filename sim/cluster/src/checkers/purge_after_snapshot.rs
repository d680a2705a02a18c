//! What is purged from a log is in a durable snapshot (Raft paper, section 7).
//!
//! Not checked: that logs are purged at all.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct PurgeAfterSnapshot;

impl ClusterChecker for PurgeAfterSnapshot {
    fn name(&self) -> &'static str {
        "purge after snapshot"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::Purged { upto } => {
                let node = before.node(event.node);
                let snapshot = node.map(|node| node.snapshot).unwrap_or_default();
                if upto.index <= snapshot.index {
                    return Ok(());
                }
                Err(format!(
                    "purges up to {upto}, and its durable snapshot ends at {snapshot}"
                ))
            }
            Observation::Started(state) if state.purged.index > state.applied.index => {
                let (purged, applied) = (state.purged, state.applied);
                Err(format!(
                    "finds its log purged up to {purged} and its state at {applied}"
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryId;
    use crate::observation::Observation;

    #[test]
    fn a_purge_before_the_snapshot_is_durable_breaks_it() {
        let upto = EntryId::new(0, 1);
        let mut script = EventScript::founded(3);
        let mut early = script.clone();
        early.at(1, Observation::Purged { upto });
        assert_eq!(early.broken(), ["purge after snapshot"]);
        let (last, state) = (upto, EventScript::state_at(1));
        script.at(1, Observation::SnapshotBuilt { last, state });
        script.at(1, Observation::Purged { upto });
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_hole_between_state_and_log_breaks_it() {
        let mut script = EventScript::founded(3);
        script.crash(1).restart_with(1, |state| {
            state.log.clear();
            state.purged = EntryId::new(0, 1);
        });
        assert_eq!(script.broken(), ["purge after snapshot"]);
    }
}
