//! The page: one self-contained HTML file about a run, an exploration or a failure. No network, no
//! script or font from elsewhere.
//!
//! The figures and tables are those of the text report; a failure adds a picture of what was durable
//! and when, every file and name at the crash, page by page, and the timeline of commands and
//! storage calls. It is a pure function of its input, and without its script it can still be read.

mod coverage;
mod failure;
mod picture;
mod survival;
mod zoo;

pub use coverage::{Counted, Coverage, Reached, Site, TallyList};

use askama::Template;

use crate::report::{Exploration, ScenarioReport, Verdict};
use beaver_sim::explain::Explained;
use beaver_sim::scenario::Profile;

use failure::FailureSection;

/// A page. Its `Display` is the HTML.
#[derive(Debug, Template)]
#[template(path = "page.html")]
pub struct Page {
    version: &'static str,
    title: String,
    subtitle: String,
    verdict: &'static str,
    tone: &'static str,
    figures: Vec<Figure>,
    rows_title: &'static str,
    row_name: &'static str,
    columns: Vec<&'static str>,
    scenarios: Vec<ScenarioRow>,
    failures: Vec<FailureSection>,
    coverage: Coverage,
}

/// A number and what it counts.
#[derive(Debug)]
struct Figure {
    label: &'static str,
    value: String,
}

/// A scenario or an exploration.
#[derive(Debug)]
struct ScenarioRow {
    name: String,
    claim: String,
    values: Vec<String>,
    verdict: &'static str,
    tone: &'static str,
}

impl Page {
    /// The page over runs.
    #[must_use]
    pub fn of_runs(
        reports: &[ScenarioReport],
        verdict: Verdict,
        elapsed_ms: u64,
        coverage: Coverage,
    ) -> Self {
        let sum = |count: fn(&ScenarioReport) -> u64| grouped(reports.iter().map(count).sum());
        let figures = vec![
            figure("scenarios", grouped(reports.len() as u64)),
            figure("runs", sum(|report| report.result.runs)),
            figure("commands", sum(|report| report.result.counts.commands)),
            figure(
                "storage calls",
                sum(|report| report.result.counts.storage_calls),
            ),
            figure("crashes", sum(|report| report.result.counts.crashes)),
            figure("recoveries", sum(|report| report.result.counts.recoveries)),
            figure("failed runs", sum(|report| report.result.failed_runs)),
            figure("time", seconds(elapsed_ms)),
        ];
        let rows = reports.iter().map(|report| {
            let counts = &report.result.counts;
            let faults: u64 = report.result.faults_fired.values().sum();
            let values = [
                report.result.runs,
                counts.commands,
                counts.storage_calls,
                counts.crashes,
                counts.recoveries,
                faults,
            ];
            ScenarioRow::new(report, &values)
        });
        Page {
            title: named(reports, "run"),
            subtitle: "Seeded random crash runs: after every recovery each invariant is checked \
             against a model that saw the same commands."
                .to_owned(),
            columns: vec![
                "runs",
                "commands",
                "calls",
                "crashes",
                "recoveries",
                "faults",
            ],
            scenarios: rows.collect(),
            failures: failures(reports.iter()),
            coverage: coverage.with_counts(reports),
            ..Page::new(verdict, figures)
        }
    }

