//! Results for the tests of reports.

use crate::report::ScenarioReport;
use beaver_sim::invariant::Invariant;
use beaver_sim::marks::Mark;
use beaver_sim::result::{Counts, Outcome, RunResult, ScenarioResult, Violation};
use beaver_sim::scenario::{FaultKind, Profile, Seeds};

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
        faults_fired: [(FaultKind::ReadError, 1)].into(),
        trace_hash: 1,
        outcome: outcome(violation()),
        ..RunResult::default()
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
            ..Counts::default()
        },
        faults_fired: [(FaultKind::ReadError, 17)].into(),
        marks: [(Mark::TornTailCut, 3)].into(),
        trace_hash: 0xabc,
        ..ScenarioResult::default()
    }
}

pub(super) fn scenario_report() -> ScenarioReport {
    ScenarioReport {
        claim: "acknowledged events survive".to_owned(),
        profile: Profile::Posix,
        seeds: Seeds {
            start: 0,
            end: 1000,
        },
        expected: vec![Mark::TornTailCut],
        gated: true,
        result: scenario_result(),
        explored: None,
        saved: Vec::new(),
        disagreement: None,
        elapsed_ms: 2_345,
    }
}
