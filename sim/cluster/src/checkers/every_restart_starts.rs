//! Every restart starts, and a process goes on until the world ends it.
//!
//! An engine says `NotStarted` and `Stopped` also when a disk call has failed; that is no break of a
//! promise, so the world keeps such an observation back. Not checked: that a process gets anywhere.

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
            Observation::Stopped { error } => Err(format!("gives up: {error}")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::observation::Observation;

    #[test]
    fn a_process_that_does_not_start_or_gives_up_breaks_it() {
        let mut script = EventScript::founded(3);
        script.crash(1).restart(1);
        assert_eq!(script.broken(), [""; 0]);
        let error = || "no log".to_owned();
        for what in [
            Observation::NotStarted { error: error() },
            Observation::Stopped { error: error() },
        ] {
            let mut script = EventScript::founded(3);
            script.at(1, what);
            assert_eq!(script.broken(), ["every restart starts"]);
        }
    }
}
