//! The zoo for programs: one object over everything.

use serde::Serialize;

use super::{Shown, ZooReport};
use beaver_sim::invariant::Invariant;
use beaver_zoo::hunt::{Catch, Hunted, Sighting};

/// The one object that `beaver zoo --format json` prints.
#[derive(Debug, Serialize)]
pub struct ZooDocument {
    tool: &'static str,
    version: &'static str,
    bugs: Vec<BugDocument>,
    caught: usize,
    /// How many shrank to at most six commands and one crash.
    small: usize,
    control_runs: u64,
    /// What was explored in the stores without bugs.
    control_explored: SightingDocument,
    false_alarms: Vec<FalseAlarmDocument>,
    elapsed_ms: u64,
    interrupted: bool,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct BugDocument {
    id: &'static str,
    name: &'static str,
    source: &'static str,
    habitat: &'static str,
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
    catch: Option<CatchDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explored: Option<SightingDocument>,
    /// The folder of its failure, and the command that replays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
}

#[derive(Debug, Serialize)]
struct CatchDocument {
    invariant: Invariant,
    invariant_name: &'static str,
    runs: u64,
    /// The mildest in which it was seen.
    profile: &'static str,
    commands: usize,
    crashes: usize,
    faults: usize,
    shrunk_commands: usize,
    shrunk_crashes: usize,
    shrunk_faults: usize,
    shrink_runs: u64,
    /// The history in words, a line each.
    shrunk: Vec<String>,
    /// The same as a scenario.
    scenario: beaver_sim::scenario::Scenario,
}

#[derive(Debug, Serialize)]
struct SightingDocument {
    workloads: u64,
    recoveries: u64,
    invariant: Option<Invariant>,
}

#[derive(Debug, Serialize)]
struct FalseAlarmDocument {
    store: &'static str,
    place: String,
    seed: Option<u64>,
    invariant: Invariant,
    found: String,
}

impl ZooDocument {
    /// The object over a report.
    #[must_use]
    pub fn new(report: &ZooReport) -> Self {
        let patrolled = &report.patrolled;
        let alarms = patrolled
            .false_alarms
            .iter()
            .map(|alarm| FalseAlarmDocument {
                store: alarm.store,
                place: alarm.place.clone(),
                seed: alarm.seed,
                invariant: alarm.invariant,
                found: alarm.found.clone(),
            });
        let bugs = report.bugs.iter();
        let bugs = bugs.map(|bug| BugDocument::new(bug, report.shown.get(bug.exhibit.id)));
        ZooDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            bugs: bugs.collect(),
            caught: report.caught(),
            small: report.small(),
            control_runs: patrolled.runs,
            control_explored: SightingDocument::new(&patrolled.explored),
            false_alarms: alarms.collect(),
            elapsed_ms: report.elapsed_ms,
            interrupted: report.interrupted,
            verdict: report.verdict().name(),
        }
    }
}

impl BugDocument {
    fn new(bug: &Hunted, shown: Option<&Shown>) -> Self {
        let exhibit = bug.exhibit;
        let folder = shown.and_then(|shown| shown.folder.as_ref());
        BugDocument {
            id: exhibit.id,
            name: exhibit.name,
            source: exhibit.source,
            habitat: exhibit.habitat,
            invariants: exhibit.invariants,
            claim: exhibit.witness().claim,
            witness: format!("scenarios/{}.json", exhibit.witness().name),
            witness_right: bug.has_witness(),
            caught: bug.caught.is_some(),
            right: bug.is_right(),
            catch: bug.caught.as_ref().map(CatchDocument::new),
            explored: bug.explored.as_ref().map(SightingDocument::new),
            file: folder.map(|folder| folder.display().to_string()),
            replay: folder
                .and(shown)
                .map(|shown| shown.explained.explanation.replay.clone()),
        }
    }
}

impl SightingDocument {
    fn new(seen: &Sighting) -> Self {
        SightingDocument {
            workloads: seen.workloads,
            recoveries: seen.recoveries,
            invariant: seen.invariant,
        }
    }
}

impl CatchDocument {
    fn new(catch: &Catch) -> Self {
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
            shrunk: catch.words.clone(),
            scenario: catch.shrunk.scenario.clone(),
        }
    }
}
