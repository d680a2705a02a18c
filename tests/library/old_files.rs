//! A directory that format version 1 has written is opened for ever.
//!
//! The files in `tests/data/format-1` are never changed. To see how they came about, read
//! [`write_format_1`]: it is the program that wrote them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver::inspect;
use beaver::storage::DiskStorage;
use beaver::wal::LogReader;
use beaver::{
    Command, Controller, ControllerOptions, Event, EventKind, JobId, JobSpec, JobStatus,
    ManualClock, Payload, Position, Storage, StoreOptions, Wal,
};

use crate::support::*;

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

/// A copy that may be changed.
fn copy(folder: &str) -> (tempfile::TempDir, Arc<dyn Storage>) {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data(folder)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let storage = DiskStorage::open(dir.path()).unwrap();
    (dir, Arc::new(storage))
}

fn id(name: &str) -> JobId {
    JobId::new(name).unwrap()
}

fn options(clock: Arc<ManualClock>) -> ControllerOptions {
    ControllerOptions {
        store: StoreOptions {
            wal: beaver::WalOptions { clock, ..plain() },
            ..store_options()
        },
        requeue_in_flight: false,
    }
}

/// What is in the files: two snapshots, a batch of two appends, an append of two events, a marker with
/// an event after it, every type of event but ACK, and strings and numbers that are easily bent.
#[test]
fn the_queue_of_format_1_is_what_it_was() {
    let (_dir, storage) = copy("format-1");
    let clock = Arc::new(ManualClock::new(1_700_000_100_000));
    let (queue, report) = Controller::open(storage, options(clock)).unwrap();
    assert_eq!((report.snapshot, report.replayed), (Some(at(2, 6)), 5));
    assert!(report.torn_tail.is_none() && report.warnings.is_empty() && report.strays.is_empty());
    assert_eq!(
        (queue.applied(), queue.last_position()),
        (at(3, 5), at(3, 5))
    );
    let counts = queue.state().counts();
    assert_eq!(
        (
            counts.pending,
            counts.in_flight,
            counts.completed,
            counts.dead
        ),
        (4, 1, 1, 1)
    );
    let pending: Vec<_> = queue.state().pending().map(|(id, _)| id.as_str()).collect();
    assert_eq!(pending, ["e", "job \"ü\"\\\n", "b", "f"]);
    let (flying, job) = queue.state().in_flight().next().unwrap();
    assert_eq!(
        (flying.as_str(), job.attempts(), job.timeout_ms()),
        ("d", 1, 60_000)
    );
    let completed: Vec<_> = queue.state().completed().map(JobId::as_str).collect();
    assert_eq!(completed, ["a"]);
    assert_eq!(queue.state().status(&id("c")), Some(JobStatus::Dead));
    let odd = queue.state().job(&id("job \"ü\"\\\n")).unwrap();
    assert_eq!(
        odd.payload().as_str(),
        r#"{ "n" : 9007199254740993, "e": 1e400, "s": "\u0000\ud83e\uddab" }"#
    );
    assert_eq!((odd.max_attempts().get(), odd.timeout_ms()), (7, u64::MAX));
}

#[test]
fn the_events_of_format_1_are_what_they_were() {
    let (_dir, storage) = copy("format-1");
    let reader = LogReader::<Event>::open(storage).unwrap();
    let mut seen = Vec::new();
    reader
        .replay(Position::default(), |position, event| {
            seen.push(format!(
                "{position} {} {} {:?}",
                event.event_type(),
                event.timestamp_ms,
                event.job_id.as_str()
            ));
            Ok::<(), ()>(())
        })
        .unwrap();
    let expected = include_str!("../data/format-1-events.txt");
    assert_eq!(seen.join("\n") + "\n", expected);
}

#[test]
fn nothing_is_wrong_with_the_files_of_format_1() {
    let (_dir, storage) = copy("format-1");
    let stats = inspect::stats::<Event>(&storage).unwrap();
    assert_eq!(stats.problems, []);
    assert_eq!(
        (stats.segments, stats.snapshots, stats.events, stats.markers),
        (2, 2, 11, 2)
    );
    assert_eq!((stats.first, stats.last), (Some(at(2, 1)), Some(at(3, 5))));
}

