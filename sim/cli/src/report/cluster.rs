//! What `beaver cluster` found: the one structure that the text, the JSON and the page render.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::promises::UNDECIDED;
use beaver_cluster::run::{ClusterCounts, ClusterOutcome};
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::seeds::{ClusterResult, FailedSeed};
use beaver_sim::report::Verdict;
use beaver_sim::scenario::Seeds;

use super::numbers::{grouped, seconds};
use super::run_report::Disagreement;
use super::table::coloured;

/// Everything that `beaver cluster`, or the replay of a cluster, found.
#[derive(Debug)]
pub struct ClusterReport {
    pub(crate) engine: EngineChoice,
    pub(crate) rows: Vec<ClusterRow>,
    /// Whether it was stopped before its end.
    pub(crate) interrupted: bool,
    /// Of a replay: whether the run is the one that was saved.
    pub(crate) same: Option<bool>,
    pub(crate) elapsed_ms: u64,
}

/// One scenario.
#[derive(Debug)]
pub(crate) struct ClusterRow {
    pub(crate) scenario: ClusterScenario,
    pub(crate) seeds: Seeds,
    pub(crate) result: ClusterResult,
    /// What became of each of the result's failures, in the same order.
    pub(crate) failures: Vec<ShownFailure>,
    pub(crate) disagreement: Option<Disagreement>,
    pub(crate) elapsed_ms: u64,
}

/// What became of a failed run. A folder is missing where it could not be written.
#[derive(Debug)]
pub(crate) enum ShownFailure {
    /// Why it failed, and what happened, with the folder that it is saved in.
    Shown {
        file: Option<PathBuf>,
        found: Box<(FailureStory, ClusterOutcome)>,
    },
    /// It is like an earlier one, and counted in the folder of that.
    LikeEarlier(Option<PathBuf>),
    /// Run a second time it did not break the same promise.
    NotAgain,
}

impl ShownFailure {
    /// The folder that it is saved in.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            ShownFailure::Shown { file, .. } | ShownFailure::LikeEarlier(file) => file.as_deref(),
            ShownFailure::NotAgain => None,
        }
    }

    /// Why it failed, and what happened.
    pub(crate) fn found(&self) -> Option<&(FailureStory, ClusterOutcome)> {
        match self {
            ShownFailure::Shown { found, .. } => Some(found),
            _ => None,
        }
    }
}

/// The columns between the name and the verdict: title, width, number.
type ClusterColumn = (&'static str, usize, fn(&ClusterResult) -> u64);

const COLUMNS: [ClusterColumn; 7] = [
    ("runs", 7, |result| result.runs),
    ("answered", 9, |result| {
        result.counts.acknowledged + result.counts.reads
    }),
    ("messages", 11, |result| result.counts.messages),
    ("calls", 11, |result| result.counts.storage_calls),
    ("crashes", 9, |result| result.counts.crashes),
    ("elections", 9, |result| result.counts.elections),
    ("snapshots", 9, |result| {
        result.counts.snapshots_built + result.counts.snapshots_installed
    }),
];

/// The titles of the columns.
pub(crate) fn cluster_columns() -> Vec<&'static str> {
    COLUMNS.iter().map(|(title, ..)| *title).collect()
}

/// The line above the rows.
pub(crate) fn cluster_heading(width: usize) -> String {
    let cells = COLUMNS.map(|(title, ..)| title.to_owned());
    line("scenario", width, &cells, "verdict", "time")
}

fn line(name: &str, width: usize, cells: &[String], verdict: &str, time: &str) -> String {
    let mut line = format!("{name:<width$}");
    for (cell, (_, width, _)) in cells.iter().zip(COLUMNS) {
        line.push_str(&format!("  {cell:>width$}"));
    }
    line.push_str(&format!("  {verdict:<16}  {time:>8}"));
    line
}

impl ClusterRow {
    /// The verdict over the scenario.
    pub(crate) fn verdict(&self) -> Verdict {
        let failures = self.result.failures.iter().zip(&self.failures);
        let runs = failures.map(|(failed, shown)| match shown {
            ShownFailure::NotAgain => Verdict::NotDeterministic,
            _ => verdict_of(failed),
        });
        let runs = runs.min();
        let measured = match self.result.runs {
            _ if self.result.cancelled => Verdict::Interrupted,
            0 => Verdict::Nothing,
            _ => Verdict::Pass,
        };
        let differs = self
            .disagreement
            .as_ref()
            .map(|_| Verdict::NotDeterministic);
        runs.unwrap_or(measured).min(differs.unwrap_or(measured))
    }

    /// The failures that did not come again, each in a sentence.
    pub(crate) fn not_again(&self) -> impl Iterator<Item = String> {
        let failures = self.result.failures.iter().zip(&self.failures);
        let failures = failures.filter(|(_, shown)| matches!(shown, ShownFailure::NotAgain));
        failures.map(|(failed, _)| {
            let FailedSeed { seed, violation } = failed;
            let (name, checker) = (&self.scenario.name, violation.checker);
            let found = &violation.text;
            format!("{name}, seed {seed}, failed once and not again: {checker}: {found}")
        })
    }

    /// Its row of the table.
    pub(crate) fn line(&self, width: usize) -> String {
        let line = line(
            &self.scenario.name,
            width,
            &self.cells(),
            self.verdict().name(),
            &seconds(self.elapsed_ms),
        );
        coloured(&line, self.verdict())
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let cells = COLUMNS
            .iter()
            .map(|(.., count)| grouped(count(&self.result)));
        cells.collect()
    }
}

