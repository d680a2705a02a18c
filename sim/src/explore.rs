//! Exploration: a workload is run once, and its process dies at *every* moment, in *every* way that the profile allows.
//!
//! Each disk that a crash may leave is recovered by the store under test and judged by the oracle, and the recovery is
//! crashed again at each of its calls. What is left to chance is counted: see [`Tally`].

mod bad_device;
mod beliefs;
mod examine;
mod go_on;
mod memory;
mod options;
mod outcome;
pub mod parallel;
mod power_cut;
mod prefixes;
mod search;
mod sequences;
mod small;
mod starts;
mod tally;
mod target;
mod trail;
mod watched;
mod work;

pub use crate::oracle::Finding;
pub use options::Options;
pub(crate) use outcome::run_again;
pub(crate) use small::{SmallWorkload, SmallWorkloads};
pub use starts::Start;
pub(crate) use starts::prepared;
pub use tally::Tally;
pub use trail::FoundFailure;
pub(crate) use watched::WatchedPath;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::coverage::Coverage;
use crate::scenario::Scenario;
use crate::subject::AnySubject;

pub(crate) use target::Findings;
use target::{ExploreTarget, mixed};
use work::work_units;

/// What an exploration found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// How much was done.
    pub tally: Tally,
    /// What was wrong, in the order of the workloads.
    pub failures: Vec<FoundFailure>,
    /// Where processes died.
    pub coverage: Coverage,
    /// A hash over every disk that was judged, in order.
    pub hash: u64,
    /// Whether it was stopped before its end.
    pub cancelled: bool,
}

impl Explored {
    /// Adds what the next exploration found.
    pub fn add(&mut self, next: Explored) {
        self.tally += next.tally;
        self.coverage.add(&next.coverage);
        self.failures.extend(next.failures);
        self.hash = mixed(self.hash, next.hash);
        self.cancelled |= next.cancelled;
    }
}

/// How an exploration runs; its result does not depend on this.
#[derive(Clone, Copy)]
pub struct Running<'r> {
    /// How many threads work on it.
    pub jobs: NonZeroUsize,
    /// Is told how many units of work are done, and how many there are.
    pub progress: &'r (dyn Fn(u64, u64) + Sync),
    /// When it is set no further unit begins, and those under way end where they are.
    pub cancel: &'r AtomicBool,
}

/// Explores the run of one seed of a scenario with `subject` under test: its commands and faults, without the crashes that it
/// draws itself.
#[must_use]
pub fn explore_seed(
    subject: &AnySubject,
    scenario: &Scenario,
    seed: u64,
    options: &Options,
    running: Running<'_>,
) -> Explored {
    let scenario = undisturbed(&scenario.of_seed(seed));
    let target = ExploreTarget {
        subject,
        scenario: &scenario,
        options,
        cancel: running.cancel,
        kinds: None,
        watched: None,
    };
    let (work_units, run) = work_units(target, seed);
    explore(&work_units, run, running, |unit| unit.explore(target))
}

/// Explores every sequence of up to `ops` of the subject's ops, from `start`, and every way for [`Options::callers`] callers to
/// issue that many at once.
#[must_use]
pub fn explore_small(
    subject: &AnySubject,
    scenario: &Scenario,
    start: Start,
    ops: usize,
    options: &Options,
    running: Running<'_>,
) -> Explored {
    let small = SmallWorkloads::new(subject, scenario, start);
    let workloads = small.up_to(ops, options.callers, running.cancel);
    explore(&workloads, Findings::default(), running, |workload| {
        small.explore(workload, options, running.cancel, None, None)
    })
}

fn explore<T: Sync>(
    units: &[T],
    mut sum: Findings,
    running: Running<'_>,
    explore: impl Fn(&T) -> Findings + Sync,
) -> Explored {
    let all = units.len() as u64;
    let progress = |done| (running.progress)(done, all);
    let findings = parallel::in_order(units, running.jobs, &progress, running.cancel, explore);
    let missing = findings.len() < units.len();
    findings.into_iter().for_each(|part| sum.add(part));
    // Without any unit the list of them was not made: there is always the empty workload, or the run itself.
    let missing = missing || units.is_empty();
    let cancelled = running.cancel.load(Ordering::Relaxed) && (missing || sum.is_cut_off);
    Explored {
        tally: sum.tally,
        failures: sum.failures,
        coverage: sum.coverage,
        hash: sum.hash,
        cancelled,
    }
}

/// The scenario without the crashes that it draws, and without damage that would excuse what the search looks for.
fn undisturbed(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.crashes.kill_in_command_per_mille = 0;
    scenario.crashes.power_cut_in_command_per_mille = 0;
    scenario.crashes.in_recovery_per_mille = 0;
    scenario.crashes.images = 0;
    // A recovery that adds an op of its own is judged in runs alone.
    scenario.log.requeue_in_flight = false;
    scenario.faults.retain(|rate| !rate.kind.damages());
    scenario
}
