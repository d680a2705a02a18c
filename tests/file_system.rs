//! Stores on real file systems that refuse: read-only, full.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "../storage/tests/private_mounts/mod.rs"]
mod private_mounts;

use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy, StorageFull};
use std::path::Path;
use std::sync::Arc;

use beaver::storage::{DiskStorage, LOCK_NAME};
use beaver::store::read_state;
use beaver::{
    CommandError, Controller, ControllerOptions, Error, Event, JobId, JobQueue, JobSpec, Payload,
    Storage, inspect,
};
use private_mounts::{BindMount, ReadOnlyDirectory, SmallFileSystem, with_private_mounts};

fn open(directory: &Path, preallocate_bytes: u64) -> beaver::Result<Controller> {
    let storage = Arc::new(DiskStorage::open(directory).expect("an open directory"));
    let mut options = ControllerOptions::default();
    options.store.wal.preallocate_bytes = preallocate_bytes;
    Controller::open(storage, options).map(|(controller, _)| controller)
}

fn id(number: u64) -> JobId {
    JobId::new(format!("job-{number}")).expect("a valid name")
}

/// Enqueues job `number`, with about a kilobyte to carry.
fn enqueue(controller: &mut Controller, number: u64) -> Result<(), Error> {
    let payload = format!("\"{number} {}\"", "x".repeat(1_000));
    let spec = JobSpec::new(id(number), Payload::new(payload).expect("a valid payload"));
    controller.enqueue(spec).map_err(|error| match error {
        CommandError::Log(error) => error,
        CommandError::Rejected(error) => panic!("a new job was refused: {error}"),
    })
}

/// What is in a store, for a reader that may not change it.
fn inspected(directory: &Path) -> JobQueue {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::open_existing(directory).unwrap());
    assert_eq!(inspect::validate::<Event>(&storage).unwrap().len(), 0);
    let (state, _, _) = read_state::<JobQueue>(&storage).unwrap();
    state
}

fn pending(state: &JobQueue) -> Vec<JobId> {
    state.pending().map(|(id, _)| id.clone()).collect()
}

/// A store with ten jobs; a process that was killed leaves it like that.
fn store_of_ten(directory: &Path) {
    let mut controller = open(directory, 0).unwrap();
    for number in 0..10 {
        enqueue(&mut controller, number).unwrap();
        if number == 5 {
            controller.checkpoint().unwrap();
        }
    }
}

#[test]
fn a_store_on_a_read_only_mount_is_refused_and_can_be_inspected() {
    with_private_mounts(
        "a_store_on_a_read_only_mount_is_refused_and_can_be_inspected",
        || {
            for small in SmallFileSystem::all() {
                let directory = small.path().join("store");
                store_of_ten(&directory);
                small.remount("ro");
                let error = open(&directory, 0).unwrap_err();
                assert!(matches!(&error, Error::Storage { .. }), "{error}");
                assert_eq!(error.io_kind(), Some(ReadOnlyFilesystem), "{error}");
                assert_eq!(pending(&inspected(&directory)).len(), 10);
                small.remount("rw");
                let controller = open(&directory, 0).unwrap();
                assert_eq!(pending(controller.state()).len(), 10);
            }
        },
    );
}

#[test]
fn a_store_in_a_read_only_directory_is_refused_and_can_be_inspected() {
    let directory = tempfile::tempdir().unwrap();
    store_of_ten(directory.path());
    let Some(guard) = ReadOnlyDirectory::new(directory.path()) else {
        return;
    };
    let error = open(directory.path(), 0).unwrap_err();
    assert!(matches!(&error, Error::Storage { .. }), "{error}");
    assert_eq!(error.io_kind(), Some(PermissionDenied), "{error}");
    assert_eq!(pending(&inspected(directory.path())).len(), 10);
    drop(guard);
    let controller = open(directory.path(), 0).unwrap();
    assert_eq!(pending(controller.state()).len(), 10);
}

/// Enqueues until the disk is full, and says how many jobs were acknowledged in all.
fn enqueue_until_full(controller: &mut Controller, from: u64) -> u64 {
    let mut next = from;
    let error = loop {
        match enqueue(controller, next) {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(!error.is_indeterminate(), "{error}");
    assert_eq!(error.io_kind(), Some(StorageFull), "{error}");
    assert!(controller.poisoned().is_none());
    assert_eq!(controller.state().status(&id(next)), None);
    next
}

fn check_full_disk(small: &SmallFileSystem, preallocate_bytes: u64) {
    let directory = small.path().join(format!("store-{preallocate_bytes}"));
    store_of_ten(&directory);
    let mut controller = open(&directory, preallocate_bytes).unwrap();
    let ballast = small.fill("ballast");
    let acknowledged = enqueue_until_full(&mut controller, 10);
    let all: Vec<_> = (0..acknowledged).map(id).collect();

    let error = controller.checkpoint().unwrap_err();
    assert_eq!(error.io_kind(), Some(StorageFull), "{error}");
    assert!(
        controller.poisoned().is_none(),
        "a full disk stops a checkpoint, not the log"
    );
    assert_eq!(
        enqueue_until_full(&mut controller, acknowledged),
        acknowledged
    );
    assert_eq!(pending(controller.state()), all);
    drop(controller);
    assert_eq!(pending(&inspected(&directory)), all);
    let reopened = match open(&directory, preallocate_bytes) {
        // Recovery writes the last batch anew, in place, which needs room on Btrfs.
        Err(error) if error.is_full() && small.kind == "btrfs" => None,
        opened => Some(opened.unwrap()),
    };
    std::fs::remove_file(ballast).unwrap();
    let mut controller = reopened.unwrap_or_else(|| open(&directory, preallocate_bytes).unwrap());
    assert_eq!(
        pending(controller.state()),
        all,
        "a full disk loses nothing"
    );
    for number in acknowledged..acknowledged + 10 {
        enqueue(&mut controller, number).unwrap();
    }
    controller.checkpoint().unwrap();
    controller.close().unwrap();
    let all: Vec<_> = (0..acknowledged + 10).map(id).collect();
    assert_eq!(pending(open(&directory, 0).unwrap().state()), all);
}

#[test]
fn a_full_disk_loses_nothing_and_stops_only_until_there_is_room() {
    with_private_mounts(
        "a_full_disk_loses_nothing_and_stops_only_until_there_is_room",
        || {
            for small in SmallFileSystem::all() {
                for preallocate_bytes in [0, 256 << 10] {
                    println!("{}, {preallocate_bytes} bytes ahead", small.kind);
                    check_full_disk(&small, preallocate_bytes);
                }
            }
        },
    );
}

#[test]
fn a_bind_mount_of_a_directory_has_the_same_owner() {
    with_private_mounts("a_bind_mount_of_a_directory_has_the_same_owner", || {
        let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut owner = open(directory.path(), 0).unwrap();
        let _mounted = BindMount::new(directory.path(), other.path());
        assert!(matches!(open(other.path(), 0), Err(Error::Locked)));
        enqueue(&mut owner, 0).unwrap();
        std::fs::remove_file(other.path().join(LOCK_NAME)).unwrap();
        assert!(matches!(open(other.path(), 0), Err(Error::Locked)));
        let error = enqueue(&mut owner, 1).unwrap_err();
        assert_eq!(error.io_kind(), Some(ResourceBusy), "{error}");
        drop(owner);
        let again = open(other.path(), 0).unwrap();
        assert_eq!(pending(again.state()), [id(0)]);
    });
}
