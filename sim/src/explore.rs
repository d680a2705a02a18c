//! Exploration: a workload is run once, and its process dies at *every* moment, in *every* way that the profile allows.
//!
//! Each disk that a crash may leave is recovered by the real controller and judged by the oracle, and the recovery is crashed
//! again at each of its calls. What is left to chance is counted: see [`Tally`].

mod alphabet;
mod examine;
mod options;
mod prefixes;
mod search;
mod tally;
mod trail;

pub use options::Options;
pub use tally::Tally;
pub use trail::Failure;

use beaver::storage::sim::TraceMode;

use crate::oracle::judge::Finding;
use crate::scenario::{Scenario, Script, Step};
use crate::world::{Moment, Stop, World};

use search::Search;

/// What an exploration found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// How much was done.
    pub tally: Tally,
    /// What was wrong, in the order of the workloads.
    pub failures: Vec<Failure>,
}

impl Explored {
    fn add(&mut self, other: Explored) {
        self.tally += other.tally;
        self.failures.extend(other.failures);
    }
}

/// Explores the run of one seed of a scenario: its commands and faults, without the crashes that it draws itself.
#[must_use]
pub fn explore_seed(scenario: &Scenario, seed: u64, options: &Options) -> Explored {
    let scenario = undisturbed(scenario);
    let mut world = World::new(&scenario, seed, TraceMode::Off);
    world.put_between(options.between.clone());
    let mut explored = Explored::default();
    world.keep_moments();
    let mut running = world.begin_run().map(|()| true);
    loop {
        let steps = world.script().steps;
        explored.add(explore_moments(
            &scenario,
            &world.take_moments(),
            &steps,
            options,
        ));
        running = match running {
            Ok(true) => world.next_command(),
            Ok(false) => break,
            Err(stop) => {
                explored.failures.push(stopped(stop, &world));
                break;
            }
        };
    }
    explored.tally.workloads = 1;
    explored.tally.commands = world.seen().counts.commands;
    explored.tally.storage_calls += world.disk().calls();
    explored
}

/// Explores every sequence of up to `ops` commands of the alphabet, from an empty store and from a prepared one.
#[must_use]
pub fn explore_small(scenario: &Scenario, ops: usize, options: &Options) -> Explored {
    let mut explored = Explored::default();
    for sequence in alphabet::sequences(ops) {
        explored.add(explore_last(scenario, &sequence, options));
    }
    explored
}

/// Explores the last step of a sequence: what comes before it is explored as a sequence of its own.
fn explore_last(scenario: &Scenario, sequence: &[Step], options: &Options) -> Explored {
    let scenario = Scenario {
        script: Some(Script {
            steps: sequence.to_vec(),
            ..Script::default()
        }),
        ..undisturbed(scenario)
    };
    let mut world = World::new(&scenario, 0, TraceMode::Off);
    world.put_between(options.between.clone());
    let mut explored = Explored::default();
    let run = run_to_last(&mut world, sequence.len());
    let calls = match run {
        Ok(calls) => calls,
        Err(stop) => {
            explored.failures.push(stopped(stop, &world));
            return explored;
        }
    };
    explored.add(explore_moments(
        &scenario,
        &world.take_moments(),
        sequence,
        options,
    ));
    explored.tally.workloads = 1;
    explored.tally.commands = 1;
    explored.tally.storage_calls += world.disk().calls() - calls;
    explored
}

/// Runs a sequence and keeps the moments of its last step. Answers with the number of calls before it.
fn run_to_last(world: &mut World<'_>, steps: usize) -> Result<u64, Stop> {
    if steps == 0 {
        world.keep_moments();
        world.begin_run()?;
        return Ok(0);
    }
    world.begin_run()?;
    for _ in 1..steps {
        world.next_command()?;
    }
    let calls = world.disk().calls();
    world.keep_moments();
    let _ = world.take_moments();
    world.next_command()?;
    Ok(calls)
}

fn explore_moments(
    scenario: &Scenario,
    moments: &[Moment],
    steps: &[Step],
    options: &Options,
) -> Explored {
    let mut search = Search::new(&scenario.log, scenario.profile.of_disk(), options);
    for moment in moments {
        search.moment(moment);
    }
    let failures = search.wrong.into_iter().map(|wrong| wrong.after(steps));
    Explored {
        failures: failures.collect(),
        tally: search.tally,
    }
}

/// The scenario without the crashes that it draws, and without damage that would excuse what the search looks for.
fn undisturbed(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.crashes.kill_in_command_pm = 0;
    scenario.crashes.power_cut_in_command_pm = 0;
    scenario.crashes.in_recovery_pm = 0;
    scenario.crashes.images = 0;
    scenario.faults.retain(|rate| !rate.kind.damages());
    scenario
}

fn stopped(stop: Stop, world: &World<'_>) -> Failure {
    let finding = match stop {
        Stop::Wrong(finding) | Stop::Exhausted(finding) => finding,
        Stop::Panicked(message) => Finding::new(0, "no panic", message),
    };
    Failure {
        finding,
        script: world.script(),
    }
}
