//! `beaver trace-hashes`: one side of the determinism check, in a process of its own.
//!
//! What it prints is read by the process that started it: with nothing else asked for one line, the hash over all seeds; with
//! `--each` one line a seed, `<seed> <hash>`; with `--calls-of` the trace of one seed. The hidden command has no other use.

use std::num::NonZeroUsize;

use beaver_sim::beaver::library;
use beaver_sim::run::{Keep, run_scenario, run_seed};
use beaver_sim::scenario::Scenario;

use super::args::TraceHashesArgs;
use super::exit::{CliError, Exit};
use super::interrupt;
use super::output::Output;
use super::scenario_files;

pub(crate) fn trace_hashes(args: &TraceHashesArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let mut scenario = scenario_files::read(&args.scenario)?;
    if let Some(name) = &args.fs {
        scenario.profile = scenario_files::profile_named(name)?;
    }
    if args.each || args.calls_of.is_some() {
        one_by_one(&scenario, args, out);
        return Ok(Exit::HELD);
    }
    let jobs = args.jobs.unwrap_or(NonZeroUsize::MIN);
    let result = run_scenario(
        &library(&scenario),
        &scenario,
        args.seeds,
        jobs,
        &|_| (),
        stop,
    );
    out.line(format_args!("{:016x}", result.trace_hash));
    Ok(if result.cancelled {
        Exit::INTERRUPTED
    } else {
        Exit::HELD
    })
}

/// Runs the seeds in order or backwards, so that what one run leaves for the next makes a difference.
fn one_by_one(scenario: &Scenario, args: &TraceHashesArgs, out: &mut Output) {
    let count = args.seeds.count();
    for at in 0..count {
        let seed = match args.backwards {
            true => args.seeds.end - 1 - at,
            false => args.seeds.start + at,
        };
        let wanted = args.calls_of == Some(seed);
        let keep = Keep {
            trace: wanted,
            ..Keep::default()
        };
        let run = run_seed(&library(scenario), scenario, seed, keep);
        if args.each {
            out.line(format_args!("{seed} {:016x}", run.trace_hash));
        }
        if wanted {
            run.trace.iter().for_each(|line| out.line(line));
            break;
        }
    }
}
