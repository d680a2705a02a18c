//! Log matching: if two logs hold an entry with the same term and index, they are equal up to it (Raft
//! paper, figure 3 and section 5.3). It follows from what is checked: an entry with this term and index
//! always holds the same, after the same entry. And a log has no gaps, and its terms never fall.
//!
//! Not checked: entries under a snapshot, which are gone; their effect is in the hash of its state.

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::{ClusterView, NodeView};
use crate::entry::{EntryId, EntryKind, ObservedEntry};
use crate::observation::{Observation, ObservedEvent};

/// Remembers what every entry that was ever seen holds, and the entry before it.
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    entries: BTreeMap<EntryId, (EntryKind, EntryId)>,
}

impl LogMatching {
    fn entry(&mut self, previous: EntryId, entry: &ObservedEntry) -> Result<(), String> {
        let id = entry.id;
        if id.index != previous.index + 1 || id.term < previous.term {
            return Err(format!("entry {id} comes after {previous}"));
        }
        let this = (entry.kind.clone(), previous);
        let known = self.entries.entry(id).or_insert_with(|| this.clone());
        if *known == this {
            return Ok(());
        }
        Err(format!(
            "entry {id} is {:?} after {previous}, and elsewhere {:?} after {}",
            entry.kind, known.0, known.1
        ))
    }
}

impl ClusterChecker for LogMatching {
    fn name(&self) -> &'static str {
        "log matching"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let node = before.node(event.node);
        match &event.what {
            Observation::Started(state) => {
                let mut previous = state.purged;
                for entry in &state.log {
                    self.entry(previous, entry)?;
                    previous = entry.id;
                }
                Ok(())
            }
            Observation::Appended { previous, entry } => {
                let tip = node.map(NodeView::tip).unwrap_or_default();
                if tip != *previous {
                    let id = entry.id;
                    return Err(format!(
                        "appends {id} after {previous}, and its log ends at {tip}"
                    ));
                }
                self.entry(*previous, entry)
            }
            Observation::Purged { upto } => {
                match node.and_then(|node| node.log.id_at(upto.index)) {
                    Some(id) if id != *upto => {
                        Err(format!("purges up to {upto}, and has {id} there"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::{EntryId, EntryKind, ObservedEntry};
    use crate::observation::Observation;

    #[test]
    fn one_place_with_two_contents_breaks_it() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).append(2, 2);
        assert_eq!(script.broken(), [""; 0]);
        let mut script = EventScript::founded(3);
        script
            .append(1, 2)
            .append_kind(2, 2, EntryKind::Command(77));
        assert_eq!(script.broken(), ["log matching"]);
    }

    #[test]
    fn one_entry_after_two_different_ones_breaks_it() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).append(1, 4).append(2, 3);
        assert_eq!(script.broken(), [""; 0]);
        script.append(2, 4);
        assert_eq!(script.broken(), ["log matching"]);
    }

    #[test]
    fn what_a_restart_finds_is_compared_too() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).crash(2);
        let entry = |kind| ObservedEntry {
            id: EntryId::new(2, 2),
            kind,
        };
        script.restart_with(2, |state| state.log.push(entry(EntryKind::Command(77))));
        assert_eq!(script.broken(), ["log matching"]);
    }

    #[test]
    fn a_gap_breaks_it() {
        let mut script = EventScript::founded(3);
        let entry = ObservedEntry {
            id: EntryId::new(2, 3),
            kind: EntryKind::Blank,
        };
        let previous = EntryId::new(0, 1);
        script.at(1, Observation::Appended { previous, entry });
        assert_eq!(script.broken(), ["log matching"]);
    }
}
