//! What a search has found: the first finding of each kind, and how many there were.
//!
//! The two sources of work take turns in the order of a report: workload 0, seed 0, workload 1, seed 1.
//! So what is first does not depend on how many threads there are, nor on how fast each source is.

use std::collections::{BTreeMap, BTreeSet};

use crate::explore::FoundFailure;
use crate::oracle::Finding;
use crate::oracle::kind::{Allowed, FindingKind};

/// Where work comes from, in the order in which they take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FoundBy {
    /// Small workloads, one after the other.
    Explored,
    /// Runs of a scenario, seed by seed.
    Sampled,
}

/// The place of a piece of work: its number in its source comes first.
pub(super) type Place = (u64, FoundBy);

/// A finding, and what shows it.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// A seed of the scenario.
    Seed(u64, Finding),
    /// A script from the start with this number.
    Script(usize, FoundFailure),
}

impl Shown {
    pub(super) fn finding(&self) -> &Finding {
        match self {
            Shown::Seed(_, finding) => finding,
            Shown::Script(_, failure) => &failure.finding,
        }
    }

    fn count(&self) -> u64 {
        match self {
            Shown::Seed(..) => 1,
            Shown::Script(_, failure) => failure.count,
        }
    }
}

/// One kind of finding.
#[derive(Clone, Debug)]
pub(super) struct FoundKind {
    /// Where the first of them was found: the place, and the number there.
    first: (Place, usize),
    /// That one.
    pub(super) shown: Shown,
    /// How many there were.
    pub(super) count: u64,
}

/// How far one source has come without a gap.
#[derive(Debug, Default)]
struct DoneSoFar {
    next: u64,
    early: BTreeSet<u64>,
    /// How many pieces it has, once that is known.
    all: Option<u64>,
}

impl DoneSoFar {
    fn done(&mut self, number: u64) {
        self.early.insert(number);
        while self.early.remove(&self.next) {
            self.next += 1;
        }
    }

    /// Whether every piece below `number` is done.
    fn has_passed(&self, number: u64) -> bool {
        self.next >= number.min(self.all.unwrap_or(u64::MAX))
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    kinds: BTreeMap<FindingKind, FoundKind>,
    explored: DoneSoFar,
    sampled: DoneSoFar,
}

impl Found {
    /// A piece of work is done, and showed these findings. Whether a failure of a new kind is among them.
    pub(super) fn add(&mut self, place: Place, shown: Vec<Shown>, allowed: &[Allowed]) -> bool {
        let known = self.failures();
        match place {
            (number, FoundBy::Explored) => self.explored.done(number),
            (number, FoundBy::Sampled) => self.sampled.done(number),
        }
        for (nth, shown) in shown.into_iter().enumerate() {
            let count = shown.count();
            let first = (place, nth);
            let kind = FindingKind::of(shown.finding(), allowed);
            let known = self.kinds.entry(kind).or_insert_with(|| FoundKind {
                first,
                shown: shown.clone(),
                count: 0,
            });
            known.count += count;
            if first < known.first {
                (known.first, known.shown) = (first, shown);
            }
        }
        self.failures() > known
    }

    /// A source has no more than `all` pieces of work.
    pub(super) fn ends(&mut self, source: FoundBy, all: u64) {
        match source {
            FoundBy::Explored => self.explored.all = Some(all),
            FoundBy::Sampled => self.sampled.all = Some(all),
        }
    }

    /// Whether `most` kinds were found, so that the search is over. A kind counts only when all work before
    /// it is done.
    pub(super) fn is_enough(&self, most: usize) -> bool {
        let failures = self.kinds.iter().filter(|(kind, _)| kind.allowed.is_none());
        let sure = failures.filter(|(_, found)| {
            let (number, source) = found.first.0;
            let sampled = number + u64::from(source == FoundBy::Sampled);
            self.explored.has_passed(number + 1) && self.sampled.has_passed(sampled)
        });
        sure.count() >= most
    }

    /// How many kinds of failures were found so far.
    pub(super) fn failures(&self) -> usize {
        let failures = self.kinds.keys().filter(|kind| kind.allowed.is_none());
        failures.count()
    }

    /// How often the entry with this number came up of those that are allowed.
    pub(super) fn allowed(&self, entry: usize) -> u64 {
        let kinds = self.kinds.iter();
        let taken = kinds.filter(|(kind, _)| kind.allowed == Some(entry));
        taken.map(|(_, found)| found.count).sum()
    }

    /// The failures, one of each kind, in the order of a report.
    pub(super) fn first_failures(&self, most: usize) -> Vec<FoundKind> {
        let kinds = self.kinds.iter();
        let failures = kinds.filter(|(kind, _)| kind.allowed.is_none());
        let mut failures: Vec<FoundKind> = failures.map(|(_, found)| found.clone()).collect();
        failures.sort_by_key(|found| found.first);
        failures.truncate(most);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::Invariant;

    fn seed(seed: u64, found: &str) -> Vec<Shown> {
        let finding = Finding::new(Invariant::State, "the state", found);
        vec![Shown::Seed(seed, finding)]
    }

    fn letters(number: u64) -> String {
        "abcdefghij"[usize::try_from(number).unwrap()..].to_owned()
    }

    #[test]
    fn the_first_of_a_kind_is_kept_whenever_it_comes() {
        let mut found = Found::default();
        found.add((5, FoundBy::Sampled), seed(5, "gone 1"), &[]);
        found.add((2, FoundBy::Sampled), seed(2, "gone 2"), &[]);
        found.add((3, FoundBy::Sampled), seed(3, "another"), &[]);
        let failures = found.first_failures(8);
        let seeds = failures.iter().map(|found| match found.shown {
            Shown::Seed(seed, _) => (seed, found.count),
            Shown::Script(..) => panic!("there was no script"),
        });
        assert_eq!(seeds.collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    }

    #[test]
    fn enough_was_found_only_where_nothing_before_it_is_missing() {
        let mut found = Found::default();
        for number in 1..9 {
            found.add(
                (number, FoundBy::Sampled),
                seed(number, &letters(number)),
                &[],
            );
        }
        assert!(!found.is_enough(8), "seed 0 is missing");
        found.add((0, FoundBy::Sampled), Vec::new(), &[]);
        assert!(!found.is_enough(8), "no workload was explored");
        found.ends(FoundBy::Explored, 3);
        for number in 0..3 {
            found.add((number, FoundBy::Explored), Vec::new(), &[]);
        }
        assert!(found.is_enough(8));
        assert_eq!(found.failures(), 8);
    }
}
