//! The steps without which the protocols of DESIGN section 3 lose data, each left out once: the
//! simulator must notice, for the reason that is named here, and must have nothing to say when the
//! step is taken.
//!
//! So these tests judge the simulator as much as the library: a judge that never says no proves
//! nothing.

mod left_out;
mod reader_rules;

use std::sync::Arc;

use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_planted, run_seed};
use beaver_sim::scenario::Scenario;
use left_out::{LeftOut, Step};
use serde_json::json;

/// How many seeds a test looks at before it gives up.
const SEEDS: u64 = 3_000;

/// How many seeds must hold when the step is taken.
const CONTROL: u64 = 150;

/// Runs `scenario` without `step` until the simulator notices, and requires that it names one of
/// `invariants`.
#[track_caller]
fn check_caught(step: Step, invariants: &[u8], scenario: &str) {
    let scenario: Scenario = serde_json::from_str(scenario).unwrap();
    for seed in 0..CONTROL {
        let held = run_seed(&scenario, seed, Keep::default()).outcome;
        assert_eq!(held, Outcome::Held, "seed {seed} with the step taken");
    }
    let caught = (0..SEEDS).find_map(|seed| {
        let plant = move |inner| Arc::new(LeftOut::new(step, inner)) as _;
        let outcome = run_planted(&scenario, seed, Keep::default(), &plant).outcome;
        outcome.failure().map(|failure| (seed, failure.clone()))
    });
    let Some((seed, failure)) = caught else {
        panic!("nobody notices that {step:?} is left out");
    };
    let named = invariants.contains(&failure.invariant);
    assert!(
        named,
        "seed {seed} was caught for another reason: {failure:#?}"
    );
}

const ROTATE_FAILS: &str = r#"{
    "claim": "a rotate fails behind its rename, the log goes on, and the power fails",
    "workload": {"commands": 16, "weights": {"enqueue": 8, "dispatch": 4, "checkpoint": 6, "power-cut": 3}},
    "faults": [
        {"kind": "rename-error-done", "pm": 150}, {"kind": "rename-error", "pm": 50}, {"kind": "sync-dir-error", "pm": 150}
    ]
}"#;

const KILL_THEN_POWER_CUT: &str = r#"{
    "claim": "a process is killed, another one opens the store, and the power fails",
    "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
    "crashes": {"kill_in_command_pm": 200},
    "faults": [
        {"kind": "sync-mark-clean", "pm": 60, "phase": "running"},
        {"kind": "sync-mark-clean-size-lost", "pm": 60, "phase": "running"}
    ]
}"#;

const MARKERS: &str = r#"{
    "claim": "a marker ends on a page of its own, its sync fails, the next process believes it, and the cache forgets it",
    "workload": {
        "commands": 10, "payload_bytes": [3830, 3900], "jobs": 100,
        "weights": {"enqueue": 6, "reopen": 5, "power-cut": 1}
    },
    "faults": [
        {"kind": "sync-mark-clean", "pm": 300, "phase": "running"},
        {"kind": "cache-drop", "pm": 200}
    ]
}"#;

const WRONG_READS: &str = r#"{
    "claim": "a read is wrong once while the store is opened",
    "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
    "faults": [{"kind": "wrong-read", "pm": 150, "phase": "recovery"}]
}"#;

const TORN: &str = r#"{
    "claim": "the power fails in the middle of appends, and writes fail",
    "workload": {
        "commands": 20, "payload_bytes": [0, 3000],
        "weights": {"enqueue": 10, "enqueue-batch": 4, "dispatch": 5, "kill": 2, "power-cut": 2}
    },
    "crashes": {"power_cut_in_command_pm": 200, "kill_in_command_pm": 60},
    "faults": [{"kind": "write-error", "pm": 40}]
}"#;

const FAILED_WRITES: &str = r#"{
    "claim": "a write fails when all or half of it has happened, and the process is killed or the power cut",
    "workload": {
        "commands": 20, "payload_bytes": [0, 1500],
        "weights": {"enqueue": 6, "enqueue-batch": 2, "group": 8, "kill": 4, "power-cut": 3}
    },
    "crashes": {"power_cut_in_command_pm": 100, "torn_pages": 4},
    "faults": [{"kind": "write-error", "pm": 150}, {"kind": "sync-mark-clean", "pm": 60}]
}"#;

