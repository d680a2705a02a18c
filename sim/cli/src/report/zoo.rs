//! What the zoo has to show: each bug, what caught it, and the smallest history that shows it.

mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use beaver_sim::explain::Explained;
use beaver_sim::shrink::Ended;
use beaver_zoo::catalogue::WitnessResult;
use beaver_zoo::false_alarms::ControlResult;
use beaver_zoo::find::{BugResult, Caught};

use super::Verdict;
use super::numbers::{counted, grouped, seconds};
pub use document::ZooDocument;

/// The most commands and crashes of a small history.
const SMALL: (usize, usize) = (6, 1);

/// Everything that `beaver zoo` found.
#[derive(Clone, Debug, Default)]
pub struct ZooReport {
    /// The bugs, in the order of the catalogue.
    pub bugs: Vec<BugResult>,
    /// How many more bugs were asked for: it was stopped before they were looked for to the end.
    pub undecided: usize,
    /// What the stores without bugs did in the same places.
    pub controls: ControlResult,
    /// What is shown of each bug that was caught, by its number, where that was asked for.
    pub shown: BTreeMap<&'static str, CaughtBug>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// A bug that was caught, to be looked at.
#[derive(Clone, Debug)]
pub struct CaughtBug {
    /// The folder that its failure is saved in.
    pub(crate) folder: Option<PathBuf>,
    /// Why it failed, and the command that shows it again.
    pub(crate) explained: Box<Explained>,
}

impl ZooReport {
    /// The verdict: a bug that is not caught, or for another reason than its own, is as bad as a
    /// promise that is broken, and so is a false alarm.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let wrong = self.bugs.iter().any(|result| !result.is_right());
        match wrong || !self.controls.false_alarms.is_empty() {
            true => Verdict::Violation,
            false if self.interrupted => Verdict::Interrupted,
            false if self.bugs.is_empty() => Verdict::Nothing,
            false => Verdict::Pass,
        }
    }

    /// How many bugs were asked for.
    #[must_use]
    pub(crate) fn asked(&self) -> usize {
        self.bugs.len() + self.undecided
    }

    /// Whether it is not known that the stores without bugs hold: they were stopped before their end, and held until then.
    #[must_use]
    pub(crate) fn has_open_controls(&self) -> bool {
        self.interrupted && self.controls.false_alarms.is_empty()
    }

    /// How many bugs were caught for their reasons.
    #[must_use]
    pub(crate) fn caught(&self) -> usize {
        self.bugs.iter().filter(|result| result.is_right()).count()
    }

    /// How many bugs have a history of at most six commands and one crash.
    #[must_use]
    pub fn small(&self) -> usize {
        let catches = self.bugs.iter().filter_map(|result| result.caught.as_ref());
        catches.filter(|catch| is_small(catch)).count()
    }
}

fn is_small(catch: &Caught) -> bool {
    let size = catch.shrunk.after;
    size.commands <= SMALL.0 && size.crashes <= SMALL.1
}

impl fmt::Display for ZooReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.bugs {
            let shown = self.shown.get(result.bug.id);
            writeln!(f, "{}\n", Block { result, shown })?;
        }
        let controls = &self.controls;
        for alarm in &controls.false_alarms {
            writeln!(f, "false alarm: {alarm}\n")?;
        }
        let all = self.asked();
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
        let (runs, alarms) = (grouped(controls.runs), controls.false_alarms.len());
        match self.has_open_controls() {
            true => write!(
                f,
                "false alarms undecided: none in the first {runs} runs of the stores without bugs"
            )?,
            false => write!(
                f,
                "{alarms} false alarms in {runs} runs of the stores without bugs"
            )?,
        }
        let explored = controls.explored;
        if explored.workloads > 0 {
            let (workloads, recoveries) =
                (grouped(explored.workloads), grouped(explored.recoveries));
            write!(
                f,
                ", and in {recoveries} recoveries of {workloads} workloads"
            )?;
        }
        writeln!(f)?;
        if self.interrupted {
            writeln!(
                f,
                "stopped by a signal: {} were not looked for to the end",
                counted(self.undecided as u64, "bug")
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
struct Block<'b> {
    result: &'b BugResult,
    shown: Option<&'b CaughtBug>,
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Block { result, shown } = self;
        let bug = result.bug;
        writeln!(f, "{:<5} {}", bug.id, bug.name)?;
        writeln!(f, "      source   {}", bug.source)?;
        writeln!(f, "      promise  {}", bug.witness().claim)?;
        if !result.has_witness() {
            writeln!(f, "      NO WITNESS: {}", witness_text(result.witness))?;
        }
        writeln!(f, "      scenario {}", bug.scenario)?;
        if let Some(seen) = &result.explored {
            let (workloads, recoveries) = (grouped(seen.workloads), grouped(seen.recoveries));
            let what = seen
                .invariant
                .map_or_else(|| "not seen".to_owned(), |i| i.to_string());
            writeln!(
                f,
                "      explorer {what}, {workloads} workloads, {recoveries} recoveries"
            )?;
        }
        let Some(catch) = &result.caught else {
            return write!(f, "      NOT CAUGHT");
        };
        let (how, runs) = (catch.invariant, counted(catch.runs, "run"));
        writeln!(f, "      caught   by {how}, after {runs}")?;
        if !result.is_right() {
            let known: Vec<String> = bug.invariants.iter().map(ToString::to_string).collect();
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
            .try_for_each(|line| write!(f, "\n        {line}"))?;
        match shown.filter(|shown| shown.folder.is_some()) {
            Some(shown) => write!(f, "\n      replay   {}", shown.explained.explanation.replay),
            None => Ok(()),
        }
    }
}

fn witness_text(witness: WitnessResult) -> String {
    let with = witness
        .broken
        .map_or_else(|| "nothing".to_owned(), |i| i.to_string());
    let without = match witness.holds_without {
        true => "holds",
        false => "does not hold",
    };
    format!("it breaks {with} with the bug, and {without} without it")
}
