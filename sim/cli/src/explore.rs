//! `beaver explore`: every crash point of workloads, every image, and recovery crashed again; a row
//! for each as it ends.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::beaver::library;
use beaver_sim::explore::{Explored, Options, Running, Start, explore_seed, explore_small};
use beaver_sim::scenario::{Scenario, Seeds};

use super::args::ExploreArgs;
use super::exit::{CliError, Exit};
use super::interrupt;
use super::output::Output;
use super::progress::Progress;
use super::reporter::Reporter;
use super::run_plan::jobs;
use super::scenario_files;
use super::seed::Seed;
use super::timer::Timer;
use crate::report::{RunKind, ScenarioReport};

/// What is explored as one row of the table.
struct Exploration {
    name: String,
    scenario: Scenario,
    workloads: Workloads,
}

enum Workloads {
    /// Those that some seeds draw.
    Seeds(Seeds),
    /// Every one of up to this many commands.
    Small(Start, usize),
}

/// Everything that is fixed before the work begins.
struct ExplorePlan<'a> {
    args: &'a ExploreArgs,
    explorations: Vec<Exploration>,
    options: Options,
    jobs: NonZeroUsize,
}

pub(crate) fn explore(args: &ExploreArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let plan = ExplorePlan::resolve(args)?;
    let names = plan.explorations.iter().map(|one| one.name.as_str());
    let kind = RunKind::Exploration {
        depth: args.depth,
        cap: args.cap,
        torn_cap: args.torn_cap,
    };
    let mut reporter = Reporter::begin(&args.search, kind, &plan.lines(), names, out)?;
    for at in 0..plan.explorations.len() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let report = explore_one(&plan, at, &mut reporter, stop);
        reporter.add(report, out);
    }
    reporter.finish(stop.load(Ordering::SeqCst), out)
}

fn explore_one(
    plan: &ExplorePlan<'_>,
    at: usize,
    reporter: &mut Reporter<'_>,
    stop: &AtomicBool,
) -> ScenarioReport {
    let exploration = &plan.explorations[at];
    let timer = Timer::start();
    let progress = Progress::explore(&exploration.name, at + 1, plan.explorations.len());
    let running = Running {
        jobs: plan.jobs,
        progress: &|done, all| progress.done_of(done, all),
        cancel: stop,
    };
    let (explored, seeds) = exploration.explore(&plan.options, running);
    drop(progress);
    let scenario = exploration.as_explored();
    let result = explored.to_result(&library(&scenario), &exploration.name, &scenario);
    ScenarioReport {
        saved: reporter.save(&scenario, &result.failures),
        claim: scenario.claim,
        profile: scenario.profile,
        seeds,
        expected: Vec::new(),
        gated: false,
        result,
        explored: Some(explored.tally),
        disagreement: None,
        elapsed_ms: timer.elapsed_ms(),
    }
}

impl Exploration {
    fn explore(&self, options: &Options, running: Running<'_>) -> (Explored, Seeds) {
        let subject = library(&self.scenario);
        match self.workloads {
            Workloads::Small(start, ops) => {
                let explored =
                    explore_small(&subject, &self.scenario, start, ops, options, running);
                (explored, Seeds::one(0))
            }
            Workloads::Seeds(seeds) => {
                let mut sum = Explored::default();
                for seed in seeds.start..seeds.end {
                    if running.cancel.load(Ordering::SeqCst) {
                        sum.cancelled = true;
                        break;
                    }
                    sum.add(explore_seed(
                        &subject,
                        &self.scenario,
                        seed,
                        options,
                        running,
                    ));
                }
                (sum, seeds)
            }
        }
    }

    /// The scenario whose scripts the failures are.
    fn as_explored(&self) -> Scenario {
        Scenario {
            name: format!("explore-{}", self.name),
            ..self.scenario.clone()
        }
    }
}

impl<'a> ExplorePlan<'a> {
    /// Resolves the command line.
    ///
    /// # Errors
    /// A profile or scenario cannot be used.
    fn resolve(args: &'a ExploreArgs) -> Result<Self, CliError> {
        let profile = args.search.profile()?;
        if args.ops.is_some() && args.scenarios.is_empty() && args.has_seeds() {
            return Err(CliError::new(
                "the workloads of --ops are all there are and need no seed: leave --seed and --seeds out, or name scenarios",
            ));
        }
        let mut explorations = Vec::new();
        for start in args.ops.iter().flat_map(|_| Start::of(args.callers)) {
            let ops = usize::from(args.ops.unwrap_or_default());
            explorations.push(Exploration {
                name: start.name().to_owned(),
                scenario: start.scenario(profile.unwrap_or_default()),
                workloads: Workloads::Small(start, ops),
            });
        }
        if args.ops.is_none() || !args.scenarios.is_empty() {
            for file in scenario_files::load(&args.scenarios)? {
                let mut scenario = file.scenario;
                scenario.profile = profile.unwrap_or(scenario.profile);
                let first = Seeds::one(scenario.seeds.start);
                let seed = args.seed.map(|Seed(seed)| Seeds::one(seed));
                explorations.push(Exploration {
                    name: scenario.name.clone(),
                    workloads: Workloads::Seeds(seed.or(args.seeds).unwrap_or(first)),
                    scenario,
                });
            }
        }
        Ok(ExplorePlan {
            args,
            explorations,
            options: Options {
                depth: args.depth,
                cap: args.cap,
                torn_cap: args.torn_cap,
                callers: args.callers,
                ..Options::default()
            },
            jobs: jobs(args.search.jobs),
        })
    }

    /// The plan as labels and values.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Options {
            depth,
            cap,
            torn_cap,
            callers,
            seed,
            ..
        } = &self.options;
        let search = &self.args.search;
        vec![
            ("explorations", self.explorations.len().to_string()),
            ("depth", depth.to_string()),
            ("cap", format!("{cap} images of one power cut")),
            ("torn cap", format!("{torn_cap} images of one power cut")),
            ("callers", format!("{callers} with --ops")),
            ("seed", format!("{seed} for samples")),
            (
                "profile",
                search.profile_source("that of each scenario; posix for --ops"),
            ),
            ("jobs", self.jobs.to_string()),
            ("failures", search.out.display().to_string()),
        ]
    }
}
