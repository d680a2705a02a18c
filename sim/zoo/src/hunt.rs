//! The hunt: a bug is planted and looked for by the sampler, and by the explorer where that finds
//! nothing or is asked for. What is caught is shrunk.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::explore::parallel::in_order;
use beaver_sim::explore::{Options, Running, Start, explore_small};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed_of, saved_failure};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::shrink::{Limits, Shrunk, shrink, words};
use beaver_sim::subject::AnySubject;
use serde::Serialize;

use super::catalogue::{Exhibit, Testimony};
use super::habitats::habitat;

/// How long a bug is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How many seeds of its habitat are run.
    pub seeds: u64,
    /// How many candidates its shrinking may run.
    pub shrink_runs: u64,
    /// Whether the explorer looks for it too, although the sampler has found it.
    pub explore: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            seeds: 3000,
            shrink_runs: 5000,
            explore: false,
        }
    }
}

/// How many seeds are tried at most under each milder profile.
const MILDER_SEEDS: u64 = 1000;

/// How many commands the explorer's workloads have.
const EXPLORED_COMMANDS: usize = 2;

/// A bug that was caught.
#[derive(Clone, Debug)]
pub struct Catch {
    /// The invariant that caught it; 0 for a budget or a panic.
    pub invariant: Invariant,
    /// The runs until then, that one included; workloads, where the explorer caught it.
    pub runs: u64,
    /// The mildest profile in which it was seen.
    pub profile: Profile,
    /// The history, as small as it could be made.
    pub shrunk: Shrunk,
    /// The same in words.
    pub words: Vec<String>,
}

/// What an exploration of small workloads found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The workloads.
    pub workloads: u64,
    /// The disks that were recovered and judged.
    pub recoveries: u64,
    /// The invariant of the first failure.
    pub invariant: Option<Invariant>,
}

/// How the hunt for one bug ended.
#[derive(Clone, Debug)]
pub struct Hunted {
    /// The bug.
    pub exhibit: &'static Exhibit,
    /// What its witness says.
    pub witness: Testimony,
    /// How many seeds of its habitat it was looked for with, under each profile.
    pub sampled: BTreeMap<Profile, u64>,
    /// What caught it.
    pub caught: Option<Catch>,
    /// What the explorer saw, where it looked.
    pub explored: Option<Sighting>,
}

impl Hunted {
    /// Whether it was caught for its reason, and its witness shows it.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let known = |catch: &Catch| self.exhibit.invariants.contains(&catch.invariant);
        self.has_witness() && self.caught.as_ref().is_some_and(known)
    }

    /// Whether its witness breaks the invariant that it is there for, with the bug and not without.
    #[must_use]
    pub fn has_witness(&self) -> bool {
        let reason = Some(self.exhibit.reason());
        self.witness.broken == reason && self.witness.holds_without
    }
}

/// Plants a bug and looks for it. When `cancel` is set it is given up.
#[must_use]
pub fn hunt(exhibit: &'static Exhibit, patience: Patience, cancel: &AtomicBool) -> Hunted {
    let subject = exhibit.plant.subject();
    let scenario = habitat(exhibit.habitat);
    let (runs, failed) = sample(&subject, &scenario, patience.seeds, cancel);
    let mut sampled = BTreeMap::from([(scenario.profile, runs)]);
    let mut caught = failed.and_then(|run| {
        let failure = saved_failure(&scenario, &run);
        catch(&subject, &failure, runs, patience)
    });
    let mut explored = None;
    if (patience.explore || caught.is_none()) && !cancel.load(Ordering::Relaxed) {
        let (sighting, failure) = explore(&subject, scenario.profile, cancel);
        explored = Some(sighting);
        let failure = failure.filter(|_| caught.is_none());
        if let Some(failure) = failure {
            caught = catch(&subject, &failure, sighting.workloads, patience);
        }
    }
    if let Some(catch) = &mut caught {
        let milder = seek_milder(exhibit, &subject, &scenario, patience.seeds, catch, cancel);
        sampled.extend(milder);
    }
    Hunted {
        exhibit,
        witness: exhibit.question_witness(),
        sampled,
        caught,
        explored,
    }
}

