//! The JSON that programs read. Its field names and values are promises: a change breaks scripts.

use std::collections::BTreeMap;

use beaver_sim::explore::Tally;
use beaver_sim::invariant::Invariant;
use beaver_sim::marks::Mark;
use beaver_sim::result::{Counts, ExpectedFailure, RunResult};
use beaver_sim::scenario::{FaultKind, Profile};
use serde::Serialize;

use super::{CoverageTable, Disagreement, MustReach, RunReport, ScenarioReport, Verdict};

/// What every document begins with.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Tool {
    tool: &'static str,
    version: &'static str,
}

impl Tool {
    pub(crate) const THIS: Tool = Tool {
        tool: "beaver",
        version: env!("CARGO_PKG_VERSION"),
    };
}

/// The one object that `beaver run --format json` and `beaver explore --format json` print.
#[derive(Debug, Serialize)]
pub struct RunDocument<'r> {
    #[serde(flatten)]
    tool: Tool,
    /// One for each scenario, in the order in which they ran.
    scenarios: Vec<ScenarioDocument<'r>>,
    /// Where processes died, over all scenarios.
    coverage: CoverageTable,
    /// What all scenarios must reach together and did not, a line for each call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed: Vec<String>,
    elapsed_ms: u64,
    /// Whether it was stopped before its end.
    interrupted: bool,
    verdict: &'static str,
}

/// One scenario of a [`RunDocument`].
#[derive(Debug, Serialize)]
struct ScenarioDocument<'r> {
    name: &'r str,
    claim: &'r str,
    profile: &'static str,
    /// `A..B`, without B.
    seeds: String,
    runs: u64,
    #[serde(flatten)]
    counts: Counts,
    faults_fired: &'r BTreeMap<FaultKind, u64>,
    marks: &'r BTreeMap<Mark, u64>,
    /// 16 lower-case hex digits over all seeds in seed order.
    trace_hash: String,
    failed_runs: u64,
    /// The violation that the scenario expects, and in how many runs it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_failure: Option<ExpectedFailure>,
    violations: Vec<ViolationDocument<'r>>,
    /// Faults that are on and never fired; judged only if `gated`.
    unfired_faults: Vec<FaultKind>,
    /// Marks that are expected and were never reached; judged only if `gated`.
    missed_marks: Vec<Mark>,
    gated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disagreement: Option<DisagreementDocument<'r>>,
    elapsed_ms: u64,
    verdict: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    explored: Option<ExplorationDocument>,
}

/// What an exploration counts beside what every run does.
#[derive(Debug, Serialize)]
struct ExplorationDocument {
    crash_points: u64,
    equal_points: u64,
    enumerated: u64,
    sampled: u64,
    killed: u64,
    dropped: u64,
    capped: u64,
    torn_enumerated: u64,
    torn_sampled: u64,
    torn_dropped: u64,
    torn_capped: u64,
    /// Samples of what only a bad device leaves.
    on_bad_device: u64,
    examined: u64,
    /// Of images with whole pages, and zeros where data was lost.
    exhaustive: bool,
    /// Of images with one torn page, and of those with garbage.
    torn_exhaustive: bool,
}

/// One run that did not hold.
#[derive(Debug, Serialize)]
struct ViolationDocument<'r> {
    /// The number of the invariant; 0 for a budget or a panic.
    invariant: Invariant,
    name: &'static str,
    seed: u64,
    step: u64,
    /// The folder that replays it; equal failures have the same.
    file: Option<String>,
    /// How many runs it stands for; not where another one stands for it, and not of a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_for: Option<usize>,
    /// The weakest profile in which it happens; not looked for in a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    weakest_profile: Option<&'static str>,
    expected: &'r str,
    found: &'r str,
}

#[derive(Debug, Serialize)]
struct DisagreementDocument<'r> {
    seed: Option<u64>,
    line: u64,
    first: &'r str,
    second: &'r str,
}

impl<'r> RunDocument<'r> {
    /// The object over a report.
    #[must_use]
    pub(crate) fn new(report: &'r RunReport) -> Self {
        RunDocument {
            tool: Tool::THIS,
            scenarios: report.scenarios.iter().map(ScenarioDocument::new).collect(),
            coverage: CoverageTable::new(&report.coverage()),
            missed: report.missed().iter().flat_map(MustReach::lines).collect(),
            elapsed_ms: report.elapsed_ms,
            interrupted: report.interrupted,
            verdict: report.verdict().name(),
        }
    }
}

impl<'r> ScenarioDocument<'r> {
    fn new(report: &'r ScenarioReport) -> Self {
        let result = &report.result;
        let violations = report.failures().filter_map(|(run, saved)| {
            let file = saved.file.as_ref().map(|path| path.display().to_string());
            let violation = ViolationDocument::new(run, file, Some(saved.weakest))?;
            Some(ViolationDocument {
                stands_for: (!saved.folded).then_some(saved.count),
                ..violation
            })
        });
        ScenarioDocument {
            name: &result.name,
            claim: &report.claim,
            profile: report.profile.name(),
            seeds: report.seeds.to_string(),
            runs: result.runs,
            counts: result.counts,
            faults_fired: &result.faults_fired,
            marks: &result.marks,
            trace_hash: hash(result.trace_hash),
            failed_runs: result.failed_runs,
            expected_failure: result.expected_failure,
            violations: violations.collect(),
            unfired_faults: result.unfired_faults().collect(),
            missed_marks: result.missed_marks().collect(),
            gated: report.gated,
            disagreement: report.disagreement.as_ref().map(DisagreementDocument::new),
            elapsed_ms: report.elapsed_ms,
            verdict: report.verdict().name(),
            explored: report
                .explored
                .as_ref()
                .map(|tally| ExplorationDocument::new(tally, result.cancelled)),
        }
    }
}

