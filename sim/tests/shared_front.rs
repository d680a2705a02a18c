//! The front for many threads under crashes: its callers stand in different steps when the process dies.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::sync::atomic::AtomicBool;

use beaver_sim::beaver::{Library, Queue};
use beaver_sim::explore::{Explored, Options, Running, Start, explore_small};
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script, run_seed};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::subject::AnySubject;
use beaver_zoo::shared_front::{SharedFrontBug, shared_library};

/// Every workload of up to `ops` commands from `start`, with every crash.
fn explored(subject: &AnySubject, start: Start, ops: usize) -> Explored {
    let running = Running {
        jobs: std::thread::available_parallelism().unwrap(),
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let scenario = start.scenario(Profile::Posix);
    let options = Options {
        // Torn pages are the same for one caller.
        torn_cap: 0,
        ..Options::default()
    };
    explore_small(subject, &scenario, start, ops, &options, running)
}

#[track_caller]
fn check_survives(start: Start) {
    let explored = explored(&shared_library(), start, 2);
    assert!(explored.failures.is_empty(), "{:#?}", explored.failures[0]);
    assert!(explored.tally.is_exhaustive(), "{:?}", explored.tally);
}

#[test]
fn several_callers_of_an_empty_store_survive_every_crash() {
    check_survives(Start::Empty);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn several_callers_of_a_prepared_store_survive_every_crash() {
    check_survives(Start::Prepared);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn several_callers_survive_every_crash_while_a_sync_fails() {
    check_survives(Start::FailingSync);
}

#[track_caller]
fn check_caught(bug: SharedFrontBug, start: Start, ops: usize) {
    let explored = explored(&bug.mutant(), start, ops);
    assert!(!explored.failures.is_empty(), "{bug:?}");
}

#[test]
fn a_batch_that_counts_as_synced_with_the_one_before_is_caught() {
    check_caught(SharedFrontBug::FollowerNotSynced, Start::Empty, 2);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_snapshot_whose_name_is_forgotten_amid_appends_is_caught() {
    check_caught(
        SharedFrontBug::NameForgottenAmidAppends,
        Start::WithoutFallBack,
        2,
    );
}

/// With no older snapshot kept, two checkpoints are killed before they prune; of what the third one removes the middle is gone.
const MIDDLE_REMOVED: &str = r#"{
    "claim": "what is left of a prune is no fall-back", "profile": "btrfs-like", "log": {"keep_old_snapshots": 0},
    "script": {
        "steps": [
            {"enqueue": {"jobs": [{"id": "a", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
            {"concurrent": {"around": "checkpoint", "ops": [{"at": "before-write", "op": "dispatch"}]}},
            {"concurrent": {"around": "checkpoint", "ops": [{"at": "before-write", "op": {"enqueue": {"jobs": [{"id": "b", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}}}]}},
            {"concurrent": {"around": "checkpoint", "ops": [{"at": "before-write", "op": "dispatch"}]}},
            "checkpoint"
        ],
        "crashes": [
            {"step": 3, "at": {"call": 10, "moment": "inside"}, "kind": "kill", "progress": "nothing"},
            {"step": 4, "at": {"call": 14, "moment": "before"}, "kind": "kill", "progress": "nothing"},
            {"step": 5, "at": {"call": 19, "moment": "inside"}, "kind": "power-cut", "image": {"except": {"remove snapshot-0000000003.json": 4294967295, "remove wal-0000000003.jsonl": 4294967295}}}
        ]
    }
}"#;

#[test]
fn a_snapshot_whose_bridge_has_a_gap_is_not_taken_for_a_fall_back() {
    let scenario: Scenario = serde_json::from_str(MIDDLE_REMOVED).unwrap();
    for subject in [shared_library(), AnySubject::new(Queue::new(Library))] {
        let run = run_script(&subject, &scenario, Keep::default());
        assert_eq!(run.outcome, Outcome::Held);
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
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn longer_histories_of_several_callers_survive_failing_calls_too_and_are_the_same_again() {
    let scenario: Scenario = serde_json::from_str(MANY_CALLERS).unwrap();
    for seed in 0..150 {
        let run = run_seed(&shared_library(), &scenario, seed, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "seed {seed}");
        let again = run_seed(&shared_library(), &scenario, seed, Keep::default());
        assert_eq!(run.trace_hash, again.trace_hash, "seed {seed}");
    }
}
