//! Failed runs of clusters, made smaller, explained and saved: each sort once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::replica::Engine;
use beaver_cluster::saved_run::SavedRun;
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
    engine: &'c dyn Engine,
    args: &'c ClusterArgs,
    stop: &'c AtomicBool,
    /// The folders of this command.
    known: Mutex<BTreeSet<PathBuf>>,
}

impl<'c> ClusterSaver<'c> {
    pub(super) fn new(
        choice: EngineChoice,
        engine: &'c dyn Engine,
        args: &'c ClusterArgs,
        stop: &'c AtomicBool,
    ) -> Self {
        ClusterSaver {
            choice,
            engine,
            args,
            stop,
            known: Mutex::default(),
        }
    }

    /// What becomes of each of these failures.
    pub(super) fn save_all(
        &self,
        scenario: &ClusterScenario,
        failures: &[FailedSeed],
    ) -> Vec<ShownFailure> {
        let saved = failures.iter().map(|failed| self.save(scenario, failed));
        saved.collect()
    }

    fn save(&self, scenario: &ClusterScenario, failed: &FailedSeed) -> ShownFailure {
        let case = ClusterCase::of_seed(scenario, failed.seed);
        let before = case.chaos.len();
        let case = self.shrunk(case, failed);
        let (saved, outcome) = SavedRun::record(self.choice, self.engine, &case);
        let search = &self.args.options.search;
        let folder = saved.folder(&search.out);
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !known.insert(folder.clone()) {
            if let Err(error) = count(&folder, &scenario.name, failed.seed) {
                warn(&error);
            }
            return ShownFailure {
                file: Some(folder),
                shown: None,
            };
        }
        let replay = replay_command(&this_program(), &folder);
        let Some(story) = FailureStory::new(&saved, &outcome, before, replay) else {
            // It broke a promise once and does not again: the seeds' own check of determinism says so.
            return ShownFailure {
                file: None,
                shown: None,
            };
        };
        let written = saved.save(&folder, failed.seed, &outcome, &story);
        let file = match written {
            Ok(_) => Some(folder),
            Err(error) => {
                warn(&error);
                None
            }
        };
        ShownFailure {
            file,
            shown: Some(Box::new((story, outcome))),
        }
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
