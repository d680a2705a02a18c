//! A run by its data: what is made smaller, and written down.

use crate::chaos::ChaosAction;
use crate::chaos_plan::{draw_chaos, profile_of};
use crate::scenario::ClusterScenario;

/// A run by its data: everything that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterCase {
    /// The scenario.
    pub scenario: ClusterScenario,
    /// The seed that everything but the chaos is drawn from.
    pub seed: u64,
    /// What goes wrong.
    pub chaos: Vec<ChaosAction>,
}

impl ClusterCase {
    /// The case of a seed: with the chaos that it draws, and its disks' profile alone.
    #[must_use]
    pub fn of_seed(scenario: &ClusterScenario, seed: u64) -> Self {
        let mut scenario = scenario.clone();
        let chaos = draw_chaos(&scenario, seed);
        scenario.profiles = vec![profile_of(&scenario, seed)];
        ClusterCase {
            scenario,
            seed,
            chaos,
        }
    }
}
