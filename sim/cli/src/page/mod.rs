//! The page: one self-contained HTML file about a run, an exploration or a failure. No network, no
//! script or font from elsewhere.
//!
//! The figures and tables are those of the text report; a failure adds a picture of what was durable
//! and when, every file and name at the crash, page by page, and the timeline of commands and
//! storage calls. It is a pure function of its input, and without its script it can still be read.

mod cluster;
mod failure;
mod lanes;
mod picture;
mod survival;
mod text;
mod timeline;
mod zoo;

use askama::Template;

use crate::report::numbers::{grouped, seconds};
use crate::report::{
    CoverageTable, NameCounts, RunKind, RunReport, ScenarioReport, Verdict, completeness,
};
use beaver_sim::explain::{Explained, ExplainedLog};

pub use cluster::ClusterPage;
pub use failure::BrokenCheck;
use failure::FailureSection;

/// The page over runs, an exploration, a failure or the zoo. Its `Display` is the HTML.
#[derive(Debug, Template)]
#[template(path = "page.html")]
pub struct HtmlPage<'r> {
    version: &'static str,
    title: String,
    subtitle: String,
    verdict: Verdict,
    /// Numbers and what they count.
    figures: Vec<(&'static str, String)>,
    rows_title: &'static str,
    row_name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<VerdictRow>,
    failures: Vec<FailureSection<'r>>,
    coverage: CoverageTable,
    counts: [NameCounts; 2],
}

/// A scenario, an exploration or a bug.
#[derive(Debug)]
struct VerdictRow {
    name: String,
    claim: String,
    values: Vec<String>,
    verdict: &'static str,
    tone: &'static str,
}

impl<'r> HtmlPage<'r> {
    /// The page over runs or explorations.
    #[must_use]
    pub(crate) fn of_report(report: &'r RunReport) -> Self {
        let scenarios = &report.scenarios;
        let columns = report.kind.columns();
        let (rows_title, what) = match report.kind {
            RunKind::Seeds => ("Scenarios", "run"),
            RunKind::Exploration { .. } => ("Explorations", "exploration"),
        };
        let failed: u64 = scenarios.iter().map(|one| one.result.failed_runs).sum();
        let mut figures = vec![("scenarios", grouped(scenarios.len() as u64))];
        figures.extend(
            columns
                .iter()
                .map(|c| (c.title, c.total(report).to_string())),
        );
        figures.push(("failed runs", grouped(failed)));
        figures.push(("time", seconds(report.elapsed_ms)));
        let rows = scenarios.iter().map(|one| VerdictRow {
            name: one.result.name.clone(),
            claim: one.claim.clone(),
            values: columns.iter().map(|c| c.of(one).to_string()).collect(),
            verdict: one.verdict().name(),
            tone: tone(one.verdict()),
        });
        HtmlPage {
            title: match &scenarios[..] {
                [one] => one.result.name.clone(),
                _ => format!("{what} of {} scenarios", scenarios.len()),
            },
            subtitle: subtitle(report),
            rows_title,
            row_name: report.kind.row_name(),
            columns: columns.iter().map(|column| column.title).collect(),
            rows: rows.collect(),
            failures: failures(scenarios),
            coverage: CoverageTable::new(&report.coverage()),
            counts: [
                NameCounts::of_faults(scenarios),
                NameCounts::of_marks(scenarios),
            ],
            ..HtmlPage::new(report.verdict(), figures)
        }
    }

    /// The page over one failure.
    #[must_use]
    pub fn of_failure(explained: &'r Explained) -> Self {
        let explanation = &explained.explanation;
        let figures = vec![
            ("profile", explanation.profile.to_string()),
            ("commands", explanation.size.commands.to_string()),
            ("crashes", explanation.size.crashes.to_string()),
            ("faults", explanation.size.faults.to_string()),
            ("acknowledged", explanation.acknowledged.len().to_string()),
            ("weakest profile", explanation.weakest.profile.to_string()),
        ];
        HtmlPage {
            title: explanation.scenario.clone(),
            subtitle: explanation.claim.clone(),
            failures: vec![FailureSection::new(1, explained, 1)],
            ..HtmlPage::new(explanation.verdict, figures)
        }
    }

    /// The page over the first crash after which the check of a recorded program fails.
    #[must_use]
    pub fn of_check(
        program: &str,
        broken: &'r BrokenCheck,
        explained: &'r ExplainedLog,
        figures: Vec<(&'static str, String)>,
    ) -> Self {
        HtmlPage {
            title: program.to_owned(),
            subtitle:
                "Every set of files that a crash of this program may leave is given to its check."
                    .to_owned(),
            failures: vec![FailureSection::of_check(broken, explained)],
            ..HtmlPage::new(Verdict::Violation, figures)
        }
    }

    fn new(verdict: Verdict, figures: Vec<(&'static str, String)>) -> Self {
        HtmlPage {
            version: env!("CARGO_PKG_VERSION"),
            title: String::new(),
            subtitle: String::new(),
            verdict,
            figures,
            rows_title: "",
            row_name: "",
            columns: Vec::new(),
            rows: Vec::new(),
            failures: Vec::new(),
            coverage: CoverageTable::default(),
            counts: [NameCounts::of_faults(&[]), NameCounts::of_marks(&[])],
        }
    }

    fn has_coverage(&self) -> bool {
        let counted = self.counts.iter().any(|counts| !counts.counts.is_empty());
        counted || !self.coverage.calls.is_empty()
    }
}

fn subtitle(report: &RunReport) -> String {
    match completeness(report) {
        Some(how) => format!(
            "Every crash point of each workload, and every disk that a crash there may leave. {how}"
        ),
        None if report.interrupted => {
            "Seeded random crash runs, stopped before their end: of the seeds that are missing nothing is decided."
                .to_owned()
        }
        None => {
            "Seeded random crash runs: after every recovery each invariant is checked against a \
                 model that saw the same commands."
                .to_owned()
        }
    }
}

/// The failures that are explained, each once.
fn failures(reports: &[ScenarioReport]) -> Vec<FailureSection<'_>> {
    let saved = reports.iter().flat_map(|report| &report.saved);
    let explained = saved.filter_map(|saved| Some((saved.explained.as_ref()?, saved.count)));
    let sections = (1..).zip(explained);
    sections
        .map(|(number, (explained, count))| FailureSection::new(number, explained, count))
        .collect()
}

/// A number as the template passes it.
fn number(number: &u64) -> String {
    grouped(*number)
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Nothing | Verdict::Coverage | Verdict::Interrupted | Verdict::ExpectedFailure => {
            "warn"
        }
        _ => "bad",
    }
}
