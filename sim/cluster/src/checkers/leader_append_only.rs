//! Leader append-only: a leader never removes an entry of its log (Raft paper, figure 3 and section 5.3).
//!
//! Not checked: that a leader appends entries of its own term only; log matching sees what comes of it.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct LeaderAppendOnly;

impl ClusterChecker for LeaderAppendOnly {
    fn name(&self) -> &'static str {
        "leader append-only"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let Observation::Truncated { after } = event.what else {
            return Ok(());
        };
        let leads = before.node(event.node).and_then(|node| node.leads);
        match leads {
            Some(term) => Err(format!("leads in term {term} and truncates after {after}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    fn led(last_term: u64) -> EventScript {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).append(1, 2).append(1, 2);
        script.vote(1, last_term, Some(1)).truncate(1, 2);
        script
    }

    #[test]
    fn a_leader_that_truncates_breaks_it() {
        assert_eq!(led(2).broken(), ["leader append-only"]);
    }

    #[test]
    fn a_node_that_led_in_an_earlier_term_may_truncate() {
        assert_eq!(led(3).broken(), [""; 0]);
    }
}
