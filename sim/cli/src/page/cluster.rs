//! The page over clusters: the table of the text report, and for each failure a lane a node, what went
//! wrong, and what happened.

use askama::Template;

use super::lanes::NodeLanes;
use super::{VerdictRow, tone};
use crate::report::numbers::{grouped, seconds};
use crate::report::{
    ClusterReport, ClusterRow, ShownFailure, Verdict, cluster_columns, happenings,
};
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::run::ClusterOutcome;

/// The page over clusters. Its `Display` is the HTML.
#[derive(Debug, Template)]
#[template(path = "cluster.html")]
pub struct ClusterPage {
    version: &'static str,
    title: String,
    verdict: Verdict,
    /// Numbers and what they count.
    figures: Vec<(&'static str, String)>,
    columns: Vec<&'static str>,
    rows: Vec<VerdictRow>,
    failures: Vec<ClusterSection>,
    /// The failures that did not come again, each in a sentence.
    not_again: Vec<String>,
    counts: Vec<(&'static str, String)>,
}

/// One failure.
#[derive(Debug)]
struct ClusterSection {
    id: String,
    heading: String,
    promise: &'static str,
    found: String,
    facts: Vec<(&'static str, String)>,
    chaos: Vec<String>,
    replay: String,
    pictures: Vec<NodeLanes>,
    /// The nodes of the story, and its lines: time, the node's column, text.
    nodes: Vec<u64>,
    story: Vec<(String, u64, String)>,
}

impl ClusterPage {
    /// The page over a report.
    #[must_use]
    pub fn new(report: &ClusterReport) -> Self {
        let sum = report.sum();
        let rows = report.rows.iter().map(|row| VerdictRow {
            name: row.scenario.name.clone(),
            claim: row.scenario.claim.clone(),
            values: row.cells(),
            verdict: row.verdict().name(),
            tone: tone(row.verdict()),
        });
        let failures = report.rows.iter().flat_map(|row| &row.failures);
        let found = failures.filter_map(ShownFailure::found);
        ClusterPage {
            version: env!("CARGO_PKG_VERSION"),
            title: match &report.rows[..] {
                [one] => one.scenario.name.clone(),
                _ => format!("clusters of {} scenarios", report.rows.len()),
            },
            verdict: report.verdict(),
            figures: vec![
                ("engine", report.engine.to_string()),
                ("runs", grouped(sum.runs)),
                ("failed runs", grouped(sum.failed)),
                ("time", seconds(report.elapsed_ms)),
            ],
            columns: cluster_columns(),
            rows: rows.collect(),
            failures: (1..).zip(found).map(section).collect(),
            not_again: report.rows.iter().flat_map(ClusterRow::not_again).collect(),
            counts: happenings(&sum.counts)
                .map(|(what, count)| (what, grouped(count)))
                .to_vec(),
        }
    }
}

fn section((number, (story, outcome)): (usize, &(FailureStory, ClusterOutcome))) -> ClusterSection {
    let mut nodes: Vec<u64> = story.story.iter().map(|line| line.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let lines = story.story.iter().map(|line| {
        let time = format!("{:.6} s", line.at as f64 / 1e9);
        (time, line.node, line.text.clone())
    });
    ClusterSection {
        id: format!("failure-{number}"),
        heading: story.headline(),
        promise: story.promise,
        found: story.found.clone(),
        facts: vec![
            ("scenario", story.scenario.clone()),
            ("engine", story.engine.clone()),
            ("at", format!("{:.6} s", story.at as f64 / 1e9)),
            ("chaos", story.chaos_line()),
        ],
        chaos: story.chaos.clone(),
        replay: story.replay.clone(),
        pictures: vec![
            NodeLanes::whole(outcome, story.at),
            NodeLanes::last_moments(outcome, story.at),
        ],
        nodes,
        story: lines.collect(),
    }
}
