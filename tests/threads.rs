//! What the fronts for many threads promise, on real threads: everybody is answered, in order, once.
//!
//! Nothing here waits for time to pass. Where one thing must happen before another, a gate in the
//! storage holds the other back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hooked;
mod note;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

use beaver::storage::DiskStorage;
use beaver::storage::sim::{CrashPoint, Disk, Moment, Op, Profile, SimDisk, SimOptions};
use beaver::wal::{Group, Mode, Outcome, PendingAppend, QueueOptions};
use beaver::{
    Access, BatchWriter, Clock, Command, CommandError, ControllerOptions, Epoch, Error, JobId,
    JobSpec, JobStatus, ManualClock, Payload, Position, SharedController, SharedStore, Storage,
    Store, StoreOptions, Wal, WalOptions,
};

use hooked::hooked;
use note::{Note, Notes};

/// Runs `claim` on real files and in memory.
fn on_both(claim: impl Fn(Arc<dyn Storage>)) {
    let dir = tempfile::tempdir().unwrap();
    claim(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    claim(memory());
}

fn memory() -> Arc<dyn Storage> {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default()).storage()
}

/// No space is made ahead: a gate waits for the next write, and that is to be the next batch.
fn wal_options() -> WalOptions {
    WalOptions {
        preallocate_bytes: 0,
        clock: Arc::new(ManualClock::new(1_000)),
        ..WalOptions::default()
    }
}

/// The time of the tests stands still, so that only a full batch is ever due without a waiter.
fn writer(storage: &Arc<dyn Storage>, queue: QueueOptions) -> BatchWriter<Note> {
    let (wal, _) = Wal::open(Arc::clone(storage), wal_options()).unwrap();
    BatchWriter::new(wal, queue)
}

fn store(storage: &Arc<dyn Storage>) -> SharedStore<Notes> {
    SharedStore::open(Arc::clone(storage), store_options())
        .unwrap()
        .0
}

fn store_options() -> StoreOptions {
    StoreOptions {
        wal: wal_options(),
        ..StoreOptions::default()
    }
}

fn append_next(store: &SharedStore<Notes>, caller: u32) -> Result<Position, Error> {
    match store.commit(|notes| Ok::<_, ()>((vec![notes.next(caller)], ()))) {
        Ok((position, ())) => Ok(position.unwrap()),
        Err(CommandError::Log(error)) => Err(error),
        Err(CommandError::Rejected(())) => unreachable!(),
    }
}

/// Every event of the log after a new open, by position. A strict replay also checks the numbers.
fn recovered(storage: &Arc<dyn Storage>) -> Vec<(Position, Note)> {
    let (wal, _) = Wal::<Note>::open(Arc::clone(storage), wal_options()).unwrap();
    let mut events = Vec::new();
    wal.replay(Position::default(), Mode::Strict, |position, note| {
        events.push((position, note));
        Ok::<(), ()>(())
    })
    .unwrap();
    events
}

/// A caller's events must be there in its order, none missing, none twice.
fn check_callers(events: &[(Position, Note)]) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for (position, note) in events {
        let next: &mut u32 = counts.entry(note.caller).or_default();
        assert_eq!(note.n, *next, "caller {} at {position}", note.caller);
        *next += 1;
    }
    counts
}

/// Holds back whoever comes through until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    shut: bool,
    waiting: usize,
}

