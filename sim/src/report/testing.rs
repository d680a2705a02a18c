//! Results for the tests of reports.

use crate::coverage::Coverage;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::result::{Counts, Outcome, RunResult, ScenarioResult, Violation};
use crate::scenario::FaultKind;

pub(super) fn violation() -> Violation {
    Violation {
        invariant: Invariant::Durability,
        step: 12,
        command: "checkpoint".to_owned(),
        crash_point: Some("power cut inside call 41 (sync_data wal-0000000002.jsonl)".to_owned()),
        expected: "5 events".to_owned(),
        found: "4 events\nthe last is missing".to_owned(),
        last_calls: vec!["40 write_at wal-0000000002.jsonl 0 112 -> Ok(112)".to_owned()],
    }
}

pub(super) fn failed_run(seed: u64, outcome: fn(Violation) -> Outcome) -> RunResult {
    RunResult {
        seed,
        counts: Counts::default(),
        faults_fired: [(FaultKind::ReadError, 1)].into(),
        marks: [].into(),
        coverage: Coverage::default(),
        trace_hash: 1,
        outcome: outcome(violation()),
        script: None,
        trace: Vec::new(),
    }
}

pub(super) fn scenario_result() -> ScenarioResult {
    ScenarioResult {
        name: "acked_events_survive".to_owned(),
        runs: 1000,
        counts: Counts {
            commands: 30_000,
            storage_calls: 1_234_567,
            crashes: 4000,
            recoveries: 5000,
            images_checked: 5000,
            events_lost: 0,
        },
        faults_fired: [(FaultKind::ReadError, 17)].into(),
        marks: [(Mark::TornTailCut, 3)].into(),
        coverage: Coverage::default(),
        trace_hash: 0xabc,
        failures: Vec::new(),
        failed_runs: 0,
        expected_failure: None,
        cancelled: false,
    }
}
