//! A dead process is silent: nothing is seen of it after the world has ended it.
//!
//! A promise of the simulator rather than of the engine. Not checked: messages that were sent before and
//! arrive later, which is as it should be.

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Remembers the last dead process of each node.
#[derive(Debug, Default)]
pub(super) struct DeadIsSilent {
    dead: BTreeMap<NodeId, u64>,
}

impl ClusterChecker for DeadIsSilent {
    fn name(&self) -> &'static str {
        "a dead process is silent"
    }

    fn observe(&mut self, event: &ObservedEvent, _: &ClusterView) -> Result<(), String> {
        match event.what {
            Observation::Died { .. } => {
                self.dead.insert(event.node, event.process);
                Ok(())
            }
            Observation::Wiped => Ok(()),
            _ => match self.dead.get(&event.node) {
                Some(dead) if event.process <= *dead => Err(format!(
                    "process {} is dead and still at work",
                    event.process
                )),
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    #[test]
    fn a_process_that_flushes_after_its_death_breaks_it() {
        let mut script = EventScript::founded(3);
        script.append(1, 2).flush(1).crash(1);
        assert_eq!(script.broken(), [""; 0]);
        script.as_process(1, 1).flush(1);
        assert_eq!(script.broken(), ["a dead process is silent"]);
    }
}