const CHECKPOINTS: &str = r#"{
    "claim": "checkpoints are made and the power fails",
    "workload": {"commands": 24, "weights": {"enqueue": 10, "dispatch": 5, "checkpoint": 6, "power-cut": 3}},
    "crashes": {"power_cut_in_command_pm": 100}
}"#;

#[test]
fn the_undo_of_a_failed_rotate_is_needed() {
    check_caught(Step::UndoOfRotate, &[1, 7], ROTATE_FAILS);
}

#[test]
fn the_directory_sync_of_that_undo_is_needed() {
    check_caught(Step::SyncOfUndo, &[1, 7], ROTATE_FAILS);
}

#[test]
fn the_rewrite_of_the_last_batch_is_needed() {
    check_caught(Step::Rewrite, &[3], KILL_THEN_POWER_CUT);
}

#[test]
fn markers_must_be_rewritten_too() {
    check_caught(Step::MarkersInRewrite, &[1, 3, 5, 7], MARKERS);
}

#[test]
fn what_is_rewritten_must_be_what_was_verified() {
    check_caught(Step::VerifiedBuffer, &[1, 3, 5, 7], WRONG_READS);
}

#[test]
fn cutting_must_be_done_by_set_len() {
    check_caught(Step::Cut, &[2], FAILED_WRITES);
}

#[test]
fn cutting_by_writing_free_space_is_not_enough() {
    // A write of two appends fails although all of it happened. Their second page reaches the disk
    // on its own; the free space that is written over it does not, and its sync fails. The next
    // process sees nothing but free space and goes on; its first append has the length of the first
    // one that failed. The power fails, and behind it lies the second one.
    let job = |id: &str, bytes| {
        let payload = format!("{{\"data\":\"{}\"}}", "x".repeat(bytes));
        json!({"id": id, "payload": payload, "max_attempts": 3, "timeout_ms": 100})
    };
    let write_back = |event| json!({"call": 10, "kind": "writeback", "effect": {"event": event}});
    let file = "wal-0000000001.jsonl";
    let scenario = json!({
        "claim": "what was cut does not come back",
        "script": {
            "steps": [
                {"group": {"steps": [
                    {"enqueue": {"jobs": [job("a", 3881)]}}, {"enqueue": {"jobs": [job("b", 100)]}}
                ]}},
                "kill",
                {"enqueue": {"jobs": [job("c", 3881)]}},
                {"power-cut": {}}
            ],
            "faults": [
                {"call": 9, "kind": "write-error",
                 "effect": {"call": {"error": {"error": "io", "effect": "everything"}}}},
                write_back(json!({"writeback-page": {"file": file, "page": 1}})),
                write_back(json!({"writeback-size": {"file": file}})),
                write_back(json!({"writeback-size": {"file": file}})),
                {"call": 13, "kind": "sync-mark-clean", "effect": {"call": {"failed-sync": {
                    "error": "io", "behaviour": "mark-clean", "failed": "all"
                }}}}
            ]
        }
    });
    check_caught(Step::CutByWriting, &[2], &scenario.to_string());
}

#[test]
fn the_sync_when_there_is_nothing_to_do_is_needed() {
    check_caught(Step::IdleSync, &[3], KILL_THEN_POWER_CUT);
}

#[test]
fn nothing_may_be_cut_on_the_word_of_one_read() {
    check_caught(Step::SecondRead, &[1, 3, 5], WRONG_READS);
}

#[test]
fn a_log_that_is_never_synced_is_noticed() {
    check_caught(Step::SyncOfLog, &[1, 3], TORN);
}

#[test]
fn a_sync_error_that_is_swallowed_is_noticed() {
    check_caught(Step::ErrorOfSync, &[1, 2, 3, 7, 10], KILL_THEN_POWER_CUT);
}

#[test]
fn a_new_segment_without_a_directory_sync_is_noticed() {
    check_caught(Step::DirSyncOfSegment, &[1, 3, 7], CHECKPOINTS);
}

#[test]
fn a_snapshot_without_a_directory_sync_is_noticed() {
    check_caught(Step::DirSyncOfSnapshot, &[1, 3, 7, 11], CHECKPOINTS);
}

#[test]
fn a_temporary_file_renamed_before_its_sync_is_noticed() {
    check_caught(Step::SyncOfTemporary, &[1, 3, 7], CHECKPOINTS);
}

#[test]
fn files_that_are_never_removed_are_noticed() {
    check_caught(Step::Removal, &[11], CHECKPOINTS);
}
