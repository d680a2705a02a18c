//! Appends of many callers: each is there once, in its caller's order, and no caller waits for ever.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use beaver::wal::{AppendOutcome, Group, PendingAppend, QueueOptions};
use beaver::{BatchWriter, ManualClock, Position, Wal, WalOptions};
use beaver_disk::{CrashPoint, Disk, Moment, Profile, SimDisk, SimOptions};

use crate::note::Note;
use crate::support::*;

#[test]
fn appends_of_many_callers_are_there_once_in_each_callers_order_across_rotations() {
    on_both(|storage| {
        let writer = writer(&storage, QueueOptions::default());
        let acknowledged = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for caller in 0..6 {
                let (writer, acknowledged) = (&writer, &acknowledged);
                scope.spawn(move || {
                    let mut n = 0;
                    for call in 0..40 {
                        let notes: Vec<Note> =
                            (0..call % 3 + 1).map(|i| note(caller, n + i)).collect();
                        n += call % 3 + 1;
                        let position = writer.append(&notes).unwrap();
                        let last = *notes.last().unwrap();
                        acknowledged.lock().unwrap().insert(position, last);
                    }
                });
            }
            for _ in 0..10 {
                writer.rotate().unwrap();
            }
        });
        writer.close().unwrap();
        let events = recovered(&storage);
        let counts = check_callers(&events);
        assert_eq!(counts, (0..6).map(|caller| (caller, 79)).collect());
        let there: BTreeMap<Position, Note> = events.into_iter().collect();
        for (position, last) in acknowledged.into_inner().unwrap() {
            assert_eq!(there[&position], last, "the position that was answered");
        }
    });
}

#[test]
fn tickets_may_be_collected_late_or_never() {
    on_both(|storage| {
        let writer = writer(&storage, batches_of(7));
        let late: Mutex<Vec<(Note, PendingAppend<Note>)>> = Mutex::default();
        thread::scope(|scope| {
            for caller in 0..4 {
                let (writer, late) = (&writer, &late);
                scope.spawn(move || {
                    for n in 0..100 {
                        let pending = writer.submit(&[note(caller, n)]).unwrap();
                        match n % 4 {
                            0 => drop(pending),
                            1 => drop(pending.wait().unwrap()),
                            _ => late.lock().unwrap().push((note(caller, n), pending)),
                        }
                    }
                });
            }
        });
        writer.close().unwrap();
        let there: BTreeMap<Position, Note> = recovered(&storage).into_iter().collect();
        assert_eq!(there.len(), 400);
        for (note, pending) in late.into_inner().unwrap() {
            let position = pending.wait().unwrap();
            assert_eq!(there[&position], note);
        }
    });
}

#[test]
fn an_append_nobody_waits_for_is_written_when_its_time_has_come() {
    let clock = Arc::new(ManualClock::new(1));
    let options = WalOptions {
        clock: clock.clone(),
        ..WalOptions::default()
    };
    let (wal, _) = Wal::<Note>::open(memory(), options).unwrap();
    let writer = BatchWriter::new(wal, QueueOptions::default()).unwrap();
    let pending = writer.submit(&[note(0, 0)]).unwrap();
    clock.advance(QueueOptions::default().flush_interval_ms);
    while matches!(pending.outcome(), AppendOutcome::Pending) {
        thread::yield_now();
    }
    assert_eq!(pending.wait().unwrap(), Position::new(1, 1));
    let pending = writer.submit(&[note(0, 1)]).unwrap();
    // A clock that is set back must not keep it in the queue.
    clock.set(0);
    while matches!(pending.outcome(), AppendOutcome::Pending) {
        thread::yield_now();
    }
    assert_eq!(pending.wait().unwrap(), Position::new(1, 2));
}

#[test]
fn an_append_nobody_waits_for_is_written_though_nothing_else_happens() {
    let (wal, _) = Wal::<Note>::open(memory(), WalOptions::default()).unwrap();
    let writer = BatchWriter::new(wal, QueueOptions::default()).unwrap();
    let pending = writer.submit(&[note(0, 0)]).unwrap();
    while matches!(pending.outcome(), AppendOutcome::Pending) {
        thread::yield_now();
    }
    assert_eq!(pending.wait().unwrap(), Position::new(1, 1));
}

