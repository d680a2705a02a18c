//! Failed runs of clusters, made smaller, explained and saved: each sort once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::recording::record_run;
use beaver_cluster::replica::RaftEngine;
use beaver_cluster::run_folder::save_run;
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::seeds::FailedSeed;
use beaver_cluster::shrink::{ClusterCase, ShrinkEffort, shrink_case};
use beaver_sim::failure_folder::{count, replay_command};

use crate::args::ClusterArgs;
use crate::failure_saver::{this_program, warn};
use crate::report::ShownFailure;
use crate::timer::Timer;

/// How long one failure is made smaller at most.
const SHRINKING: Duration = Duration::from_secs(10);

/// How many runs that takes at most.
const SHRINKING_RUNS: u64 = 5_000;

/// Saves the failed runs of one command.
pub(super) struct ClusterSaver<'c> {
    choice: EngineChoice,
    engine: &'c dyn RaftEngine,
    args: &'c ClusterArgs,
    stop: &'c AtomicBool,
    /// The folders of this command, and whether each could be written.
    known: BTreeMap<PathBuf, bool>,
}

impl<'c> ClusterSaver<'c> {
    pub(super) fn new(
        choice: EngineChoice,
        engine: &'c dyn RaftEngine,
        args: &'c ClusterArgs,
        stop: &'c AtomicBool,
    ) -> Self {
        ClusterSaver {
            choice,
            engine,
            args,
            stop,
            known: BTreeMap::new(),
        }
    }

    /// What becomes of each of these failures.
    pub(super) fn save_all(
        &mut self,
        scenario: &ClusterScenario,
        failures: &[FailedSeed],
    ) -> Vec<ShownFailure> {
        let saved = failures.iter().map(|failed| self.save(scenario, failed));
        saved.collect()
    }

    fn save(&mut self, scenario: &ClusterScenario, failed: &FailedSeed) -> ShownFailure {
        let case = ClusterCase::of_seed(scenario, failed.seed);
        let before = case.chaos.len();
        let case = self.shrunk(case, failed);
        let (saved, outcome) = record_run(self.choice, self.engine, &case);
        let search = &self.args.options.search;
        let folder = saved.folder(&search.out);
        if let Some(written) = self.known.get(&folder) {
            if *written && let Err(error) = count(&folder, &scenario.name, failed.seed) {
                warn(&error);
            }
            return ShownFailure {
                file: written.then_some(folder),
                shown: None,
            };
        }
        let replay = replay_command(&this_program(), &folder);
        let Some(mut story) = FailureStory::new(&saved, &outcome, before, replay) else {
            // It broke a promise once and does not again: the seeds' own check of determinism says so.
            return ShownFailure {
                file: None,
                shown: None,
            };
        };
        let written = save_run(&folder, &saved, failed.seed, &outcome, &story);
        if let Err(error) = &written {
            warn(error);
            story.replay = self.run_command(scenario, failed.seed);
        }
        self.known.insert(folder.clone(), written.is_ok());
        ShownFailure {
            file: written.is_ok().then_some(folder),
            shown: Some(Box::new((story, outcome))),
        }
    }

    /// The command that runs a seed again, for a failure that could not be saved.
    fn run_command(&self, scenario: &ClusterScenario, seed: u64) -> String {
        let (program, name) = (this_program(), &scenario.name);
        let mut command = format!(
            "{program} cluster {name} --seed {seed} --engine {}",
            self.choice.engine
        );
        if let Some(bug) = self.choice.bug {
            command += &format!(" --bug {bug}");
        }
        command + &format!(" --nodes {}", scenario.nodes)
    }

    fn shrunk(&self, case: ClusterCase, failed: &FailedSeed) -> ClusterCase {
        if self.args.options.search.no_shrink || failed.violation.checker == "determinism" {
            return case;
        }
        let timer = Timer::start();
        let most = u64::try_from(SHRINKING.as_millis()).unwrap_or(u64::MAX);
        let stop = || self.stop.load(Ordering::Relaxed) || timer.elapsed_ms() > most;
        let effort = ShrinkEffort {
            runs: SHRINKING_RUNS,
            stop: &stop,
        };
        shrink_case(self.engine, case, failed.violation.clone(), &effort).case
    }
}
