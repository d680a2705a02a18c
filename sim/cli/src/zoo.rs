//! `beaver zoo`: each known bug injected, looked for and shrunk; the stores without bugs run beside.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diagnose::did_you_mean;
use crate::page::HtmlPage;
use crate::report::numbers::counted;
use crate::report::{CaughtBug, ZooDocument, ZooReport};
use beaver_sim::failure_folder::{FailedRun, replay_command};
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::false_alarms::{ControlPlan, ControlResult, run_controls};
use beaver_zoo::find::{BugResult, Effort, find_all};

use super::args::{Format, ZooArgs};
use super::exit::{CliError, Exit};
use super::failure_saver::{save_or_explain, this_program, warn};
use super::injected;
use super::interrupt;
use super::output::Output;
use super::page_file;
use super::progress::Progress;
use super::run_plan::jobs;
use super::timer::Timer;

/// How many seeds of each scenario the stores without bugs run over at least.
const CONTROL_SEEDS: u64 = 200;

pub(crate) fn zoo(args: &ZooArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let bugs = chosen(&args.ids)?;
    page_file::claim(args.report.as_deref())?;
    args.out
        .as_deref()
        .map_or(Ok(()), page_file::claim_folder)?;
    let jobs = jobs(args.jobs);
    let explorer = match args.explore {
        true => "for each",
        false => "where the seeds find nothing",
    };
    let plan = [
        ("bugs", bugs.len().to_string()),
        ("seeds", format!("{} at most for each", args.seeds)),
        ("explorer", explorer.to_owned()),
        ("jobs", jobs.to_string()),
    ];
    out.announce(&plan, args.format)?;
    let timer = Timer::start();
    let effort = Effort {
        seeds: args.seeds,
        explore: args.explore,
        ..Effort::default()
    };
    let asked = bugs.len();
    let progress = Progress::start("bugs", 1, 2, asked as u64);
    let bugs = find_all(&bugs, effort, jobs, &|done| progress.done(done), stop);
    drop(progress);
    let controls = check_controls(&bugs, jobs, stop);
    let report = ZooReport {
        shown: show_all(args, &bugs),
        undecided: asked - bugs.len(),
        bugs,
        controls,
        elapsed_ms: timer.elapsed_ms(),
        interrupted: stop.load(Ordering::SeqCst),
    };
    match args.format {
        Format::Text => out.write(&report),
        Format::Json => out.json(&ZooDocument::new(&report))?,
    }
    let exit = Exit::Judged(report.verdict());
    let exit = match &args.report {
        Some(path) => page_file::write(path, &HtmlPage::of_zoo(&report), exit)?,
        None => exit,
    };
    let unsaved = |shown: &&CaughtBug| args.out.is_some() && shown.folder.is_none();
    match report.shown.values().filter(unsaved).count() {
        0 => Ok(exit),
        unsaved if exit == Exit::HELD => Err(CliError::new(format!(
            "{} could not be saved",
            counted(unsaved as u64, "failure")
        ))),
        _ => Ok(exit),
    }
}

/// The bugs that were asked for; all of them if none was.
fn chosen(ids: &[String]) -> Result<Vec<&'static Bug>, CliError> {
    let mut chosen: Vec<&Bug> = Vec::new();
    for id in ids {
        let called = BUGS.iter().filter(|bug| is_called(bug, id));
        let before = chosen.len();
        chosen.extend(called);
        if chosen.len() == before {
            let known = BUGS.iter().map(|bug| bug.id);
            let meant = did_you_mean(id, known);
            return Err(CliError::new(format!(
                "no bug `{id}` in the zoo{meant}; they are B01 to B42, Q01 to Q07, S01 to S13, S20, and U01 to U12"
            )));
        }
    }
    if ids.is_empty() {
        chosen.extend(BUGS);
    }
    chosen.sort_by_key(|bug| bug.id);
    chosen.dedup_by_key(|bug| bug.id);
    Ok(chosen)
}

/// `B05` is both `B05a` and `B05b`.
fn is_called(bug: &Bug, id: &str) -> bool {
    let id = id.to_uppercase();
    let known = bug.id.to_uppercase();
    known == id || known.trim_end_matches(['A', 'B']) == id
}

/// Runs the stores without bugs wherever bugs were looked for.
fn check_controls(bugs: &[BugResult], jobs: NonZeroUsize, stop: &AtomicBool) -> ControlResult {
    let plan = ControlPlan::after(bugs, CONTROL_SEEDS);
    let progress = Progress::start("stores without bugs", 2, 2, plan.tasks() as u64);
    run_controls(&plan, jobs, &|done| progress.done(done), stop)
}

/// What is shown of the bugs that were caught, by number; saved where that is asked for.
fn show_all(args: &ZooArgs, bugs: &[BugResult]) -> BTreeMap<&'static str, CaughtBug> {
    if args.out.is_none() && args.report.is_none() {
        return BTreeMap::new();
    }
    let shown = bugs.iter().filter_map(|result| {
        let shown = show(result, args.out.as_deref())?;
        Some((result.bug.id, shown))
    });
    shown.collect()
}

/// Explains what caught a bug, and saves it below `out`.
fn show(result: &BugResult, out: Option<&Path>) -> Option<CaughtBug> {
    let bug = result.bug;
    let subject = bug.mutant();
    let mut shrunk = result.caught.as_ref()?.shrunk.clone();
    shrunk.scenario.name = bug.id.to_owned();
    shrunk.scenario.claim = bug.witness().claim;
    let failed = FailedRun::of(shrunk);
    let folder = out.map(|out| out.join(bug.id));
    let program = this_program();
    let replay = folder.as_ref().map(|folder| {
        let replay = replay_command(&program, folder);
        format!("{replay} --bug {}", bug.id)
    });
    let otherwise = format!("{program} zoo {} --out DIR", bug.id);
    let replay = replay.as_deref().unwrap_or(&otherwise);
    let (folder, explained) =
        save_or_explain(&failed, &subject, folder.as_deref(), replay, &otherwise);
    let folder = folder.filter(|folder| match injected::note(folder, bug) {
        Ok(()) => true,
        Err(error) => {
            warn(&error);
            false
        }
    });
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
            chosen(&words)
                .unwrap()
                .iter()
                .map(|result| result.id)
                .collect()
        };
        assert_eq!(ids(&["b05", "S12b", "B05a"]), ["B05a", "B05b", "S12b"]);
        assert_eq!(ids(&[]).len(), BUGS.len());
    }

    #[test]
    fn a_bug_that_is_not_there_is_refused() {
        assert!(chosen(&["B43".to_owned()]).is_err());
    }
}