    /// The page over explorations.
    #[must_use]
    pub fn of_explorations(
        explorations: &[Exploration],
        verdict: Verdict,
        elapsed_ms: u64,
        coverage: Coverage,
    ) -> Self {
        let sum = |count: fn(&Exploration) -> u64| grouped(explorations.iter().map(count).sum());
        let figures = vec![
            figure("explorations", grouped(explorations.len() as u64)),
            figure("workloads", sum(|one| one.tally.workloads)),
            figure("crash points", sum(|one| one.tally.crash_points)),
            figure("images, enumerated", sum(|one| one.tally.enumerated)),
            figure("images, sampled", sum(|one| one.tally.sampled)),
            figure("recoveries", sum(|one| one.tally.recoveries)),
            figure("failures", sum(|one| one.report.result.failed_runs)),
            figure("time", seconds(elapsed_ms)),
        ];
        let rows = explorations.iter().map(|one| {
            let tally = &one.tally;
            let values = [
                tally.workloads,
                tally.storage_calls,
                tally.crash_points,
                tally.enumerated,
                tally.sampled,
                tally.recoveries,
            ];
            ScenarioRow::new(&one.report, &values)
        });
        let exhaustive = explorations.iter().all(|one| one.tally.is_exhaustive());
        let how = match exhaustive {
            true => {
                "No power cut had more images than the cap: every one was recovered and judged."
            }
            false => {
                "Where a power cut had more images than the cap, corners and seeded samples of \
                 them were judged."
            }
        };
        Page {
            title: named(explorations.iter().map(|one| &one.report), "exploration"),
            subtitle: format!(
                "Every crash point of each workload, and every disk that a crash there may leave. \
                 {how}"
            ),
            rows_title: "Explorations",
            row_name: "exploration",
            columns: vec![
                "workloads",
                "calls",
                "crash points",
                "enumerated",
                "sampled",
                "recoveries",
            ],
            scenarios: rows.collect(),
            failures: failures(explorations.iter().map(|one| &one.report)),
            coverage,
            ..Page::new(verdict, figures)
        }
    }

    /// The page over one failure.
    #[must_use]
    pub fn of_failure(explained: &Explained) -> Self {
        let explanation = &explained.explanation;
        let verdict = Verdict::ALL.into_iter();
        let verdict = verdict
            .rev()
            .find(|known| known.name() == explanation.verdict);
        let figures = vec![
            figure("profile", explanation.profile.to_owned()),
            figure("commands", explanation.step.to_string()),
            figure("acknowledged", explanation.acknowledged.len().to_string()),
            figure("crashes", explanation.crashes.len().to_string()),
            figure("mildest profile", explanation.mildest.profile.to_owned()),
        ];
        Page {
            title: explanation.scenario.clone(),
            subtitle: explanation.claim.clone(),
            failures: vec![FailureSection::new(1, explained, 1)],
            ..Page::new(verdict.unwrap_or(Verdict::Violation), figures)
        }
    }

    fn new(verdict: Verdict, figures: Vec<Figure>) -> Self {
        Page {
            version: env!("CARGO_PKG_VERSION"),
            title: String::new(),
            subtitle: String::new(),
            verdict: verdict.name(),
            tone: tone(verdict),
            figures,
            rows_title: "Scenarios",
            row_name: "scenario",
            columns: Vec::new(),
            scenarios: Vec::new(),
            failures: Vec::new(),
            coverage: Coverage::default(),
        }
    }

    fn shows_contents(&self) -> bool {
        !self.scenarios.is_empty() && (!self.failures.is_empty() || self.coverage.has_any())
    }
}

impl ScenarioRow {
    fn new(report: &ScenarioReport, values: &[u64]) -> Self {
        let verdict = report.verdict();
        ScenarioRow {
            name: report.result.name.clone(),
            claim: report.claim.clone(),
            values: values.iter().map(|value| grouped(*value)).collect(),
            verdict: verdict.name(),
            tone: tone(verdict),
        }
    }
}

/// The failures that are explained, each once.
fn failures<'r>(reports: impl Iterator<Item = &'r ScenarioReport>) -> Vec<FailureSection> {
    let saved = reports.flat_map(|report| &report.saved);
    let explained = saved.filter_map(|saved| Some((saved.explained.as_ref()?, saved.count)));
    let sections = (1..).zip(explained);
    sections
        .map(|(number, (explained, count))| FailureSection::new(number, explained, count))
        .collect()
}

/// One scenario is named, several are counted.
fn named<'r>(reports: impl IntoIterator<Item = &'r ScenarioReport>, what: &str) -> String {
    let names: Vec<&str> = reports
        .into_iter()
        .map(|report| report.result.name.as_str())
        .collect();
    match names[..] {
        [name] => name.to_owned(),
        _ => format!("{what} of {} scenarios", names.len()),
    }
}

fn figure(label: &'static str, value: String) -> Figure {
    Figure { label, value }
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Nothing | Verdict::Coverage => "warn",
        _ => "bad",
    }
}

/// A number with thin spaces between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// The name of a profile, and what it stands for.
fn profile_words(profile: &str) -> String {
    let words = Profile::named(profile).map_or("", Profile::description);
    format!("{profile}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1\u{202f}000");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
