//! Coverage of crash points as a table: for `--coverage`, for programs, and for the page.

use std::collections::BTreeMap;
use std::fmt;

use beaver_disk::Moment;
use beaver_sim::coverage::Coverage;
use beaver_sim::scenario::FaultKind;
use serde::Serialize;

use super::numbers::grouped;

/// Every kind of storage call that was made, and what happened there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CoverageTable {
    /// How many crash points were reached.
    pub(crate) crashes_seen: usize,
    /// How many there are.
    pub(crate) crashes_possible: usize,
    /// One row for each operation on files of one role.
    pub(crate) calls: Vec<CoverageRow>,
}

/// One operation on files of one role.
#[derive(Clone, Debug, Serialize)]
pub struct CoverageRow {
    /// The operation.
    pub(crate) call: &'static str,
    /// The role of the file: its name with `#` for every number; `.` is the directory.
    pub(crate) file: String,
    /// How often it was called.
    pub(crate) calls: u64,
    /// How often the process died at each moment, `before`, `inside` or `after`.
    pub(crate) crashes: BTreeMap<&'static str, u64>,
    /// How often it went wrong, by kind.
    pub(crate) faults: BTreeMap<FaultKind, u64>,
}

impl CoverageTable {
    /// The table over `coverage`.
    #[must_use]
    pub(crate) fn new(coverage: &Coverage) -> Self {
        let (crashes_seen, crashes_possible) = coverage.reached();
        let calls = coverage.points().into_iter().map(|point| CoverageRow {
            call: point.op.name(),
            file: point.role.clone(),
            calls: point.calls,
            crashes: point
                .crashes()
                .map(|(at, n)| (moment_name(at), n))
                .collect(),
            faults: point.faults.clone(),
        });
        CoverageTable {
            crashes_seen,
            crashes_possible,
            calls: calls.collect(),
        }
    }
}

impl CoverageRow {
    /// Whether the process died at each moment.
    pub(crate) fn is_complete(&self) -> bool {
        self.crashes.values().all(|count| *count > 0)
    }

    /// The moments in their order.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let moments = MOMENTS.map(moment_name).into_iter();
        moments.filter_map(|at| Some((at, *self.crashes.get(at)?)))
    }
}

/// The moments in their order.
pub(super) const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Inside, Moment::After];

/// What a moment is called.
pub(super) fn moment_name(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::Inside => "inside",
        Moment::After => "after",
    }
}

impl fmt::Display for CoverageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.calls.iter().map(|row| row.file.chars().count()).max();
        let wide = widest.unwrap_or(0).max("file".len());
        writeln!(
            f,
            "\n{:<wide$}  {:<9}  {:>11}  {:>9}  {:>9}  {:>9}  faults",
            "file", "call", "calls", "before", "inside", "after"
        )?;
        for row in &self.calls {
            write!(
                f,
                "{:<wide$}  {:<9}  {:>11}",
                row.file,
                row.call,
                grouped(row.calls)
            )?;
            for moment in MOMENTS {
                let cell = match row.crashes.get(moment_name(moment)) {
                    None => "-".to_owned(),
                    Some(0) => "MISSED".to_owned(),
                    Some(count) => grouped(*count),
                };
                write!(f, "  {cell:>9}")?;
            }
            let faults = row.faults.iter();
            let faults = faults.map(|(kind, count)| format!("{kind} {}", grouped(*count)));
            let faults: Vec<String> = faults.collect();
            let line = format!("  {}", faults.join(", "));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
