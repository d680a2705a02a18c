//! The fronts for many threads under a scheduler that tries many interleavings (feature `shuttle`).
//!
//! A schedule in which a thread waits for ever is reported as a deadlock: lost wake-ups, stranded
//! callers and a thread in the background that does not end are all found that way. Each claim
//! runs under random schedules and under PCT, which finds those that need few, well-placed
//! switches. A failure prints its schedule; `shuttle::replay` runs it again.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hooked;
mod note;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use beaver::wal::{AppendOutcome, QueueOptions};
use beaver::{
    BatchWriter, CommandError, Error, ManualClock, Position, SharedStore, Storage, StoreOptions,
    Wal, WalOptions,
};
use beaver_disk::{Disk, Op, Profile, SimDisk, SimOptions};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::thread;

use hooked::hooked;
use note::{Note, Notes};

/// How many schedules are tried of each sort; fewer where nothing is optimised.
const RANDOM: usize = if cfg!(debug_assertions) { 400 } else { 1_500 };
const PCT: usize = if cfg!(debug_assertions) { 150 } else { 500 };

fn explore(claim: impl Fn() + Send + Sync + 'static) {
    let claim = Arc::new(claim);
    let again = Arc::clone(&claim);
    shuttle::check_random(move || claim(), RANDOM);
    shuttle::check_pct(move || again(), PCT, 3);
}

/// A disk in memory. Other threads may run while a write or a sync does.
fn memory() -> Arc<dyn Storage> {
    interleaved(|_, _| Ok(()))
}

fn interleaved(
    hook: impl Fn(Op, &str) -> io::Result<()> + Send + Sync + 'static,
) -> Arc<dyn Storage> {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    hooked(disk.storage(), move |op, file| {
        if op.changes_something() {
            thread::yield_now();
        }
        hook(op, file)
    })
}

/// Lets the `nth` call of kind `op` on a segment fail.
fn failing(op: Op, nth: usize) -> Arc<dyn Storage> {
    let count = AtomicUsize::new(0);
    interleaved(move |called, file| {
        let counts = called == op && file.starts_with("wal-");
        match counts && count.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            true => Err(io::Error::other("planned")),
            false => Ok(()),
        }
    })
}

fn wal_options() -> WalOptions {
    WalOptions {
        preallocate_bytes: 0,
        clock: Arc::new(ManualClock::new(1)),
        ..WalOptions::default()
    }
}

/// Without an interval the thread in the background leads whenever it comes first; with one, and a
/// clock that stands still, only for batches that are full.
fn queue(max_batch_events: usize, flush_interval_ms: u64) -> QueueOptions {
    QueueOptions {
        max_batch_events,
        flush_interval_ms,
        ..QueueOptions::default()
    }
}

fn writer(storage: &Arc<dyn Storage>, options: QueueOptions) -> BatchWriter<Note> {
    let (wal, _) = Wal::open(Arc::clone(storage), wal_options()).unwrap();
    BatchWriter::new(wal, options).unwrap()
}

fn store(storage: &Arc<dyn Storage>, options: QueueOptions) -> SharedStore<Notes> {
    let options = StoreOptions {
        wal: wal_options(),
        queue: options,
        ..StoreOptions::default()
    };
    SharedStore::open(Arc::clone(storage), options).unwrap().0
}

fn append_next(store: &SharedStore<Notes>, caller: u32) -> Result<Position, Error> {
    match store.commit(|notes| Ok::<_, ()>((vec![notes.next(caller)], ()))) {
        Ok((position, ())) => Ok(position.unwrap()),
        Err(CommandError::Log(error)) => Err(error),
        Err(CommandError::Rejected(())) => unreachable!(),
    }
}

fn note(caller: u32, n: u32) -> Note {
    Note { caller, n }
}

/// How many events of each caller a new open shows. They must be in the caller's order.
fn recovered(storage: &Arc<dyn Storage>) -> BTreeMap<u32, u32> {
    let (wal, _) = Wal::<Note>::open(Arc::clone(storage), wal_options()).unwrap();
    let mut counts = BTreeMap::new();
    wal.replay(Position::default(), |_, note| {
        let next: &mut u32 = counts.entry(note.caller).or_default();
        assert_eq!(note.n, *next, "caller {}", note.caller);
        *next += 1;
        Ok::<(), ()>(())
    })
    .unwrap();
    counts
}

