//! The parts together: a log from its first open to its last, snapshots beside it, and the queue.

use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::wal::{BatchWriter, QueueOptions};
use beaver::{
    Backoff, Command, CommandError, Controller, ControllerOptions, Epoch, JobError, JobId, JobSpec,
    JobStatus, ManualClock, Payload, SnapshotStore, Storage, Wal, WalOptions,
};

use crate::support::*;

fn spec(name: &str) -> JobSpec {
    JobSpec::new(
        JobId::new(name).unwrap(),
        Payload::new("{\"n\":1}").unwrap(),
    )
}

fn controller(storage: &Arc<dyn Storage>, clock: &Arc<ManualClock>, requeue: bool) -> Controller {
    let clock: Arc<ManualClock> = Arc::clone(clock);
    let wal = WalOptions { clock, ..plain() };
    let store = beaver::StoreOptions {
        wal,
        ..store_options()
    };
    let options = ControllerOptions {
        store,
        requeue_in_flight: requeue,
    };
    Controller::open(Arc::clone(storage), options).unwrap().0
}

/// Runs `claim` on real files and in memory.
fn on_both(claim: impl Fn(Arc<dyn Storage>)) {
    let dir = tempfile::tempdir().unwrap();
    claim(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    claim(Memory::new().storage());
}

#[test]
fn a_log_lives_through_open_append_rotate_close_and_open() {
    on_both(|storage| {
        let open = || {
            Wal::<Line>::open(Arc::clone(&storage), WalOptions::default())
                .unwrap()
                .0
        };
        let mut wal = open();
        append(&mut wal, 1..=3);
        wal.rotate().unwrap();
        append_group(&mut wal, 1..=2);
        wal.close().unwrap();
        let mut wal = open();
        assert_eq!(wal.last_position(), at(2, 2));
        append(&mut wal, 3..=3);
        drop(wal);
        let mut seen = 0;
        let report = open().replay(at(0, 0), |_, _| {
            seen += 1;
            Ok::<(), ()>(())
        });
        assert_eq!((report.unwrap().applied, seen), (6, 6));
    });
}

#[test]
fn a_log_with_snapshots_of_its_own_is_pruned_and_opened_after_them() {
    on_both(|storage| {
        let snapshots = SnapshotStore::new(Arc::clone(&storage));
        let (mut wal, _) = Wal::<Line>::open(Arc::clone(&storage), plain()).unwrap();
        append(&mut wal, 1..=3);
        let covered = wal.rotate().unwrap();
        snapshots.write(covered, b"[1,2,3]").unwrap();
        assert_eq!(wal.prune_through(covered.position.epoch).unwrap(), 1);
        append(&mut wal, 1..=2);
        wal.close().unwrap();
        let snapshot = snapshots.load().unwrap().0.unwrap();
        assert_eq!(
            (snapshot.boundary, &snapshot.state[..]),
            (covered, &b"[1,2,3]"[..])
        );
        let (wal, _) = Wal::<Line>::open_after(Arc::clone(&storage), covered, plain()).unwrap();
        let report = wal
            .replay(covered.position, |_, _| Ok::<(), ()>(()))
            .unwrap();
        assert_eq!((report.applied, wal.first_epoch()), (2, Epoch(2)));
    });
}

#[test]
fn many_threads_append_and_each_event_is_there_once_in_the_order_of_its_position() {
    on_both(|storage| {
        let (wal, _) = Wal::<Line>::open(Arc::clone(&storage), plain()).unwrap();
        let writer = BatchWriter::new(wal, QueueOptions::default()).unwrap();
        let mut acknowledged: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let writer = writer.clone();
                    scope.spawn(move || {
                        let append = |n: u64| {
                            let event = line(thread * 1000 + n);
                            (writer.append(std::slice::from_ref(&event)).unwrap(), event)
                        };
                        (0..25).map(append).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        writer.close().unwrap();
        acknowledged.sort_by_key(|(position, _)| *position);
        let (wal, _) = Wal::<Line>::open(Arc::clone(&storage), plain()).unwrap();
        let mut seen = Vec::new();
        wal.replay(at(0, 0), |position, event| {
            seen.push((position, event));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(seen, acknowledged);
    });
}

#[test]
fn a_queue_goes_on_where_it_was_whatever_ended_the_process() {
    on_both(|storage| {
        let clock = Arc::new(ManualClock::new(1_000));
        let mut queue = controller(&storage, &clock, false);
        queue
            .enqueue_all(vec![spec("a"), spec("b"), spec("c")])
            .unwrap();
        let a = queue.dispatch().unwrap().unwrap();
        assert_eq!((a.id.as_str(), a.attempt, a.deadline_ms), ("a", 1, 61_000));
        queue.ack(&a.id, a.attempt).unwrap();
        let b = queue.dispatch().unwrap().unwrap();
        drop(queue);
        let mut queue = controller(&storage, &clock, false);
        assert_eq!(queue.state().status(&a.id), Some(JobStatus::Completed));
        assert_eq!(
            queue.state().status(&b.id),
            Some(JobStatus::InFlight {
                deadline_ms: b.deadline_ms
            })
        );
        queue.checkpoint().unwrap().unwrap();
        queue.fail(&b.id, b.attempt).unwrap();
        queue.close().unwrap();
        let mut queue = controller(&storage, &clock, false);
        let order: Vec<_> = std::iter::from_fn(|| queue.dispatch().unwrap())
            .map(|job| job.id)
            .collect();
        assert_eq!(
            order.iter().map(JobId::as_str).collect::<Vec<_>>(),
            ["c", "b"]
        );
    });
}

#[test]
fn a_job_whose_time_is_over_comes_back_until_its_last_attempt() {
    let disk = Memory::new();
    let (storage, clock) = (disk.storage(), Arc::new(ManualClock::new(0)));
    let mut queue = controller(&storage, &clock, false);
    let job = spec("a")
        .with_max_attempts(2.try_into().unwrap())
        .with_timeout_ms(10);
    queue.enqueue(job).unwrap();
    for attempt in 1..=2 {
        assert_eq!(queue.dispatch().unwrap().unwrap().attempt, attempt);
        assert_eq!(queue.tick().unwrap(), 0);
        clock.advance(10);
        assert_eq!(queue.tick().unwrap(), 1);
        drop(queue);
        queue = controller(&storage, &clock, false);
    }
    let id = JobId::new("a").unwrap();
    assert_eq!(queue.state().status(&id), Some(JobStatus::Dead));
    assert_eq!(
        (
            queue.dispatch().unwrap(),
            queue.state().dead_letters().count()
        ),
        (None, 1)
    );
}

#[test]
fn what_was_in_flight_is_taken_back_on_request_and_that_is_logged() {
    let disk = Memory::new();
    let (storage, clock) = (disk.storage(), Arc::new(ManualClock::new(0)));
    let mut queue = controller(&storage, &clock, false);
    queue.enqueue(spec("a")).unwrap();
    queue.dispatch().unwrap().unwrap();
    drop(queue);
    let queue = controller(&storage, &clock, true);
    assert_eq!(queue.state().counts().pending, 1);
    drop(queue);
    assert!(disk.text(WAL1).contains("RETRY"));
    let mut queue = controller(&storage, &clock, false);
    assert_eq!(queue.dispatch().unwrap().unwrap().attempt, 2);
}

#[test]
fn commands_of_a_queue_are_submitted_together_and_durable_together() {
    let disk = Memory::new();
    let (storage, clock) = (disk.storage(), Arc::new(ManualClock::new(0)));
    let mut queue = controller(&storage, &clock, false);
    queue.submit(&Command::Enqueue(vec![spec("a")])).unwrap();
    let (_, dispatched) = queue.submit(&Command::Dispatch).unwrap();
    assert_eq!(dispatched.unwrap().id.as_str(), "a");
    assert_eq!(
        queue.state().counts().total(),
        0,
        "nothing is shown before it is durable"
    );
    disk.take_calls();
    queue.flush().unwrap();
    assert_eq!(
        (disk.take_changes().len(), queue.state().counts().in_flight),
        (2, 1)
    );
}

#[test]
fn a_late_report_is_refused_and_nothing_is_logged() {
    on_both(|storage| {
        let clock = Arc::new(ManualClock::new(1_000));
        let mut queue = controller(&storage, &clock, false);
        queue.enqueue(spec("a").with_timeout_ms(10)).unwrap();
        let late = queue.dispatch().unwrap().unwrap();
        clock.advance(10);
        queue.tick().unwrap();
        let current = queue.dispatch().unwrap().unwrap();
        let (before, applied) = (queue.state().clone(), queue.applied());
        for refused in [
            queue.ack(&late.id, late.attempt),
            queue.fail(&late.id, late.attempt),
            queue.heartbeat(&late.id, late.attempt),
        ] {
            let Err(CommandError::Rejected(JobError::WrongAttempt {
                id,
                attempt,
                current,
                ..
            })) = refused
            else {
                panic!("{refused:?}");
            };
            assert_eq!((id.as_str(), attempt, current), ("a", 1, 2));
        }
        assert_eq!((queue.state(), queue.last_position()), (&before, applied));
        queue.ack(&current.id, current.attempt).unwrap();
    });
}

#[test]
fn heartbeats_delays_and_what_became_of_dead_letters_survive_a_crash_and_a_checkpoint() {
    for checkpointed in [false, true] {
        on_both(|storage| {
            let clock = Arc::new(ManualClock::new(1_000));
            let mut queue = controller(&storage, &clock, false);
            let once = |name| spec(name).with_max_attempts(1.try_into().unwrap());
            let patient = spec("patient").with_backoff(Backoff::new(300, 900));
            let specs = [once("revived"), once("dropped"), patient, spec("held")];
            queue.enqueue_all(specs.into()).unwrap();
            let jobs: Vec<_> = std::iter::from_fn(|| queue.dispatch().unwrap()).collect();
            for job in &jobs[..3] {
                queue.fail(&job.id, job.attempt).unwrap();
            }
            queue.revive(&jobs[0].id).unwrap();
            queue.drop_dead(&jobs[1].id).unwrap();
            clock.advance(7);
            queue.heartbeat(&jobs[3].id, jobs[3].attempt).unwrap();
            if checkpointed {
                queue.checkpoint().unwrap().unwrap();
            }
            let before = queue.state().clone();
            drop(queue);
            let mut queue = controller(&storage, &clock, false);
            assert_eq!(queue.state(), &before);
            let (since_ms, until_ms) = (1_000, 1_300);
            let deadline_ms = 61_007;
            for (job, status) in jobs.iter().zip([
                JobStatus::Pending,
                JobStatus::Dropped,
                JobStatus::Delayed { since_ms, until_ms },
                JobStatus::InFlight { deadline_ms },
            ]) {
                assert_eq!(queue.state().status(&job.id), Some(status));
            }
            assert_eq!(queue.state().next_tick_ms(1_007), Some(until_ms));
            let revived = queue.dispatch().unwrap().unwrap();
            assert_eq!((revived.id, revived.attempt), (jobs[0].id.clone(), 2));
            assert_eq!(revived.payload, jobs[0].payload);
            assert_eq!(queue.dispatch().unwrap(), None);
            clock.advance(293);
            assert_eq!(queue.tick().unwrap(), 1);
            assert_eq!(queue.dispatch().unwrap().unwrap().id, jobs[2].id);
        });
    }
}

#[test]
fn a_checkpoint_of_a_queue_may_be_taken_in_three_steps() {
    on_both(|storage| {
        let clock = Arc::new(ManualClock::new(1_000));
        let mut queue = controller(&storage, &clock, false);
        assert!(queue.begin_checkpoint().unwrap().is_none());
        queue.enqueue(spec("a")).unwrap();
        let begun = queue.begin_checkpoint().unwrap().unwrap();
        let written = begun.write().unwrap();
        queue.enqueue(spec("b")).unwrap();
        let report = queue.finish_checkpoint(written).unwrap();
        assert_eq!(report.position, queue.applied().min(report.position));
        drop(queue);
        let queue = controller(&storage, &clock, false);
        for name in ["a", "b"] {
            let id = JobId::new(name).unwrap();
            assert_eq!(queue.state().status(&id), Some(JobStatus::Pending));
        }
    });
}

#[test]
fn a_queue_says_what_has_poisoned_it() {
    let disk = Memory::new();
    let clock = Arc::new(ManualClock::new(1_000));
    let mut queue = controller(&disk.storage(), &clock, false);
    assert!(queue.poisoned().is_none());
    disk.inject(Fault::on(Op::SyncData, "wal"));
    queue.enqueue(spec("a")).unwrap_err();
    let cause = queue.poisoned().unwrap().to_string();
    assert!(cause.contains("sync_data"), "{cause}");
}