#[test]
fn an_append_nobody_waits_for_stays_in_the_queue_until_it_is_due_or_flushed() {
    let writer = writer(&memory(), QueueOptions::default());
    for n in 0..3 {
        let pending = writer.submit(&[note(0, n)]).unwrap();
        for _ in 0..100 {
            thread::yield_now();
        }
        assert!(matches!(pending.outcome(), AppendOutcome::Pending));
        writer.flush().unwrap();
        assert!(matches!(pending.outcome(), AppendOutcome::Durable(_)));
    }
}

#[test]
fn an_append_is_not_held_up_by_earlier_ones_that_nobody_waits_for() {
    // One event leaves room in a batch, two more do not fit: the first batch is never full.
    let options = QueueOptions {
        max_batch_bytes: 2 * Group::encode(&[note(0, 0)]).unwrap().max_encoded_len(),
        flush_interval_ms: u64::MAX,
        ..QueueOptions::default()
    };
    let storage = memory();
    let writer = writer(&storage, options);
    for n in 0..20 {
        drop(writer.submit(&[note(0, 3 * n)]).unwrap());
        let both = [note(0, 3 * n + 1), note(0, 3 * n + 2)];
        let position = writer.append(&both).unwrap();
        assert_eq!(position, Position::new(1, u64::from(3 * n + 3)));
    }
}

#[test]
fn rotate_and_flush_end_though_callers_never_stop() {
    let storage = memory();
    let writer = writer(&storage, QueueOptions::default());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for caller in 0..4 {
            let (writer, done) = (&writer, &done);
            scope.spawn(move || {
                let mut n = 0;
                while !done.load(Ordering::SeqCst) {
                    writer.append(&[note(caller, n)]).unwrap();
                    n += 1;
                }
            });
        }
        for _ in 0..20 {
            writer.rotate().unwrap();
            writer.flush().unwrap();
            writer.last_position().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    writer.close().unwrap();
    check_callers(&recovered(&storage));
}

#[test]
fn the_handler_of_a_replay_may_append() {
    let storage = memory();
    let writer = writer(&storage, QueueOptions::default());
    for n in 0..5 {
        writer.append(&[note(0, n)]).unwrap();
    }
    let reader = writer.reader().unwrap();
    let report = reader.replay(Position::default(), |_, seen: Note| {
        writer.append(&[note(1, seen.n)]).map(drop)
    });
    assert_eq!(
        report.unwrap().applied,
        5,
        "and sees nothing of what it appended"
    );
    assert_eq!(writer.last_position().unwrap(), Position::new(1, 10));
}

#[test]
fn what_many_callers_were_told_survives_a_power_cut() {
    for call in (20..140).step_by(6) {
        let options = SimOptions {
            crash_at: Some(CrashPoint {
                call,
                moment: Moment::Inside,
            }),
            ..SimOptions::default()
        };
        let machine = SimDisk::new(Disk::empty(Profile::Posix), options);
        let writer = writer(&machine.storage(), batches_of(3));
        let acknowledged: Vec<u32> = thread::scope(|scope| {
            let append_all = |caller| {
                let writer = &writer;
                move || {
                    (0..)
                        .take_while(|n| writer.append(&[note(caller, *n)]).is_ok())
                        .count()
                }
            };
            let callers: Vec<_> = (0..4)
                .map(|caller| scope.spawn(append_all(caller)))
                .collect();
            // Some rotations, too, until the machine is dead.
            while writer.rotate().is_ok() {}
            let counts = callers.into_iter().map(|caller| caller.join().unwrap());
            counts.map(|count| u32::try_from(count).unwrap()).collect()
        });
        drop(writer);
        let images = machine.crash().images();
        for corner in images.corners() {
            let image = images.image(&images.corner(corner));
            let disk = SimDisk::new(image.disk(Profile::Posix), SimOptions::default());
            let there = check_callers(&recovered(&disk.storage()));
            for (caller, acknowledged) in (0..).zip(&acknowledged) {
                let there = there.get(&caller).copied().unwrap_or(0);
                // The last append of each caller is in doubt.
                let possible = *acknowledged..=*acknowledged + 1;
                assert!(
                    possible.contains(&there),
                    "call {call}: caller {caller} has {there}"
                );
            }
        }
    }
}
