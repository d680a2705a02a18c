//! A saved failure, and the next one of its sort.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::path::Path;

use beaver_cluster::cluster_case::ClusterCase;
use beaver_cluster::engine_choice::EngineChoice;
use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::recording::record_run;
use beaver_cluster::run_folder::save_run;
use beaver_cluster::saved_run::{CLUSTER_FILE, SavedRun};
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::small_raft::PlantedBug;

const BUG: PlantedBug = PlantedBug::CommitWithoutQuorum;

/// Saves a case that fails.
fn save(folder: &Path, case: &ClusterCase) -> SavedRun {
    let choice = EngineChoice::planted(BUG);
    let engine = choice.make().unwrap();
    let (saved, outcome) = record_run(choice, &*engine, case);
    let story = FailureStory::new(&saved, &outcome, None, "replay".to_owned()).unwrap();
    save_run(folder, &*engine, &saved, case.seed, &outcome, &story).unwrap();
    saved
}

fn lies(folder: &Path) -> SavedRun {
    SavedRun::read(&folder.join(CLUSTER_FILE)).unwrap()
}

#[test]
fn a_smaller_failure_stays_while_it_still_fails() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a-smaller-failure-stays");
    let _ = std::fs::remove_dir_all(&folder);
    let long = ClusterCase::of_seed(&ClusterScenario::default(), 1);
    let short = ClusterCase {
        chaos: long.chaos[..1].to_vec(),
        ..long.clone()
    };
    let first = save(&folder, &long);
    assert_eq!(lies(&folder), first);
    let smaller = save(&folder, &short);
    assert_eq!(smaller.breaks, first.breaks);
    assert_eq!(lies(&folder), smaller);
    save(&folder, &long);
    assert_eq!(lies(&folder), smaller, "the smaller one stays");
    let gone = SavedRun {
        breaks: "liveness".to_owned(),
        ..smaller
    };
    let text = serde_json::to_string(&gone).unwrap();
    std::fs::write(folder.join(CLUSTER_FILE), text).unwrap();
    save(&folder, &long);
    assert_eq!(lies(&folder), first, "one of another sort is replaced");
}
