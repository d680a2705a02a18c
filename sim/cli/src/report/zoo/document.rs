//! The zoo for programs: one object over everything.

use serde::Serialize;

use super::super::cluster_zoo::ClusterBugDocument;
use super::super::json::Tool;
use super::{CaughtBug, ZooReport};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Scenario;
use beaver_zoo::false_alarms::FalseAlarm;
use beaver_zoo::find::{BugResult, Caught, ExplorerResult};

/// The one object that `beaver zoo --format json` prints.
#[derive(Debug, Serialize)]
pub struct ZooDocument<'z> {
    #[serde(flatten)]
    tool: Tool,
    bugs: Vec<BugDocument<'z>>,
    caught: usize,
    /// How many bugs were not looked for to the end, because it was stopped.
    undecided: usize,
    /// How many shrank to at most six commands and one crash.
    small: usize,
    control_runs: u64,
    /// What was explored in the stores without bugs.
    control_explored: ExplorerResult,
    false_alarms: &'z [FalseAlarm],
    /// The bugs of Raft engines.
    cluster_bugs: Vec<ClusterBugDocument>,
    cluster_caught: usize,
    cluster_control_runs: u64,
    cluster_false_alarms: u64,
    elapsed_ms: u64,
    interrupted: bool,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct BugDocument<'z> {
    id: &'static str,
    name: &'static str,
    source: &'static str,
    /// The scenario in which it is looked for.
    scenario_name: &'static str,
    /// The invariants that may catch it; 0 for a budget or a panic.
    invariants: &'static [Invariant],
    /// What holds without the bug, and the file whose history shows it.
    claim: String,
    witness: String,
    /// Whether that breaks the first of the invariants with the bug, and holds without.
    witness_right: bool,
    caught: bool,
    /// Whether it was caught by one of them.
    right: bool,
    #[serde(flatten)]
    catch: Option<CatchDocument<'z>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explored: Option<ExplorerResult>,
    /// The folder of its failure, and the command that replays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<&'z str>,
}

#[derive(Debug, Serialize)]
struct CatchDocument<'z> {
    invariant: Invariant,
    invariant_name: &'static str,
    runs: u64,
    /// The weakest in which it was seen.
    profile: &'static str,
    commands: usize,
    crashes: usize,
    faults: usize,
    shrunk_commands: usize,
    shrunk_crashes: usize,
    shrunk_faults: usize,
    shrink_runs: u64,
    /// The history as text, a line each.
    shrunk: &'z [String],
    /// The same as a scenario.
    scenario: &'z Scenario,
}

impl<'z> ZooDocument<'z> {
    /// The object over a report.
    #[must_use]
    pub(crate) fn new(report: &'z ZooReport) -> Self {
        let controls = &report.controls;
        let bugs = report.bugs.iter();
        let bugs = bugs.map(|result| BugDocument::new(result, report.shown.get(result.bug.id)));
        ZooDocument {
            tool: Tool::THIS,
            bugs: bugs.collect(),
            caught: report.caught(),
            undecided: report.undecided,
            small: report.small(),
            control_runs: controls.runs,
            control_explored: controls.explored,
            false_alarms: &controls.false_alarms,
            cluster_bugs: report.cluster.documents(),
            cluster_caught: report.cluster.caught(),
            cluster_control_runs: report.cluster.controls.runs,
            cluster_false_alarms: report.cluster.controls.failed,
            elapsed_ms: report.elapsed_ms,
            interrupted: report.interrupted,
            verdict: report.verdict().name(),
        }
    }
}

impl<'z> BugDocument<'z> {
    fn new(result: &'z BugResult, shown: Option<&'z CaughtBug>) -> Self {
        let bug = result.bug;
        let folder = shown.and_then(|shown| shown.folder.as_ref());
        BugDocument {
            id: bug.id,
            name: bug.name,
            source: bug.source,
            scenario_name: bug.scenario,
            invariants: bug.invariants,
            claim: bug.witness().claim,
            witness: format!("scenarios/{}.json", bug.witness().name),
            witness_right: result.has_witness(),
            caught: result.caught.is_some(),
            right: result.is_right(),
            catch: result.caught.as_ref().map(CatchDocument::new),
            explored: result.explored,
            file: folder.map(|folder| folder.display().to_string()),
            replay: folder
                .and(shown)
                .map(|shown| shown.explained.explanation.replay.as_str()),
        }
    }
}

impl<'z> CatchDocument<'z> {
    fn new(catch: &'z Caught) -> Self {
        let (before, after) = (catch.shrunk.before, catch.shrunk.after);
        CatchDocument {
            invariant: catch.invariant,
            invariant_name: catch.invariant.name(),
            runs: catch.runs,
            profile: catch.profile.name(),
            commands: before.commands,
            crashes: before.crashes,
            faults: before.faults,
            shrunk_commands: after.commands,
            shrunk_crashes: after.crashes,
            shrunk_faults: after.faults,
            shrink_runs: catch.shrunk.runs,
            shrunk: &catch.words,
            scenario: &catch.shrunk.scenario,
        }
    }
}
