//! A failed run is written down draw by draw, and runs again from that.

use beaver_sim::scenario::Seeds;

use crate::cluster_case::ClusterCase;
use crate::engine_choice::EngineChoice;
use crate::replica::RaftEngine;
use crate::run::{ClusterOutcome, ClusterRunOptions, run_with};
use crate::saved_run::SavedRun;
use crate::scenario::ClusterScenario;

/// Runs a failing case once more and writes down what replays it, with what happened.
///
/// # Panics
/// As [`run`](crate::run::run).
#[must_use]
pub fn record_run(
    choice: EngineChoice,
    engine: &dyn RaftEngine,
    case: &ClusterCase,
) -> (SavedRun, ClusterOutcome) {
    let options = ClusterRunOptions {
        chaos: Some(case.chaos.clone()),
        draws: None,
        record_draws: true,
        record_messages: true,
    };
    let mut outcome = run_with(engine, &case.scenario, case.seed, options);
    let breaks = outcome.violations.first();
    let saved = SavedRun {
        engine: choice,
        scenario: ClusterScenario {
            seeds: Seeds::one(case.seed),
            ..case.scenario.clone()
        },
        breaks: breaks.map_or(String::new(), |broken| broken.checker.to_owned()),
        hash: format!("{:016x}", outcome.hash),
        chaos: case.chaos.clone(),
        draws: outcome.draws.take().unwrap_or_default(),
    };
    (saved, outcome)
}

/// Runs it again from its data alone.
///
/// # Panics
/// As [`run`](crate::run::run).
#[must_use]
pub fn replay_run(saved: &SavedRun, engine: &dyn RaftEngine) -> ClusterOutcome {
    let options = ClusterRunOptions {
        chaos: Some(saved.chaos.clone()),
        draws: Some(saved.draws.clone()),
        record_draws: false,
        record_messages: true,
    };
    run_with(engine, &saved.scenario, saved.scenario.seeds.start, options)
}
