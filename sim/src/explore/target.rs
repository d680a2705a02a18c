//! What is explored, and what came of it.

use std::sync::atomic::{AtomicBool, Ordering};

use beaver_disk::TraceMode;

use crate::coverage::Coverage;
use crate::oracle::kind::KeptKinds;
use crate::scenario::Scenario;
use crate::subject::AnySubject;
use crate::world::World;

use super::options::Options;
use super::tally::Tally;
use super::trail::FoundFailure;
use super::watched::WatchedPath;

/// What is explored: the program under test, around what workload, and how far.
#[derive(Clone, Copy)]
pub(super) struct ExploreTarget<'a> {
    pub(super) subject: &'a AnySubject,
    pub(super) scenario: &'a Scenario,
    pub(super) options: &'a Options,
    /// When it is set the search ends where it is.
    pub(super) cancel: &'a AtomicBool,
    /// Which kinds of findings are kept, each once. Otherwise the first few findings are, of whatever
    /// kind.
    pub(super) kinds: Option<KeptKinds<'a>>,
    /// Where the search says how far it is, if somebody looks on.
    pub(super) watched: Option<&'a WatchedPath>,
}

impl ExploreTarget<'_> {
    /// Whether the search is to end where it is.
    pub(super) fn is_cancelled(self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// A world in which `scenario` runs.
    pub(super) fn world<'s>(self, scenario: &'s Scenario, seed: u64) -> World<'s> {
        World::new(self.subject, scenario, seed, TraceMode::Off)
    }
}

/// What came out of some units of work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) tally: Tally,
    pub(crate) failures: Vec<FoundFailure>,
    /// Where processes died.
    pub(super) coverage: Coverage,
    /// A hash over every disk that was judged.
    pub(super) hash: u64,
    /// Whether the work ended before everything was looked at.
    pub(crate) is_cut_off: bool,
}

impl Findings {
    /// Adds what came out of the next unit.
    pub(super) fn add(&mut self, other: Findings) {
        self.tally += other.tally;
        self.coverage.add(&other.coverage);
        self.failures.extend(other.failures);
        self.hash = mixed(self.hash, other.hash);
        self.is_cut_off |= other.is_cut_off;
    }
}

/// The hash over what was hashed so far and what comes next.
pub(super) fn mixed(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(29) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
