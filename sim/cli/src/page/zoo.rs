//! The page over the zoo: a row for each bug, and below it what was caught, each as a failure.

use super::failure::FailureSection;
use super::{HtmlPage, VerdictRow, tone};
use crate::report::numbers::{counted, grouped, seconds};
use crate::report::{CaughtBug, Verdict, ZooReport};
use beaver_zoo::false_alarms::FalseAlarm;
use beaver_zoo::find::BugResult;

/// What is said of each bug.
const COLUMNS: [&str; 5] = [
    "invariant",
    "runs",
    "weakest profile",
    "commands",
    "crashes",
];

impl<'r> HtmlPage<'r> {
    /// The page over the zoo. A bug is shown whole where the report says why it was caught.
    #[must_use]
    pub(crate) fn of_zoo(report: &'r ZooReport) -> Self {
        let verdict = report.verdict();
        let bugs = report.bugs.iter().map(row);
        let alarms = report.controls.false_alarms.iter().map(alarm);
        let shown = (1..).zip(report.bugs.iter().filter_map(|result| {
            let shown = report.shown.get(result.bug.id)?;
            Some((result, shown))
        }));
        HtmlPage {
            title: "the zoo".to_owned(),
            subtitle: subtitle(report),
            rows_title: "Bugs",
            row_name: "bug",
            columns: COLUMNS.to_vec(),
            rows: bugs.chain(alarms).collect(),
            failures: shown
                .map(|(number, (result, shown))| section(number, result, shown))
                .collect(),
            ..HtmlPage::new(verdict, figures(report))
        }
    }
}

fn subtitle(report: &ZooReport) -> String {
    let mut text = "Known bugs, injected on purpose: each must be caught for its reason, and the same stores without bugs must \
                    not be."
        .to_owned();
    if report.interrupted {
        let open = counted(report.undecided as u64, "bug");
        text.push_str(&format!(
            " It was stopped before its end: {open} were not looked for to the end."
        ));
    }
    text
}

fn figures(report: &ZooReport) -> Vec<(&'static str, String)> {
    let controls = &report.controls;
    let alarms = match report.has_open_controls() {
        true => "undecided".to_owned(),
        false => grouped(controls.false_alarms.len() as u64),
    };
    vec![
        ("bugs", grouped(report.asked() as u64)),
        ("caught for their reason", grouped(report.caught() as u64)),
        ("small histories", grouped(report.small() as u64)),
        ("runs without bugs", grouped(controls.runs)),
        ("false alarms", alarms),
        ("time", seconds(report.elapsed_ms)),
    ]
}

fn row(result: &BugResult) -> VerdictRow {
    let bug = result.bug;
    let catch = result.caught.as_ref();
    let values = catch.map(|catch| {
        let after = catch.shrunk.after;
        [
            catch.invariant.number().to_string(),
            grouped(catch.runs),
            catch.profile.name().to_owned(),
            after.commands.to_string(),
            after.crashes.to_string(),
        ]
    });
    let (verdict, tone) = match (result.is_right(), catch) {
        (true, _) => ("caught", tone(Verdict::Pass)),
        (false, Some(_)) => ("for another reason", tone(Verdict::Violation)),
        (false, None) => ("not caught", tone(Verdict::Violation)),
    };
    VerdictRow {
        name: format!("{} {}", bug.id, bug.name),
        claim: format!("{} Seen in: {}", bug.witness().claim, bug.source),
        values: values.map_or_else(nothing, Vec::from),
        verdict,
        tone,
    }
}

/// A store without bugs that was caught all the same.
fn alarm(alarm: &FalseAlarm) -> VerdictRow {
    VerdictRow {
        name: format!("{} without bugs", alarm.store),
        claim: alarm.to_string(),
        values: nothing(),
        verdict: "false alarm",
        tone: tone(Verdict::Violation),
    }
}

/// Where there is nothing to be said in the columns.
fn nothing() -> Vec<String> {
    vec!["\u{2013}".to_owned(); COLUMNS.len()]
}

fn section<'r>(number: usize, result: &BugResult, caught: &'r CaughtBug) -> FailureSection<'r> {
    let bug = result.bug;
    let explanation = &caught.explained.explanation;
    let mut section = FailureSection::new(number, &caught.explained, 1);
    section.heading = format!("{} {}", bug.id, bug.name);
    let (number, name) = (explanation.invariant.number(), explanation.name);
    let caught_by = ("caught by", format!("invariant {number}: {name}"));
    section.facts.insert(0, caught_by);
    section
}
