//! What is explored, and what came of it.

use beaver_disk::TraceMode;

use crate::coverage::Coverage;
use crate::scenario::Scenario;
use crate::subject::AnySubject;
use crate::world::World;

use super::options::Options;
use super::tally::Tally;
use super::trail::FoundFailure;

/// What is explored: the program under test, around what workload, and how far.
#[derive(Clone, Copy)]
pub(super) struct ExploreTarget<'a> {
    pub(super) subject: &'a AnySubject,
    pub(super) scenario: &'a Scenario,
    pub(super) options: &'a Options,
}

impl ExploreTarget<'_> {
    /// A world in which `scenario` runs.
    pub(super) fn world<'s>(self, scenario: &'s Scenario, seed: u64) -> World<'s> {
        World::new(self.subject, scenario, seed, TraceMode::Off)
    }
}

/// What came out of some units of work.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) tally: Tally,
    pub(super) failures: Vec<FoundFailure>,
    /// Where processes died.
    pub(super) coverage: Coverage,
    /// A hash over every disk that was judged.
    pub(super) hash: u64,
}

impl Findings {
    /// Adds what came out of the next unit.
    pub(super) fn add(&mut self, other: Findings) {
        self.tally += other.tally;
        self.coverage.add(&other.coverage);
        self.failures.extend(other.failures);
        self.hash = mixed(self.hash, other.hash);
    }
}

/// The hash over what was hashed so far and what comes next.
pub(super) fn mixed(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(29) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
