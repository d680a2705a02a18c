//! Coverage of crash states: at which storage call of which function of the library the process has
//! died, before, inside and after it, and which faults have hit it.
//!
//! The denominator is a table of all such calls, [`SITES`], which a test holds against the source.
//! What a run cannot reach is listed there with the reason.

mod place;
mod sites;
mod summary;
mod watch;

use std::collections::BTreeMap;

use beaver_disk::{Moment, Op};

use crate::faults::applies_to;
use crate::scenario::FaultKind;

pub use sites::{SITES, UNREACHED, Unreached};
pub use summary::{Cell, Row, Summary, why};
pub(crate) use watch::Watch;

/// A kind of storage call, made by one function of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The function, by its path in the library.
    pub place: &'static str,
    /// The storage call.
    pub op: Op,
}

/// What happened at a site, how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often the process died before, inside and after the call.
    pub died: [u64; 3],
    /// How often the call went wrong, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// What happened where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Site, Seen>);

impl Coverage {
    /// Everything that happened, by site.
    #[must_use]
    pub fn seen(&self) -> &BTreeMap<Site, Seen> {
        &self.0
    }

    /// The process died at a call.
    pub(crate) fn died(&mut self, site: Site, moment: Moment) {
        self.0.entry(site).or_default().died[moment as usize] += 1;
    }

    /// A call went wrong.
    pub(crate) fn hit(&mut self, site: Site, kind: FaultKind) {
        let seen = self.0.entry(site).or_default();
        *seen.faults.entry(kind).or_insert(0) += 1;
    }

    /// What happened in all of these.
    #[must_use]
    pub fn sum<'c>(all: impl IntoIterator<Item = &'c Coverage>) -> Self {
        let mut sum = Coverage::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Coverage) {
        for (site, more) in &other.0 {
            let seen = self.0.entry(*site).or_default();
            for (died, more) in seen.died.iter_mut().zip(more.died) {
                *died += more;
            }
            for (kind, more) in &more.faults {
                *seen.faults.entry(*kind).or_insert(0) += more;
            }
        }
    }
}

impl Site {
    /// At which moments of the call the process can die so that it makes a difference. Inside a
    /// call that changes nothing is before it.
    #[must_use]
    pub fn moments(self) -> &'static [Moment] {
        match self.op.changes_something() {
            true => &[Moment::Before, Moment::Inside, Moment::After],
            false => &[Moment::Before, Moment::After],
        }
    }

    /// How the call can go wrong. What happens beside a call, as the cache forgetting a page, is no
    /// fault of the call.
    #[must_use]
    pub fn faults(self) -> Vec<FaultKind> {
        let kinds = FaultKind::ALL.iter().copied();
        kinds.filter(|kind| applies_to(*kind, self.op)).collect()
    }
}
