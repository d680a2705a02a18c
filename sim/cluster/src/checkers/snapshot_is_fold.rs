//! A snapshot is the state after the entries that it covers: its hash is the one that was seen when its
//! last entry was applied (Raft paper, section 7).
//!
//! Not checked: what the snapshot says about memberships.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct SnapshotIsFold;

impl ClusterChecker for SnapshotIsFold {
    fn name(&self) -> &'static str {
        "snapshot is the fold of the log"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let (last, state) = match event.what {
            Observation::SnapshotBuilt { last, state }
            | Observation::SnapshotInstalled { last, state } => (last, state),
            _ => return Ok(()),
        };
        match before.applied(last.index) {
            None => Err(format!(
                "has a snapshot up to {last}, which no node has applied"
            )),
            Some((entry, _)) if entry.id != last => {
                let id = entry.id;
                Err(format!(
                    "has a snapshot up to {last}, and {id} was applied there"
                ))
            }
            Some((_, known)) if *known != state => Err(format!(
                "has a snapshot up to {last} with state {state:x}, and {known:x} came of the log"
            )),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryId;
    use crate::observation::Observation;

    #[test]
    fn a_snapshot_with_another_state_or_place_breaks_it() {
        for (term, index, state, broken) in [
            (0, 1, EventScript::state_at(1), &[][..]),
            (0, 1, 99, &["snapshot is the fold of the log"]),
            (
                1,
                1,
                EventScript::state_at(1),
                &["snapshot is the fold of the log"],
            ),
            (
                2,
                2,
                EventScript::state_at(2),
                &["snapshot is the fold of the log"],
            ),
        ] {
            let last = EntryId::new(term, index);
            let mut script = EventScript::founded(3);
            script.at(1, Observation::SnapshotBuilt { last, state });
            assert_eq!(script.broken(), broken);
            let mut script = EventScript::founded(3);
            script.at(2, Observation::SnapshotInstalled { last, state });
            assert_eq!(script.broken(), broken);
        }
    }
}
