//! A queue that was written with every event of format 2, in `tests/data/format-2-queue`: those files are
//! never changed, and are opened for ever.

use std::fs;
use std::num::NonZeroU32;
use std::sync::Arc;

use beaver::inspect;
use beaver::storage::DiskStorage;
use beaver::{
    Backoff, Controller, Event, JobId, JobSpec, JobStatus, ManualClock, Payload, Storage,
};

use crate::old_files::{copy, data, id, options};
use crate::support::*;

/// The program that wrote the files, with a clock that stood where it is put here.
fn write_queue(storage: Arc<dyn Storage>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let open = || {
        let opened = Controller::open(Arc::clone(&storage), options(Arc::clone(&clock)));
        opened.unwrap().0
    };
    let spec = |name: &str, attempts: u32| {
        let spec = JobSpec::new(id(name), Payload::new("{\"n\":1.50}").unwrap());
        spec.with_max_attempts(NonZeroU32::new(attempts).unwrap())
    };
    let mut queue = open();
    let backing_off = spec("slow", 3).with_backoff(Backoff::new(100, 9_000));
    queue
        .enqueue_all(vec![backing_off, spec("once", 1), spec("dropped", 1)])
        .unwrap();
    // In the snapshot: a job that waits for its delay to end, and a dead letter.
    assert_eq!(queue.dispatch().unwrap().unwrap().id, id("slow"));
    clock.advance(5);
    queue.heartbeat(&id("slow"), 1).unwrap();
    queue.fail(&id("slow"), 1).unwrap();
    queue.dispatch().unwrap();
    queue.fail(&id("once"), 1).unwrap();
    queue.checkpoint().unwrap();
    queue.dispatch().unwrap();
    queue.fail(&id("dropped"), 1).unwrap();
    queue.drop_dead(&id("dropped")).unwrap();
    queue.revive(&id("once")).unwrap();
    clock.advance(100);
    assert_eq!(queue.tick().unwrap(), 1, "the delay is over");
    assert_eq!(queue.dispatch().unwrap().unwrap().id, id("once"));
    queue.ack(&id("once"), 2).unwrap();
    queue.dispatch().unwrap();
    clock.advance(60_000);
    assert_eq!(queue.tick().unwrap(), 1, "the attempt took too long");
    queue.close().unwrap();
}

#[test]
fn the_program_that_wrote_the_queue_writes_the_same_files_still() {
    let dir = tempfile::tempdir().unwrap();
    write_queue(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    names.retain(|entry| entry.as_ref().unwrap().file_name() != "LOCK");
    assert_eq!(
        names.len(),
        fs::read_dir(data("format-2-queue")).unwrap().count()
    );
    for entry in names {
        let written = entry.unwrap();
        let kept = fs::read_to_string(data("format-2-queue").join(written.file_name()));
        assert_eq!(fs::read_to_string(written.path()).unwrap(), kept.unwrap());
    }
}

#[test]
fn the_queue_of_format_2_is_what_it_was() {
    let (_dir, storage) = copy("format-2-queue");
    let stats = inspect::stats::<Event>(&storage).unwrap();
    assert_eq!((stats.problems, stats.store), (vec![], Some(STORE)));
    let clock = Arc::new(ManualClock::new(1_700_000_060_105));
    let (mut queue, report) = Controller::open(storage, options(Arc::clone(&clock))).unwrap();
    assert_eq!(report.snapshot.map(|covered| covered.epoch.0), Some(1));
    assert!(report.warnings.is_empty() && report.torn_tail.is_none());
    let status = |queue: &Controller, name: &str| queue.state().status(&id(name));
    assert_eq!(status(&queue, "once"), Some(JobStatus::Completed));
    assert_eq!(status(&queue, "dropped"), Some(JobStatus::Dropped));
    assert!(matches!(
        status(&queue, "slow"),
        Some(JobStatus::Delayed { .. })
    ));
    // Twice as long as the first time.
    clock.advance(199);
    assert_eq!(
        (queue.tick().unwrap(), queue.dispatch().unwrap()),
        (0, None)
    );
    clock.advance(1);
    assert_eq!(queue.tick().unwrap(), 1);
    let job = queue.dispatch().unwrap().unwrap();
    assert_eq!((&job.id, job.attempt), (&id("slow"), 3));
    assert_eq!(job.payload.as_str(), "{\"n\":1.50}");
    assert!(
        queue.ack(&id("slow"), 2).is_err(),
        "of an attempt that is over"
    );
    queue.ack(&id("slow"), 3).unwrap();
    let completed: Vec<&str> = queue.state().completed().map(JobId::as_str).collect();
    assert_eq!(completed.len(), 2);
}
