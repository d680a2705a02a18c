//! Every restart starts.
//!
//! The world says that one did not, unless a disk call has failed. Not checked: that a process gets
//! anywhere, and that one gives up only after a disk call has failed, which the world knows.

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
        let mut script = EventScript::founded(3);
        script.at(
            1,
            Observation::NotStarted {
                error: "no log".to_owned(),
            },
        );
        assert_eq!(script.broken(), ["every restart starts"]);
    }
}