#[test]
fn an_older_snapshot_of_format_1_is_enough() {
    let (dir, storage) = copy("format-1");
    fs::write(dir.path().join(snapshot(2)), "damaged").unwrap();
    let clock = Arc::new(ManualClock::new(1_700_000_100_000));
    let (queue, report) = Controller::open(storage, options(clock)).unwrap();
    assert_eq!((report.snapshot, report.replayed), (Some(at(1, 5)), 11));
    assert_eq!(queue.state().counts().total(), 7);
}

/// Lost events, a batch whose first event is lost, free space; written by another program.
#[test]
fn a_repaired_log_of_format_1_says_what_is_lost() {
    let (_dir, storage) = copy("format-1-repaired");
    let reader = LogReader::<Event>::open(Arc::clone(&storage)).unwrap();
    let mut seen = Vec::new();
    let report = reader.replay(Position::default(), |position, event| {
        seen.push(format!("{position} {}", event.job_id.as_str()));
        Ok::<(), ()>(())
    });
    let lost = report.unwrap().lost;
    assert_eq!(seen, ["1:1 j1", "1:4 j4", "1:5 j5"]);
    assert_eq!((lost[0].from, lost[0].to.0), (at(1, 2), 3));
    let (mut wal, report) = Wal::<Event>::open(storage, plain()).unwrap();
    assert_eq!((wal.last_position(), report.torn_tail), (at(2, 0), None));
    let event = Event::new(id("more"), 1, EventKind::Ack);
    assert_eq!(wal.append(&[event]).unwrap(), at(2, 1));
}

/// The program that wrote the files, with a clock that stood where it is put here.
fn write_format_1(storage: Arc<dyn Storage>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let open = || {
        Controller::open(Arc::clone(&storage), options(Arc::clone(&clock)))
            .unwrap()
            .0
    };
    let spec = |name: &str| JobSpec::new(id(name), Payload::new("{\"a\":[1,2,3]}").unwrap());
    let mut queue = open();
    queue.enqueue(spec("a")).unwrap();
    clock.advance(1);
    queue
        .enqueue_all(vec![
            spec("b").with_timeout_ms(50),
            spec("c").with_max_attempts(1.try_into().unwrap()),
        ])
        .unwrap();
    queue.dispatch().unwrap();
    queue.ack(&id("a")).unwrap();
    queue.checkpoint().unwrap();
    clock.advance(10);
    // Two appends in one batch.
    queue.submit(&Command::Dispatch).unwrap();
    queue.submit(&Command::Dispatch).unwrap();
    queue.flush().unwrap();
    queue.fail(&id("c")).unwrap();
    clock.advance(1_000);
    queue.tick().unwrap();
    queue.enqueue_all(vec![spec("d"), spec("e")]).unwrap();
    queue.close().unwrap();
    let mut queue = open();
    queue.checkpoint().unwrap();
    let odd = r#"{ "n" : 9007199254740993, "e": 1e400, "s": "\u0000\ud83e\uddab" }"#;
    let odd = JobSpec::new(id("job \"ü\"\\\n"), Payload::new(odd).unwrap());
    queue
        .enqueue(
            odd.with_max_attempts(7.try_into().unwrap())
                .with_timeout_ms(u64::MAX),
        )
        .unwrap();
    queue.dispatch().unwrap();
    queue.dispatch().unwrap();
    queue.fail(&id("b")).unwrap();
    queue.close().unwrap();
    let mut queue = open();
    queue.enqueue(spec("f")).unwrap();
    drop(queue);
}

#[test]
fn the_same_program_writes_the_same_files_still() {
    let dir = tempfile::tempdir().unwrap();
    write_format_1(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    for entry in fs::read_dir(data("format-1")).unwrap() {
        let kept = entry.unwrap();
        let written = fs::read_to_string(dir.path().join(kept.file_name())).unwrap();
        assert_eq!(written, fs::read_to_string(kept.path()).unwrap());
    }
}
