//! What is seen only in an image beside the run, of all that a power cut may leave, is a failure like every other: its script
//! says which image it was, so it replays from that alone, and shrinks.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use beaver_sim::result::RunResult;
use beaver_sim::run::{Keep, run_script, run_seed, saved_failure};
use beaver_sim::scenario::{CrashKind, Scenario, Step};
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::subject::AnySubject;
use beaver_zoo::misuse::DiskMisuse;

const WITH_IMAGES: &str = r#"{
    "claim": "every image of a power cut is recovered, not only the one with which the run goes on",
    "workload": {"commands": 16, "weights": {"enqueue": 10, "dispatch": 4, "checkpoint": 1, "kill": 1, "power-cut": 3}},
    "crashes": {"power_cut_in_command_per_mille": 60, "kill_in_command_per_mille": 30, "in_recovery_per_mille": 60, "images": 4},
    "faults": [{"kind": "full-disk", "per_mille": 15}, {"kind": "remove-error", "per_mille": 30}]
}"#;

fn scenario() -> Scenario {
    serde_json::from_str(WITH_IMAGES).unwrap()
}

fn run(subject: &AnySubject, scenario: &Scenario, seed: u64) -> RunResult {
    run_seed(subject, scenario, seed, Keep::default())
}

/// How often the power failed in a run that did not hold.
fn power_cuts(run: &RunResult) -> usize {
    let script = run.script.as_ref().unwrap();
    let crashes = script.crashes.iter();
    let inside = crashes.filter(|crash| crash.kind == CrashKind::PowerCut);
    let steps = script.steps.iter();
    let between = steps.filter(|step| matches!(step, Step::PowerCut { .. }));
    inside.count() + between.count()
}

/// Whether a run that did not hold failed in an image beside it: at its first power cut, which the same run survives when
/// nothing else is looked at.
fn is_seen_beside(subject: &AnySubject, seed: u64, found: &RunResult) -> bool {
    let mut alone = scenario();
    alone.crashes.images = 0;
    let alone = run(subject, &alone, seed);
    power_cuts(found) == 1 && (alone.outcome.failure().is_none() || power_cuts(&alone) > 1)
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn what_is_seen_beside_the_run_replays_and_shrinks() {
    let (subject, scenario) = (DiskMisuse::SyncedNowAndThen.mutant(), scenario());
    let mut seen_beside = 0;
    for seed in 0..200 {
        let found = run(&subject, &scenario, seed);
        let Some(failure) = found.outcome.failure() else {
            continue;
        };
        let saved = serde_json::to_string(&saved_failure(&scenario, &found)).unwrap();
        let saved: Scenario = serde_json::from_str(&saved).unwrap();
        let replayed = run_script(&subject, &saved, Keep::default());
        assert_eq!(replayed.outcome, found.outcome, "seed {seed}");
        if !is_seen_beside(&subject, seed, &found) {
            continue;
        }
        seen_beside += 1;
        if seen_beside <= 4 {
            let shrunk = shrink(&subject, &saved, Limits::runs(400)).unwrap();
            let smaller = run_script(&subject, &shrunk.scenario, Keep::default());
            let invariant = smaller.outcome.failure().map(|smaller| smaller.invariant);
            assert_eq!(invariant, Some(failure.invariant), "seed {seed}");
            assert!(shrunk.after <= shrunk.before, "seed {seed}");
        }
    }
    assert!(seen_beside >= 4, "{seen_beside}");
}
