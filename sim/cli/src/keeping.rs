//! Failed runs, made smaller, explained and saved: each failure once, with the runs that it stands for.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::report::{SavedFailure, ScenarioReport};
use beaver_sim::explain::explain;
use beaver_sim::failure_folder::{self, Failing, quoted, replay_command};
use beaver_sim::result::RunResult;
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Limits, Sameness};
use beaver_sim::subject::Subject;

use super::interrupt;
use super::output::Output;
use super::stopwatch::Stopwatch;

/// How long one failure is made smaller at most: `beaver shrink` goes on.
const SHRINKING: Duration = Duration::from_secs(10);

/// How many candidates that are run for it at most.
const CANDIDATES: u64 = 20_000;

/// The failures of a whole run, those of all its scenarios.
#[derive(Debug)]
pub(super) struct Keeper<'o> {
    out: &'o Path,
    shrinks: bool,
    kept: Vec<Kept>,
}

/// A failure that stands for all that are equal to it.
#[derive(Debug)]
struct Kept {
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

impl<'o> Keeper<'o> {
    /// Saves below `out`; `shrinks` says whether failures are made smaller before.
    pub(super) fn new(out: &'o Path, shrinks: bool) -> Self {
        Keeper {
            out,
            shrinks,
            kept: Vec::new(),
        }
    }

    /// Keeps the failed runs of a scenario. Equal ones are saved once, wherever they were met.
    pub(super) fn keep_all(
        &mut self,
        scenario: &Scenario,
        runs: &[RunResult],
    ) -> Vec<SavedFailure> {
        runs.iter().map(|run| self.keep(scenario, run)).collect()
    }

    /// Says in the reports how many runs each failure stands for, now that all are counted.
    pub(super) fn settle<'r>(&self, reports: impl Iterator<Item = &'r mut ScenarioReport>) {
        for report in reports {
            let runs = report.result.failures.iter().zip(&mut report.saved);
            for (run, saved) in runs.filter(|(_, saved)| !saved.folded) {
                let first =
                    |kept: &&Kept| kept.scenario == report.result.name && kept.seed == run.seed;
                saved.count = self.kept.iter().find(first).map_or(1, |kept| kept.count);
            }
        }
    }

    fn keep(&mut self, scenario: &Scenario, run: &RunResult) -> SavedFailure {
        let subject = Subject::default();
        let mut failing = Failing::new(&subject, scenario, run);
        let folder = failing.folder(self.out);
        let alike = |kept: &&mut Kept| kept.folders.contains(&folder);
        if let Some(kept) = self.kept.iter_mut().find(alike) {
            return kept.fold(scenario, run);
        }
        // What the seed shows is the failure as it was found, on the file system that was asked for.
        let command = seed_command(scenario, run.seed);
        let mut sameness = None;
        if self.shrinks {
            shrink(&mut failing, &subject);
            sameness = failing.sameness(&subject);
        }
        let same = |kept: &&mut Kept| sameness.is_some() && kept.sameness == sameness;
        if let Some(kept) = self.kept.iter_mut().find(same) {
            kept.folders.push(folder);
            return kept.fold(scenario, run);
        }
        let saved = save(&failing, &folder, &command);
        self.kept.push(Kept {
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

impl Kept {
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
fn save(failing: &Failing, folder: &Path, command: &str) -> SavedFailure {
    let subject = Subject::default();
    let replay = replay_command(&this_program(), folder);
    let (file, explained) = match failing.save(folder, &subject, &replay) {
        Ok(explained) => (Some(folder.to_owned()), explained),
        Err(error) => {
            warn(&error);
            (None, explain(&subject, &failing.scenario, command))
        }
    };
    let known = explained
        .as_ref()
        .map(|explained| explained.explanation.mildest());
    SavedFailure {
        file,
        mildest: known.unwrap_or(failing.scenario.profile),
        count: 1,
        explained: explained.map(Box::new),
        folded: false,
    }
}

/// Makes a failure smaller until its time is over or somebody presses Ctrl-C.
fn shrink(failing: &mut Failing, subject: &Subject) {
    let stopwatch = Stopwatch::start();
    let stopped = || interrupt::flag().is_ok_and(|stop| stop.load(Ordering::SeqCst));
    let go_on = || u128::from(stopwatch.elapsed_ms()) < SHRINKING.as_millis() && !stopped();
    let limits = Limits {
        runs: CANDIDATES,
        go_on: &go_on,
    };
    failing.shrink(subject, limits);
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