impl ExplorationDocument {
    /// What was `cancelled` is not exhaustive, whatever it judged until then.
    fn new(tally: &Tally, cancelled: bool) -> Self {
        ExplorationDocument {
            crash_points: tally.crash_points,
            equal_points: tally.equal_points,
            enumerated: tally.enumerated,
            sampled: tally.sampled,
            killed: tally.killed,
            dropped: tally.dropped,
            capped: tally.capped,
            torn_enumerated: tally.torn_enumerated,
            torn_sampled: tally.torn_sampled,
            torn_dropped: tally.torn_dropped,
            torn_capped: tally.torn_capped,
            on_bad_device: tally.on_bad_device,
            examined: tally.examined,
            exhaustive: !cancelled && tally.is_exhaustive(),
            torn_exhaustive: !cancelled && tally.is_exhaustive_of_torn(),
        }
    }
}

impl<'r> ViolationDocument<'r> {
    fn new(run: &'r RunResult, file: Option<String>, weakest: Option<Profile>) -> Option<Self> {
        let failure = run.outcome.failure()?;
        Some(ViolationDocument {
            invariant: failure.invariant,
            name: failure.invariant.name(),
            seed: run.seed,
            step: failure.step,
            file,
            stands_for: None,
            weakest_profile: weakest.map(Profile::name),
            expected: &failure.expected,
            found: &failure.found,
        })
    }
}

impl<'r> DisagreementDocument<'r> {
    fn new(disagreement: &'r Disagreement) -> Self {
        DisagreementDocument {
            seed: disagreement.seed,
            line: disagreement.line,
            first: &disagreement.first,
            second: &disagreement.second,
        }
    }
}

/// The one object that `beaver replay --format json` prints.
#[derive(Debug, Serialize)]
pub struct ReplayDocument<'r> {
    #[serde(flatten)]
    tool: Tool,
    name: &'r str,
    #[serde(flatten)]
    counts: Counts,
    faults_fired: &'r BTreeMap<FaultKind, u64>,
    marks: &'r BTreeMap<Mark, u64>,
    trace_hash: String,
    trace: &'r [String],
    violations: Vec<ViolationDocument<'r>>,
    verdict: &'static str,
}

impl<'r> ReplayDocument<'r> {
    /// The object over the run of the scenario `name`, saved in `file`.
    #[must_use]
    pub(crate) fn new(name: &'r str, file: &str, run: &'r RunResult) -> Self {
        let violation = ViolationDocument::new(run, Some(file.to_owned()), None);
        ReplayDocument {
            tool: Tool::THIS,
            name,
            counts: run.counts,
            faults_fired: &run.faults_fired,
            marks: &run.marks,
            trace_hash: hash(run.trace_hash),
            trace: &run.trace,
            violations: violation.into_iter().collect(),
            verdict: Verdict::of_outcome(&run.outcome).name(),
        }
    }
}

/// A trace hash as 16 lower-case hex digits.
fn hash(hash: u64) -> String {
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::testing::{failed_run, scenario_report};
    use crate::report::{RunKind, SavedFailure};
    use beaver_sim::result::Outcome;

    #[test]
    fn the_document_has_the_promised_fields() {
        let mut scenario = scenario_report();
        let failed = failed_run(7, Outcome::Violated);
        scenario.result.failures.push(failed);
        scenario.saved.push(SavedFailure {
            file: Some("failures/x-durability-7".into()),
            weakest: Profile::LinuxOrdered,
            count: 1,
            explained: None,
            folded: false,
        });
        let report = RunReport {
            kind: RunKind::Seeds,
            scenarios: vec![scenario],
            must_reach: None,
            interrupted: false,
            elapsed_ms: 12,
        };
        let document = RunDocument::new(&report);
        let value = serde_json::to_value(&document).unwrap();
        assert_eq!(value["tool"], "beaver");
        assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(value["verdict"], "violation");
        assert_eq!(value["elapsed_ms"], 12);
        let scenario = &value["scenarios"][0];
        assert_eq!(scenario["name"], "acked_events_survive");
        assert_eq!(scenario["seeds"], "0..1000");
        let counters = [
            "runs",
            "commands",
            "storage_calls",
            "crashes",
            "recoveries",
            "images_checked",
        ];
        for counter in counters {
            assert!(scenario[counter].is_u64(), "{counter}");
        }
        assert_eq!(scenario["faults_fired"], json!({"read-error": 17}));
        assert_eq!(scenario["marks"], json!({"torn-tail-cut": 3}));
        assert_eq!(scenario["trace_hash"], "0000000000000abc");
        let violation = &scenario["violations"][0];
        assert_eq!(violation["invariant"], 1);
        assert_eq!(violation["seed"], 7);
        assert_eq!(violation["step"], 12);
        assert_eq!(violation["file"], "failures/x-durability-7");
        assert_eq!(violation["weakest_profile"], "linux-ordered");
        assert_eq!(scenario["disagreement"], Value::Null);
    }
}
