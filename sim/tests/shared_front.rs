//! The front for many threads under crashes: its callers stand in different steps when the process dies.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::sync::atomic::AtomicBool;

use beaver_sim::beaver::{Queue, SharedLibrary};
use beaver_sim::explore::{Options, Running, Start, explore_small};
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::subject::AnySubject;

fn shared() -> AnySubject {
    AnySubject::new(Queue::new(SharedLibrary))
}

#[test]
fn every_small_workload_of_several_callers_survives_every_crash() {
    for start in [Start::Empty, Start::Prepared, Start::FailingSync] {
        let running = Running {
            jobs: std::thread::available_parallelism().unwrap(),
            progress: &|_, _| {},
            cancel: &AtomicBool::new(false),
        };
        let scenario = start.scenario(Profile::Posix);
        let options = Options {
            torn_cap: 64,
            ..Options::default()
        };
        let explored = explore_small(&shared(), &scenario, start, 2, &options, running);
        assert!(explored.failures.is_empty(), "{:#?}", explored.failures[0]);
        assert!(explored.tally.is_exhaustive(), "{:?}", explored.tally);
    }
}

/// Callers, checkpoints and crashes, with calls that fail.
const MANY_CALLERS: &str = r#"{
    "claim": "callers that share a front lose nothing", "seeds": "0..150",
    "workload": {"commands": 24, "weights": {"enqueue": 8, "dispatch": 6, "ack": 4, "fail": 2, "group": 10,
        "slow-checkpoint": 6, "close-queued": 3, "reopen": 1, "checkpoint": 2, "kill": 2, "power-cut": 3}},
    "log": {"batch_bytes": 400},
    "crashes": {"kill_in_command_per_mille": 60, "power_cut_in_command_per_mille": 120, "in_recovery_per_mille": 100, "nested": 1, "images": 1},
    "faults": [{"kind": "write-error", "per_mille": 20}, {"kind": "sync-mark-clean", "per_mille": 20},
        {"kind": "create-error", "per_mille": 20}, {"kind": "sync-dir-error", "per_mille": 20}]
}"#;

#[test]
fn longer_histories_of_several_callers_survive_failing_calls_too_and_are_the_same_again() {
    let scenario: Scenario = serde_json::from_str(MANY_CALLERS).unwrap();
    for seed in 0..150 {
        let run = run_seed(&shared(), &scenario, seed, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "seed {seed}");
        let again = run_seed(&shared(), &scenario, seed, Keep::default());
        assert_eq!(run.trace_hash, again.trace_hash, "seed {seed}");
    }
}
