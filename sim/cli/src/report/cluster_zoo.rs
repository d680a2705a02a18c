//! What the zoo has to show of clusters: each bug of a Raft engine, what caught it, and the least chaos
//! that shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use beaver_cluster::small_raft::PlantedBug;
use beaver_zoo::cluster_bugs::{ClusterBugResult, ClusterCatch, ClusterControls, cluster_id};
use serde::Serialize;

use super::numbers::{counted, grouped};

/// Everything that `beaver zoo` found of the bugs of Raft engines.
#[derive(Clone, Debug, Default)]
pub struct ClusterZooReport {
    /// The bugs, in the order of the catalogue.
    pub bugs: Vec<ClusterBugResult>,
    /// How many more bugs were asked for: it was stopped before they were looked for to the end.
    pub undecided: usize,
    /// What the engine without bugs did in the same places.
    pub controls: ClusterControls,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// The folders of failures that were saved, each with the command that replays it.
    pub saved: BTreeMap<PlantedBug, (PathBuf, String)>,
}

impl ClusterZooReport {
    /// What the engine without bugs was blamed for, in words.
    pub(crate) fn false_alarms(&self) -> impl Iterator<Item = String> {
        let alarms = self.controls.false_alarms.iter();
        alarms.map(|(scenario, failed)| {
            let (seed, violation) = (failed.seed, &failed.violation);
            let (checker, text) = (violation.checker, &violation.text);
            format!("{scenario}, seed {seed}: {checker}: {text}")
        })
    }

    /// Whether a bug was not caught for its reason, or something else was.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        let wrong = self.bugs.iter().any(|result| !result.is_right());
        wrong || self.controls.failed > 0
    }

    /// How many bugs were caught for their reasons.
    #[must_use]
    pub(crate) fn caught(&self) -> usize {
        self.bugs.iter().filter(|result| result.is_right()).count()
    }

    /// How many bugs were asked for.
    #[must_use]
    pub(crate) fn asked(&self) -> usize {
        self.bugs.len() + self.undecided
    }
}

impl fmt::Display for ClusterZooReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.bugs {
            block(f, result)?;
            if let Some((_, replay)) = self.saved.get(&result.bug) {
                writeln!(f, "      replay   {replay}")?;
            }
            writeln!(f)?;
        }
        let all = self.asked();
        if all == 0 {
            return Ok(());
        }
        for alarm in self.false_alarms() {
            writeln!(f, "false alarm: {alarm}\n")?;
        }
        let caught = self.caught();
        writeln!(
            f,
            "{caught} of {all} bugs of Raft engines caught, each for its reason"
        )?;
        let (runs, alarms) = (grouped(self.controls.runs), self.controls.failed);
        match self.interrupted && alarms == 0 {
            true => writeln!(
                f,
                "false alarms undecided: none in the first {runs} runs of the cluster without bugs"
            ),
            false => writeln!(
                f,
                "{alarms} false alarms in {runs} runs of the cluster without bugs"
            ),
        }
    }
}

fn block(f: &mut fmt::Formatter<'_>, result: &ClusterBugResult) -> fmt::Result {
    let (bug, about) = (result.bug, result.bug.about());
    writeln!(f, "{:<5} {bug}", cluster_id(bug))?;
    writeln!(f, "      source   {}", about.source)?;
    writeln!(f, "      bug      {}", about.what)?;
    writeln!(f, "      scenario cluster/{}", bug.about().scenario)?;
    let runs = counted(result.runs, "run");
    let Some(catch) = &result.caught else {
        return writeln!(f, "      NOT CAUGHT in {runs}");
    };
    let violation = &catch.shrunk.violation;
    writeln!(f, "      caught   by {}, after {runs}", violation.checker)?;
    if !result.is_right() {
        let known = bug.about().promises.join(" or ");
        writeln!(f, "      FOR ANOTHER REASON than {known}")?;
    }
    writeln!(
        f,
        "      found    {}",
        violation.text.lines().next().unwrap_or_default()
    )?;
    let case = &catch.shrunk.case;
    let profile = case.scenario.profiles.first();
    writeln!(
        f,
        "      profile  {}",
        profile.map_or("", |profile| profile.name())
    )?;
    let (before, after) = (catch.actions, case.chaos.len());
    let tried = grouped(catch.shrunk.runs);
    let ended = match catch.shrunk.cut_short {
        true => ", and not to the end",
        false => "",
    };
    writeln!(
        f,
        "      shrunk   {before} actions to {after}, {tried} tried{ended}"
    )?;
    let mut actions = case.chaos.iter();
    actions.try_for_each(|action| writeln!(f, "        {action}"))
}

/// One bug, for programs.
#[derive(Debug, Serialize)]
pub(super) struct ClusterBugDocument {
    id: String,
    name: String,
    source: &'static str,
    bug: &'static str,
    scenario_name: String,
    /// The promises that may catch it.
    promises: &'static [&'static str],
    caught: bool,
    /// Whether it was caught by one of them.
    right: bool,
    runs: u64,
    #[serde(flatten)]
    catch: Option<ClusterCatchDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
}

#[derive(Debug, Serialize)]
struct ClusterCatchDocument {
    breaks: &'static str,
    found: String,
    seed: u64,
    profile: &'static str,
    actions: usize,
    shrunk_actions: usize,
    shrink_runs: u64,
    /// The chaos as text, a line each.
    shrunk: Vec<String>,
}

impl ClusterZooReport {
    pub(super) fn documents(&self) -> Vec<ClusterBugDocument> {
        let documents = self.bugs.iter().map(|result| {
            let (bug, about) = (result.bug, result.bug.about());
            let saved = self.saved.get(&bug);
            ClusterBugDocument {
                id: cluster_id(bug),
                name: bug.to_string(),
                source: about.source,
                bug: about.what,
                scenario_name: format!("cluster/{}", bug.about().scenario),
                promises: bug.about().promises,
                caught: result.caught.is_some(),
                right: result.is_right(),
                runs: result.runs,
                catch: result.caught.as_ref().map(ClusterCatchDocument::new),
                file: saved.map(|(folder, _)| folder.display().to_string()),
                replay: saved.map(|(_, replay)| replay.clone()),
            }
        });
        documents.collect()
    }
}

impl ClusterCatchDocument {
    fn new(catch: &ClusterCatch) -> Self {
        let case = &catch.shrunk.case;
        ClusterCatchDocument {
            breaks: catch.shrunk.violation.checker,
            found: catch.shrunk.violation.text.clone(),
            seed: catch.seed,
            profile: case
                .scenario
                .profiles
                .first()
                .map_or("", |profile| profile.name()),
            actions: catch.actions,
            shrunk_actions: case.chaos.len(),
            shrink_runs: catch.shrunk.runs,
            shrunk: case.chaos.iter().map(ToString::to_string).collect(),
        }
    }
}
