//! The JSON that programs read. Its field names and values are promises: see section 7 of the design.

use std::collections::BTreeMap;

use serde::Serialize;

use super::coverage::CoverageDocument;
use super::exploration::Counted;
use crate::report::{Disagreement, Exploration, ScenarioReport, Verdict};
use beaver_sim::coverage::Coverage;
use beaver_sim::marks::Mark;
use beaver_sim::result::RunResult;
use beaver_sim::scenario::{FaultKind, Profile};

/// The one object that `beaver run --format json` prints.
#[derive(Debug, Serialize)]
pub struct Document {
    tool: &'static str,
    version: &'static str,
    /// One for each scenario, in the order in which they ran.
    scenarios: Vec<ScenarioDocument>,
    /// Where processes died, over all scenarios.
    coverage: CoverageDocument,
    elapsed_ms: u64,
    /// Whether it was stopped before its end.
    interrupted: bool,
    verdict: &'static str,
}

/// One scenario of a [`Document`].
#[derive(Debug, Serialize)]
struct ScenarioDocument {
    name: String,
    claim: String,
    profile: &'static str,
    /// `A..B`, without B.
    seeds: String,
    runs: u64,
    commands: u64,
    storage_calls: u64,
    crashes: u64,
    recoveries: u64,
    images_checked: u64,
    events_lost: u64,
    faults_fired: BTreeMap<&'static str, u64>,
    marks: BTreeMap<&'static str, u64>,
    /// 16 lower-case hex digits over all seeds in seed order.
    trace_hash: String,
    failed_runs: u64,
    violations: Vec<ViolationDocument>,
    /// Faults that are on and never fired; judged only if `gated`.
    unfired_faults: Vec<&'static str>,
    /// Marks that are expected and were never reached; judged only if `gated`.
    missed_marks: Vec<&'static str>,
    gated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disagreement: Option<DisagreementDocument>,
    elapsed_ms: u64,
    verdict: &'static str,
    /// Only of an exploration.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    explored: Option<Counted>,
}

/// One run that did not hold.
#[derive(Debug, Serialize)]
struct ViolationDocument {
    /// The number of the invariant; 0 for a budget or a panic.
    invariant: beaver_sim::invariant::Invariant,
    name: &'static str,
    seed: u64,
    step: u64,
    /// The folder that replays it; equal failures have the same.
    file: Option<String>,
    /// How many runs it stands for; not where another one stands for it, and not of a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_for: Option<usize>,
    /// The mildest profile in which it happens; not looked for in a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    mildest_profile: Option<&'static str>,
    expected: String,
    found: String,
}

#[derive(Debug, Serialize)]
struct DisagreementDocument {
    seed: Option<u64>,
    line: u64,
    first: String,
    second: String,
}

impl Document {
    /// The object over explorations: the same with the counts of each.
    #[must_use]
    pub fn of_explorations(
        explorations: &[Exploration],
        verdict: Verdict,
        interrupted: bool,
        elapsed_ms: u64,
    ) -> Self {
        let scenarios = explorations.iter().map(|exploration| ScenarioDocument {
            explored: Some(Counted::new(&exploration.tally)),
            ..ScenarioDocument::new(&exploration.report)
        });
        let coverage = explorations.iter().map(|e| &e.report.result.coverage);
        Document {
            scenarios: scenarios.collect(),
            coverage: CoverageDocument::new(&Coverage::sum(coverage)),
            ..Document::new(&[], verdict, interrupted, elapsed_ms)
        }
    }

    /// The object over `reports`.
    #[must_use]
    pub fn new(
        reports: &[ScenarioReport],
        verdict: Verdict,
        interrupted: bool,
        elapsed_ms: u64,
    ) -> Self {
        Document {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            scenarios: reports.iter().map(ScenarioDocument::new).collect(),
            coverage: CoverageDocument::new(&Coverage::sum(
                reports.iter().map(|report| &report.result.coverage),
            )),
            elapsed_ms,
            interrupted,
            verdict: verdict.name(),
        }
    }
}