/// How bad the first promise is that a run broke.
fn verdict_of(failed: &FailedSeed) -> Verdict {
    match failed.violation.checker {
        "no panic" => Verdict::Panic,
        "no progress" | UNDECIDED => Verdict::Budget,
        "determinism" => Verdict::NotDeterministic,
        _ => Verdict::Violation,
    }
}

impl ClusterReport {
    pub(crate) fn new(engine: EngineChoice) -> Self {
        ClusterReport {
            engine,
            rows: Vec::new(),
            interrupted: false,
            same: None,
            elapsed_ms: 0,
        }
    }

    /// The verdict over everything.
    pub(crate) fn verdict(&self) -> Verdict {
        let verdicts = self.rows.iter().map(ClusterRow::verdict);
        let interrupted = self.interrupted.then_some(Verdict::Interrupted);
        // What was saved failed, in a program that did something else than this one.
        let differs = (self.same == Some(false)).then_some(Verdict::NotDeterministic);
        verdicts
            .chain(interrupted)
            .chain(differs)
            .min()
            .unwrap_or(Verdict::Nothing)
    }

    /// All scenarios together.
    pub(crate) fn sum(&self) -> ClusterResult {
        let mut sum = ClusterResult::default();
        for row in &self.rows {
            sum.runs += row.result.runs;
            sum.failed += row.result.failed;
            sum.counts.add(&row.result.counts);
        }
        sum
    }

    /// The line under the rows.
    pub(crate) fn total(&self, width: usize) -> String {
        let sum = self.sum();
        let cells: Vec<String> = COLUMNS
            .iter()
            .map(|(.., count)| grouped(count(&sum)))
            .collect();
        let (verdict, time) = (self.verdict(), seconds(self.elapsed_ms));
        let line = line("total", width, &cells, verdict.name(), &time);
        coloured(&line, verdict)
    }

    /// What is printed below the table: what happened, with `coverage`, and the first failures of each
    /// scenario.
    pub(crate) fn details(&self, coverage: bool, failures: usize) -> impl Display {
        ClusterDetails {
            report: self,
            coverage,
            failures,
        }
    }
}

/// What happened, in the order in which it is told.
pub(crate) fn happenings(counts: &ClusterCounts) -> [(&'static str, u64); 15] {
    [
        ("virtual seconds", counts.virtual_ms / 1_000),
        ("crashes", counts.crashes),
        ("of them power cuts", counts.power_cuts),
        ("inside a storage call", counts.inside),
        ("machines wiped", counts.wiped),
        ("processes that gave up on a failed disk", counts.gave_up),
        ("actions that did nothing", counts.skipped),
        ("messages", counts.messages),
        ("of them dropped", counts.dropped),
        ("of them repeated", counts.duplicated),
        ("elections", counts.elections),
        ("snapshots built", counts.snapshots_built),
        ("snapshots installed", counts.snapshots_installed),
        ("entries applied", counts.applied),
        ("operations without an answer", counts.unknown),
    ]
}

struct ClusterDetails<'r> {
    report: &'r ClusterReport,
    coverage: bool,
    failures: usize,
}

impl Display for ClusterDetails<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.coverage {
            writeln!(f)?;
            for (what, count) in happenings(&self.report.sum().counts) {
                writeln!(f, "{:>14}  {what}", grouped(count))?;
            }
        }
        for row in &self.report.rows {
            let found = row.failures.iter().filter_map(ShownFailure::found);
            for (story, _) in found.take(self.failures) {
                write!(f, "\n{story}")?;
            }
            for sentence in row.not_again() {
                writeln!(f, "\n{sentence}")?;
            }
            let name = &row.scenario.name;
            let kept = row.result.failures.len() as u64;
            if row.result.failed > 0 {
                let others = row.result.failed - kept;
                write!(
                    f,
                    "\n{name}: {} of {} runs failed",
                    row.result.failed, row.result.runs
                )?;
                match others {
                    0 => writeln!(f)?,
                    _ => writeln!(f, "; {others} of them were not looked at")?,
                }
            }
            if let Some(disagreement) = &row.disagreement {
                writeln!(f, "\n{name}: {disagreement}")?;
            }
        }
        if self.report.interrupted {
            writeln!(
                f,
                "\ninterrupted: the figures are those of the runs that were done"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_cluster::checkers::ClusterViolation;

    fn report_of(checker: &'static str, failure: ShownFailure) -> ClusterReport {
        let violation = ClusterViolation {
            at: 5,
            node: 0,
            checker,
            text: "two of them".to_owned(),
        };
        let mut report = ClusterReport::new(EngineChoice::default());
        report.rows.push(ClusterRow {
            scenario: ClusterScenario {
                name: "three".to_owned(),
                ..ClusterScenario::default()
            },
            seeds: Seeds::one(7),
            result: ClusterResult {
                runs: 1,
                failed: 1,
                failures: vec![FailedSeed { seed: 7, violation }],
                ..ClusterResult::default()
            },
            failures: vec![failure],
            disagreement: None,
            elapsed_ms: 0,
        });
        report
    }

    #[test]
    fn a_failure_that_does_not_come_again_is_told_and_is_no_violation() {
        let report = report_of("election safety", ShownFailure::NotAgain);
        assert_eq!(report.verdict(), Verdict::NotDeterministic);
        let text = report.details(false, 3).to_string();
        let told = "three, seed 7, failed once and not again: election safety: two of them";
        assert!(text.contains(told), "{text}");
        let page = crate::page::ClusterPage::new(&report).to_string();
        assert!(page.contains(told), "{page}");
    }

    #[test]
    fn a_history_that_was_not_judged_to_the_end_is_no_violation() {
        let report = report_of(UNDECIDED, ShownFailure::LikeEarlier(None));
        assert_eq!(report.verdict(), Verdict::Budget);
    }
}
