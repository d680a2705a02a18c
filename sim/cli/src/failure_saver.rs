//! Failed runs, made smaller, explained and saved: each failure once, with the runs that it stands for.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::report::{SavedFailure, ScenarioReport};
use beaver_sim::beaver::library;
use beaver_sim::explain::{Explained, explain};
use beaver_sim::failure_folder::{self, FailedRun, quoted, replay_command};
use beaver_sim::result::RunResult;
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Limits, Sameness};
use beaver_sim::subject::AnySubject;

use super::interrupt;
use super::output::Output;
use super::timer::Timer;

/// How long one failure is made smaller at most: `beaver shrink` goes on.
const SHRINKING: Duration = Duration::from_secs(10);

/// How many candidates that are run for it at most.
const CANDIDATES: u64 = 20_000;

/// The failures of a whole run, those of all its scenarios.
#[derive(Debug)]
pub(super) struct FailureSaver<'o> {
    out: &'o Path,
    shrinks: bool,
    known: Vec<SavedOnce>,
}

/// A failure that stands for all that are equal to it.
#[derive(Debug)]
struct SavedOnce {
    /// The folders that it and its equals would have, its own first.
    folders: Vec<PathBuf>,
    /// What it is, once it was shrunk.
    sameness: Option<Sameness>,
    /// Its first run.
    scenario: String,
    seed: u64,
    /// What became of it, as it is to be said of its equals.
    saved: SavedFailure,
    /// How many runs it stands for.
    count: usize,
}

impl<'o> FailureSaver<'o> {
    /// Saves below `out`; `shrinks` says whether failures are made smaller before.
    pub(super) fn new(out: &'o Path, shrinks: bool) -> Self {
        FailureSaver {
            out,
            shrinks,
            known: Vec::new(),
        }
    }

    /// Says in the reports how many runs each failure stands for, now that all are counted.
    pub(super) fn settle(&self, reports: &mut [ScenarioReport]) {
        for report in reports {
            let runs = report.result.failures.iter().zip(&mut report.saved);
            for (run, saved) in runs.filter(|(_, saved)| !saved.folded) {
                let first = |known: &&SavedOnce| {
                    known.scenario == report.result.name && known.seed == run.seed
                };
                saved.count = self.known.iter().find(first).map_or(1, |known| known.count);
            }
        }
    }

    /// Saves a failed run. Equal ones are saved once, wherever they were met.
    pub(super) fn save(&mut self, scenario: &Scenario, run: &RunResult) -> SavedFailure {
        let subject = library(scenario);
        let mut failed = FailedRun::new(&subject, scenario, run);
        let folder = failed.folder(self.out);
        let alike = |known: &&mut SavedOnce| known.folders.contains(&folder);
        if let Some(known) = self.known.iter_mut().find(alike) {
            return known.fold(scenario, run);
        }
        // What the seed shows is the failure as it was found, on the file system that was asked for.
        let command = seed_command(scenario, run.seed);
        let mut sameness = None;
        if self.shrinks {
            shrink(&mut failed, &subject);
            sameness = failed.sameness(&subject);
        }
        let same = |known: &&mut SavedOnce| sameness.is_some() && known.sameness == sameness;
        if let Some(known) = self.known.iter_mut().find(same) {
            known.folders.push(folder);
            return known.fold(scenario, run);
        }
        let saved = save(&failed, &folder, &command);
        self.known.push(SavedOnce {
            folders: vec![folder],
            sameness,
            scenario: scenario.name.clone(),
            seed: run.seed,
            count: saved.count,
            saved: SavedFailure {
                explained: None,
                folded: true,
                ..saved.clone()
            },
        });
        saved
    }
}

impl SavedOnce {
    /// Stands for one more run.
    fn fold(&mut self, scenario: &Scenario, run: &RunResult) -> SavedFailure {
        self.count += 1;
        if let Some(path) = &self.saved.file
            && let Err(error) = failure_folder::count(path, &scenario.name, run.seed)
        {
            warn(&error);
        }
        self.saved.clone()
    }
}

/// Saves one failure; where that does not work, `command` shows it again.
fn save(failed: &FailedRun, folder: &Path, command: &str) -> SavedFailure {
    let subject = library(&failed.scenario);
    let replay = replay_command(&this_program(), folder);
    let (file, explained) = save_or_explain(failed, &subject, Some(folder), &replay, command);
    let weakest = explained.as_ref();
    let weakest = weakest.map(|explained| explained.explanation.weakest.profile);
    SavedFailure {
        file,
        weakest: weakest.unwrap_or(failed.scenario.profile),
        count: 1,
        explained: explained.map(Box::new),
        folded: false,
    }
}

/// Saves a failure in `folder`, where `replay` shows it again, and explains it. Without a folder, or
/// where that cannot be written, `otherwise` shows it again.
pub(super) fn save_or_explain(
    failed: &FailedRun,
    subject: &AnySubject,
    folder: Option<&Path>,
    replay: &str,
    otherwise: &str,
) -> (Option<PathBuf>, Option<Explained>) {
    match folder.map(|folder| failed.save(folder, subject, replay)) {
        Some(Ok(explained)) => return (folder.map(Path::to_owned), explained),
        Some(Err(error)) => warn(&error),
        None => {}
    }
    (None, explain(subject, &failed.scenario, otherwise))
}

/// Makes a failure smaller until its time is over or a signal stops it.
fn shrink(failed: &mut FailedRun, subject: &AnySubject) {
    let timer = Timer::start();
    let stopped = || interrupt::flag().is_ok_and(|stop| stop.load(Ordering::SeqCst));
    let go_on = || u128::from(timer.elapsed_ms()) < SHRINKING.as_millis() && !stopped();
    let limits = Limits {
        runs: CANDIDATES,
        go_on: &go_on,
    };
    failed.shrink(subject, limits);
}

/// This program as it was called.
pub(super) fn this_program() -> String {
    let program = std::env::args().next();
    quoted(&program.unwrap_or_else(|| "beaver".to_owned()))
}

/// The command that runs a seed again: for a failure that could not be saved.
fn seed_command(scenario: &Scenario, seed: u64) -> String {
    let (name, profile) = (quoted(&scenario.name), scenario.profile.name());
    format!("{} run {name} --seed {seed} --fs {profile}", this_program())
}

/// Says that a failure could not be saved. The verdict is worth more than the file, so the work goes on.
pub(super) fn warn(failure: &std::io::Error) {
    let mut error = Output::error();
    error.line(format_args!("warning: not saved: {failure}"));
    // Nothing more can be said when standard error cannot be written to either.
    let _ = error.finish();
}
