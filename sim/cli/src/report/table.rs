//! The verdict table: one row a scenario or exploration. The text prints each row when its scenario
//! ends; the page has the same columns.
//!
//! Column widths are fixed before the first row is known, so that rows can be shown while later
//! scenarios still run. A number wider than its column moves the rest of its row and loses nothing.

use std::fmt;
use std::ops::AddAssign;

use beaver_sim::explore::Tally;
use beaver_sim::report::Verdict;

use super::completeness::completeness;
use super::numbers::{grouped, seconds};
use super::{RunKind, RunReport, ScenarioReport};

/// A column between the name and the verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableColumn {
    pub(crate) title: &'static str,
    width: usize,
    count: fn(&ScenarioReport) -> Count,
}

/// A number, and of how many it is one where that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    number: u64,
    expected: Option<u64>,
}

const VERDICT_WIDTH: usize = 16;

/// Makes the lines of the table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    kind: RunKind,
    name_width: usize,
}

impl Table {
    /// A table for scenarios with these names.
    #[must_use]
    pub(crate) fn new<'n>(kind: RunKind, names: impl IntoIterator<Item = &'n str>) -> Self {
        let widest = names.into_iter().map(|name| name.chars().count()).max();
        Table {
            kind,
            name_width: widest.unwrap_or(0).max(kind.row_name().len()),
        }
    }

    /// The line above the rows.
    #[must_use]
    pub(crate) fn heading(&self) -> String {
        let cells = self.kind.columns().iter().map(|c| c.title.to_owned());
        self.line(self.kind.row_name(), cells, "verdict", "time")
    }

    /// The row of one scenario.
    #[must_use]
    pub(crate) fn row(&self, report: &ScenarioReport) -> String {
        let cells = self.kind.columns().iter().map(|c| c.of(report).to_string());
        let name = &report.result.name;
        self.line(
            name,
            cells,
            report.verdict().name(),
            &seconds(report.elapsed_ms),
        )
    }

    /// The sum over all scenarios.
    #[must_use]
    pub(crate) fn total(&self, report: &RunReport) -> String {
        let cells = self
            .kind
            .columns()
            .iter()
            .map(|c| c.total(report).to_string());
        self.line(
            "total",
            cells,
            report.verdict().name(),
            &seconds(report.elapsed_ms),
        )
    }

    fn line(
        &self,
        name: &str,
        cells: impl Iterator<Item = String>,
        verdict: &str,
        time: &str,
    ) -> String {
        let mut line = format!("{name:<width$}", width = self.name_width);
        for (cell, TableColumn { width, .. }) in cells.zip(self.kind.columns()) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line.push_str(&format!("  {verdict:<VERDICT_WIDTH$}  {time:>8}"));
        line
    }
}

impl RunKind {
    /// What a row is about.
    pub(crate) fn row_name(self) -> &'static str {
        match self {
            RunKind::Seeds => "scenario",
            RunKind::Exploration { .. } => "exploration",
        }
    }

    /// The columns between the name and the verdict.
    pub(crate) fn columns(self) -> &'static [TableColumn] {
        match self {
            RunKind::Seeds => SEEDED,
            RunKind::Exploration { .. } => EXPLORED,
        }
    }
}

const SEEDED: &[TableColumn] = &[
    column("runs", 7, |r| r.result.runs.into()),
    column("commands", 10, |r| r.result.counts.commands.into()),
    column("calls", 11, |r| r.result.counts.storage_calls.into()),
    column("crashes", 9, |r| r.result.counts.crashes.into()),
    column("recoveries", 10, |r| r.result.counts.recoveries.into()),
    column("faults", 9, |r| {
        r.result.faults_fired.values().sum::<u64>().into()
    }),
    column("marks", 7, |r| Count {
        number: r.expected_reached() as u64,
        expected: Some(r.expected.len() as u64),
    }),
];

const EXPLORED: &[TableColumn] = &[
    column("workloads", 9, |r| tally(r).workloads.into()),
    column("calls", 10, |r| tally(r).storage_calls.into()),
    column("crash points", 12, |r| tally(r).crash_points.into()),
    column("enumerated", 11, |r| tally(r).enumerated.into()),
    column("sampled", 9, |r| tally(r).sampled.into()),
    column("torn", 10, |r| tally(r).torn().into()),
    column("killed", 10, |r| tally(r).killed.into()),
    column("dropped", 11, |r| {
        (tally(r).dropped + tally(r).torn_dropped).into()
    }),
    column("recoveries", 10, |r| tally(r).recoveries.into()),
];

