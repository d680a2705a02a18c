//! One scenario over many seeds, on several threads. The result does not depend on how many.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use beaver_sim::scenario::Seeds;

use crate::checkers::ClusterViolation;
use crate::fold::Fold;
use crate::replica::RaftEngine;
use crate::run::{ClusterCounts, ClusterOutcome, run};
use crate::scenario::ClusterScenario;

/// How many failed runs are kept, those with the lowest seeds.
const FAILURES_KEPT: usize = 8;

/// One seed in this many is run twice, and both runs must have one hash.
const REPEAT_EVERY: u64 = 64;

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSeed {
    /// Its seed.
    pub seed: u64,
    /// The first promise that it broke.
    pub violation: ClusterViolation,
}

/// What a scenario came to over its seeds.
#[derive(Clone, Debug, Default)]
pub struct ClusterResult {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The failed runs with the lowest seeds, at most 8.
    pub failures: Vec<FailedSeed>,
    /// What happened in all of them together.
    pub counts: ClusterCounts,
    /// A hash over all runs, whatever their order.
    pub hash: u64,
    /// Whether it was stopped before its last seed.
    pub cancelled: bool,
}

/// Runs all `seeds` of a scenario on `jobs` threads.
///
/// `progress` is told how many runs are done, from any thread. When `cancel` is set no further run
/// begins.
///
/// # Panics
/// As [`run`], and as [`Seeds::count`].
pub fn run_cluster_seeds(
    engine: &dyn RaftEngine,
    scenario: &ClusterScenario,
    seeds: Seeds,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> ClusterResult {
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(ClusterResult::default());
    let work = || {
        while !cancel.load(Ordering::Relaxed) {
            // It stops at the end instead of running over it: the last seed there is has no next one.
            let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| {
                (seed < seeds.end).then(|| seed + 1)
            });
            let Ok(seed) = taken else { break };
            let outcome = judged(engine, scenario, seed);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(seed, &outcome);
            progress(sum.runs);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.get() {
            scope.spawn(work);
        }
        work();
    });
    let mut result = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.cancelled = result.runs < seeds.count();
    result
}

/// Runs a seed, now and then twice.
fn judged(engine: &dyn RaftEngine, scenario: &ClusterScenario, seed: u64) -> ClusterOutcome {
    let mut outcome = run(engine, scenario, seed, None);
    if seed.is_multiple_of(REPEAT_EVERY) {
        let again = run(engine, scenario, seed, None);
        if again.hash != outcome.hash {
            let (first, second) = (outcome.hash, again.hash);
            outcome.violations.insert(
                0,
                ClusterViolation {
                    at: 0,
                    node: 0,
                    checker: "determinism",
                    text: format!("run twice, the hashes are {first:016x} and {second:016x}"),
                },
            );
        }
    }
    outcome
}

impl ClusterResult {
    /// Takes one more run in.
    pub fn add(&mut self, seed: u64, outcome: &ClusterOutcome) {
        self.runs += 1;
        self.counts.add(&outcome.counts);
        self.hash = self.hash.wrapping_add(part(seed, outcome.hash));
        let Some(violation) = outcome.violations.first().cloned() else {
            return;
        };
        self.failed += 1;
        let place = self.failures.partition_point(|failed| failed.seed < seed);
        self.failures.insert(place, FailedSeed { seed, violation });
        self.failures.truncate(FAILURES_KEPT);
    }

    /// Whether runs with these seeds and hashes are the same ones.
    #[must_use]
    pub fn agrees_with(&self, runs: impl IntoIterator<Item = (u64, u64)>) -> bool {
        let parts = runs.into_iter().map(|(seed, hash)| part(seed, hash));
        self.hash == parts.fold(0, u64::wrapping_add)
    }
}

/// What one run adds to the hash over all.
fn part(seed: u64, hash: u64) -> u64 {
    let mut fold = Fold::default();
    fold.number(seed);
    fold.number(hash);
    fold.hash()
}
