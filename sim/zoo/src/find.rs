//! A bug is injected and looked for by the sampler, and by the explorer where that finds nothing or is
//! asked for. What is caught is shrunk.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::explore::parallel::in_order;
use beaver_sim::explore::{Options, Running, Start, explore_small};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed, saved_failure};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::shrink::{Limits, Shrunk, shrink, words};
use beaver_sim::subject::AnySubject;
use serde::Serialize;

use super::catalogue::{Bug, WitnessResult};
use super::scenarios::scenario;

/// How long a bug is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many seeds of its scenario are run.
    pub seeds: u64,
    /// How many candidates its shrinking may run.
    pub shrink_runs: u64,
    /// Whether the explorer looks for it too, although the sampler has found it.
    pub explore: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Effort {
            seeds: 3000,
            shrink_runs: 5000,
            explore: false,
        }
    }
}

/// How many seeds are tried at most under each weaker profile.
const WEAKER_SEEDS: u64 = 1000;

/// How many commands the explorer's workloads have.
const EXPLORED_COMMANDS: usize = 2;

/// How a bug was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// The invariant that caught it; [`Invariant::Progress`] for a panic, or a run that did not come to an end.
    pub invariant: Invariant,
    /// The runs until then, that one included; workloads, where the explorer caught it.
    pub runs: u64,
    /// The weakest profile in which it was seen.
    pub profile: Profile,
    /// The history, as small as it could be made.
    pub shrunk: Shrunk,
    /// The same in words.
    pub words: Vec<String>,
}

impl Caught {
    /// The failure, shrunk as far as `cancel` lets it; nothing if it does not happen again.
    fn new(
        subject: &AnySubject,
        failure: &Scenario,
        runs: u64,
        effort: Effort,
        cancel: &AtomicBool,
    ) -> Option<Self> {
        let limits = Limits {
            runs: effort.shrink_runs,
            go_on: &|| !cancel.load(Ordering::Relaxed),
        };
        let shrunk = shrink(subject, failure, limits)?;
        Some(Caught {
            invariant: shrunk.likeness.invariant,
            runs,
            profile: shrunk.scenario.profile,
            words: words(subject, &shrunk.scenario),
            shrunk,
        })
    }
}

/// What an exploration of small workloads found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExplorerResult {
    /// The workloads.
    pub workloads: u64,
    /// The disks that were recovered and judged.
    pub recoveries: u64,
    /// The invariant of the first failure.
    pub invariant: Option<Invariant>,
}

/// How the search for one bug ended.
#[derive(Clone, Debug)]
pub struct BugResult {
    /// The bug.
    pub bug: &'static Bug,
    /// What its witness shows.
    pub witness: WitnessResult,
    /// How many seeds of its scenario were run, under each profile.
    pub sampled: BTreeMap<Profile, u64>,
    /// How it was caught.
    pub caught: Option<Caught>,
    /// What the explorer found, where it looked.
    pub explored: Option<ExplorerResult>,
}

impl BugResult {
    /// Whether it was caught for its reason, and its witness shows it.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let known = |caught: &Caught| self.bug.invariants.contains(&caught.invariant);
        self.has_witness() && self.caught.as_ref().is_some_and(known)
    }

    /// Whether its witness breaks the invariant that it is there for, with the bug and not without.
    #[must_use]
    pub fn has_witness(&self) -> bool {
        let reason = Some(self.bug.reason());
        self.witness.broken == reason && self.witness.holds_without
    }
}

/// Injects a bug and looks for it. When `cancel` is set it is given up.
#[must_use]
pub fn find(bug: &'static Bug, effort: Effort, cancel: &AtomicBool) -> BugResult {
    let subject = bug.mutant();
    let scenario = scenario(bug.scenario);
    let (runs, failed) = sample(&subject, &scenario, effort.seeds, cancel);
    let mut result = BugResult {
        bug,
        witness: bug.run_witness(),
        sampled: BTreeMap::from([(scenario.profile, runs)]),
        caught: failed.and_then(|run| {
            let failure = saved_failure(&scenario, &run);
            Caught::new(&subject, &failure, runs, effort, cancel)
        }),
        explored: None,
    };
    let unseen = result.caught.is_none();
    if (effort.explore || unseen) && !cancel.load(Ordering::Relaxed) {
        let (explored, failure) = explore(&subject, scenario.profile, cancel);
        result.explored = Some(explored);
        if let Some(failure) = failure.filter(|_| unseen) {
            result.caught = Caught::new(&subject, &failure, explored.workloads, effort, cancel);
        }
    }
    result.find_weaker_profile(&subject, &scenario, effort.seeds, cancel);
    result
}

/// Looks for each of these bugs, several at a time; the results come in their order.
///
/// `progress` is told how many are done. When `cancel` is set no further search begins.
#[must_use]
pub fn find_all(
    bugs: &[&'static Bug],
    effort: Effort,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> Vec<BugResult> {
    let search = |bug: &&'static Bug| find(bug, effort, cancel);
    let mut results = in_order(bugs, jobs, progress, cancel, search);
    if cancel.load(Ordering::Relaxed) {
        // A search that was given up says nothing about its bug.
        results.retain(|result| result.caught.is_some());
    }
    results
}

/// How many seeds were run, and the first run that does not hold.
fn sample(
    subject: &AnySubject,
    scenario: &Scenario,
    seeds: u64,
    cancel: &AtomicBool,
) -> (u64, Option<RunResult>) {
    let mut runs = 0;
    for seed in (0..seeds).take_while(|_| !cancel.load(Ordering::Relaxed)) {
        runs += 1;
        let run = run_seed(subject, scenario, seed, Keep::default());
        if run.outcome != Outcome::Held {
            return (runs, Some(run));
        }
    }
    (runs, None)
}

/// Explores small workloads: what was found, and the first failure as a scenario.
pub(super) fn explore(
    subject: &AnySubject,
    profile: Profile,
    cancel: &AtomicBool,
) -> (ExplorerResult, Option<Scenario>) {
    let running = Running {
        jobs: NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel,
    };
    let mut result = ExplorerResult::default();
    for start in Start::ALL {
        let scenario = start.scenario(profile);
        let options = Options::default();
        let ops = EXPLORED_COMMANDS;
        let explored = explore_small(subject, &scenario, start, ops, &options, running);
        result.workloads += explored.tally.workloads;
        result.recoveries += explored.tally.recoveries;
        if let Some(failure) = explored.failures.first() {
            result.invariant = Some(failure.finding.invariant);
            let failure = Scenario {
                script: Some(failure.script.clone()),
                ..scenario
            };
            return (result, Some(failure));
        }
    }
    (result, None)
}

impl BugResult {
    /// Looks for a bug that was caught under weaker profiles too, with seeds of their own: another
    /// history may show it there.
    fn find_weaker_profile(
        &mut self,
        subject: &AnySubject,
        scenario: &Scenario,
        seeds: u64,
        cancel: &AtomicBool,
    ) {
        let Some(caught) = &mut self.caught else {
            return;
        };
        // No file system is like `strict`, the first.
        for profile in Profile::ALL.into_iter().skip(1) {
            if profile >= caught.profile {
                return;
            }
            let weaker = Scenario {
                profile,
                ..scenario.clone()
            };
            let (runs, failed) = sample(subject, &weaker, seeds.min(WEAKER_SEEDS), cancel);
            self.sampled.insert(profile, runs);
            let violation = failed.as_ref().and_then(|run| run.outcome.failure());
            if violation.is_some_and(|found| self.bug.invariants.contains(&found.invariant)) {
                caught.profile = profile;
            }
        }
    }
}
