//! What a disk acknowledged is there after a restart: entries that were flushed and not truncated since,
//! and the newest snapshot (Raft paper, figure 2: the log is persistent). And what is saved as committed
//! is in the log.
//!
//! More than was acknowledged may be there: an entry that was not flushed yet, an entry whose removal
//! was not. Not checked: term and vote (never back).

use super::checker::ClusterChecker;
use super::cluster_view::{ClusterView, NodeView};
use crate::entry::EntryId;
use crate::observation::{Observation, ObservedEvent, RecoveredState};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct DurableAfterRestart;

/// Everything that `node` had flushed is in `state`.
fn log_is_there(node: &NodeView, state: &RecoveredState) -> Result<(), String> {
    let first = node.log.purged().index.max(state.purged.index) + 1;
    for index in first..=node.log.durable() {
        let Some(flushed) = node.log.entry(index).map(|entry| entry.id) else {
            break;
        };
        let place = usize::try_from(index - state.purged.index - 1).unwrap_or(usize::MAX);
        let found = state.log.get(place).map(|entry| entry.id);
        if found != Some(flushed) {
            let found = found.map_or("nothing".into(), |id: EntryId| id.to_string());
            return Err(format!("finds {found} where entry {flushed} was durable"));
        }
    }
    Ok(())
}

impl ClusterChecker for DurableAfterRestart {
    fn name(&self) -> &'static str {
        "durable after restart"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let Observation::Started(state) = &event.what else {
            return Ok(());
        };
        let last = state.log.last().map_or(state.purged, |entry| entry.id);
        if state.committed > last.index.max(state.applied.index) {
            let committed = state.committed;
            return Err(format!(
                "finds {committed} committed in a log that ends at {last}"
            ));
        }
        let Some(node) = before.node(event.node).filter(|node| !node.wiped) else {
            return Ok(());
        };
        if state.applied.index < node.snapshot.index {
            let (applied, snapshot) = (state.applied, node.snapshot);
            return Err(format!(
                "starts at {applied}, and its snapshot at {snapshot} was durable"
            ));
        }
        log_is_there(node, state)
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryId;
    use crate::observation::Observation;

    #[test]
    fn a_flushed_entry_that_is_gone_breaks_it() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).flush(1).append(1, 2).crash(1);
        let mut without_both = script.clone();
        script.restart_with(1, |state| state.log.truncate(2));
        assert_eq!(script.broken(), [""; 0]);
        without_both.restart_with(1, |state| state.log.truncate(1));
        assert_eq!(without_both.broken(), ["durable after restart"]);
    }

    #[test]
    fn an_entry_that_was_truncated_may_be_gone_or_come_back() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).flush(1);
        let mut comes_back = script.clone();
        comes_back.crash(1).restart(1);
        script.truncate(1, 1).crash(1).restart(1);
        assert_eq!([script.broken(), comes_back.broken()], [[""; 0]; 2]);
    }

    #[test]
    fn a_flush_that_is_said_after_a_truncation_covers_what_is_left() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).append(1, 2).truncate(1, 2).append(1, 3);
        let upto = EntryId::new(2, 3);
        script.at(1, Observation::Flushed { upto }).crash(1);
        let mut without_both = script.clone();
        script.restart_with(1, |state| state.log.truncate(2));
        assert_eq!(script.broken(), [""; 0]);
        without_both.restart_with(1, |state| state.log.truncate(1));
        assert_eq!(without_both.broken(), ["durable after restart"]);
    }

    #[test]
    fn a_durable_snapshot_that_is_gone_breaks_it() {
        let mut script = EventScript::founded(3);
        let (last, state) = (EntryId::new(0, 1), EventScript::state_at(1));
        script
            .at(1, Observation::SnapshotBuilt { last, state })
            .crash(1);
        let mut forgets = script.clone();
        script.restart_with(1, |state| state.applied = last);
        assert_eq!(script.broken(), [""; 0]);
        forgets.restart_with(1, |state| state.applied = EntryId::default());
        assert_eq!(forgets.broken(), ["durable after restart"]);
    }

    #[test]
    fn a_committed_index_past_the_end_of_the_log_breaks_it() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]).commit(1, 2);
        let mut short = script.clone();
        short.crash(3);
        script.append(3, 2).crash(3);
        script.restart_with(3, |state| state.committed = 2);
        assert_eq!(script.broken(), [""; 0]);
        short.restart_with(3, |state| state.committed = 2);
        assert_eq!(short.broken(), ["durable after restart"]);
    }
}