impl ScenarioDocument {
    fn new(report: &ScenarioReport) -> Self {
        let result = &report.result;
        let counts = &result.counts;
        ScenarioDocument {
            name: result.name.clone(),
            claim: report.claim.clone(),
            profile: report.profile.name(),
            seeds: report.seeds.to_string(),
            runs: result.runs,
            commands: counts.commands,
            storage_calls: counts.storage_calls,
            crashes: counts.crashes,
            recoveries: counts.recoveries,
            images_checked: counts.images_checked,
            events_lost: counts.events_lost,
            faults_fired: result
                .faults_fired
                .iter()
                .map(|(kind, n)| (kind.name(), *n))
                .collect(),
            marks: result
                .marks
                .iter()
                .map(|(mark, n)| (mark.name(), *n))
                .collect(),
            trace_hash: hash(result.trace_hash),
            failed_runs: result.failed_runs,
            violations: report
                .failures()
                .filter_map(|(run, saved)| {
                    let file = saved.file.as_ref().map(|path| path.display().to_string());
                    let violation = ViolationDocument::new(run, file, Some(saved.mildest))?;
                    Some(ViolationDocument {
                        stands_for: (!saved.folded).then_some(saved.count),
                        ..violation
                    })
                })
                .collect(),
            unfired_faults: result.unfired_faults().map(FaultKind::name).collect(),
            missed_marks: result.missed_marks().map(Mark::name).collect(),
            gated: report.gated,
            disagreement: report.disagreement.as_ref().map(DisagreementDocument::new),
            elapsed_ms: report.elapsed_ms,
            verdict: report.verdict().name(),
            explored: None,
        }
    }
}

impl ViolationDocument {
    fn new(run: &RunResult, file: Option<String>, mildest: Option<Profile>) -> Option<Self> {
        let failure = run.outcome.failure()?;
        Some(ViolationDocument {
            invariant: failure.invariant,
            name: failure.invariant.name(),
            seed: run.seed,
            step: failure.step,
            file,
            stands_for: None,
            mildest_profile: mildest.map(Profile::name),
            expected: failure.expected.clone(),
            found: failure.found.clone(),
        })
    }
}

impl DisagreementDocument {
    fn new(disagreement: &Disagreement) -> Self {
        DisagreementDocument {
            seed: disagreement.seed,
            line: disagreement.line,
            first: disagreement.first.clone(),
            second: disagreement.second.clone(),
        }
    }
}

/// The one object that `beaver replay --format json` prints.
#[derive(Debug, Serialize)]
pub struct RunDocument {
    tool: &'static str,
    version: &'static str,
    name: String,
    commands: u64,
    storage_calls: u64,
    crashes: u64,
    recoveries: u64,
    images_checked: u64,
    faults_fired: BTreeMap<&'static str, u64>,
    marks: BTreeMap<&'static str, u64>,
    trace_hash: String,
    trace: Vec<String>,
    violations: Vec<ViolationDocument>,
    verdict: &'static str,
}

impl RunDocument {
    /// The object over the run of the scenario `name`, saved in `file`.
    #[must_use]
    pub fn new(name: &str, file: &str, run: &RunResult) -> Self {
        RunDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            name: name.to_owned(),
            commands: run.counts.commands,
            storage_calls: run.counts.storage_calls,
            crashes: run.counts.crashes,
            recoveries: run.counts.recoveries,
            images_checked: run.counts.images_checked,
            faults_fired: run
                .faults_fired
                .iter()
                .map(|(kind, n)| (kind.name(), *n))
                .collect(),
            marks: run
                .marks
                .iter()
                .map(|(mark, n)| (mark.name(), *n))
                .collect(),
            trace_hash: hash(run.trace_hash),
            trace: run.trace.clone(),
            violations: ViolationDocument::new(run, Some(file.to_owned()), None)
                .into_iter()
                .collect(),
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
    use crate::report::SavedFailure;
    use crate::report::testing::{failed_run, scenario_report};
    use beaver_sim::result::Outcome;

    #[test]
    fn the_document_has_the_promised_fields() {
        let mut report = scenario_report();
        report
            .result
            .failures
            .push(failed_run(7, Outcome::Violated));
        report.saved.push(SavedFailure {
            file: Some("failures/x-durability-7".into()),
            mildest: Profile::LinuxOrdered,
            count: 1,
            explained: None,
            folded: false,
        });
        let document = Document::new(&[report], Verdict::Violation, false, 12);
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
        assert_eq!(violation["mildest_profile"], "linux-ordered");
        assert_eq!(scenario["disagreement"], Value::Null);
    }
}
