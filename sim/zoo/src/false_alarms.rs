//! The stores without bugs, over the seeds and the explorations in which bugs were looked for. What is
//! found in them is a false alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::explore::parallel::in_order;
use beaver_sim::invariant::Invariant;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::subject::AnySubject;
use serde::Serialize;

use super::find::{BugResult, ExplorerResult, explore};
use super::interposed::library;
use super::plain::PlainStore;
use super::scenarios::{scenario, scenarios};

/// The stores without bugs, by name.
fn controls() -> [(&'static str, AnySubject); 2] {
    [("library", library()), ("plain store", PlainStore::sound())]
}

/// What the stores without bugs run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPlan {
    /// Scenarios, each under some profiles, and how many of the first seeds are run.
    sampled: BTreeMap<(String, Profile), u64>,
    /// The profiles under which small workloads are explored.
    explored: BTreeSet<Profile>,
}

impl ControlPlan {
    /// Wherever these bugs were looked for; at least `least` seeds of each scenario.
    #[must_use]
    pub fn after(bugs: &[BugResult], least: u64) -> Self {
        let mut plan = ControlPlan::default();
        for result in bugs {
            let name = result.bug.scenario;
            for (profile, runs) in &result.sampled {
                let place = (name.to_owned(), *profile);
                let seeds = plan.sampled.entry(place).or_insert(least);
                *seeds = (*seeds).max(*runs);
            }
            if result.explored.is_some() {
                plan.explored.insert(scenario(name).profile);
            }
        }
        plan
    }

    /// The first `seeds` of every scenario.
    #[must_use]
    pub fn everywhere(seeds: u64) -> Self {
        let all = scenarios().into_iter();
        ControlPlan {
            sampled: all
                .map(|scenario| ((scenario.name, scenario.profile), seeds))
                .collect(),
            explored: BTreeSet::new(),
        }
    }

    /// Small workloads under this profile too.
    #[must_use]
    pub fn and_explore(mut self, profile: Profile) -> Self {
        self.explored.insert(profile);
        self
    }

    /// How many tasks it has.
    #[must_use]
    pub fn tasks(&self) -> usize {
        (self.sampled.len() + self.explored.len()) * controls().len()
    }
}

/// What the stores without bugs did.
#[derive(Clone, Debug, Default)]
pub struct ControlResult {
    /// Runs of the stores without bugs.
    pub runs: u64,
    /// What was explored in them.
    pub explored: ExplorerResult,
    /// What did not hold.
    pub false_alarms: Vec<FalseAlarm>,
}

/// A run or an exploration in which a store without bugs did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct FalseAlarm {
    /// The store: `library` or `plain store`.
    pub store: &'static str,
    /// The scenario, or that it was explored; and the profile.
    pub place: String,
    /// The seed; none of an exploration.
    pub seed: Option<u64>,
    /// The invariant.
    pub invariant: Invariant,
    /// What was found.
    pub found: String,
}

impl fmt::Display for FalseAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.store, self.place)?;
        if let Some(seed) = self.seed {
            write!(f, ", seed {seed}")?;
        }
        write!(f, ": {}: {}", self.invariant, self.found)
    }
}

/// One piece of the work.
enum ControlTask {
    Sample(Box<Scenario>, u64),
    Explore(Profile),
}

/// Carries the plan out, several tasks at a time; the result does not depend on how many these are.
///
/// `progress` is told how many are done. When `cancel` is set no further run begins.
#[must_use]
pub fn run_controls(
    plan: &ControlPlan,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> ControlResult {
    let sampled = plan.sampled.iter().map(|((name, profile), seeds)| {
        let scenario = Scenario {
            profile: *profile,
            ..scenario(name)
        };
        ControlTask::Sample(Box::new(scenario), *seeds)
    });
    let explored = plan.explored.iter().copied().map(ControlTask::Explore);
    let (tasks, stores) = (sampled.chain(explored).collect::<Vec<_>>(), controls());
    let tasks = tasks
        .iter()
        .flat_map(|task| stores.each_ref().map(|store| (task, store)));
    let tasks: Vec<_> = tasks.collect();
    let work = |(task, (store, subject)): &(&ControlTask, &(&'static str, AnySubject))| match task {
        ControlTask::Sample(scenario, seeds) => run(store, subject, scenario, *seeds, cancel),
        ControlTask::Explore(profile) => explore_small(store, subject, *profile, cancel),
    };
    let mut sum = ControlResult::default();
    for result in in_order(&tasks, jobs, progress, cancel, work) {
        sum.runs += result.runs;
        sum.explored.workloads += result.explored.workloads;
        sum.explored.recoveries += result.explored.recoveries;
        sum.false_alarms.extend(result.false_alarms);
    }
    sum
}

/// A store over the first seeds of a scenario, up to the first false alarm.
fn run(
    store: &'static str,
    subject: &AnySubject,
    scenario: &Scenario,
    seeds: u64,
    cancel: &AtomicBool,
) -> ControlResult {
    let mut result = ControlResult::default();
    for seed in (0..seeds).take_while(|_| !cancel.load(Ordering::Relaxed)) {
        result.runs += 1;
        let run = run_seed(subject, scenario, seed, Keep::default());
        if let Some(violation) = run.outcome.failure() {
            result.false_alarms.push(FalseAlarm {
                store,
                place: format!("{} under {}", scenario.name, scenario.profile.name()),
                seed: Some(seed),
                invariant: violation.invariant,
                found: violation.found.clone(),
            });
            break;
        }
    }
    result
}

/// A store in every small workload, with every crash.
fn explore_small(
    store: &'static str,
    subject: &AnySubject,
    profile: Profile,
    cancel: &AtomicBool,
) -> ControlResult {
    let (explored, failure) = explore(subject, profile, cancel);
    let alarm = failure.map(|failure| {
        let run = run_seed(subject, &failure, 0, Keep::default());
        let found = run
            .outcome
            .failure()
            .map(|violation| violation.found.clone());
        FalseAlarm {
            store,
            place: format!("small workloads under {}", profile.name()),
            seed: None,
            invariant: explored.invariant.unwrap_or(Invariant::Progress),
            found: found.unwrap_or_else(|| "its script alone does not show it".to_owned()),
        }
    });
    ControlResult {
        explored,
        false_alarms: alarm.into_iter().collect(),
        runs: 0,
    }
}
