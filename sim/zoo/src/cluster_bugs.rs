//! The bugs of Raft engines, `R01` on: each planted into the small engine, looked for over the seeds of
//! its scenario, and made smaller. The sound engine runs in the same places.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_cluster::cluster_case::ClusterCase;
use beaver_cluster::promises::UNDECIDED;
use beaver_cluster::replica::RaftEngine;
use beaver_cluster::run::run;
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::seeds::{FailedSeed, run_cluster_seeds};
use beaver_cluster::shrink::{ShrinkEffort, ShrunkCase, shrink_case};
use beaver_cluster::small_raft::{PlantedBug, SmallRaft};
use beaver_sim::explore::parallel::in_order;
use beaver_sim::scenario::Seeds;

/// How many runs a bug is looked for at most.
pub const CLUSTER_RUNS: u64 = 2_000;

/// How many runs the shrinking of one failure takes at most.
const SHRINK_RUNS: u64 = 400;

/// The number of a bug: `R01`.
#[must_use]
pub fn cluster_id(bug: PlantedBug) -> String {
    let place = PlantedBug::ALL.iter().position(|one| *one == bug);
    format!("R{:02}", place.map_or(0, |place| place + 1))
}

/// The bug whose number is `id`; `None` if there is none.
#[must_use]
pub fn cluster_bug(id: &str) -> Option<PlantedBug> {
    let mut all = PlantedBug::ALL.into_iter();
    all.find(|bug| cluster_id(*bug).eq_ignore_ascii_case(id))
}

/// Declares the scenarios: each is a file of the project.
macro_rules! cluster_scenarios {
    ($($name:literal)*) => {
        const SCENARIOS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../clusters/", $name, ".json"))),)*
        ];
    };
}

cluster_scenarios! {
    "elections"
    "members-come-and-go"
    "old-messages"
    "snapshots"
    "stale-readers"
    "three-nodes"
    "wiped-machines"
}

/// The scenario in which a bug is looked for.
///
/// # Panics
/// If the bug names none; a test looks at all of them.
#[must_use]
pub fn scenario_of(bug: PlantedBug) -> ClusterScenario {
    let known = SCENARIOS
        .iter()
        .find(|(name, _)| *name == bug.about().scenario);
    let (name, text) = known.expect("every bug names a scenario of the project");
    let scenario = ClusterScenario::from_json(text);
    ClusterScenario {
        name: (*name).to_owned(),
        ..scenario.expect("the files are scenarios")
    }
}

/// How the search for one bug ended.
#[derive(Clone, Debug)]
pub struct ClusterBugResult {
    /// The bug.
    pub bug: PlantedBug,
    /// The runs until it was caught, that one included.
    pub runs: u64,
    /// How it was caught.
    pub caught: Option<ClusterCatch>,
}

/// How a bug was caught.
#[derive(Clone, Debug)]
pub struct ClusterCatch {
    /// The seed of the run.
    pub seed: u64,
    /// How many actions of chaos that run had.
    pub actions: usize,
    /// What is left of it.
    pub shrunk: ShrunkCase,
}

impl ClusterBugResult {
    /// Whether the search came to its end: it was given up otherwise.
    fn is_done(&self, most: u64) -> bool {
        self.caught.is_some() || self.runs == most
    }

    /// Whether a promise was broken by which it may be caught.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let broken = self
            .caught
            .as_ref()
            .map(|caught| caught.shrunk.violation.checker);
        broken.is_some_and(|checker| self.bug.about().promises.contains(&checker))
    }
}

/// Looks for each of these bugs, several at a time; the results come in their order.
///
/// `progress` is told how many are done. When `cancel` is set no further search begins, and one that was
/// given up before its end is left out.
#[must_use]
pub fn find_cluster_bugs(
    bugs: &[PlantedBug],
    most: u64,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> Vec<ClusterBugResult> {
    let search = |bug: &PlantedBug| find_one(*bug, most, cancel);
    let mut results = in_order(bugs, jobs, progress, cancel, search);
    results.retain(|result| result.is_done(most));
    results
}

fn find_one(bug: PlantedBug, most: u64, cancel: &AtomicBool) -> ClusterBugResult {
    let engine = SmallRaft::with_bug(bug);
    let scenario = scenario_of(bug);
    let mut result = ClusterBugResult {
        bug,
        runs: 0,
        caught: None,
    };
    for seed in (0..most).take_while(|_| !cancel.load(Ordering::Relaxed)) {
        result.runs += 1;
        let outcome = run(&engine, &scenario, seed, None);
        let broken = outcome.violations.into_iter().next();
        // A history that was not judged to the end shows nothing.
        if let Some(violation) = broken.filter(|broken| broken.checker != UNDECIDED) {
            let failed = FailedSeed { seed, violation };
            result.caught = Some(catch(&engine, &scenario, failed, cancel));
            break;
        }
    }
    result
}

fn catch(
    engine: &dyn RaftEngine,
    scenario: &ClusterScenario,
    failed: FailedSeed,
    cancel: &AtomicBool,
) -> ClusterCatch {
    let case = ClusterCase::of_seed(scenario, failed.seed);
    let actions = case.chaos.len();
    let effort = ShrinkEffort {
        runs: SHRINK_RUNS,
        stop: &|| cancel.load(Ordering::Relaxed),
    };
    ClusterCatch {
        seed: failed.seed,
        actions,
        shrunk: shrink_case(engine, case, failed.violation, &effort),
    }
}

/// What the engine without bugs did wherever bugs were looked for.
#[derive(Clone, Debug, Default)]
pub struct ClusterControls {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first of these, by scenario.
    pub false_alarms: Vec<(String, FailedSeed)>,
}

/// Runs the engine without bugs wherever these bugs were looked for; at least `least` seeds of each
/// scenario.
pub fn run_cluster_controls(
    results: &[ClusterBugResult],
    least: u64,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> ClusterControls {
    let mut plan: BTreeMap<String, (ClusterScenario, u64)> = BTreeMap::new();
    for result in results {
        let scenario = scenario_of(result.bug);
        let name = scenario.name.clone();
        let (_, runs) = plan.entry(name).or_insert((scenario, least));
        *runs = (*runs).max(result.runs);
    }
    let mut controls = ClusterControls::default();
    for (place, (name, (scenario, runs))) in (1..).zip(plan) {
        let seeds = Seeds {
            start: 0,
            end: runs,
        };
        let engine = SmallRaft::new();
        let result = run_cluster_seeds(&engine, &scenario, seeds, jobs, &|_| (), cancel);
        controls.runs += result.runs;
        controls.failed += result.failed;
        let failures = result.failures.into_iter();
        controls
            .false_alarms
            .extend(failures.map(|failed| (name.clone(), failed)));
        progress(place);
    }
    controls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_number_a_scenario_and_promises() {
        for bug in PlantedBug::ALL {
            assert_eq!(cluster_bug(&cluster_id(bug)), Some(bug));
            assert!(scenario_of(bug).check().is_ok());
            assert!(!bug.about().promises.is_empty(), "{bug}");
        }
    }

    #[test]
    fn a_search_that_was_given_up_is_left_out_and_one_that_came_to_its_end_is_not() {
        let result = |runs| ClusterBugResult {
            bug: PlantedBug::ALL[0],
            runs,
            caught: None,
        };
        assert!(!result(7).is_done(8));
        assert!(result(8).is_done(8));
        let stopped = AtomicBool::new(true);
        let one = NonZeroUsize::MIN;
        let found = find_cluster_bugs(&PlantedBug::ALL, 1, one, &|_| (), &stopped);
        assert!(found.is_empty(), "{found:?}");
    }
}
