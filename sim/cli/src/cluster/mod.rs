//! `beaver cluster`: a Raft cluster over the seeds of its scenarios, a row for each as it ends, then what
//! failed and how to see it again.

mod plan;
mod replay;
mod saver;
mod second;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_cluster::replica::RaftEngine;
use beaver_cluster::run::run;
use beaver_cluster::seeds::run_cluster_seeds;

use super::args::{ClusterArgs, Format};
use super::exit::{CliError, Exit};
use super::interrupt;
use super::output::Output;
use super::page_file;
use super::progress::Progress;
use super::timer::Timer;
use crate::page::ClusterPage;
use crate::report::{ClusterDocument, ClusterReport, ClusterRow, cluster_heading};
use plan::ClusterPlan;
pub(crate) use replay::replay_cluster;
use saver::ClusterSaver;

/// How many failures of one scenario are printed.
const PRINTED_FAILURES: usize = 3;

pub(crate) fn cluster(args: &ClusterArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let plan = ClusterPlan::resolve(args)?;
    let engine = plan.engine.make().map_err(CliError::new)?;
    if args.hash_each || args.events {
        one_side(&plan, &*engine, args, out);
        return Ok(Exit::HELD);
    }
    let search = &args.options.search;
    page_file::claim(search.report.as_deref())?;
    page_file::claim_folder(&search.out)?;
    out.announce(&plan.lines(), search.format)?;
    let mut report = ClusterReport::new(plan.engine);
    let widest = plan.files.iter().map(|file| file.scenario.name.len()).max();
    let width = widest.unwrap_or(0).max("scenario".len());
    if search.format == Format::Text {
        out.line(cluster_heading(width));
        out.flush();
    }
    let timer = Timer::start();
    let mut saver = ClusterSaver::new(plan.engine, &*engine, args, stop);
    for at in 0..plan.files.len() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let row = run_one(&plan, at, &*engine, &mut saver, args, stop)?;
        if search.format == Format::Text {
            out.line(row.line(width));
            out.flush();
        }
        report.rows.push(row);
    }
    report.interrupted = stop.load(Ordering::SeqCst);
    report.elapsed_ms = timer.elapsed_ms();
    finish(&report, width, args, out)
}

/// Runs one scenario over its seeds, and saves what failed.
fn run_one(
    plan: &ClusterPlan<'_>,
    at: usize,
    engine: &dyn RaftEngine,
    saver: &mut ClusterSaver<'_>,
    args: &ClusterArgs,
    stop: &AtomicBool,
) -> Result<ClusterRow, CliError> {
    let file = &plan.files[at];
    let seeds = plan.seeds_of(file);
    let timer = Timer::start();
    let progress = Progress::start(&file.scenario.name, at + 1, plan.files.len(), seeds.count());
    let done = |runs| progress.done(runs);
    let result = run_cluster_seeds(engine, &file.scenario, seeds, plan.jobs, &done, stop);
    drop(progress);
    let disagreement = match args.options.check_determinism && !result.cancelled {
        true => second::compare(plan, file, &result, args)?,
        false => None,
    };
    let failures = saver.save_all(file, &result.failures);
    Ok(ClusterRow {
        scenario: file.scenario.clone(),
        seeds,
        result,
        failures,
        disagreement,
        elapsed_ms: timer.elapsed_ms(),
    })
}

/// What a second process prints, to be compared: the hash of each seed, or all events of one.
fn one_side(plan: &ClusterPlan<'_>, engine: &dyn RaftEngine, args: &ClusterArgs, out: &mut Output) {
    for file in &plan.files {
        let seeds = plan.seeds_of(file);
        // Backwards, so that what one run leaves for the next makes a difference.
        for seed in (seeds.start..seeds.end).rev() {
            let outcome = run(engine, &file.scenario, seed, None);
            if args.hash_each {
                out.line(format_args!("{seed} {:016x}", outcome.hash));
            }
            if args.events {
                let lines = outcome.events.iter().map(second::event_line);
                lines.for_each(|line| out.line(line));
            }
        }
    }
}

/// Prints the report, writes the page, and says how the command ends.
fn finish(
    report: &ClusterReport,
    width: usize,
    args: &ClusterArgs,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let search = &args.options.search;
    let verdict = report.verdict();
    match search.format {
        Format::Json => out.json(&ClusterDocument::new(report))?,
        Format::Text => {
            out.line(report.total(width));
            out.write(report.details(search.coverage, PRINTED_FAILURES));
        }
    }
    let exit = Exit::Judged(verdict);
    let write =
        |path: &Path| page_file::write_text(path, &ClusterPage::new(report).to_string(), exit);
    search.report.as_deref().map_or(Ok(exit), write)
}