/// Each of three callers appended two notes, and all are there.
fn check_two_of_each(storage: &Arc<dyn Storage>) {
    let expected = BTreeMap::from([(0, 2), (1, 2), (2, 2)]);
    assert_eq!(recovered(storage), expected);
}

fn spawn_all<T: Send + 'static>(
    count: u32,
    work: impl Fn(u32) -> T + Send + Sync + 'static,
) -> Vec<thread::JoinHandle<T>> {
    let work = Arc::new(work);
    (0..count)
        .map(|caller| {
            let work = Arc::clone(&work);
            thread::spawn(move || work(caller))
        })
        .collect()
}

fn join_all<T>(threads: Vec<thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|t| t.join().unwrap()).collect()
}

#[test]
fn every_append_is_answered_and_there() {
    for options in [queue(1, 0), queue(2, 10), queue(100, 10), queue(100, 0)] {
        explore(move || {
            let storage = memory();
            let writer = writer(&storage, options);
            let callers = spawn_all(3, {
                let writer = writer.clone();
                move |caller| {
                    for n in 0..2 {
                        writer.append(&[note(caller, n)]).unwrap();
                    }
                }
            });
            join_all(callers);
            writer.close().unwrap();
            check_two_of_each(&storage);
        });
    }
}

#[test]
fn an_unclaimed_lead_blocks_no_caller() {
    for interval_ms in [0, 10] {
        explore(move || {
            let storage = memory();
            let writer = writer(&storage, queue(1, interval_ms));
            let callers = spawn_all(2, {
                let writer = writer.clone();
                move |caller| {
                    // Each is a batch of its own; no caller waits for the first one.
                    let unwaited = writer.submit(&[note(caller, 0)]).unwrap();
                    writer.append(&[note(caller, 1)]).unwrap();
                    assert!(matches!(unwaited.outcome(), AppendOutcome::Durable(_)));
                }
            });
            join_all(callers);
            drop(writer);
            assert_eq!(recovered(&storage), BTreeMap::from([(0, 2), (1, 2)]));
        });
    }
}

#[test]
fn tickets_are_collected_by_others_or_never() {
    explore(|| {
        let storage = memory();
        let writer = writer(&storage, queue(2, 10));
        let submitted = Arc::new(Mutex::new(Vec::new()));
        let submitters = spawn_all(2, {
            let (writer, submitted) = (writer.clone(), Arc::clone(&submitted));
            move |caller| {
                for n in 0..2 {
                    let pending = writer.submit(&[note(caller, n)]).unwrap();
                    submitted.lock().unwrap().push(pending);
                }
            }
        });
        let collector = thread::spawn({
            let submitted = Arc::clone(&submitted);
            move || {
                let some = submitted.lock().unwrap().pop();
                some.map(|pending| pending.wait().unwrap())
            }
        });
        join_all(submitters);
        collector.join().unwrap();
        drop(writer);
        for pending in submitted.lock().unwrap().drain(..) {
            pending.wait().unwrap();
        }
        assert_eq!(recovered(&storage), BTreeMap::from([(0, 2), (1, 2)]));
    });
}

