//! Coverage of crash states, for people, for programs, and for the page.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::page;
use beaver_sim::coverage::{Cell, Coverage, Summary, why};

/// How many calls of which something was missed are listed; of more the number.
const LISTED: usize = 16;

/// Coverage in words: how much was seen, what was missed, and why the rest cannot be reached.
#[derive(Clone, Debug)]
pub struct CoverageText(Summary);

impl CoverageText {
    /// The words for `coverage`.
    #[must_use]
    pub fn new(coverage: &Coverage) -> Self {
        CoverageText(Summary::of(coverage))
    }

    /// What was never reached, by call.
    fn write_missed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut missed: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (site, cell) in self.0.missed() {
            missed.entry(site).or_default().push(cell.to_string());
        }
        if missed.len() > LISTED {
            let calls = missed.len();
            return writeln!(f, "  missed at {calls} calls: --format json lists them");
        }
        for (site, cells) in missed {
            let (place, call) = (site.place, site.op.name());
            writeln!(f, "  missed: {place} {call}: {}", cells.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for CoverageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ncoverage of crash states: {}", self.0)?;
        self.write_missed(f)?;
        for site in &self.0.strangers {
            let (place, call) = (site.place, site.op.name());
            writeln!(f, "  not in the table of sites: {place} {call}")?;
        }
        for (site, cell) in self.0.stale() {
            let (place, call) = (site.place, site.op.name());
            writeln!(f, "  also reached: {place} {call}: {cell}")?;
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, reason) in self.0.explained() {
            *reasons.entry(reason).or_insert(0) += 1;
        }
        for (reason, count) in reasons {
            writeln!(f, "  {count} out of reach: {reason}")?;
        }
        Ok(())
    }
}

/// Coverage as programs read it.
#[derive(Debug, Serialize)]
pub(super) struct CoverageDocument {
    crashes_seen: usize,
    crashes_possible: usize,
    faults_seen: usize,
    faults_possible: usize,
    sites: Vec<SiteDocument>,
    /// Sites that are not in the table, as `place call`.
    strangers: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SiteDocument {
    place: &'static str,
    call: &'static str,
    /// How often what can happen did: `crash before`, `crash inside`, `crash after`, and the names
    /// of faults.
    seen: BTreeMap<String, u64>,
    /// What was never reached, with the reason if it cannot be.
    unreached: BTreeMap<String, Option<&'static str>>,
}

impl CoverageDocument {
    pub(super) fn new(coverage: &Coverage) -> Self {
        let summary = Summary::of(coverage);
        let sites = summary.rows.iter().map(|row| {
            let (seen, unreached): (Vec<_>, Vec<_>) =
                row.cells.iter().partition(|(_, count)| *count > 0);
            let unreached = unreached.into_iter().map(|(cell, _): (Cell, u64)| cell);
            SiteDocument {
                place: row.site.place,
                call: row.site.op.name(),
                seen: seen
                    .into_iter()
                    .map(|(cell, count): (Cell, u64)| (cell.to_string(), count))
                    .collect(),
                unreached: unreached
                    .map(|cell| (cell.to_string(), why(row.site, cell)))
                    .collect(),
            }
        });
        let strangers = summary.strangers.iter();
        let strangers = strangers.map(|site| format!("{} {}", site.place, site.op.name()));
        let ((crashes_seen, crashes_possible), (faults_seen, faults_possible)) =
            (summary.crashes(), summary.faults());
        CoverageDocument {
            crashes_seen,
            crashes_possible,
            faults_seen,
            faults_possible,
            sites: sites.collect(),
            strangers: strangers.collect(),
        }
    }
}

/// The rows that the page shows.
#[must_use]
pub fn page_sites(coverage: &Coverage) -> Vec<page::Site> {
    let rows = Summary::of(coverage).rows.into_iter().map(|row| {
        let reached = |cell: &Cell, count: u64| page::Reached {
            name: match cell {
                Cell::Died(_) => cell.to_string().replace("crash ", ""),
                Cell::Hit(_) => cell.to_string(),
            },
            seen: count > 0,
            excuse: why(row.site, *cell),
        };
        let (died, hit): (Vec<_>, Vec<_>) = row
            .cells
            .iter()
            .partition(|(cell, _)| matches!(cell, Cell::Died(_)));
        page::Site {
            site: row.site.place.to_owned(),
            call: row.site.op.name().to_owned(),
            moments: died
                .iter()
                .map(|(cell, count)| reached(cell, *count))
                .collect(),
            faults: hit
                .iter()
                .map(|(cell, count)| reached(cell, *count))
                .collect(),
        }
    });
    rows.collect()
}
