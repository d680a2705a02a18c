//! The folder of a failure.

use std::fs;

use beaver_sim::explain::explain;
use beaver_sim::failure_folder::{FailedRun, SCENARIO, count};
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::Limits;

use crate::caught::caught;

#[test]
fn what_is_saved_shows_the_same_failure_again() {
    let caught = caught("B14");
    let out = tempfile::tempdir().unwrap();
    let mut failing = FailedRun::new(&caught.subject, &caught.scenario, &caught.run);
    let path = failing.folder(out.path());
    failing.shrink(&caught.subject, Limits::runs(500));
    assert_eq!(
        failing.folder(out.path()),
        path,
        "shrinking keeps the folder"
    );
    let saved = failing
        .save(&path, &caught.subject, "beaver replay x")
        .unwrap()
        .unwrap();
    let scenario: Scenario =
        serde_json::from_slice(&fs::read(path.join(SCENARIO)).unwrap()).unwrap();
    let again = explain(&caught.subject, &scenario, "beaver replay x").unwrap();
    assert_eq!(again.explanation, saved.explanation);
    assert_eq!(
        fs::read_to_string(path.join("report.txt")).unwrap(),
        saved.explanation.to_string()
    );
    // The disk after the crash is empty: the name of the only segment was never synced.
    assert_eq!(fs::read_dir(path.join("before")).unwrap().count(), 0);
    assert!(path.join("after/wal-0000000001.jsonl").is_file());
}

#[test]
fn a_failure_that_is_met_again_is_counted() {
    let caught = caught("B14");
    let out = tempfile::tempdir().unwrap();
    let failing = FailedRun::new(&caught.subject, &caught.scenario, &caught.run);
    let path = failing.folder(out.path());
    failing
        .save(&path, &caught.subject, "beaver replay x")
        .unwrap();
    assert_eq!(
        count(&path, &caught.scenario.name, caught.run.seed).unwrap(),
        1
    );
    assert_eq!(
        count(&path, &caught.scenario.name, caught.run.seed + 1).unwrap(),
        2
    );
}
