//! `beaver run`: every scenario over its seeds, a row for each as it ends, then what failed and how
//! to see it again.

use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::beaver::library;
use beaver_sim::run::run_scenario;

use super::args::RunArgs;
use super::determinism::{SecondProcess, this_program};
use super::exit::{CliError, Exit};
use super::interrupt;
use super::must_reach_file;
use super::output::Output;
use super::progress::Progress;
use super::reporter::Reporter;
use super::run_plan::RunPlan;
use super::timer::Timer;
use crate::report::{Disagreement, RunKind, ScenarioReport};

pub(crate) fn run(args: &RunArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let plan = RunPlan::resolve(args)?;
    let must_reach = match plan.is_everything() {
        true => must_reach_file::read()?,
        false => None,
    };
    let names = plan.files.iter().map(|file| file.scenario.name.as_str());
    let options = &args.options.search;
    let mut reporter = Reporter::begin(options, RunKind::Seeds, &plan.lines(), names, out)?;
    for at in 0..plan.files.len() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let mut report = run_one(&plan, at, &mut reporter, stop);
        if args.options.check_determinism && !stop.load(Ordering::SeqCst) {
            let checked = second_process(&plan, at, &report, args);
            // Ctrl-C reaches the second process too; what it could not finish says nothing.
            report.disagreement = match stop.load(Ordering::SeqCst) {
                true => None,
                false => checked?,
            };
        }
        reporter.add(report, out);
    }
    let stopped = stop.load(Ordering::SeqCst);
    if let Some(must_reach) = must_reach.filter(|_| !stopped) {
        let blessed = must_reach_file::bless(reporter.report())?;
        reporter.must_reach(blessed.unwrap_or(must_reach));
    }
    reporter.finish(stopped, out)
}

/// Runs one scenario over its seeds and saves what failed.
fn run_one(
    plan: &RunPlan,
    at: usize,
    reporter: &mut Reporter<'_>,
    stop: &AtomicBool,
) -> ScenarioReport {
    let file = &plan.files[at];
    let scenario = &file.scenario;
    let seeds = plan.seeds_of(file);
    let timer = Timer::start();
    let progress = Progress::start(&scenario.name, at + 1, plan.files.len(), seeds.count());
    let done = |runs| progress.done(runs);
    let result = run_scenario(&library(scenario), scenario, seeds, plan.jobs, &done, stop);
    drop(progress);
    ScenarioReport {
        claim: scenario.claim.clone(),
        profile: scenario.profile,
        seeds,
        expected: scenario.expect.marks.clone(),
        gated: plan.is_gated(),
        saved: reporter.save(scenario, &result.failures),
        result,
        explored: None,
        disagreement: None,
        elapsed_ms: timer.elapsed_ms(),
    }
}

/// Runs the same seeds in a second process and compares.
fn second_process(
    plan: &RunPlan,
    at: usize,
    report: &ScenarioReport,
    args: &RunArgs,
) -> Result<Option<Disagreement>, CliError> {
    let program = match &args.options.second {
        Some(program) => program.clone(),
        None => this_program()?,
    };
    let second = SecondProcess {
        program: &program,
        scenario: &plan.files[at].path,
        seeds: report.seeds,
        profile: report.profile,
        jobs: plan.jobs,
    };
    second.compare(report.result.trace_hash)
}
