//! What the zoo has to show: each bug, what caught it, and the smallest history that shows it.

use std::fmt;

use serde::Serialize;

use crate::report::Verdict;
use crate::run::invariant_name;
use crate::shrink::Ended;
use crate::zoo::catalogue::Testimony;
use crate::zoo::hunt::{Catch, FalseAlarm, Hunted};

use super::table::{grouped, seconds};

/// At most so many commands and crashes make a history small.
const SMALL: (usize, usize) = (6, 1);

/// How many of ten bugs must shrink to a small history.
const SMALL_OF_TEN: usize = 9;

/// Everything that a visit to the zoo found.
#[derive(Clone, Debug, Default)]
pub struct ZooReport {
    /// The bugs, in the order of the catalogue.
    pub bugs: Vec<Hunted>,
    /// Runs of the stores without bugs.
    pub control_runs: u64,
    /// Those that did not hold.
    pub false_alarms: Vec<FalseAlarm>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

impl ZooReport {
    /// The verdict: a bug that is not caught, or for another reason than its own, is as bad as a
    /// promise that is broken, and so is a false alarm.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let wrong = self.bugs.iter().any(|bug| !bug.is_right());
        match wrong || !self.false_alarms.is_empty() {
            true => Verdict::Violation,
            false if self.bugs.is_empty() => Verdict::Nothing,
            false => Verdict::Pass,
        }
    }

    /// How many bugs were caught for their reasons.
    #[must_use]
    pub fn caught(&self) -> usize {
        self.bugs.iter().filter(|bug| bug.is_right()).count()
    }

    /// How many bugs have a history of at most six commands and one crash.
    #[must_use]
    pub fn small(&self) -> usize {
        let catches = self.bugs.iter().filter_map(|bug| bug.caught.as_ref());
        catches.filter(|catch| is_small(catch)).count()
    }

    /// Whether nine of ten bugs have a small history.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.small() * 10 >= self.bugs.len() * SMALL_OF_TEN
    }
}

fn is_small(catch: &Catch) -> bool {
    let size = catch.shrunk.after;
    size.commands <= SMALL.0 && size.crashes <= SMALL.1
}

impl fmt::Display for ZooReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bug in &self.bugs {
            writeln!(f, "{}\n", Block(bug))?;
        }
        for alarm in &self.false_alarms {
            let (store, habitat, seed) = (alarm.store, &alarm.habitat, alarm.seed);
            let found = alarm.outcome.failure();
            let found = found.map_or("", |violation| violation.found.as_str());
            writeln!(f, "false alarm: {store}, {habitat}, seed {seed}: {found}\n")?;
        }
        let all = self.bugs.len();
        writeln!(
            f,
            "{} of {all} bugs caught, each for its reason",
            self.caught()
        )?;
        let (commands, crashes) = SMALL;
        let small = self.small();
        writeln!(
            f,
            "{small} of {all} shrunk to at most {commands} commands and {crashes} crash"
        )?;
        let (runs, alarms) = (grouped(self.control_runs), self.false_alarms.len());
        writeln!(
            f,
            "{alarms} false alarms in {runs} runs of the stores without bugs"
        )?;
        if self.interrupted {
            writeln!(
                f,
                "stopped by Ctrl-C: the bugs behind these were not looked for"
            )?;
        }
        writeln!(
            f,
            "verdict  {}  {}",
            self.verdict(),
            seconds(self.elapsed_ms)
        )
    }
}

