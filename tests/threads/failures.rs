//! What callers learn when a write, a sync or one of them fails.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use beaver::wal::QueueOptions;
use beaver::{CommandError, Epoch, Error, Position};
use beaver_disk::Op;

use crate::hooked::hooked;
use crate::note::{Note, Notes};
use crate::support::*;

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
fn after_a_failed_sync_its_batch_is_in_doubt_and_those_after_it_were_not_written() {
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
        let later: Vec<_> = (4..6)
            .map(|n| writer.submit(&[note(0, n)]).unwrap())
            .collect();
        let waiting = scope.spawn(|| writer.append(&[note(0, 6)]));
        gated.gate.open();
        for waiter in waiters {
            let error = waiter.join().unwrap().unwrap_err();
            assert!(error.is_indeterminate(), "{error}");
        }
        for one in &later {
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
        let later = writer.submit(&[note(0, 3)]).unwrap();
        gated.gate.open();
        for error in [
            leader.join().unwrap().unwrap_err(),
            failure(&batch[1]),
            later.wait().unwrap_err(),
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
fn a_panic_of_the_one_who_writes_answers_its_batch_and_those_after_it() {
    let gated = Gated::before(Op::SyncData);
    let writer = writer(&gated.storage, batches_of(2));
    gated.shut(Then::Panic);
    let batch: Vec<_> = (0..2)
        .map(|n| writer.submit(&[note(0, n)]).unwrap())
        .collect();
    let panics = thread::scope(|scope| {
        let waiters: Vec<_> = batch.iter().map(|one| scope.spawn(|| one.wait())).collect();
        gated.gate.until_reached();
        let later = writer.submit(&[note(0, 2)]).unwrap();
        let waiting = scope.spawn(|| writer.append(&[note(0, 3)]));
        let closing = scope.spawn(|| writer.close());
        gated.gate.open();
        assert!(matches!(later.wait().unwrap_err(), Error::Closed));
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
