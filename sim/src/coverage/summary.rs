//! What was seen of what is possible: for people, for programs, and for the page.

use std::fmt;

use beaver_disk::Moment;

use super::{Coverage, SITES, Seen, Site, UNREACHED};
use crate::scenario::FaultKind;

/// Something that can happen at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// The process dies.
    Died(Moment),
    /// The call goes wrong.
    Hit(FaultKind),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Died(Moment::Before) => f.write_str("crash before"),
            Cell::Died(Moment::Inside) => f.write_str("crash inside"),
            Cell::Died(Moment::After) => f.write_str("crash after"),
            Cell::Hit(kind) => f.write_str(kind.name()),
        }
    }
}

/// A site with everything that can happen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The site.
    pub site: Site,
    /// What can happen, and how often it did.
    pub cells: Vec<(Cell, u64)>,
}

/// Coverage, held against the table of sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The sites of the table, in its order.
    pub rows: Vec<Row>,
    /// Sites that were met and are not in the table: it is not complete.
    pub strangers: Vec<Site>,
}

impl Summary {
    /// What `coverage` says of the sites.
    #[must_use]
    pub fn of(coverage: &Coverage) -> Self {
        let nothing = Seen::default();
        let rows = SITES.iter().map(|site| {
            let seen = coverage.seen().get(site).unwrap_or(&nothing);
            let died = site.moments().iter();
            let died = died.map(|moment| (Cell::Died(*moment), seen.died[*moment as usize]));
            let hit = site.faults().into_iter().map(|kind| {
                let count = seen.faults.get(&kind).copied().unwrap_or(0);
                (Cell::Hit(kind), count)
            });
            Row {
                site: *site,
                cells: died.chain(hit).collect(),
            }
        });
        let strangers = coverage.seen().keys();
        let strangers = strangers.filter(|site| !SITES.contains(site));
        Summary {
            rows: rows.collect(),
            strangers: strangers.copied().collect(),
        }
    }

    /// How many crashes at a moment of a call were seen, and how many are possible.
    #[must_use]
    pub fn crashes(&self) -> (usize, usize) {
        self.count(|cell| matches!(cell, Cell::Died(_)))
    }

    /// How many faults at a call were seen, and how many are possible.
    #[must_use]
    pub fn faults(&self) -> (usize, usize) {
        self.count(|cell| matches!(cell, Cell::Hit(_)))
    }

    /// What was never reached and no entry of the list explains.
    pub fn missed(&self) -> impl Iterator<Item = (Site, Cell)> + '_ {
        self.unreached()
            .filter(|(site, cell)| why(*site, *cell).is_none())
    }

    /// What was never reached, with the reason.
    pub fn explained(&self) -> impl Iterator<Item = (Site, Cell, &'static str)> + '_ {
        self.unreached()
            .filter_map(|(site, cell)| Some((site, cell, why(site, cell)?)))
    }

    /// What the list says cannot be reached, and was.
    pub fn stale(&self) -> impl Iterator<Item = (Site, Cell)> + '_ {
        let all = self.cells().filter(|(_, _, count)| *count > 0);
        let all = all.map(|(site, cell, _)| (site, cell));
        all.filter(|(site, cell)| why(*site, *cell).is_some())
    }

    fn unreached(&self) -> impl Iterator<Item = (Site, Cell)> + '_ {
        let unreached = self.cells().filter(|(_, _, count)| *count == 0);
        unreached.map(|(site, cell, _)| (site, cell))
    }

    fn cells(&self) -> impl Iterator<Item = (Site, Cell, u64)> + '_ {
        self.rows.iter().flat_map(|row| {
            let cells = row.cells.iter();
            cells.map(|(cell, count)| (row.site, *cell, *count))
        })
    }

    fn count(&self, of: impl Fn(Cell) -> bool) -> (usize, usize) {
        let cells = || self.cells().filter(|(_, cell, _)| of(*cell));
        let seen = cells().filter(|(_, _, count)| *count > 0).count();
        (seen, cells().count())
    }
}

/// Why the default run does not reach this.
#[must_use]
pub fn why(site: Site, cell: Cell) -> Option<&'static str> {
    let entry = UNREACHED.iter().find(|entry| entry.explains(site, cell));
    entry.map(|entry| entry.why)
}

/// One line: how much of what is possible was seen.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (died, moments) = self.crashes();
        let (hit, faults) = self.faults();
        let (missed, explained) = (self.missed().count(), self.explained().count());
        write!(
            f,
            "{died} of {moments} crashes before, inside or after a storage call of the library, \
             {hit} of {faults} faults at one; {explained} out of reach, {missed} missed"
        )
    }
}
