//! The shared store and the shared queue: commands of many callers on one state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use beaver::{
    Clock, Command, CommandError, ControllerOptions, Error, JobId, JobSpec, JobStatus, ManualClock,
    Payload, Position, SharedController, Store, StoreOptions,
};
use beaver_disk::Op;

use crate::note::{Note, Notes};
use crate::support::*;

#[test]
fn a_command_after_a_refused_one_is_planned_on_what_is_in_flight() {
    let gated = Gated::before(Op::SyncData);
    let store = store(&gated.storage);
    gated.shut(Then::Succeed);
    let (began, begun) = mpsc::channel();
    thread::scope(|scope| {
        let writing = scope.spawn(|| append_next(&store, 0));
        gated.gate.until_reached();
        // Its own machine refuses it, so what the next command is planned on is made anew: from
        // what is durable and from what will be.
        let refused = store.commit(|_| Ok::<_, ()>((vec![note(0, 9)], ())));
        assert!(matches!(
            refused,
            Err(CommandError::Log(Error::IllegalEvent { .. }))
        ));
        let after = scope.spawn(|| {
            store.commit(|notes| {
                began.send(notes.count(0)).unwrap();
                Ok::<_, ()>((vec![notes.next(0)], ()))
            })
        });
        let planned_on = begun.recv().unwrap();
        gated.gate.open();
        assert_eq!(planned_on, 1, "one was in flight");
        assert_eq!(writing.join().unwrap().unwrap(), Position::new(1, 1));
        let (position, ()) = after.join().unwrap().unwrap();
        assert_eq!(position, Some(Position::new(1, 2)));
    });
    store.close().unwrap();
    let events = recovered(&gated.storage);
    assert_eq!(check_callers(&events), BTreeMap::from([(0, 2)]));
}

#[test]
fn an_answer_without_events_waits_for_what_it_saw() {
    for then in [Then::Succeed, Then::Fail] {
        let gated = Gated::before(Op::SyncData);
        let store = store(&gated.storage);
        gated.shut(then);
        let (began, begun) = mpsc::channel();
        thread::scope(|scope| {
            let writing = scope.spawn(|| append_next(&store, 0));
            gated.gate.until_reached();
            let asking = scope.spawn(|| {
                store.commit(|notes| {
                    began.send(()).unwrap();
                    // Seen, but not durable yet.
                    assert_eq!(notes.count(0), 1);
                    Err::<(Vec<Note>, ()), _>("there is one already")
                })
            });
            begun.recv().unwrap();
            assert_eq!(store.read(|notes| notes.count(0)), 0, "not durable");
            gated.gate.open();
            let written = writing.join().unwrap();
            match (then, asking.join().unwrap().unwrap_err()) {
                (Then::Succeed, CommandError::Rejected(_)) => written.map(drop).unwrap(),
                (Then::Fail, CommandError::Log(Error::Poisoned { .. })) => {
                    assert!(written.unwrap_err().is_indeterminate());
                }
                (_, error) => panic!("{error:?}"),
            }
        });
    }
}

#[test]
fn commands_are_taken_while_a_checkpoint_rotates() {
    let Gated { storage, gate, .. } = Gated::before(Op::Rename);
    let store = store(&storage);
    append_next(&store, 0).unwrap();
    gate.shut();
    thread::scope(|scope| {
        let checkpoint = scope.spawn(|| store.checkpoint().unwrap().unwrap());
        gate.until_reached();
        assert_eq!(store.read(|notes| notes.count(0)), 1);
        let (planned, plans) = mpsc::channel();
        let command = scope.spawn({
            let store = &store;
            move || {
                store.commit(|notes| {
                    planned.send(()).unwrap();
                    Ok::<_, ()>((vec![notes.next(0)], ()))
                })
            }
        });
        plans.recv().unwrap();
        gate.open();
        // What was queued goes into the next epoch: the snapshot does not cover it.
        assert_eq!(checkpoint.join().unwrap().position, Position::new(1, 1));
        let (position, ()) = command.join().unwrap().unwrap();
        assert_eq!(position, Some(Position::new(2, 1)));
    });
    store.close().unwrap();
    let (store, report) = Store::<Notes>::open(storage, store_options()).unwrap();
    assert_eq!((report.replayed, store.state().count(0)), (1, 2));
}

