//! Every restart starts.
//!
//! The world says `NotStarted` only of a process with disks that have served it well. Not checked here:
//! a process that gives up later, because only the world knows whether a disk has failed.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct EveryRestartStarts;

impl ClusterChecker for EveryRestartStarts {
    fn name(&self) -> &'static str {
        "every restart starts"
    }

    fn observe(&mut self, event: &ObservedEvent, _: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::NotStarted { error } => Err(format!("does not start: {error}")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::observation::Observation;

    #[test]
    fn a_process_that_does_not_start_breaks_it() {
        let mut script = EventScript::founded(3);
        script.crash(1).restart(1);
        assert_eq!(script.broken(), [""; 0]);
        let error = "no log".into();
        script.at(1, Observation::NotStarted { error });
        assert_eq!(script.broken(), ["every restart starts"]);
    }
}
