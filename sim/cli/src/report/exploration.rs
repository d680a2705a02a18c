//! What is printed and written of explorations: the table, and the counts that say how much "exhaustive" means.

use serde::Serialize;

use super::ScenarioReport;
use super::table::{grouped, seconds};
use beaver_sim::explore::Tally;

/// An exploration after its end.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// What it has in common with a run over seeds.
    pub report: ScenarioReport,
    /// How much was explored.
    pub tally: Tally,
}

/// The counts of an exploration, for programs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Counted {
    crash_points: u64,
    equal_points: u64,
    enumerated: u64,
    sampled: u64,
    killed: u64,
    dropped: u64,
    capped: u64,
    examined: u64,
    exhaustive: bool,
}

impl Counted {
    pub(super) fn new(tally: &Tally) -> Self {
        Counted {
            crash_points: tally.crash_points,
            equal_points: tally.equal_points,
            enumerated: tally.enumerated,
            sampled: tally.sampled,
            killed: tally.killed,
            dropped: tally.dropped,
            capped: tally.capped,
            examined: tally.examined,
            exhaustive: tally.is_exhaustive(),
        }
    }
}

/// The columns after the name, with their widths.
const COLUMNS: [(&str, usize); 8] = [
    ("workloads", 9),
    ("calls", 10),
    ("crash points", 12),
    ("enumerated", 11),
    ("sampled", 9),
    ("killed", 10),
    ("dropped", 11),
    ("recoveries", 10),
];

const VERDICT_WIDTH: usize = 16;

/// Makes the lines of the table of explorations.
#[derive(Clone, Copy, Debug)]
pub struct ExplorationTable {
    name_width: usize,
}

impl ExplorationTable {
    /// A table for explorations with these names.
    #[must_use]
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let widest = names.into_iter().map(|name| name.chars().count()).max();
        ExplorationTable {
            name_width: widest.unwrap_or(0).max("exploration".len()),
        }
    }

    /// The line above the rows.
    #[must_use]
    pub fn heading(&self) -> String {
        let cells = COLUMNS.map(|(title, _)| title.to_owned());
        self.line("exploration", &cells, "verdict", "time")
    }

    /// The row of one exploration.
    #[must_use]
    pub fn row(&self, exploration: &Exploration) -> String {
        let report = &exploration.report;
        self.numbers(
            &report.result.name,
            &exploration.tally,
            report.verdict().name(),
            report.elapsed_ms,
        )
    }

    /// The sum over all explorations.
    #[must_use]
    pub fn total(&self, tally: &Tally, verdict: &str, elapsed_ms: u64) -> String {
        self.numbers("total", tally, verdict, elapsed_ms)
    }

    fn numbers(&self, name: &str, tally: &Tally, verdict: &str, elapsed_ms: u64) -> String {
        let numbers = [
            tally.workloads,
            tally.storage_calls,
            tally.crash_points,
            tally.enumerated,
            tally.sampled,
            tally.killed,
            tally.dropped,
            tally.recoveries,
        ];
        self.line(name, &numbers.map(grouped), verdict, &seconds(elapsed_ms))
    }

    fn line(&self, name: &str, cells: &[String; 8], verdict: &str, time: &str) -> String {
        let mut line = format!("{name:<width$}", width = self.name_width);
        for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line.push_str(&format!("  {verdict:<VERDICT_WIDTH$}  {time:>8}"));
        line
    }
}

/// What the counts mean, in sentences: whether anything was left to chance, and how fast it went.
#[must_use]
pub fn conclusion(tally: &Tally, depth: u32, cap: u64, elapsed_ms: u64) -> String {
    let judged = tally.enumerated + tally.sampled + tally.killed;
    let mut text = format!(
        "{} disks that a crash may leave were met, {} of them different with the same things believed; each was recovered and judged",
        grouped(judged),
        grouped(tally.recoveries),
    );
    if let Some(rate) = (tally.recoveries * 1000).checked_div(elapsed_ms) {
        text.push_str(&format!(", {} a second", grouped(rate)));
    }
    text.push_str(&format!(".\nCrashes in a row: {depth}. "));
    if tally.is_exhaustive() {
        text.push_str("Exhaustive: no power cut had more images than the cap.");
    } else {
        text.push_str(&format!(
            "Not exhaustive: {} power cuts had more than {cap} images, of which corners and samples were judged.",
            grouped(tally.capped),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::scenario_report;

    fn tally(capped: u64) -> Tally {
        Tally {
            enumerated: 3000,
            killed: 500,
            recoveries: 1200,
            capped,
            ..Tally::default()
        }
    }

    #[test]
    fn exhaustive_is_said_only_where_it_is_true() {
        let text = conclusion(&tally(0), 2, 256, 100);
        assert!(text.contains("3,500 disks"), "{text}");
        assert!(text.contains("12,000 a second"), "{text}");
        assert!(
            text.contains("\nCrashes in a row: 2. Exhaustive:"),
            "{text}"
        );
        let text = conclusion(&tally(7), 2, 256, 0);
        assert!(text.contains("Not exhaustive: 7 power cuts"), "{text}");
    }

    #[test]
    fn heading_row_and_total_line_up() {
        let exploration = Exploration {
            report: scenario_report(),
            tally: tally(0),
        };
        let table = ExplorationTable::new([exploration.report.result.name.as_str()]);
        let lines = [
            table.heading(),
            table.row(&exploration),
            table.total(&exploration.tally, "pass", 17),
        ];
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3], "{lines:#?}");
    }
}
