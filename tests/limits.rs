//! Limits of the process: a store that meets one says so, and neither it nor the process ends.
//!
//! A test runs itself again under `prlimit`, where that is there.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{
    CommandError, Controller, ControllerOptions, Error, Event, JobId, JobSpec, Payload,
    SharedController, Storage, inspect,
};
use tempfile::tempdir;

const INSIDE: &str = "BEAVER_TEST_LIMITED";

/// Runs `body`, which is what the test `name` does, under a limit.
fn limited(name: &str, limit: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return body();
    }
    if let Err(error) = Command::new("prlimit").arg("--version").output() {
        println!("left out: prlimit: {error}");
        return;
    }
    let mut command = Command::new("prlimit");
    command.arg(limit);
    run_again(name, &mut command);
}

/// Runs the test `name` of this program at the end of `command`.
fn run_again(name: &str, command: &mut Command) {
    let itself = std::env::current_exe().unwrap();
    // Its output goes through a pipe: this program's own may be a file that is longer than the limit.
    let output = command
        .arg(itself)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let status = output.status;
    assert!(status.success(), "{name}: {status}\n{said}");
}

fn storage(directory: &Path) -> Arc<dyn Storage> {
    Arc::new(DiskStorage::open(directory).unwrap())
}

fn names(directory: &Path) -> Vec<String> {
    DiskStorage::open_existing(directory)
        .unwrap()
        .list()
        .unwrap()
}

/// Enqueues jobs until one is refused: how many were acknowledged, and the error.
fn enqueue_until_refused(controller: &mut Controller) -> (usize, Error) {
    for number in 0.. {
        let id = JobId::new(format!("job-{number}")).unwrap();
        let payload = Payload::new(format!("\"{}\"", "x".repeat(300))).unwrap();
        match controller.enqueue(JobSpec::new(id, payload)) {
            Ok(()) => {}
            Err(CommandError::Log(error)) => return (number, error),
            Err(CommandError::Rejected(error)) => panic!("{error}"),
        }
    }
    unreachable!("the limit is met")
}

#[test]
fn a_limit_for_the_size_of_files_refuses_an_append_and_no_other_one() {
    limited(
        "a_limit_for_the_size_of_files_refuses_an_append_and_no_other_one",
        "--fsize=50000",
        || {
            let acknowledged = [0, 4096, 1 << 20].map(|preallocate_bytes| {
                let directory = tempdir().unwrap();
                let mut options = ControllerOptions::default();
                options.store.wal.preallocate_bytes = preallocate_bytes;
                let opened = Controller::open(storage(directory.path()), options.clone());
                let (mut controller, _) = opened.unwrap();
                let (acknowledged, error) = enqueue_until_refused(&mut controller);
                assert_eq!(error.io_kind(), Some(ErrorKind::FileTooLarge), "{error}");
                assert!(error.is_full() && !error.is_indeterminate());
                assert!(controller.poisoned().is_none());
                drop(controller);
                let opened = Controller::open(storage(directory.path()), options);
                let (controller, _) = opened.unwrap();
                assert_eq!(controller.state().pending().count(), acknowledged);
                acknowledged
            });
            assert!(acknowledged[0] > 100, "{acknowledged:?}");
            assert_eq!(
                acknowledged, [acknowledged[0]; 3],
                "space ahead cost an append"
            );
        },
    );
}

#[test]
fn a_snapshot_that_is_larger_than_memory_is_refused() {
    limited(
        "a_snapshot_that_is_larger_than_memory_is_refused",
        "--as=1000000000",
        || {
            let directory = tempdir().unwrap();
            let opened = Controller::open(storage(directory.path()), ControllerOptions::default());
            let (mut controller, _) = opened.unwrap();
            let job = JobSpec::new(JobId::new("job").unwrap(), Payload::new("1").unwrap());
            controller.enqueue(job).unwrap();
            controller.checkpoint().unwrap();
            controller.close().unwrap();
            let snapshot = directory.path().join("snapshot-0000000001.json");
            let file = fs::File::options().write(true).open(snapshot).unwrap();
            file.set_len(1 << 36).unwrap();
            let before = names(directory.path());
            let storage = storage(directory.path());
            let refused = [
                Controller::open(Arc::clone(&storage), ControllerOptions::default()).map(drop),
                inspect::validate::<Event>(&storage).map(drop),
            ];
            for result in refused {
                let error = result.unwrap_err();
                assert!(matches!(&error, Error::OutOfResources { .. }), "{error}");
            }
            assert_eq!(names(directory.path()), before);
        },
    );
}

#[test]
fn a_store_that_gets_no_thread_is_refused_and_not_made() {
    let name = "a_store_that_gets_no_thread_is_refused_and_not_made";
    if std::env::var_os(INSIDE).is_none() {
        // No thread has so much room for its stack.
        let stack = (1_u64 << 46).to_string();
        return run_again(
            name,
            Command::new("env").arg(format!("RUST_MIN_STACK={stack}")),
        );
    }
    let directory = tempdir().unwrap();
    let opened = SharedController::open(storage(directory.path()), ControllerOptions::default());
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::OutOfResources { .. }), "{error}");
    let entries = fs::read_dir(directory.path()).unwrap();
    assert_eq!(entries.count(), 0, "nothing was made, no lock file either");
}
