//! The patrol: the stores without bugs over the seeds and the explorations in which bugs were looked
//! for. What is found in them is a false alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::explore::parallel::in_order;
use beaver_sim::invariant::Invariant;
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::subject::AnySubject;
use serde::Serialize;

use super::controls;
use super::habitats::{habitat, habitats};
use super::hunt::{Hunted, Sighting, explore};

/// Where the stores without bugs are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Habitats, each under some profiles, and how many of the first seeds are run.
    sampled: BTreeMap<(String, Profile), u64>,
    /// The profiles under which small workloads are explored.
    explored: BTreeSet<Profile>,
}

impl Beat {
    /// Wherever these bugs were looked for; at least so many seeds of each habitat.
    #[must_use]
    pub fn after(bugs: &[Hunted], least: u64) -> Self {
        let mut beat = Beat::default();
        for bug in bugs {
            let name = bug.exhibit.habitat;
            for (profile, runs) in &bug.sampled {
                let place = (name.to_owned(), *profile);
                let seeds = beat.sampled.entry(place).or_insert(least);
                *seeds = (*seeds).max(*runs);
            }
            if bug.explored.is_some() {
                beat.explored.insert(habitat(name).profile);
            }
        }
        beat
    }

    /// So many seeds of every habitat.
    #[must_use]
    pub fn everywhere(seeds: u64) -> Self {
        let all = habitats().into_iter();
        Beat {
            sampled: all
                .map(|habitat| ((habitat.name, habitat.profile), seeds))
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

    /// How many rounds it has.
    #[must_use]
    pub fn rounds(&self) -> usize {
        (self.sampled.len() + self.explored.len()) * controls().len()
    }
}

/// What a patrol saw.
#[derive(Clone, Debug, Default)]
pub struct Patrolled {
    /// Runs of the stores without bugs.
    pub runs: u64,
    /// What was explored in them.
    pub explored: Sighting,
    /// What did not hold.
    pub false_alarms: Vec<FalseAlarm>,
}

/// A run or an exploration in which a store without bugs did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct FalseAlarm {
    /// The store: `library` or `plain store`.
    pub store: &'static str,
    /// The habitat, or that it was explored; and the profile.
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
enum Round {
    Seeds(Box<Scenario>, u64),
    Explore(Profile),
}

/// Walks the beat, several rounds at a time; the result does not depend on how many these are.
///
/// `progress` is told how many are done. When `cancel` is set no further run begins.
#[must_use]
pub fn patrol(
    beat: &Beat,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> Patrolled {
    let seeds = beat.sampled.iter().map(|((name, profile), seeds)| {
        let habitat = Scenario {
            profile: *profile,
            ..habitat(name)
        };
        Round::Seeds(Box::new(habitat), *seeds)
    });
    let explored = beat.explored.iter().map(|profile| Round::Explore(*profile));
    let rounds: Vec<_> = seeds.chain(explored).collect();
    let stores = controls();
    let rounds: Vec<_> = rounds
        .iter()
        .flat_map(|round| stores.iter().map(move |store| (round, store)))
        .collect();
    let walked = in_order(
        &rounds,
        jobs,
        progress,
        cancel,
        |(round, (store, subject))| match round {
            Round::Seeds(habitat, seeds) => run(store, subject, habitat, *seeds, cancel),
            Round::Explore(profile) => look(store, subject, *profile, cancel),
        },
    );
    let mut sum = Patrolled::default();
    for round in walked {
        sum.runs += round.runs;
        sum.explored.workloads += round.explored.workloads;
        sum.explored.recoveries += round.explored.recoveries;
        sum.false_alarms.extend(round.false_alarms);
    }
    sum
}

/// A store over the first seeds of a habitat, up to the first false alarm.
fn run(
    store: &'static str,
    subject: &AnySubject,
    habitat: &Scenario,
    seeds: u64,
    cancel: &AtomicBool,
) -> Patrolled {
    let mut patrolled = Patrolled::default();
    for seed in (0..seeds).take_while(|_| !cancel.load(Ordering::Relaxed)) {
        patrolled.runs += 1;
        let run = run_seed_of(subject, habitat, seed, Keep::default());
        if let Some(violation) = run.outcome.failure() {
            patrolled.false_alarms.push(FalseAlarm {
                store,
                place: format!("{} under {}", habitat.name, habitat.profile.name()),
                seed: Some(seed),
                invariant: violation.invariant,
                found: violation.found.clone(),
            });
            break;
        }
    }
    patrolled
}

/// A store in every small workload, with every crash.
fn look(
    store: &'static str,
    subject: &AnySubject,
    profile: Profile,
    cancel: &AtomicBool,
) -> Patrolled {
    let (explored, failure) = explore(subject, profile, cancel);
    let alarm = failure.map(|failure| {
        let run = run_seed_of(subject, &failure, 0, Keep::default());
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
    Patrolled {
        explored,
        false_alarms: alarm.into_iter().collect(),
        runs: 0,
    }
}