/// Hunts for each of these bugs, several at a time; the answers come in their order.
///
/// `progress` is told how many are done. When `cancel` is set no further hunt begins.
#[must_use]
pub fn hunt_all(
    exhibits: &[&'static Exhibit],
    patience: Patience,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> Vec<Hunted> {
    let hunts = in_order(exhibits, jobs, progress, cancel, |exhibit| {
        hunt(exhibit, patience, cancel)
    });
    match cancel.load(Ordering::Relaxed) {
        // A hunt that was given up says nothing about its bug.
        true => hunts
            .into_iter()
            .filter(|hunt| hunt.caught.is_some())
            .collect(),
        false => hunts,
    }
}

/// How many seeds were run, and the first of so many that does not hold.
fn sample(
    subject: &AnySubject,
    scenario: &Scenario,
    seeds: u64,
    cancel: &AtomicBool,
) -> (u64, Option<RunResult>) {
    let mut runs = 0;
    for seed in (0..seeds).take_while(|_| !cancel.load(Ordering::Relaxed)) {
        runs += 1;
        let run = run_seed_of(subject, scenario, seed, Keep::default());
        if run.outcome != Outcome::Held {
            return (runs, Some(run));
        }
    }
    (runs, None)
}

fn catch(subject: &AnySubject, failure: &Scenario, runs: u64, patience: Patience) -> Option<Catch> {
    let shrunk = shrink(subject, failure, Limits::runs(patience.shrink_runs))?;
    Some(Catch {
        invariant: shrunk.likeness.invariant,
        runs,
        profile: shrunk.scenario.profile,
        words: words(subject, &shrunk.scenario),
        shrunk,
    })
}

/// Explores small workloads: what was seen, and the first failure as a scenario.
pub(super) fn explore(
    subject: &AnySubject,
    profile: Profile,
    cancel: &AtomicBool,
) -> (Sighting, Option<Scenario>) {
    let running = Running {
        jobs: NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel,
    };
    let mut sighting = Sighting::default();
    for start in Start::ALL {
        let of = start.scenario(profile);
        let options = Options::default();
        let explored = explore_small(subject, &of, start, EXPLORED_COMMANDS, &options, running);
        sighting.workloads += explored.tally.workloads;
        sighting.recoveries += explored.tally.recoveries;
        if let Some(failure) = explored.failures.first() {
            sighting.invariant = Some(failure.finding.invariant);
            let failure = Scenario {
                script: Some(failure.script.clone()),
                ..of
            };
            return (sighting, Some(failure));
        }
    }
    (sighting, None)
}

/// Looks for the bug under milder profiles than that in which it was caught, with other seeds too:
/// how many were run under each.
fn seek_milder(
    exhibit: &Exhibit,
    subject: &AnySubject,
    scenario: &Scenario,
    seeds: u64,
    catch: &mut Catch,
    cancel: &AtomicBool,
) -> BTreeMap<Profile, u64> {
    let mut sampled = BTreeMap::new();
    // No file system is like `strict`, the first.
    let milder = Profile::ALL.iter().skip(1);
    for profile in milder.filter(|profile| **profile < catch.profile) {
        let milder = Scenario {
            profile: *profile,
            ..scenario.clone()
        };
        let (runs, failed) = sample(subject, &milder, seeds.min(MILDER_SEEDS), cancel);
        sampled.insert(*profile, runs);
        let violation = failed.as_ref().and_then(|run| run.outcome.failure());
        if violation.is_some_and(|found| exhibit.invariants.contains(&found.invariant)) {
            catch.profile = *profile;
            break;
        }
    }
    sampled
}
