//! An exploration in the words of a run: what reports and saved failures are made of.

use crate::invariant::Invariant;
use crate::result::{
    Counts, ExpectedFailure, FAILURES_KEPT, Outcome, RunResult, ScenarioResult, Violation,
};
use crate::run::{Keep, run_seed};
use crate::scenario::Scenario;
use crate::subject::AnySubject;

use super::{Explored, FoundFailure};

impl Explored {
    /// The result as a scenario would have it: a workload counts as a run. Each failure that is kept was run again from its
    /// script, with `subject` under test; equal ones are kept once.
    #[must_use]
    pub fn to_result(
        &self,
        subject: &AnySubject,
        name: &str,
        scenario: &Scenario,
    ) -> ScenarioResult {
        let tally = &self.tally;
        let mut failures: Vec<&FoundFailure> = Vec::new();
        for failure in &self.failures {
            if !failures.iter().any(|kept| kept.finding == failure.finding) {
                failures.push(failure);
            }
        }
        let kept = failures.iter().take(FAILURES_KEPT).zip(0..);
        let kept = kept.map(|(failure, number)| run_again(subject, scenario, failure, number));
        let mut expected_failure = ExpectedFailure::of(scenario);
        let (expected, kept): (Vec<RunResult>, Vec<RunResult>) = kept.partition(|run| {
            let mut expected = expected_failure.iter_mut();
            expected.any(|expected| expected.takes(run.seed, &run.outcome))
        });
        ScenarioResult {
            name: name.to_owned(),
            runs: tally.workloads,
            counts: Counts {
                commands: tally.commands,
                storage_calls: tally.storage_calls,
                crashes: tally.crash_points,
                recoveries: tally.recoveries,
                images_checked: tally.recoveries,
                ..Counts::default()
            },
            coverage: self.coverage.clone(),
            trace_hash: self.hash,
            failures: kept,
            failed_runs: (failures.len() - expected.len()) as u64,
            expected_failure,
            cancelled: self.cancelled,
            ..ScenarioResult::default()
        }
    }
}

/// The run of a failure's script. Where that holds, the failure itself stands for it.
pub(crate) fn run_again(
    subject: &AnySubject,
    scenario: &Scenario,
    failure: &FoundFailure,
    number: u64,
) -> RunResult {
    let scenario = Scenario {
        script: Some(failure.script.clone()),
        ..scenario.clone()
    };
    let everything = Keep {
        script: true,
        trace: true,
    };
    let mut run = run_seed(subject, &scenario, 0, everything);
    run.seed = number;
    run.script = Some(failure.script.clone());
    if run.outcome.failure().is_some() {
        return run;
    }
    let finding = &failure.finding;
    let violation = Violation {
        invariant: finding.invariant,
        step: failure.script.steps.len() as u64,
        command: "the exploration; its script alone does not show it".to_owned(),
        crash_point: None,
        expected: finding.expected.clone(),
        found: finding.found.clone(),
        last_calls: Vec::new(),
    };
    run.outcome = match finding.invariant {
        Invariant::Progress => Outcome::Panicked(violation),
        _ => Outcome::Violated(violation),
    };
    run
}
