//! `beaver zoo`: each known bug planted, looked for and shrunk; the stores without bugs run beside.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diagnose::did_you_mean;
use crate::page::HtmlPage;
use crate::report::{CaughtBug, ZooDocument, ZooReport};
use beaver_sim::failure_folder::{FailedRun, replay_command};
use beaver_zoo::catalogue::{EXHIBITS, Exhibit};
use beaver_zoo::hunt::{Hunted, Patience, hunt_all};
use beaver_zoo::patrol::{Beat, Patrolled, patrol};

use super::args::{Format, ZooArgs};
use super::exit::{CliError, Exit};
use super::failure_saver::{save_or_explain, this_program};
use super::interrupt;
use super::output::Output;
use super::page_file;
use super::progress::Progress;
use super::run_plan::jobs;
use super::timer::Timer;

/// How many seeds of each habitat the stores without bugs run over at least.
const CONTROL_SEEDS: u64 = 200;

pub(crate) fn zoo(args: &ZooArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let exhibits = chosen(&args.ids)?;
    page_file::claim(args.report.as_deref())?;
    let jobs = jobs(args.jobs);
    let explorer = match args.explore {
        true => "for each",
        false => "where the seeds find nothing",
    };
    let plan = [
        ("bugs", exhibits.len().to_string()),
        ("seeds", format!("{} at most for each", args.seeds)),
        ("explorer", explorer.to_owned()),
        ("jobs", jobs.to_string()),
    ];
    out.announce(&plan, args.format)?;
    let timer = Timer::start();
    let patience = Patience {
        seeds: args.seeds,
        explore: args.explore,
        ..Patience::default()
    };
    let progress = Progress::start("bugs", 1, 2, exhibits.len() as u64);
    let bugs = hunt_all(&exhibits, patience, jobs, &|done| progress.done(done), stop);
    drop(progress);
    let patrolled = check_controls(&bugs, jobs, stop);
    let report = ZooReport {
        shown: show_all(args, &bugs),
        bugs,
        patrolled,
        elapsed_ms: timer.elapsed_ms(),
        interrupted: stop.load(Ordering::SeqCst),
    };
    match args.format {
        Format::Text => out.write(&report),
        Format::Json => out.json(&ZooDocument::new(&report))?,
    }
    let exit = Exit::of_verdict(report.verdict(), report.interrupted);
    match &args.report {
        Some(path) => page_file::write(path, &HtmlPage::of_zoo(&report), exit),
        None => Ok(exit),
    }
}

/// The bugs that were asked for; all of them if none was.
fn chosen(ids: &[String]) -> Result<Vec<&'static Exhibit>, CliError> {
    let mut chosen: Vec<&Exhibit> = Vec::new();
    for id in ids {
        let called = EXHIBITS.iter().filter(|exhibit| is_called(exhibit, id));
        let before = chosen.len();
        chosen.extend(called);
        if chosen.len() == before {
            let known = EXHIBITS.iter().map(|exhibit| exhibit.id);
            let meant = did_you_mean(id, known);
            return Err(CliError::new(format!(
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

/// Runs the stores without bugs wherever bugs were looked for.
fn check_controls(bugs: &[Hunted], jobs: NonZeroUsize, stop: &AtomicBool) -> Patrolled {
    let beat = Beat::after(bugs, CONTROL_SEEDS);
    let progress = Progress::start("stores without bugs", 2, 2, beat.rounds() as u64);
    patrol(&beat, jobs, &|done| progress.done(done), stop)
}

/// What is shown of the bugs that were caught, by number; saved where that is asked for.
fn show_all(args: &ZooArgs, bugs: &[Hunted]) -> BTreeMap<&'static str, CaughtBug> {
    if args.out.is_none() && args.report.is_none() {
        return BTreeMap::new();
    }
    let shown = bugs.iter().filter_map(|bug| {
        let shown = show(bug, args.out.as_deref())?;
        Some((bug.exhibit.id, shown))
    });
    shown.collect()
}

/// Explains what caught a bug, and saves it below `out`.
fn show(bug: &Hunted, out: Option<&Path>) -> Option<CaughtBug> {
    let exhibit = bug.exhibit;
    let subject = exhibit.plant.subject();
    let mut shrunk = bug.caught.as_ref()?.shrunk.clone();
    shrunk.scenario.name = exhibit.id.to_owned();
    shrunk.scenario.claim = exhibit.witness().claim;
    let failed = FailedRun::of(shrunk);
    let folder = out.map(|out| out.join(exhibit.id));
    let program = this_program();
    let replay = folder.as_ref().map(|folder| {
        let replay = replay_command(&program, folder);
        format!("{replay} --bug {}", exhibit.id)
    });
    let otherwise = format!("{program} zoo {} --out DIR", exhibit.id);
    let replay = replay.as_deref().unwrap_or(&otherwise);
    let (folder, explained) =
        save_or_explain(&failed, &subject, folder.as_deref(), replay, &otherwise);
    Some(CaughtBug {
        folder,
        explained: Box::new(explained?),
    })
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
