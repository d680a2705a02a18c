//! Failed runs of clusters, made smaller, explained and saved: each sort once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beaver_cluster::cluster_case::ClusterCase;
use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::recording::record_run;
use beaver_cluster::replica::RaftEngine;
use beaver_cluster::run_folder::save_run;
use beaver_cluster::seeds::FailedSeed;
use beaver_cluster::shrink::{ShrinkEffort, shrink_case};
use beaver_sim::failure_folder::{count, quoted, replay_command};

use super::plan::ClusterFile;
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
        file: &ClusterFile,
        failures: &[FailedSeed],
    ) -> Vec<ShownFailure> {
        let saved = failures.iter().map(|failed| self.save(file, failed));
        saved.collect()
    }

    fn save(&mut self, file: &ClusterFile, failed: &FailedSeed) -> ShownFailure {
        let scenario = &file.scenario;
        let case = ClusterCase::of_seed(scenario, failed.seed);
        let before = case.chaos.len();
        let case = self.shrunk(case, failed);
        let (saved, outcome) = record_run(self.choice, self.engine, &case);
        if saved.breaks != failed.violation.checker {
            return ShownFailure::NotAgain;
        }
        let search = &self.args.options.search;
        let folder = saved.folder(&search.out);
        if let Some(written) = self.known.get(&folder) {
            if *written && let Err(error) = count(&folder, &scenario.name, failed.seed) {
                warn(&error);
            }
            return ShownFailure::LikeEarlier(written.then_some(folder));
        }
        let replay = replay_command(&this_program(), &folder);
        let Some(mut story) = FailureStory::new(&saved, &outcome, Some(before), replay) else {
            return ShownFailure::NotAgain;
        };
        let written = save_run(&folder, self.engine, &saved, failed.seed, &outcome, &story);
        if let Err(error) = &written {
            warn(error);
            let fs = search.fs.as_deref();
            story.replay = seed_command(file, failed.seed, self.choice, fs);
        }
        self.known.insert(folder.clone(), written.is_ok());
        ShownFailure::Shown {
            file: written.is_ok().then_some(folder),
            found: Box::new((story, outcome)),
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

/// The command that runs a seed of a file again, for a failure that could not be saved.
fn seed_command(file: &ClusterFile, seed: u64, choice: EngineChoice, fs: Option<&str>) -> String {
    let path = quoted(&file.path.display().to_string());
    let (program, nodes, engine) = (this_program(), file.scenario.nodes, choice.engine);
    let mut command =
        format!("{program} cluster {path} --seed {seed} --engine {engine} --nodes {nodes}");
    if let Some(bug) = choice.bug {
        command += &format!(" --bug {bug}");
    }
    if let Some(fs) = fs {
        command += &format!(" --fs {}", quoted(fs));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_cluster::scenario::ClusterScenario;
    use beaver_cluster::small_raft::PlantedBug;

    #[test]
    fn the_command_names_the_file_as_one_word_and_everything_that_was_asked_for() {
        let file = ClusterFile {
            path: "my runs/three.json".into(),
            scenario: ClusterScenario::default(),
        };
        let choice = EngineChoice::planted(PlantedBug::CommitWithoutQuorum);
        let command = seed_command(&file, 7, choice, Some("posix"));
        let arguments = " cluster 'my runs/three.json' --seed 7 --engine small --nodes 3 \
                         --bug commit-without-quorum --fs posix";
        assert!(command.ends_with(arguments), "{command}");
    }
}