impl Gate {
    fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        while state.shut {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// Waits until somebody stands before the shut gate.
    fn until_reached(&self) {
        let mut state = self.state.lock().unwrap();
        while state.waiting == 0 {
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// What the next sync or write of a segment does once the gate lets it through.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Succeed,
    Fail,
    Panic,
}

/// A storage in memory with a gate before each call of kind `op` on a segment.
struct Gated {
    storage: Arc<dyn Storage>,
    gate: Arc<Gate>,
    then: Arc<Mutex<Then>>,
}

impl Gated {
    fn before(op: Op) -> Self {
        let gate = Arc::new(Gate::default());
        let then = Arc::new(Mutex::new(Then::Succeed));
        let (at, what) = (Arc::clone(&gate), Arc::clone(&then));
        let storage = hooked(memory(), move |called, file| {
            if called != op || !file.starts_with("wal-") {
                return Ok(());
            }
            at.pass();
            let then = std::mem::replace(&mut *what.lock().unwrap(), Then::Succeed);
            match then {
                Then::Succeed => Ok(()),
                Then::Fail => Err(io::Error::other("planned")),
                Then::Panic => panic!("a planned panic in the storage"),
            }
        });
        Gated {
            storage,
            gate,
            then,
        }
    }

    /// From now on the gate is shut; the first call that it lets through does this.
    fn shut(&self, then: Then) {
        *self.then.lock().unwrap() = then;
        self.gate.shut();
    }
}

fn note(caller: u32, n: u32) -> Note {
    Note { caller, n }
}

fn batches_of(max_batch_events: usize) -> QueueOptions {
    QueueOptions {
        max_batch_events,
        ..QueueOptions::default()
    }
}

fn failure(pending: &PendingAppend<Note>) -> Error {
    match pending.outcome() {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

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
    let writer = BatchWriter::new(wal, QueueOptions::default());
    let pending = writer.submit(&[note(0, 0)]).unwrap();
    clock.advance(QueueOptions::default().flush_interval_ms);
    while matches!(pending.outcome(), Outcome::Pending) {
        thread::yield_now();
    }
    assert_eq!(pending.wait().unwrap(), Position::new(1, 1));
    let pending = writer.submit(&[note(0, 1)]).unwrap();
    // A clock that is set back must not keep it in the queue.
    clock.set(0);
    while matches!(pending.outcome(), Outcome::Pending) {
        thread::yield_now();
    }
    assert_eq!(pending.wait().unwrap(), Position::new(1, 2));
}

#[test]
fn an_append_nobody_waits_for_is_written_though_nothing_else_happens() {
    let (wal, _) = Wal::<Note>::open(memory(), WalOptions::default()).unwrap();
    let writer = BatchWriter::new(wal, QueueOptions::default());
    let pending = writer.submit(&[note(0, 0)]).unwrap();
    while matches!(pending.outcome(), Outcome::Pending) {
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
        assert!(matches!(pending.outcome(), Outcome::Pending));
        writer.flush().unwrap();
        assert!(matches!(pending.outcome(), Outcome::Durable(_)));
    }
}

/// Counts the writes to segments.
fn counting_writes() -> (Arc<dyn Storage>, Arc<AtomicUsize>) {
    let writes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&writes);
    let storage = hooked(memory(), move |op, file| {
        if op == Op::WriteAt && file.starts_with("wal-") {
            count.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
        }
        Ok(())
    });
    (storage, writes)
}

fn making_room(storage: &Arc<dyn Storage>, preallocate_bytes: u64) -> BatchWriter<Note> {
    let options = WalOptions {
        preallocate_bytes,
        ..wal_options()
    };
    let (wal, _) = Wal::open(Arc::clone(storage), options).unwrap();
    BatchWriter::new(wal, QueueOptions::default())
}

#[test]
fn the_thread_in_the_background_makes_space_ahead() {
    const BYTES: u64 = 1 << 20;
    let (storage, _) = counting_writes();
    let writer = making_room(&storage, BYTES);
    writer.append(&[note(0, 0)]).unwrap();
    let segment = storage.open("wal-0000000001.jsonl", Access::Read).unwrap();
    while segment.len().unwrap() < BYTES {
        thread::yield_now();
    }
}

#[test]
fn nobody_makes_space_once_the_log_is_dropped() {
    for _ in 0..20 {
        let (storage, writes) = counting_writes();
        let writer = making_room(&storage, 16 << 20);
        writer.append(&[note(0, 0)]).unwrap();
        while writes.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        drop(writer);
        let written = writes.load(Ordering::SeqCst);
        // The thread in the background holds the storage while it makes space.
        while Arc::strong_count(&writes) > 2 && Arc::strong_count(&storage) > 1 {
            thread::yield_now();
        }
        for _ in 0..100 {
            thread::yield_now();
        }
        assert_eq!(writes.load(Ordering::SeqCst), written);
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
fn close_answers_everybody_and_keeps_what_it_acknowledged() {
    on_both(|storage| {
        let writer = writer(&storage, batches_of(3));
        let acknowledged: Mutex<Vec<Note>> = Mutex::default();
        let answered = AtomicUsize::new(0);
        thread::scope(|scope| {
            for caller in 0..8 {
                let (writer, acknowledged, answered) = (&writer, &acknowledged, &answered);
                scope.spawn(move || {
                    for n in 0.. {
                        let result = writer.append(&[note(caller, n)]);
                        answered.fetch_add(1, Ordering::SeqCst);
                        match result {
                            Ok(_) => acknowledged.lock().unwrap().push(note(caller, n)),
                            Err(Error::Closed) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
            while answered.load(Ordering::SeqCst) < 50 {
                thread::yield_now();
            }
            writer.close().unwrap();
        });
        assert!(matches!(writer.close(), Err(Error::Closed)));
        assert!(matches!(writer.append(&[note(0, 0)]), Err(Error::Closed)));
        let mut there: Vec<Note> = recovered(&storage).into_iter().map(|(_, n)| n).collect();
        let mut acknowledged = acknowledged.into_inner().unwrap();
        there.sort_unstable();
        acknowledged.sort_unstable();
        assert_eq!(there, acknowledged);
    });
}

#[test]
fn dropping_the_last_handle_answers_everybody_gives_the_lock_back_and_ends_the_thread() {
    on_both(|storage| {
        let clock = Arc::new(ManualClock::new(1));
        let options = WalOptions {
            clock: clock.clone(),
            ..WalOptions::default()
        };
        let (wal, _) = Wal::<Note>::open(Arc::clone(&storage), options).unwrap();
        let writer = BatchWriter::new(wal, QueueOptions::default());
        let other = writer.clone();
        let pending = writer.submit(&[note(0, 0)]).unwrap();
        drop(writer);
        assert!(matches!(pending.outcome(), Outcome::Pending));
        drop(other);
        assert!(matches!(pending.outcome(), Outcome::Durable(_)));
        drop(pending);
        assert_eq!(recovered(&storage).len(), 1);
        // The thread in the background holds the clock, too.
        while Arc::strong_count(&clock) > 1 {
            thread::yield_now();
        }
    });
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
fn a_failed_rotate_leaves_the_log_in_use() {
    let fails = Arc::new(AtomicUsize::new(0));
    let storage = {
        let fails = Arc::clone(&fails);
        hooked(memory(), move |op, _| {
            let turn = matches!(op, Op::Create | Op::Rename | Op::SyncDir)
                && fails.load(Ordering::SeqCst) > 0
                && fails.fetch_sub(1, Ordering::SeqCst) == 1;
            match turn {
                true => Err(io::Error::other("planned")),
                false => Ok(()),
            }
        })
    };
    let writer = writer(&storage, QueueOptions::default());
    thread::scope(|scope| {
        for caller in 0..3 {
            let writer = &writer;
            scope.spawn(move || {
                for n in 0..50 {
                    writer.append(&[note(caller, n)]).unwrap();
                }
            });
        }
        // The first, the second and the third of these calls fails in turn.
        for nth in [1, 2, 3, 1, 2, 3] {
            fails.store(nth, Ordering::SeqCst);
            let error = writer.rotate().unwrap_err();
            assert!(matches!(error, Error::Storage { .. }), "{error}");
            assert_eq!(writer.last_position().unwrap().epoch, Epoch(1));
        }
    });
    writer.rotate().unwrap();
    assert_eq!(writer.append(&[note(0, 50)]).unwrap(), Position::new(2, 1));
    writer.close().unwrap();
    let expected = BTreeMap::from([(0, 51), (1, 50), (2, 50)]);
    assert_eq!(check_callers(&recovered(&storage)), expected);
}

#[test]
fn after_a_failed_sync_its_batch_is_in_doubt_and_those_behind_were_not_written() {
    let gated = Gated::before(Op::SyncData);
    let writer = writer(&gated.storage, batches_of(3));
    writer.append(&[note(0, 0)]).unwrap();
    gated.shut(Then::Fail);
    let batch: Vec<_> = (1..4)
        .map(|n| writer.submit(&[note(0, n)]).unwrap())
        .collect();
    thread::scope(|scope| {
        // The time stands still, but the batch is full: the thread in the background may write it,
        // or one of these; each of them learns of it.
        let waiters: Vec<_> = batch.iter().map(|one| scope.spawn(|| one.wait())).collect();
        gated.gate.until_reached();
        let behind: Vec<_> = (4..6)
            .map(|n| writer.submit(&[note(0, n)]).unwrap())
            .collect();
        let waiting = scope.spawn(|| writer.append(&[note(0, 6)]));
        gated.gate.open();
        for waiter in waiters {
            let error = waiter.join().unwrap().unwrap_err();
            assert!(error.is_indeterminate(), "{error}");
        }
        for one in &behind {
            assert!(matches!(one.wait().unwrap_err(), Error::Poisoned { .. }));
        }
        let error = waiting.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    });
    let later = writer.append(&[note(0, 7)]).unwrap_err();
    assert!(matches!(later, Error::Poisoned { .. }));
    assert!(matches!(
        writer.rotate().unwrap_err(),
        Error::Poisoned { .. }
    ));
    assert!(matches!(
        writer.close().unwrap_err(),
        Error::Poisoned { .. }
    ));
    let events = recovered(&gated.storage);
    check_callers(&events);
    assert!(events.len() == 1 || events.len() <= 4);
}

#[test]
fn after_a_failed_write_that_was_undone_the_log_goes_on() {
    let gated = Gated::before(Op::WriteAt);
    let writer = writer(&gated.storage, batches_of(2));
    writer.append(&[note(0, 0)]).unwrap();
    gated.shut(Then::Fail);
    let batch: Vec<_> = (1..3)
        .map(|n| writer.submit(&[note(0, n)]).unwrap())
        .collect();
    thread::scope(|scope| {
        let leader = scope.spawn(|| batch[0].wait());
        gated.gate.until_reached();
        let behind = writer.submit(&[note(0, 3)]).unwrap();
        gated.gate.open();
        for error in [
            leader.join().unwrap().unwrap_err(),
            failure(&batch[1]),
            behind.wait().unwrap_err(),
        ] {
            assert!(matches!(error, Error::Storage { .. }), "{error}");
        }
    });
    assert_eq!(writer.append(&[note(0, 1)]).unwrap(), Position::new(1, 2));
    writer.close().unwrap();
    let events = recovered(&gated.storage);
    assert_eq!(check_callers(&events), BTreeMap::from([(0, 2)]));
}

#[test]
fn a_panic_of_the_one_who_writes_answers_its_batch_and_those_behind() {
    let gated = Gated::before(Op::SyncData);
    let writer = writer(&gated.storage, batches_of(2));
    gated.shut(Then::Panic);
    let batch: Vec<_> = (0..2)
        .map(|n| writer.submit(&[note(0, n)]).unwrap())
        .collect();
    let panics = thread::scope(|scope| {
        let waiters: Vec<_> = batch.iter().map(|one| scope.spawn(|| one.wait())).collect();
        gated.gate.until_reached();
        let behind = writer.submit(&[note(0, 2)]).unwrap();
        let waiting = scope.spawn(|| writer.append(&[note(0, 3)]));
        let closing = scope.spawn(|| writer.close());
        gated.gate.open();
        assert!(matches!(behind.wait().unwrap_err(), Error::Closed));
        assert!(matches!(
            waiting.join().unwrap().unwrap_err(),
            Error::Closed
        ));
        assert!(matches!(
            closing.join().unwrap().unwrap_err(),
            Error::Closed
        ));
        let answers = waiters.into_iter().map(thread::ScopedJoinHandle::join);
        answers.filter(Result::is_err).count()
    });
    assert!(
        panics <= 1,
        "the thread in the background may have been the one"
    );
    for one in &batch {
        assert!(failure(one).is_indeterminate());
    }
    assert!(matches!(writer.append(&[note(0, 0)]), Err(Error::Closed)));
    assert!(matches!(writer.rotate(), Err(Error::Closed)));
    // The log was dropped with its lock.
    check_callers(&recovered(&gated.storage));
}

#[test]
fn a_panic_in_a_plan_harms_nobody_else() {
    let storage = memory();
    let store = store(&storage);
    append_next(&store, 0).unwrap();
    let plan = |_: &Notes| -> Result<(Vec<Note>, ()), ()> { panic!("a planned panic in a plan") };
    assert!(catch_unwind(AssertUnwindSafe(|| store.commit(plan))).is_err());
    let look = |_: &Notes| panic!("a planned panic in a look");
    assert!(catch_unwind(AssertUnwindSafe(|| store.read(look))).is_err());
    // The tip panics in the middle of an append; what was applied of it is forgotten.
    let half = |notes: &Notes| Ok::<_, ()>((vec![notes.next(0), note(0, Notes::PANICS)], ()));
    assert!(catch_unwind(AssertUnwindSafe(|| store.commit(half))).is_err());
    let illegal = |notes: &Notes| Ok::<_, ()>((vec![notes.next(0), note(7, 5)], ()));
    let refused = store.commit(illegal).unwrap_err();
    assert!(matches!(
        refused,
        CommandError::Log(Error::IllegalEvent { .. })
    ));
    append_next(&store, 0).unwrap();
    store.close().unwrap();
    assert_eq!(
        check_callers(&recovered(&storage)),
        BTreeMap::from([(0, 2)])
    );
}

#[test]
fn a_handle_that_is_dropped_by_a_panic_still_closes_the_store() {
    let storage = memory();
    let store = store(&storage);
    append_next(&store, 0).unwrap();
    let gone = thread::spawn(move || {
        store.commit(|_| -> Result<(Vec<Note>, ()), ()> { panic!("a planned panic in a plan") })
    });
    assert!(gone.join().is_err());
    assert_eq!(recovered(&storage).len(), 1);
}

#[test]
fn a_failed_batch_leaves_the_state_as_it_was_for_every_caller() {
    let gated = Gated::before(Op::WriteAt);
    let store = store(&gated.storage);
    append_next(&store, 0).unwrap();
    gated.shut(Then::Fail);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                (
                    caller,
                    scope.spawn({
                        let store = &store;
                        move || append_next(store, caller)
                    }),
                )
            })
            .collect();
        gated.gate.until_reached();
        gated.gate.open();
        let mut failed = 0;
        for (caller, answer) in callers {
            match answer.join().unwrap() {
                Ok(_) => {}
                Err(Error::Storage { .. }) => {
                    failed += 1;
                    append_next(&store, caller).unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failed > 0);
    });
    let expected = BTreeMap::from([(0, 2), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(store.read(|notes| notes.counts.clone()), expected);
    store.close().unwrap();
    assert_eq!(check_callers(&recovered(&gated.storage)), expected);
}

#[test]
fn a_command_behind_a_refused_one_is_planned_on_what_is_in_flight() {
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
        let behind = scope.spawn(|| {
            store.commit(|notes| {
                began.send(notes.count(0)).unwrap();
                Ok::<_, ()>((vec![notes.next(0)], ()))
            })
        });
        let planned_on = begun.recv().unwrap();
        gated.gate.open();
        assert_eq!(planned_on, 1, "one was in flight");
        assert_eq!(writing.join().unwrap().unwrap(), Position::new(1, 1));
        let (position, ()) = behind.join().unwrap().unwrap();
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
fn close_waits_for_a_checkpoint_and_nobody_writes_afterwards() {
    let gate = Arc::new(Gate::default());
    let closed = Arc::new(AtomicBool::new(false));
    let storage = {
        let (gate, closed) = (Arc::clone(&gate), Arc::clone(&closed));
        hooked(memory(), move |op, file| {
            assert!(!closed.load(Ordering::SeqCst), "{op:?} {file} after close");
            if op == Op::Rename && file.starts_with("snapshot-") {
                gate.pass();
            }
            Ok(())
        })
    };
    let store = store(&storage);
    append_next(&store, 0).unwrap();
    gate.shut();
    thread::scope(|scope| {
        let checkpoint = scope.spawn(|| store.checkpoint());
        gate.until_reached();
        // Commands go on while the snapshot is written.
        append_next(&store, 0).unwrap();
        let closing = scope.spawn(|| {
            store.close().unwrap();
            closed.store(true, Ordering::SeqCst);
        });
        while append_next(&store, 0).is_ok() {}
        gate.open();
        closing.join().unwrap();
        // The snapshot is there; what it covers was removed, or stays because the log was closed.
        match checkpoint.join().unwrap() {
            Ok(Some(_)) | Err(Error::Closed) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn commands_are_taken_while_a_checkpoint_rotates() {
    let gate = Arc::new(Gate::default());
    let storage = {
        let gate = Arc::clone(&gate);
        hooked(memory(), move |op, file| {
            if op == Op::Rename && file.starts_with("wal-") {
                gate.pass();
            }
            Ok(())
        })
    };
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

#[test]
fn a_checkpoint_that_is_not_written_yet_keeps_the_directory_locked() {
    let storage = memory();
    let (mut owner, _) = Store::<Notes>::open(Arc::clone(&storage), store_options()).unwrap();
    owner
        .commit(|notes| Ok::<_, ()>((vec![notes.next(0)], ())))
        .unwrap();
    let checkpoint = owner.begin_checkpoint().unwrap().unwrap();
    drop(owner);
    let locked = Store::<Notes>::open(Arc::clone(&storage), store_options());
    assert!(matches!(locked.unwrap_err(), Error::Locked));
    checkpoint.write().unwrap();
    let (_, report) = Store::<Notes>::open(storage, store_options()).unwrap();
    assert_eq!(report.snapshot, Some(Position::new(1, 1)));
}

#[test]
fn the_handler_of_a_replay_may_append() {
    let storage = memory();
    let writer = writer(&storage, QueueOptions::default());
    for n in 0..5 {
        writer.append(&[note(0, n)]).unwrap();
    }
    let reader = writer.reader().unwrap();
    let report = reader.replay(Position::default(), Mode::Strict, |_, seen: Note| {
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
        queue.fail(&first.id).unwrap();
        assert_eq!(
            queue.read(|state| state.status(&first.id)),
            Some(JobStatus::Pending)
        );
        for _ in 0..2 {
            queue.dispatch().unwrap().unwrap();
        }
        assert_eq!(queue.tick().unwrap(), 0);
        clock.advance(10);
        assert_eq!(queue.tick().unwrap(), 2);
        let report = queue.checkpoint().unwrap().unwrap();
        assert!(
            storage
                .list()
                .unwrap()
                .contains(&"snapshot-0000000001.json".to_owned())
        );
        assert_eq!(report.position, Position::new(1, 8));
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
                        queue.ack(&job.id).unwrap();
                        let again = queue.execute(&Command::Ack(job.id));
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