#[test]
fn close_answers_every_caller() {
    for options in [queue(1, 10), queue(100, 0)] {
        explore(move || {
            let storage = memory();
            let writer = writer(&storage, options);
            let callers = spawn_all(2, {
                let writer = writer.clone();
                move |caller| {
                    let mut acknowledged = 0;
                    while acknowledged < 2 {
                        match writer.append(&[note(caller, acknowledged)]) {
                            Ok(_) => acknowledged += 1,
                            Err(Error::Closed) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    acknowledged
                }
            });
            let closers = spawn_all(2, {
                let writer = writer.clone();
                move |_| writer.close()
            });
            let closed = join_all(closers);
            assert_eq!(closed.iter().filter(|result| result.is_ok()).count(), 1);
            let acknowledged = join_all(callers);
            let there = recovered(&storage);
            for (caller, acknowledged) in (0..).zip(acknowledged) {
                assert_eq!(there.get(&caller).copied().unwrap_or(0), acknowledged);
            }
        });
    }
}

#[test]
fn rotate_and_flush_lie_between_batches() {
    explore(|| {
        let storage = memory();
        let writer = writer(&storage, queue(2, 10));
        let callers = spawn_all(2, {
            let writer = writer.clone();
            move |caller| {
                let first = writer.submit(&[note(caller, 0)]).unwrap();
                let second = writer.append(&[note(caller, 1)]).unwrap();
                assert!(first.wait().unwrap() < second);
            }
        });
        let rotating = thread::spawn({
            let writer = writer.clone();
            move || {
                writer.rotate().unwrap();
                writer.flush().unwrap();
                writer.rotate().unwrap();
            }
        });
        rotating.join().unwrap();
        join_all(callers);
        writer.close().unwrap();
        assert_eq!(recovered(&storage), BTreeMap::from([(0, 2), (1, 2)]));
    });
}

#[test]
fn a_failed_write_fails_its_batch_and_leaves_no_caller_waiting() {
    for nth in 2..5 {
        explore(move || {
            let storage = failing(Op::WriteAt, nth);
            let writer = writer(&storage, queue(1, 10));
            let callers = spawn_all(3, {
                let writer = writer.clone();
                move |caller| {
                    let (mut n, mut failures) = (0, 0);
                    while n < 2 {
                        match writer.append(&[note(caller, n)]) {
                            Ok(_) => n += 1,
                            Err(Error::Storage { .. }) => failures += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    failures
                }
            });
            let failures: u32 = join_all(callers).iter().sum();
            assert!(failures >= 1);
            writer.close().unwrap();
            check_two_of_each(&storage);
        });
    }
}

#[test]
fn a_failed_sync_reaches_every_caller() {
    for nth in 2..4 {
        explore(move || {
            let storage = failing(Op::SyncData, nth);
            let writer = writer(&storage, queue(2, 10));
            let callers = spawn_all(3, {
                let writer = writer.clone();
                move |caller| {
                    let mut acknowledged = 0;
                    loop {
                        match writer.append(&[note(caller, acknowledged)]) {
                            Ok(_) => acknowledged += 1,
                            Err(Error::Poisoned { .. }) => return (acknowledged, false),
                            Err(error) => {
                                assert!(error.is_indeterminate(), "{error}");
                                return (acknowledged, true);
                            }
                        }
                    }
                }
            });
            let answers = join_all(callers);
            assert!(writer.close().is_err());
            let there = recovered(&storage);
            for (caller, (acknowledged, in_doubt)) in (0..).zip(answers) {
                let there = there.get(&caller).copied().unwrap_or(0);
                let most = acknowledged + u32::from(in_doubt);
                assert!((acknowledged..=most).contains(&there));
            }
        });
    }
}

#[test]
fn commands_and_checkpoints_interleave_as_they_like() {
    for options in [queue(1, 10), queue(100, 10)] {
        explore(move || {
            let storage = memory();
            let store = store(&storage, options);
            let callers = spawn_all(2, {
                let store = store.clone();
                move |caller| {
                    for _ in 0..2 {
                        append_next(&store, caller).unwrap();
                    }
                }
            });
            let checkpoints = spawn_all(2, {
                let store = store.clone();
                move |_| store.checkpoint().unwrap()
            });
            join_all(callers);
            join_all(checkpoints);
            drop(store);
            let (store, _) = SharedStore::<Notes>::open(
                storage,
                StoreOptions {
                    wal: wal_options(),
                    ..StoreOptions::default()
                },
            )
            .unwrap();
            let counts = store.read(|notes| notes.counts.clone());
            assert_eq!(counts, BTreeMap::from([(0, 2), (1, 2)]));
        });
    }
}

#[test]
fn a_command_that_its_own_machine_refuses_harms_no_other() {
    for options in [queue(1, 10), queue(100, 10)] {
        explore(move || {
            let storage = memory();
            let store = store(&storage, options);
            let callers = spawn_all(2, {
                let store = store.clone();
                move |caller| {
                    for _ in 0..2 {
                        append_next(&store, caller).unwrap();
                    }
                }
            });
            // What the others are planned on is made anew after it, whatever is queued or in flight.
            let refused = store.commit(|_| Ok::<_, ()>((vec![note(9, 9)], ())));
            let illegal = matches!(refused, Err(CommandError::Log(Error::IllegalEvent { .. })));
            assert!(illegal);
            join_all(callers);
            store.close().unwrap();
            assert_eq!(recovered(&storage), BTreeMap::from([(0, 2), (1, 2)]));
        });
    }
}

#[test]
fn nothing_writes_after_close_has_returned() {
    explore(|| {
        let closed = Arc::new(AtomicBool::new(false));
        let storage = interleaved({
            let closed = Arc::clone(&closed);
            move |op, file| {
                assert!(!closed.load(Ordering::SeqCst), "{op:?} {file}");
                Ok(())
            }
        });
        let store = store(&storage, queue(1, 10));
        append_next(&store, 0).unwrap();
        let checkpoint = thread::spawn({
            let store = store.clone();
            move || store.checkpoint()
        });
        let caller = thread::spawn({
            let store = store.clone();
            move || append_next(&store, 1)
        });
        store.close().unwrap();
        closed.store(true, Ordering::SeqCst);
        assert!(matches!(
            checkpoint.join().unwrap(),
            Ok(_) | Err(Error::Closed)
        ));
        assert!(matches!(caller.join().unwrap(), Ok(_) | Err(Error::Closed)));
    });
}

#[test]
fn space_made_beside_the_log_meets_no_line_and_no_later_owner() {
    explore(|| {
        let closed = Arc::new(AtomicBool::new(false));
        let storage = interleaved({
            let closed = Arc::clone(&closed);
            move |op, file| {
                assert!(!closed.load(Ordering::SeqCst), "{op:?} {file}");
                Ok(())
            }
        });
        let options = WalOptions {
            preallocate_bytes: 100,
            ..wal_options()
        };
        let (wal, _) = Wal::open(Arc::clone(&storage), options).unwrap();
        let writer = BatchWriter::new(wal, queue(1, 10)).unwrap();
        let callers = spawn_all(2, {
            let writer = writer.clone();
            move |caller| {
                writer.append(&[note(caller, 0)]).unwrap();
                writer.append(&[note(caller, 1)]).unwrap();
            }
        });
        writer.rotate().unwrap();
        join_all(callers);
        writer.close().unwrap();
        closed.store(true, Ordering::SeqCst);
        thread::yield_now();
        closed.store(false, Ordering::SeqCst);
        assert_eq!(recovered(&storage), BTreeMap::from([(0, 2), (1, 2)]));
    });
}

#[test]
fn a_rejection_is_given_only_when_what_it_saw_is_durable() {
    for fails in [false, true] {
        explore(move || {
            // The first sync is that of the header, the second that of the first batch.
            let storage = failing(Op::SyncData, if fails { 2 } else { 0 });
            let store = store(&storage, queue(100, 10));
            let first = thread::spawn({
                let store = store.clone();
                move || append_next(&store, 0)
            });
            let once = store.commit(|notes| match notes.count(0) {
                0 => Ok((vec![notes.next(1)], ())),
                _ => Err("there is one"),
            });
            if let Err(CommandError::Rejected(_)) = once {
                assert_eq!(store.read(|notes| notes.count(0)), 1);
                assert!(!fails);
            }
            let first = first.join().unwrap();
            assert_eq!(first.is_err(), fails);
        });
    }
}

#[test]
fn a_task_that_awaits_a_ticket_is_woken_by_any_flush() {
    explore(|| {
        let storage = memory();
        let options = StoreOptions {
            wal: wal_options(),
            ..StoreOptions::default()
        };
        let (store, _) =
            SharedStore::<Notes>::open_without_thread(Arc::clone(&storage), options).unwrap();
        let (ask, asked) = shuttle::sync::mpsc::channel::<()>();
        let tasks = [0, 1, 2].map(|caller| {
            let (store, ask) = (store.clone(), ask.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let planned = store.submit(|notes| Ok::<_, ()>((vec![notes.next(caller)], ())));
                    let ticket = planned.unwrap().0.unwrap();
                    ask.send(()).unwrap();
                    shuttle::future::block_on(ticket).unwrap();
                }
            })
        });
        drop(ask);
        while asked.recv().is_ok() {
            store.flush().unwrap();
        }
        for task in tasks {
            task.join().unwrap();
        }
        drop(store);
        check_two_of_each(&storage);
    });
}