/// What is said about one bug.
struct Block<'b>(&'b Hunted);

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Block(bug) = self;
        let exhibit = bug.exhibit;
        writeln!(f, "{:<5} {}", exhibit.id, exhibit.name)?;
        writeln!(f, "      source   {}", exhibit.source)?;
        writeln!(f, "      promise  {}", exhibit.witness().claim)?;
        if !bug.has_witness() {
            writeln!(f, "      NO WITNESS: {}", testimony(bug.witness))?;
        }
        writeln!(f, "      habitat  {}", exhibit.habitat)?;
        if let Some(seen) = &bug.explored {
            let (workloads, recoveries) = (grouped(seen.workloads), grouped(seen.recoveries));
            let what = seen
                .invariant
                .map_or_else(|| "not seen".to_owned(), invariant);
            writeln!(
                f,
                "      explorer {what}, {workloads} workloads, {recoveries} recoveries"
            )?;
        }
        let Some(catch) = &bug.caught else {
            return write!(f, "      NOT CAUGHT");
        };
        let (how, runs) = (invariant(catch.invariant), grouped(catch.runs));
        writeln!(
            f,
            "      caught   by {how}, after {runs} {}",
            plural(catch.runs, "run")
        )?;
        if !bug.is_right() {
            let known: Vec<String> = exhibit.invariants.iter().copied().map(invariant).collect();
            writeln!(f, "      FOR ANOTHER REASON than {}", known.join(" or "))?;
        }
        writeln!(f, "      profile  {}", catch.profile.name())?;
        let shrunk = &catch.shrunk;
        let tried = grouped(shrunk.runs);
        write!(
            f,
            "      shrunk   {} to {}, {tried} tried",
            shrunk.before, shrunk.after
        )?;
        let ended = match shrunk.ended {
            Ended::NothingSmaller => "",
            Ended::Limit => ", and not to the end",
        };
        write!(f, "{ended}")?;
        catch
            .words
            .iter()
            .try_for_each(|line| write!(f, "\n        {line}"))
    }
}

fn testimony(witness: Testimony) -> String {
    let with = witness
        .broken
        .map_or_else(|| "nothing".to_owned(), invariant);
    let without = match witness.holds_without {
        true => "holds",
        false => "does not hold",
    };
    format!("it breaks {with} with the bug, and {without} without it")
}

fn invariant(number: u8) -> String {
    match number {
        0 => invariant_name(0).to_owned(),
        _ => format!("invariant {number} ({})", invariant_name(number)),
    }
}

fn plural(count: u64, one: &str) -> String {
    match count {
        1 => one.to_owned(),
        _ => format!("{one}s"),
    }
}

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
    invariants: &'static [u8],
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
}

#[derive(Debug, Serialize)]
struct CatchDocument {
    invariant: u8,
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
    scenario: crate::scenario::Scenario,
}

#[derive(Debug, Serialize)]
struct SightingDocument {
    workloads: u64,
    recoveries: u64,
    invariant: Option<u8>,
}

#[derive(Debug, Serialize)]
struct FalseAlarmDocument {
    store: &'static str,
    habitat: String,
    seed: u64,
    invariant: Option<u8>,
    found: Option<String>,
}

impl ZooDocument {
    /// The object over a report.
    #[must_use]
    pub fn new(report: &ZooReport) -> Self {
        let alarms = report.false_alarms.iter().map(|alarm| FalseAlarmDocument {
            store: alarm.store,
            habitat: alarm.habitat.clone(),
            seed: alarm.seed,
            invariant: alarm.outcome.failure().map(|violation| violation.invariant),
            found: alarm
                .outcome
                .failure()
                .map(|violation| violation.found.clone()),
        });
        ZooDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            bugs: report.bugs.iter().map(BugDocument::new).collect(),
            caught: report.caught(),
            small: report.small(),
            control_runs: report.control_runs,
            false_alarms: alarms.collect(),
            elapsed_ms: report.elapsed_ms,
            interrupted: report.interrupted,
            verdict: report.verdict().name(),
        }
    }
}

impl BugDocument {
    fn new(bug: &Hunted) -> Self {
        let exhibit = bug.exhibit;
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
            explored: bug.explored.map(|seen| SightingDocument {
                workloads: seen.workloads,
                recoveries: seen.recoveries,
                invariant: seen.invariant,
            }),
        }
    }
}

impl CatchDocument {
    fn new(catch: &Catch) -> Self {
        let (before, after) = (catch.shrunk.before, catch.shrunk.after);
        CatchDocument {
            invariant: catch.invariant,
            invariant_name: invariant_name(catch.invariant),
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
