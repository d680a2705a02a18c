//! The verdict table: one row a scenario, printed as it ends.
//!
//! Column widths are fixed before the first row is known, so that rows can be shown while later scenarios still run. A
//! number wider than its column moves the rest of its row and loses nothing.

use crate::report::{ScenarioReport, Verdict};

/// The columns after the name, with their widths.
const COLUMNS: [(&str, usize); 7] = [
    ("runs", 7),
    ("commands", 10),
    ("calls", 11),
    ("crashes", 9),
    ("recoveries", 10),
    ("faults", 9),
    ("marks", 7),
];

const VERDICT_WIDTH: usize = 16;

/// Makes the lines of the table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name_width: usize,
}

impl Table {
    /// A table for scenarios with these names.
    #[must_use]
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let widest = names.into_iter().map(|name| name.chars().count()).max();
        Table {
            name_width: widest.unwrap_or(0).max("scenario".len()),
        }
    }

    /// The line above the rows.
    #[must_use]
    pub fn heading(&self) -> String {
        let cells = COLUMNS.map(|(title, _)| title.to_owned());
        self.line("scenario", &cells, "verdict", "time")
    }

    /// The row of one scenario.
    #[must_use]
    pub fn row(&self, report: &ScenarioReport) -> String {
        let marks = match report.expected.len() {
            0 => "-".to_owned(),
            expected => format!("{}/{expected}", report.expected_reached()),
        };
        let counts = &report.result.counts;
        let numbers = [
            report.result.runs,
            counts.commands,
            counts.storage_calls,
            counts.crashes,
            counts.recoveries,
            report.result.faults_fired.values().sum(),
        ];
        self.numbers_line(
            &report.result.name,
            numbers,
            &marks,
            report.verdict(),
            report.elapsed_ms,
        )
    }

    /// The sum over all scenarios.
    #[must_use]
    pub fn total(&self, reports: &[ScenarioReport], verdict: Verdict, elapsed_ms: u64) -> String {
        let sum = |of: fn(&ScenarioReport) -> u64| reports.iter().map(of).sum();
        let numbers = [
            sum(|report| report.result.runs),
            sum(|report| report.result.counts.commands),
            sum(|report| report.result.counts.storage_calls),
            sum(|report| report.result.counts.crashes),
            sum(|report| report.result.counts.recoveries),
            sum(|report| report.result.faults_fired.values().sum()),
        ];
        let reached: usize = reports.iter().map(ScenarioReport::expected_reached).sum();
        let expected: usize = reports.iter().map(|report| report.expected.len()).sum();
        let marks = format!("{reached}/{expected}");
        self.numbers_line("total", numbers, &marks, verdict, elapsed_ms)
    }

    fn numbers_line(
        &self,
        name: &str,
        numbers: [u64; 6],
        marks: &str,
        verdict: Verdict,
        elapsed_ms: u64,
    ) -> String {
        let mut cells: Vec<String> = numbers.iter().map(|number| grouped(*number)).collect();
        cells.push(marks.to_owned());
        self.line(name, &cells, verdict.name(), &seconds(elapsed_ms))
    }

    fn line(&self, name: &str, cells: &[String], verdict: &str, time: &str) -> String {
        let mut line = format!("{name:<width$}", width = self.name_width);
        for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line.push_str(&format!("  {verdict:<VERDICT_WIDTH$}  {time:>8}"));
        line
    }
}

/// A number with a comma between groups of three digits.
#[must_use]
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds as seconds with two digits behind the point.
#[must_use]
pub(super) fn seconds(elapsed_ms: u64) -> String {
    format!("{}.{:02} s", elapsed_ms / 1000, elapsed_ms % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::scenario_report;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn time_is_in_seconds() {
        assert_eq!(seconds(0), "0.00 s");
        assert_eq!(seconds(61_239), "61.23 s");
    }

    #[test]
    fn heading_row_and_total_line_up() {
        let report = scenario_report();
        let table = Table::new([report.result.name.as_str()]);
        let lines = [
            table.heading(),
            table.row(&report),
            table.total(
                std::slice::from_ref(&report),
                report.verdict(),
                report.elapsed_ms,
            ),
        ];
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3], "{lines:#?}");
    }
}