fn job(n: usize) -> JobId {
    JobId::new(format!("job-{n}")).unwrap()
}

#[test]
fn a_shared_queue_takes_the_commands_of_an_owned_one() {
    on_both(|storage| {
        let clock = Arc::new(ManualClock::new(1_000));
        let mut options = ControllerOptions::default();
        options.store.wal.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let (queue, _) = SharedController::open(Arc::clone(&storage), options).unwrap();
        for n in 0..2 {
            let spec = JobSpec::new(job(n), Payload::new("[1]").unwrap()).with_timeout_ms(10);
            queue.enqueue(spec).unwrap();
        }
        let first = queue.dispatch().unwrap().unwrap();
        queue.fail(&first.id, first.attempt).unwrap();
        assert_eq!(
            queue.read(|state| state.status(&first.id)),
            Some(JobStatus::Pending)
        );
        for _ in 0..2 {
            queue.dispatch().unwrap().unwrap();
        }
        assert_eq!(queue.tick().unwrap(), 0);
        queue.heartbeat(&first.id, 2).unwrap();
        clock.advance(10);
        assert_eq!(queue.tick().unwrap(), 2);
        let late = queue.ack(&first.id, first.attempt).unwrap_err();
        assert!(matches!(late, CommandError::Rejected(_)), "{late}");
        let report = queue.checkpoint().unwrap().unwrap();
        assert!(
            storage
                .list()
                .unwrap()
                .contains(&"snapshot-0000000001.json".to_owned())
        );
        assert_eq!(report.position, Position::new(1, 9));
        assert_eq!(queue.checkpoint().unwrap(), None);
        queue.close().unwrap();
    });
}

#[test]
fn a_shared_store_says_how_far_it_has_come() {
    let store = store(&memory());
    assert_eq!(store.applied(), Position::default());
    for _ in 0..3 {
        let position = append_next(&store, 0).unwrap();
        assert_eq!(store.applied(), position);
    }
}

#[test]
fn jobs_of_many_workers_complete_once_while_checkpoints_run() {
    const JOBS: usize = 200;
    on_both(|storage| {
        let options = || ControllerOptions {
            store: StoreOptions {
                queue: batches_of(10),
                ..StoreOptions::default()
            },
            ..ControllerOptions::default()
        };
        let (queue, _) = SharedController::open(Arc::clone(&storage), options()).unwrap();
        let handed_out: Mutex<BTreeMap<JobId, usize>> = Mutex::default();
        let completed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for worker in 0..2 {
                let queue = &queue;
                scope.spawn(move || {
                    for n in 0..JOBS / 2 {
                        let payload = Payload::new("[1]").unwrap();
                        let spec = JobSpec::new(job(worker * JOBS / 2 + n), payload);
                        queue.enqueue(spec).unwrap();
                    }
                });
            }
            for _ in 0..4 {
                let (queue, handed_out, completed) = (&queue, &handed_out, &completed);
                scope.spawn(move || {
                    while completed.load(Ordering::SeqCst) < JOBS {
                        let Some(job) = queue.dispatch().unwrap() else {
                            continue;
                        };
                        *handed_out
                            .lock()
                            .unwrap()
                            .entry(job.id.clone())
                            .or_default() += 1;
                        queue.ack(&job.id, job.attempt).unwrap();
                        let (id, attempt) = (job.id, job.attempt);
                        let again = queue.execute(&Command::Ack { id, attempt });
                        assert!(matches!(again, Err(CommandError::Rejected(_))));
                        completed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while completed.load(Ordering::SeqCst) < JOBS {
                queue.checkpoint().unwrap();
            }
        });
        assert!(
            handed_out
                .into_inner()
                .unwrap()
                .values()
                .all(|times| *times == 1)
        );
        queue.close().unwrap();
        let (queue, _) = SharedController::open(storage, options()).unwrap();
        queue.read(|state| {
            for n in 0..JOBS {
                assert_eq!(state.status(&job(n)), Some(JobStatus::Completed));
            }
        });
    });
}
