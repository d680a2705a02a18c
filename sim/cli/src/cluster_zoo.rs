//! The part of `beaver zoo` that is about clusters.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::recording::record_run;
use beaver_cluster::run_folder::save_run;
use beaver_cluster::small_raft::PlantedBug;
use beaver_sim::failure_folder::replay_command;
use beaver_zoo::cluster_bugs::{
    CLUSTER_RUNS, ClusterBugResult, cluster_id, find_cluster_bugs, run_cluster_controls,
};

use super::failure_saver::{this_program, warn};
use super::progress::Progress;
use crate::report::ClusterZooReport;

/// How many seeds of each scenario the engine without bugs runs over at least.
const CONTROL_SEEDS: u64 = 200;

/// Looks for these bugs, with at most `seeds` seeds each, and saves what was caught below `out`.
pub(super) fn cluster_zoo(
    asked: &[PlantedBug],
    seeds: u64,
    jobs: NonZeroUsize,
    out: Option<&Path>,
    stop: &AtomicBool,
) -> ClusterZooReport {
    let progress = Progress::start("bugs of Raft engines", 1, 2, asked.len() as u64);
    let done = |done| progress.done(done);
    let bugs = find_cluster_bugs(asked, seeds.min(CLUSTER_RUNS), jobs, &done, stop);
    drop(progress);
    let progress = Progress::start("the cluster without bugs", 2, 2, 0);
    let done = |done| progress.done(done);
    let controls = run_cluster_controls(&bugs, CONTROL_SEEDS, jobs, &done, stop);
    drop(progress);
    let saved = out.map(|out| {
        let saved = bugs.iter().filter_map(|result| {
            let saved = save(result, out)?;
            Some((result.bug, saved))
        });
        saved.collect()
    });
    ClusterZooReport {
        undecided: asked.len() - bugs.len(),
        interrupted: stop.load(Ordering::SeqCst),
        controls,
        saved: saved.unwrap_or_default(),
        bugs,
    }
}

/// Saves what caught a bug; the folder, and the command that replays it.
fn save(result: &ClusterBugResult, out: &Path) -> Option<(PathBuf, String)> {
    let catch = result.caught.as_ref()?;
    let choice = EngineChoice::planted(result.bug);
    let engine = choice.make().ok()?;
    let (saved, outcome) = record_run(choice, &*engine, &catch.shrunk.case);
    let folder = out.join(cluster_id(result.bug));
    let replay = replay_command(&this_program(), &folder);
    let story = FailureStory::new(&saved, &outcome, Some(catch.actions), replay.clone())?;
    match save_run(&folder, &*engine, &saved, catch.seed, &outcome, &story) {
        Ok(_) => Some((folder, replay)),
        Err(error) => {
            warn(&error);
            None
        }
    }
}
