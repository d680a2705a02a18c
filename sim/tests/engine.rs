//! What every run promises, whatever the scenario: it is a pure function of scenario and seed, and
//! what failed can be saved as data and happens again.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use beaver_sim::beaver::library;
use beaver_sim::result::{Outcome, ScenarioResult};
use beaver_sim::run::{Keep, run_scenario, run_seed, saved_failure};
use beaver_sim::scenario::{Scenario, Seeds};
use beaver_zoo::left_out::ProtocolStep;

const EVERYTHING: &str = include_str!("../../scenarios/swarm.json");

fn scenario(text: &str) -> Scenario {
    serde_json::from_str(text).expect("the scenarios of these tests are valid")
}

fn run(scenario: &Scenario, jobs: usize, cancel: bool) -> ScenarioResult {
    let seeds = Seeds { start: 10, end: 60 };
    let jobs = NonZeroUsize::new(jobs).expect("at least one job");
    run_scenario(
        &library(scenario),
        scenario,
        seeds,
        jobs,
        &|_| (),
        &AtomicBool::new(cancel),
    )
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let scenario = scenario(EVERYTHING);
    let (one, four) = (run(&scenario, 1, false), run(&scenario, 4, false));
    assert_eq!(one.trace_hash, four.trace_hash);
    assert_eq!((one.counts, &one.marks), (four.counts, &four.marks));
    assert_eq!(one.faults_fired, four.faults_fired);
    assert_eq!((one.runs, one.failed_runs), (50, 0));
}

#[test]
fn a_cancelled_scenario_says_so_and_runs_nothing_more() {
    let result = run(&scenario(EVERYTHING), 2, true);
    assert!(result.cancelled);
    assert_eq!(result.runs, 0);
}

#[test]
fn another_seed_is_another_run() {
    let scenario = scenario(EVERYTHING);
    let hash = |seed| run_seed(&library(&scenario), &scenario, seed, Keep::default()).trace_hash;
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

/// Runs `seed`, writes it out, runs that from data alone, and compares call by call.
fn check_replays(name: &str, scenario: &Scenario, seed: u64) {
    let keep = Keep {
        script: true,
        trace: true,
    };
    let drawn = run_seed(&library(scenario), scenario, seed, keep);
    let saved = saved_failure(scenario, &drawn);
    let text = serde_json::to_string(&saved).expect("a scenario is always JSON");
    let read: Scenario = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(read, saved, "{name}, seed {seed}");
    let replayed = run_seed(&library(&read), &read, 0, keep);
    assert_eq!(replayed.outcome, drawn.outcome, "{name}, seed {seed}");
    for (index, (a, b)) in drawn.trace.iter().zip(&replayed.trace).enumerate() {
        assert_eq!(a, b, "{name}, seed {seed}, line {index}");
    }
    assert_eq!(
        replayed.faults_fired, drawn.faults_fired,
        "{name}, seed {seed}"
    );
    assert_eq!(
        replayed.trace.len(),
        drawn.trace.len(),
        "{name}, seed {seed}"
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_run_replays_from_its_script() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the scenarios are beside the simulator") {
        names.push(entry.expect("a folder that can be listed").path());
    }
    names.retain(|path| path.extension().is_some_and(|it| it == "json"));
    names.sort();
    assert!(names.len() >= 17, "{names:?}");
    for path in names {
        let text = std::fs::read_to_string(&path).expect("a scenario can be read");
        let name = path.display().to_string();
        for seed in 5_000..5_008 {
            check_replays(&name, &scenario(&text), seed);
        }
    }
    for seed in 0..60 {
        check_replays("swarm", &scenario(EVERYTHING), seed);
    }
}

#[test]
fn a_failure_replays_from_its_script_and_fails_in_the_same_way() {
    let scenario = scenario(include_str!(
        "../../scenarios/what-recovery-showed-survives-kill-then-power-cut.json"
    ));
    let bug = ProtocolStep::Rewrite.left_out();
    let failed = (0..500)
        .map(|seed| run_seed(&bug, &scenario, seed, Keep::default()))
        .find(|result| result.outcome != Outcome::Held)
        .expect("a bug is injected");
    let saved = saved_failure(&scenario, &failed);
    let again = run_seed(&bug, &saved, 0, Keep::default());
    assert_eq!(again.outcome, failed.outcome);
    assert_eq!(
        run_seed(&library(&saved), &saved, 0, Keep::default()).outcome,
        Outcome::Held
    );
}
