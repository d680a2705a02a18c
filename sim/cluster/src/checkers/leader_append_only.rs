//! Leader append-only: a leader never removes an entry of its log (Raft paper, figure 3 and section 5.3).
//!
//! A leader that hears of a later term may truncate before that term is durable, which is when the term is
//! seen. So a truncation is held against a leader only when it goes on to append in its own term.
//! Not checked: that a leader appends entries of its own term only; log matching sees what comes of it.

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Remembers which leaders have truncated: the term, and the last index that was left.
#[derive(Debug, Default)]
pub(super) struct LeaderAppendOnly {
    truncated: BTreeMap<NodeId, (u64, u64)>,
}

impl ClusterChecker for LeaderAppendOnly {
    fn name(&self) -> &'static str {
        "leader append-only"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::Truncated { after } => {
                let leads = before.node(event.node).and_then(|node| node.leads);
                if let Some(term) = leads {
                    self.truncated.insert(event.node, (term, *after));
                }
            }
            Observation::Started(_) => {
                self.truncated.remove(&event.node);
            }
            Observation::Appended { entry, .. } => match self.truncated.get(&event.node) {
                Some((term, after)) if entry.id.term == *term => {
                    return Err(format!(
                        "leads in term {term}, truncated after {after} and appends {}",
                        entry.id
                    ));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    fn led() -> EventScript {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).append(1, 2).append(1, 2).truncate(1, 2);
        script
    }

    #[test]
    fn a_leader_that_truncates_and_goes_on_breaks_it() {
        let mut script = led();
        script.append(1, 2);
        assert_eq!(script.broken(), ["leader append-only"]);
    }

    #[test]
    fn a_leader_that_gives_way_to_a_later_one_may_truncate() {
        let mut script = led();
        script.append(1, 3).vote(1, 3, Some(2));
        assert_eq!(script.broken(), [""; 0]);
    }
}
