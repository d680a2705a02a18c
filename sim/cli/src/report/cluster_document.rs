//! The JSON of `beaver cluster`. Its field names and values are promises: a change breaks scripts.

use beaver_cluster::run::ClusterCounts;
use serde::Serialize;

use super::cluster::{ClusterReport, ClusterRow, ShownFailure};
use super::json::Tool;

/// The one object that `beaver cluster --format json` prints.
#[derive(Debug, Serialize)]
pub struct ClusterDocument {
    #[serde(flatten)]
    tool: Tool,
    engine: String,
    /// One for each scenario, in the order in which they ran.
    scenarios: Vec<ClusterRowDocument>,
    elapsed_ms: u64,
    interrupted: bool,
    /// Of a replay: whether the run is the one that was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    same: Option<bool>,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct ClusterRowDocument {
    name: String,
    claim: String,
    nodes: u64,
    /// `A..B`, without B.
    seeds: String,
    runs: u64,
    #[serde(flatten)]
    counts: ClusterCounts,
    /// 16 lower-case hex digits over all runs.
    trace_hash: String,
    failed_runs: u64,
    /// Those with the lowest seeds.
    violations: Vec<BrokenDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disagreement: Option<String>,
    elapsed_ms: u64,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct BrokenDocument {
    seed: u64,
    /// The promise.
    breaks: &'static str,
    found: String,
    /// 0: all of them together.
    node: u64,
    /// In nanoseconds of virtual time.
    at: u64,
    /// Whether it did not break the same promise when it was run a second time.
    not_again: bool,
    /// The folder that it is saved in.
    file: Option<String>,
    /// The command that replays it; not of one that lies in the folder of an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
}

impl ClusterDocument {
    #[must_use]
    pub(crate) fn new(report: &ClusterReport) -> Self {
        ClusterDocument {
            tool: Tool::THIS,
            engine: report.engine.to_string(),
            scenarios: report.rows.iter().map(ClusterRowDocument::new).collect(),
            elapsed_ms: report.elapsed_ms,
            interrupted: report.interrupted,
            same: report.same,
            verdict: report.verdict().name(),
        }
    }
}

impl ClusterRowDocument {
    fn new(row: &ClusterRow) -> Self {
        let failures = row.result.failures.iter().zip(&row.failures);
        let violations = failures.map(|(failed, shown)| BrokenDocument {
            seed: failed.seed,
            breaks: failed.violation.checker,
            found: failed.violation.text.clone(),
            node: failed.violation.node,
            at: failed.violation.at,
            not_again: matches!(shown, ShownFailure::NotAgain),
            file: shown.file().map(|file| file.display().to_string()),
            replay: shown.found().map(|(story, _)| story.replay.clone()),
        });
        ClusterRowDocument {
            name: row.scenario.name.clone(),
            claim: row.scenario.claim.clone(),
            nodes: row.scenario.nodes,
            seeds: row.seeds.to_string(),
            runs: row.result.runs,
            counts: row.result.counts,
            trace_hash: format!("{:016x}", row.result.hash),
            failed_runs: row.result.failed,
            violations: violations.collect(),
            disagreement: row.disagreement.as_ref().map(ToString::to_string),
            elapsed_ms: row.elapsed_ms,
            verdict: row.verdict().name(),
        }
    }
}
