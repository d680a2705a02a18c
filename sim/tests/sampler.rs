//! Random runs, too, must notice each step of the protocol that is left out, and name the right
//! reason: the same steps for which `left_out_steps` shows one history each. So these tests judge
//! the sampler and the oracle: a judge that never says no proves nothing.

use beaver_sim::beaver::library;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::Scenario;
use beaver_zoo::left_out::ProtocolStep;

/// How many seeds a test looks at before it gives up.
const SEEDS: u64 = 3_000;

/// How many seeds must hold when the step is taken.
const CONTROL: u64 = 60;

/// Runs `scenario` without `step` until the simulator notices, and requires that it names one of
/// `invariants`.
#[track_caller]
fn check_caught(step: ProtocolStep, invariants: &[u8], scenario: &str) {
    let scenario: Scenario =
        serde_json::from_str(scenario).expect("the scenarios of these tests are valid");
    for seed in 0..CONTROL {
        let held = run_seed(&library(&scenario), &scenario, seed, Keep::default()).outcome;
        assert_eq!(held, Outcome::Held, "seed {seed} with the step taken");
    }
    let subject = step.left_out();
    let caught = (0..SEEDS).find_map(|seed| {
        let outcome = run_seed(&subject, &scenario, seed, Keep::default()).outcome;
        outcome.failure().map(|failure| (seed, failure.clone()))
    });
    let Some((seed, failure)) = caught else {
        panic!("no run notices that {step:?} is left out");
    };
    let named = invariants.contains(&failure.invariant.number());
    assert!(
        named,
        "seed {seed} was caught for another reason: {failure:#?}"
    );
}

const ROTATE_FAILS: &str = r#"{
    "claim": "a rotate fails after its rename, the log goes on, and the power fails",
    "workload": {"commands": 16, "weights": {"enqueue": 8, "dispatch": 4, "checkpoint": 6, "power-cut": 3}},
    "faults": [
        {"kind": "rename-error-after-effect", "per_mille": 150}, {"kind": "rename-error", "per_mille": 50}, {"kind": "sync-dir-error", "per_mille": 150}
    ]
}"#;

const KILL_THEN_POWER_CUT: &str = r#"{
    "claim": "a process is killed, another one opens the store, and the power fails",
    "keeps_cache": true,
    "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
    "crashes": {"kill_in_command_per_mille": 200},
    "faults": [
        {"kind": "sync-mark-clean", "per_mille": 60, "phase": "running"},
        {"kind": "sync-mark-clean-size-lost", "per_mille": 60, "phase": "running"}
    ]
}"#;

const MARKERS: &str = r#"{
    "claim": "a marker ends on a page of its own, its sync fails, the next process believes it, and the cache forgets it",
    "keeps_cache": true,
    "workload": {
        "commands": 10, "payload_bytes": [3830, 3900], "jobs": 100,
        "weights": {"enqueue": 6, "reopen": 5, "power-cut": 1}
    },
    "faults": [
        {"kind": "sync-mark-clean", "per_mille": 300, "phase": "running"},
        {"kind": "cache-drop", "per_mille": 200}
    ]
}"#;

const WRONG_READS: &str = r#"{
    "claim": "a read is wrong once while the store is opened",
    "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
    "faults": [{"kind": "wrong-read", "per_mille": 150, "phase": "recovery"}]
}"#;

const FAILED_WRITES: &str = r#"{
    "claim": "a write fails when all or half of it has happened, and the process is killed or the power cut",
    "workload": {
        "commands": 20, "payload_bytes": [0, 1500],
        "weights": {"enqueue": 6, "enqueue-batch": 2, "group": 8, "kill": 4, "power-cut": 3}
    },
    "crashes": {"power_cut_in_command_per_mille": 100, "torn_pages": 4},
    "faults": [{"kind": "write-error", "per_mille": 150}, {"kind": "sync-mark-clean", "per_mille": 60}]
}"#;

#[test]
fn the_undo_of_a_failed_rotate_is_needed() {
    check_caught(ProtocolStep::UndoOfRotate, &[1, 8], ROTATE_FAILS);
}

#[test]
fn the_directory_sync_of_that_undo_is_needed() {
    check_caught(ProtocolStep::DirectorySyncOfUndo, &[1, 8], ROTATE_FAILS);
}

#[test]
fn the_rewrite_of_the_last_batch_is_needed() {
    check_caught(ProtocolStep::Rewrite, &[3], KILL_THEN_POWER_CUT);
}

#[test]
fn markers_must_be_rewritten_too() {
    check_caught(ProtocolStep::MarkersInRewrite, &[1, 3, 5, 8], MARKERS);
}

#[test]
fn what_is_rewritten_must_be_what_was_verified() {
    check_caught(ProtocolStep::VerifiedBuffer, &[1, 3, 5, 8], WRONG_READS);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn cutting_must_be_done_by_set_len() {
    check_caught(ProtocolStep::BothCuts, &[2, 3, 5], FAILED_WRITES);
}

#[test]
fn the_sync_when_there_is_nothing_to_do_is_needed() {
    check_caught(ProtocolStep::IdleSync, &[3], KILL_THEN_POWER_CUT);
}

#[test]
fn nothing_may_be_cut_on_the_word_of_one_read() {
    check_caught(ProtocolStep::SecondRead, &[1, 3, 5, 7], WRONG_READS);
}
