//! Runs: one seed, one script, or all seeds of a scenario on several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use crate::result::{RunResult, ScenarioResult};
use crate::scenario::{Scenario, Seeds};

/// What to keep of a run beside its result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The script, also of a run that held.
    pub script: bool,
    /// The trace, one line a command or storage call.
    pub trace: bool,
}
