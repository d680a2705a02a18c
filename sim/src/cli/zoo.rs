//! `beaver zoo`: each known bug planted, looked for and shrunk; the stores without bugs run beside.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_sim::diagnose::did_you_mean;
use beaver_sim::report::{ZooDocument, ZooReport};
use beaver_sim::zoo::catalogue::{EXHIBITS, Exhibit};
use beaver_sim::zoo::habitats::habitats;
use beaver_sim::zoo::hunt::{Hunted, Patience, hunt_all, patrol};

use super::args::{Format, ZooArgs};
use super::exit::{Exit, Failure};
use super::interrupt;
use super::output::Output;
use super::progress::Progress;
use super::stopwatch::Stopwatch;

/// The stores without bugs run over at least so many seeds of each habitat.
const CONTROL_SEEDS: u64 = 200;

pub(crate) fn zoo(args: &ZooArgs, out: &mut Output) -> Result<Exit, Failure> {
    let stop = interrupt::flag()?;
    let exhibits = chosen(&args.ids)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let jobs = args.jobs.unwrap_or(cores);
    let text = args.format == Format::Text;
    announce(exhibits.len(), args, jobs, text, out)?;
    let stopwatch = Stopwatch::start();
    let patience = Patience {
        seeds: args.seeds,
        explore: args.explore,
        ..Patience::default()
    };
    let progress = Progress::start("bugs", 1, 2, exhibits.len() as u64);
    let bugs = hunt_all(&exhibits, patience, jobs, &|done| progress.done(done), stop);
    drop(progress);
    let (control_runs, false_alarms) = check_controls(&bugs, jobs, stop);
    let report = ZooReport {
        bugs,
        control_runs,
        false_alarms,
        elapsed_ms: stopwatch.elapsed_ms(),
        interrupted: stop.load(Ordering::SeqCst),
    };
    if text {
        out.write(&report);
    } else {
        let json = serde_json::to_string_pretty(&ZooDocument::new(&report))
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    }
    Ok(Exit::of_verdict(report.verdict(), report.interrupted))
}

/// The bugs that were asked for; all of them if none was.
fn chosen(ids: &[String]) -> Result<Vec<&'static Exhibit>, Failure> {
    let mut chosen: Vec<&Exhibit> = Vec::new();
    for id in ids {
        let called = EXHIBITS.iter().filter(|exhibit| is_called(exhibit, id));
        let before = chosen.len();
        chosen.extend(called);
        if chosen.len() == before {
            let known = EXHIBITS.iter().map(|exhibit| exhibit.id);
            let meant = did_you_mean(id, known);
            return Err(Failure::new(format!(
                "no bug `{id}` in the zoo{meant}; they are B01 to B42 and S01 to S12"
            )));
        }
    }
    if ids.is_empty() {
        chosen.extend(EXHIBITS);
    }
    chosen.sort_by_key(|exhibit| exhibit.id);
    chosen.dedup_by_key(|exhibit| exhibit.id);
    Ok(chosen)
}

/// `B05` is both `B05a` and `B05b`.
fn is_called(exhibit: &Exhibit, id: &str) -> bool {
    let id = id.to_uppercase();
    let known = exhibit.id.to_uppercase();
    known == id || known.trim_end_matches(['A', 'B']) == id
}

/// Runs the stores without bugs over the seeds over which bugs were looked for.
fn check_controls(
    bugs: &[Hunted],
    jobs: NonZeroUsize,
    stop: &AtomicBool,
) -> (u64, Vec<beaver_sim::zoo::hunt::FalseAlarm>) {
    let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
    for bug in bugs {
        let runs = bug.caught.as_ref().map_or(0, |catch| catch.runs);
        let seeds = seeds.entry(bug.exhibit.habitat).or_insert(CONTROL_SEEDS);
        *seeds = runs.max(*seeds);
    }
    let habitats = habitats().into_iter().filter_map(|habitat| {
        let seeds = *seeds.get(habitat.name.as_str())?;
        Some((habitat, seeds))
    });
    let habitats: Vec<_> = habitats.collect();
    let progress = Progress::start("stores without bugs", 2, 2, habitats.len() as u64);
    patrol(&habitats, jobs, &|done| progress.done(done), stop)
}

/// Prints version and configuration: where the results go, or beside them if those are for a program.
fn announce(
    bugs: usize,
    args: &ZooArgs,
    jobs: NonZeroUsize,
    text: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let announcement = format!(
        "beaver {}\nbugs         {bugs}\nseeds        {} at most for each\nexplorer     {}\njobs         {jobs}",
        env!("CARGO_PKG_VERSION"),
        args.seeds,
        match args.explore {
            true => "for each",
            false => "where the seeds find nothing",
        },
    );
    out.announce(announcement, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_letter_is_both() {
        let ids = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            chosen(&words).unwrap().iter().map(|bug| bug.id).collect()
        };
        assert_eq!(ids(&["b05", "S12b", "B05a"]), ["B05a", "B05b", "S12b"]);
        assert_eq!(ids(&[]).len(), EXHIBITS.len());
    }

    #[test]
    fn a_bug_that_is_not_there_is_refused() {
        assert!(chosen(&["B43".to_owned()]).is_err());
    }
}
