//! The page over the zoo: a row for each bug, and below it what was caught, each as a failure.

use super::failure::FailureSection;
use super::text::sentence;
use super::{HtmlPage, VerdictRow, tone};
use crate::report::numbers::{counted, grouped, seconds};
use crate::report::{CaughtBug, Verdict, ZooReport};
use beaver_zoo::cluster_bugs::{ClusterBugResult, cluster_id};
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
        let clusters = report.cluster.bugs.iter().map(cluster_row);
        let cluster_alarms = report.cluster.false_alarms();
        let cluster_alarms =
            cluster_alarms.map(|claim| false_alarm("the cluster without bugs".to_owned(), claim));
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
            rows: bugs
                .chain(alarms)
                .chain(clusters)
                .chain(cluster_alarms)
                .collect(),
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
        let open = report.undecided + report.cluster.undecided;
        let open = counted(open as u64, "bug");
        text.push_str(&format!(
            " It was stopped before its end: {open} were not looked for to the end."
        ));
    }
    text
}

/// The bugs of stores and of Raft engines together; histories are shrunk to small ones for stores alone.
fn figures(report: &ZooReport) -> Vec<(&'static str, String)> {
    let (stores, cluster) = (&report.controls, &report.cluster);
    let alarms = stores.false_alarms.len() as u64 + cluster.controls.failed;
    let alarms = match report.interrupted && alarms == 0 {
        true => "undecided".to_owned(),
        false => grouped(alarms),
    };
    let (asked, caught) = (
        report.asked() + cluster.asked(),
        report.caught() + cluster.caught(),
    );
    vec![
        ("bugs", grouped(asked as u64)),
        ("caught for their reason", grouped(caught as u64)),
        ("small histories of stores", grouped(report.small() as u64)),
        (
            "runs without bugs",
            grouped(stores.runs + cluster.controls.runs),
        ),
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

/// A bug of a Raft engine: its chaos is counted in actions, not in commands and crashes.
fn cluster_row(result: &ClusterBugResult) -> VerdictRow {
    let (bug, about) = (result.bug, result.bug.about());
    let none = || "\u{2013}".to_owned();
    let values = result.caught.as_ref().map(|catch| {
        let profile = catch.shrunk.case.scenario.profiles.first();
        vec![
            catch.shrunk.violation.checker.to_owned(),
            grouped(result.runs),
            profile.map_or(none(), |profile| profile.name().to_owned()),
            none(),
            none(),
        ]
    });
    let (verdict, tone) = match (result.is_right(), &result.caught) {
        (true, _) => ("caught", tone(Verdict::Pass)),
        (false, Some(_)) => ("for another reason", tone(Verdict::Violation)),
        (false, None) => ("not caught", tone(Verdict::Violation)),
    };
    VerdictRow {
        name: format!("{} {bug}", cluster_id(bug)),
        claim: format!("{} Seen in: {}", sentence(about.what), about.source),
        values: values.unwrap_or_else(nothing),
        verdict,
        tone,
    }
}

/// A store without bugs that was caught all the same.
fn alarm(alarm: &FalseAlarm) -> VerdictRow {
    false_alarm(format!("{} without bugs", alarm.store), alarm.to_string())
}

fn false_alarm(name: String, claim: String) -> VerdictRow {
    VerdictRow {
        name,
        claim,
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