const fn column(
    title: &'static str,
    width: usize,
    count: fn(&ScenarioReport) -> Count,
) -> TableColumn {
    TableColumn {
        title,
        width,
        count,
    }
}

fn tally(report: &ScenarioReport) -> Tally {
    report.explored.unwrap_or_default()
}

impl TableColumn {
    pub(crate) fn of(&self, report: &ScenarioReport) -> Count {
        (self.count)(report)
    }

    pub(crate) fn total(&self, report: &RunReport) -> Count {
        let mut total = Count::default();
        report
            .scenarios
            .iter()
            .for_each(|one| total += self.of(one));
        total
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        let expected = None;
        Count { number, expected }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.number += other.number;
        self.expected = other.expected.map(|of| of + self.expected.unwrap_or(0));
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            None => f.write_str(&grouped(self.number)),
            Some(0) => f.write_str("-"),
            Some(expected) => write!(f, "{}/{expected}", self.number),
        }
    }
}

/// What the counts of an exploration mean, in sentences: whether anything was left to chance, and
/// how fast it went. Nothing of seeded runs.
#[must_use]
pub fn conclusion(report: &RunReport) -> Option<String> {
    let RunKind::Exploration { depth, .. } = report.kind else {
        return None;
    };
    let tally = report.explored();
    let mut text = format!(
        "{} disks that a crash may leave were met, {} of them different with the same things believed; each was recovered and judged",
        grouped(tally.met()),
        grouped(tally.recoveries),
    );
    if let Some(rate) = (tally.recoveries * 1000).checked_div(report.elapsed_ms) {
        text.push_str(&format!(", {} a second", grouped(rate)));
    }
    text.push_str(&format!(
        ".\nCrashes in a row: {depth}. {}",
        completeness(report)?
    ));
    Some(text)
}

/// `row` with its verdict in the colour of that verdict.
#[must_use]
pub fn coloured(row: &str, verdict: Verdict) -> String {
    use anstyle::{AnsiColor, Style};
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Nothing | Verdict::Coverage | Verdict::Interrupted | Verdict::ExpectedFailure => {
            AnsiColor::Yellow
        }
        _ => AnsiColor::Red,
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    // The verdict is the last cell but the time, and no name or number before it can hold its word followed by a blank.
    match row.rfind(&format!(" {verdict} ")) {
        Some(at) => {
            let (start, end) = (at + 1, at + 1 + verdict.name().len());
            format!("{}{style}{verdict}{style:#}{}", &row[..start], &row[end..])
        }
        None => row.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::scenario_report;

    fn exploration(elapsed_ms: u64) -> RunReport {
        let mut scenario = scenario_report();
        scenario.explored = Some(Tally {
            enumerated: 3000,
            killed: 500,
            recoveries: 1200,
            ..Tally::default()
        });
        RunReport {
            kind: RunKind::Exploration {
                depth: 2,
                cap: 256,
                torn_cap: 256,
            },
            scenarios: vec![scenario],
            must_reach: None,
            interrupted: false,
            elapsed_ms,
        }
    }

    #[test]
    fn conclusion_says_how_much_and_how_fast() {
        let text = conclusion(&exploration(100)).unwrap();
        assert!(text.contains("3,500 disks"), "{text}");
        assert!(text.contains("12,000 a second"), "{text}");
        assert!(
            text.contains("\nCrashes in a row: 2. Exhaustive: "),
            "{text}"
        );
        let text = conclusion(&exploration(0)).unwrap();
        assert!(text.contains("and judged.\n"), "{text}");
    }

    #[test]
    fn heading_row_and_total_line_up() {
        let explored = exploration(17);
        let seeded = RunReport {
            kind: RunKind::Seeds,
            ..explored.clone()
        };
        for report in [explored, seeded] {
            let scenario = &report.scenarios[0];
            let table = Table::new(report.kind, [scenario.result.name.as_str()]);
            let lines = [table.heading(), table.row(scenario), table.total(&report)];
            let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
            assert_eq!(widths, [widths[0]; 3], "{lines:#?}");
        }
    }

    #[test]
    fn only_the_verdict_of_a_row_is_coloured() {
        let row = "pass  1  pass   2.00 s";
        let coloured = coloured(row, Verdict::Pass);
        assert!(coloured.starts_with("pass  1  \u{1b}["), "{coloured:?}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), row);
    }
}
