//! What the log and the store promise, on real files.

use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::wal::Mode;
use beaver::{
    Controller, ControllerOptions, Event, EventKind, JobId, JobSpec, JobStatus, Payload, Position,
    Wal, WalOptions,
};

fn event(n: u64) -> Event {
    Event::new(JobId::new(format!("job-{n}")).unwrap(), n, EventKind::Ack)
}

fn spec(n: u64) -> JobSpec {
    JobSpec::new(
        JobId::new(format!("job-{n}")).unwrap(),
        Payload::new("{\"a\":1}").unwrap(),
    )
}

#[test]
fn appended_events_are_there_after_reopening_without_close() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(DiskStorage::open(dir.path()).unwrap());
    for round in 0..5_u64 {
        let (mut wal, _) = Wal::open(storage.clone(), WalOptions::default()).unwrap();
        assert_eq!(wal.last_seq().0, round * 3);
        wal.append(&[event(round * 3)]).unwrap();
        wal.append(&[event(round * 3 + 1), event(round * 3 + 2)])
            .unwrap();
        let mut seen = Vec::new();
        let report = wal
            .replay(
                Position::default(),
                Mode::Strict,
                |position, event: Event| {
                    seen.push((position.seq.0, event.timestamp_ms));
                    Ok::<(), ()>(())
                },
            )
            .unwrap();
        let expected: Vec<_> = (0..(round + 1) * 3).map(|n| (n + 1, n)).collect();
        assert_eq!(seen, expected);
        assert_eq!(report.applied, (round + 1) * 3);
        if round % 2 == 0 {
            wal.close().unwrap();
        }
    }
}

#[test]
fn a_queue_survives_reopening_with_and_without_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(DiskStorage::open(dir.path()).unwrap());
    for round in 0..6_u64 {
        let (mut queue, report) =
            Controller::open(storage.clone(), ControllerOptions::default()).unwrap();
        assert!(report.warnings.is_empty(), "{report:?}");
        assert_eq!(queue.state().counts().total(), round * 2);
        queue
            .enqueue_all(vec![spec(round * 2), spec(round * 2 + 1)])
            .unwrap();
        let job = queue.dispatch().unwrap().unwrap();
        assert_eq!(job.id.as_str(), format!("job-{round}"));
        queue.ack(&job.id).unwrap();
        assert_eq!(queue.state().status(&job.id), Some(JobStatus::Completed));
        if round % 2 == 1 {
            queue.checkpoint().unwrap();
            queue.close().unwrap();
        }
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "LOCK",
            "snapshot-0000000002.json",
            "snapshot-0000000003.json",
            "wal-0000000003.jsonl",
            "wal-0000000004.jsonl"
        ]
    );
}
