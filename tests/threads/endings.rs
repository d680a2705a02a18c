//! Closing and dropping: every caller is answered, and nothing is written afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use beaver::wal::{AppendOutcome, QueueOptions};
use beaver::{BatchWriter, Error, ManualClock, Position, Store, Wal, WalOptions};
use beaver_disk::Op;

use crate::hooked::hooked;
use crate::note::{Note, Notes};
use crate::support::*;

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
        let writer = BatchWriter::new(wal, QueueOptions::default()).unwrap();
        let other = writer.clone();
        let pending = writer.submit(&[note(0, 0)]).unwrap();
        drop(writer);
        assert!(matches!(pending.outcome(), AppendOutcome::Pending));
        drop(other);
        assert!(matches!(pending.outcome(), AppendOutcome::Durable(_)));
        drop(pending);
        assert_eq!(recovered(&storage).len(), 1);
        // The thread in the background holds the clock, too.
        while Arc::strong_count(&clock) > 1 {
            thread::yield_now();
        }
    });
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
