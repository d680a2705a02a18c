//! One owner, whatever becomes of the lock file and of the process: a second owner is refused, or
//! the first one stops before its next `Ok`.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod processes;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use beaver::storage::{DiskStorage, LOCK_NAME};
use beaver::{
    CommandError, Controller, ControllerOptions, Error, JobId, JobSpec, JobStatus, Payload,
};
use tempfile::{TempDir, tempdir};

fn open(directory: &Path) -> beaver::Result<Controller> {
    let storage = Arc::new(DiskStorage::open(directory).expect("an open directory"));
    Controller::open(storage, ControllerOptions::default()).map(|(controller, _)| controller)
}

fn enqueue(controller: &mut Controller, name: &str) -> Result<(), Error> {
    let payload = Payload::new("1").expect("a valid payload");
    let spec = JobSpec::new(JobId::new(name).expect("a valid name"), payload);
    controller.enqueue(spec).map_err(|error| match error {
        CommandError::Log(error) => error,
        CommandError::Rejected(error) => panic!("a new job was refused: {error}"),
    })
}

fn has(controller: &Controller, name: &str) -> bool {
    let id = JobId::new(name).expect("a valid name");
    controller.state().status(&id) == Some(JobStatus::Pending)
}

/// A store with the job `before`, and its owner.
fn owned() -> (TempDir, Controller) {
    let directory = tempdir().unwrap();
    let mut owner = open(directory.path()).unwrap();
    enqueue(&mut owner, "before").unwrap();
    (directory, owner)
}

/// Takes the lock file, as versions do that know no other lock.
fn older_version(directory: &Path) -> Option<fs::File> {
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK_NAME))
        .unwrap();
    file.try_lock().is_ok().then_some(file)
}

fn segment(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("wal-0000000001.jsonl")).unwrap()
}

/// The owner has lost its lock: it says so, changes no byte, and answers nothing with `Ok`.
fn check_stopped(directory: &Path, owner: &mut Controller) {
    let bytes = segment(directory);
    let error = enqueue(owner, "after").unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::ResourceBusy), "{error}");
    let error = enqueue(owner, "later").unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    assert!(owner.checkpoint().is_err());
    assert!(segment(directory) == bytes, "the owner wrote after all");
}

/// Everything that was acknowledged is there when the store is opened again.
fn check_whole(directory: &Path) {
    let mut again = open(directory).unwrap();
    assert!(has(&again, "before"));
    enqueue(&mut again, "again").unwrap();
}

#[test]
fn a_second_owner_is_refused_when_the_lock_file_was_removed() {
    let (directory, mut owner) = owned();
    fs::remove_file(directory.path().join(LOCK_NAME)).unwrap();
    for _ in 0..2 {
        let error = open(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Locked), "{error}");
    }
    check_stopped(directory.path(), &mut owner);
    drop(owner);
    check_whole(directory.path());
}

#[test]
fn the_owner_stops_when_an_older_version_took_a_new_lock_file() {
    let (directory, mut owner) = owned();
    assert!(older_version(directory.path()).is_none());
    fs::remove_file(directory.path().join(LOCK_NAME)).unwrap();
    let older = older_version(directory.path()).unwrap();
    check_stopped(directory.path(), &mut owner);
    drop(owner);
    assert!(matches!(open(directory.path()), Err(Error::Locked)));
    // Closing it is not enough here: the forks of other tests have it open for a moment too.
    older.unlock().unwrap();
    check_whole(directory.path());
}

#[test]
fn the_owner_stops_when_the_lock_file_was_replaced() {
    let (directory, mut owner) = owned();
    let other = directory.path().join("other");
    fs::write(&other, "").unwrap();
    fs::rename(&other, directory.path().join(LOCK_NAME)).unwrap();
    assert!(matches!(open(directory.path()), Err(Error::Locked)));
    check_stopped(directory.path(), &mut owner);
    drop(owner);
    check_whole(directory.path());
}

#[test]
fn the_owner_stops_when_the_lock_file_was_renamed() {
    let (directory, mut owner) = owned();
    let lock = directory.path().join(LOCK_NAME);
    fs::rename(&lock, directory.path().join("LOCK.old")).unwrap();
    check_stopped(directory.path(), &mut owner);
    drop(owner);
    check_whole(directory.path());
}
