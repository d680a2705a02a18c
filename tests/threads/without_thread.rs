//! The shared store without a thread of its own, and tickets as futures.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use beaver::wal::Ticket;
use beaver::{CommandError, Error, Position, SharedStore, Storage, Store, StoreOptions};
use beaver_disk::Op;

use crate::note::Notes;
use crate::support::*;

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(ticket: &Ticket, bell: &Arc<Bell>) -> Poll<Result<Position, Error>> {
    let waker = Waker::from(Arc::clone(bell));
    pin!(ticket.clone()).poll(&mut Context::from_waker(&waker))
}

fn alone(storage: &Arc<dyn Storage>) -> SharedStore<Notes> {
    let opened = SharedStore::open_without_thread(Arc::clone(storage), store_options());
    opened.unwrap().0
}

fn submit_next(store: &SharedStore<Notes>, caller: u32) -> Ticket {
    let planned = store.submit(|notes| Ok::<_, ()>((vec![notes.next(caller)], ())));
    planned.unwrap().0.unwrap()
}

#[test]
fn nothing_is_written_before_a_caller_flushes_and_all_tasks_are_woken_then() {
    on_both(|storage| {
        let store = alone(&storage);
        let bells = [0, 1, 2].map(|_| Arc::new(Bell::default()));
        let tickets = [0, 1, 0].map(|caller| submit_next(&store, caller));
        for (ticket, bell) in tickets.iter().zip(&bells) {
            assert!(poll(ticket, bell).is_pending());
            assert!(poll(ticket, bell).is_pending());
        }
        assert_eq!(store.tip(|notes| notes.count(0)).unwrap(), 2);
        assert_eq!(store.read(|notes| notes.count(0)), 0);
        store.flush().unwrap();
        assert_eq!(store.read(|notes| notes.count(0)), 2);
        for (place, (ticket, bell)) in tickets.iter().zip(&bells).enumerate() {
            assert_eq!(bell.rung(), 1);
            let Poll::Ready(Ok(position)) = poll(ticket, bell) else {
                panic!("it is flushed");
            };
            assert_eq!(position, Position::new(1, place as u64 + 1));
        }
        // A command that waits writes what is queued itself.
        submit_next(&store, 1);
        assert_eq!(append_next(&store, 1).unwrap(), Position::new(1, 5));
        store.close().unwrap();
        assert!(matches!(store.flush(), Err(Error::Closed)));
        assert!(matches!(store.tip(|_| ()), Err(Error::Closed)));
    });
}

#[test]
fn a_command_that_waits_writes_full_batches_before_its_own_too() {
    on_both(|storage| {
        let options = StoreOptions {
            queue: batches_of(1),
            ..store_options()
        };
        let opened = SharedStore::open_without_thread(Arc::clone(&storage), options);
        let (store, _) = opened.unwrap();
        let tickets = [0, 1].map(|caller| submit_next(&store, caller));
        assert_eq!(append_next(&store, 0).unwrap(), Position::new(1, 3));
        let bell = Arc::new(Bell::default());
        for ticket in &tickets {
            assert!(matches!(poll(ticket, &bell), Poll::Ready(Ok(_))));
        }
        // Nor does an answer wait that rests on what is queued.
        submit_next(&store, 1);
        submit_next(&store, 0);
        let looked = store.commit(|notes| Ok::<_, ()>((Vec::new(), notes.count(0))));
        assert_eq!(looked.unwrap(), (None, 3));
        assert_eq!(store.read(|notes| notes.count(0)), 3);
    });
}

#[test]
fn a_failed_flush_wakes_every_task_and_takes_back_what_was_queued() {
    let gated = Gated::before(Op::SyncData);
    let store = alone(&gated.storage);
    append_next(&store, 0).unwrap();
    let bell = Arc::new(Bell::default());
    let ticket = submit_next(&store, 0);
    assert!(poll(&ticket, &bell).is_pending());
    *gated.then.lock().unwrap() = Then::Fail;
    assert!(store.flush().unwrap_err().is_indeterminate());
    assert_eq!(bell.rung(), 1);
    assert!(matches!(poll(&ticket, &bell), Poll::Ready(Err(_))));
    assert_eq!(store.tip(|notes| notes.count(0)).unwrap(), 1);
    assert!(matches!(store.flush(), Err(Error::Poisoned { .. })));
}

#[test]
fn the_tasks_of_a_store_that_ends_are_answered() {
    let bell = Arc::new(Bell::default());
    // One that is shared writes what is queued.
    let storage = memory();
    let store = alone(&storage);
    let ticket = submit_next(&store, 0);
    assert!(poll(&ticket, &bell).is_pending());
    drop(store);
    assert!(matches!(poll(&ticket, &bell), Poll::Ready(Ok(_))));
    assert_eq!(bell.rung(), 1);
    // One with a single owner does not.
    let (mut store, _) = Store::<Notes>::open(memory(), store_options()).unwrap();
    let submitted = store.submit(|notes| Ok::<_, ()>((vec![notes.next(0)], ())));
    let ticket = submitted.unwrap().0.unwrap();
    assert!(poll(&ticket, &bell).is_pending());
    drop(store);
    assert_eq!(bell.rung(), 2);
    let Poll::Ready(Err(error)) = poll(&ticket, &bell) else {
        panic!("the store is gone");
    };
    assert!(matches!(error, Error::Closed));
}

#[test]
fn the_thread_of_a_store_that_has_one_writes_what_was_submitted() {
    let storage = memory();
    let mut options = store_options();
    options.queue.flush_interval_ms = 0;
    let (store, _) = SharedStore::<Notes>::open(Arc::clone(&storage), options).unwrap();
    let ticket = submit_next(&store, 0);
    let bell = Arc::new(Bell::default());
    while poll(&ticket, &bell).is_pending() {
        std::thread::yield_now();
    }
    assert_eq!(store.read(|notes| notes.count(0)), 1);
}

#[test]
fn an_install_waits_for_what_is_queued_and_later_commands_see_the_new_state() {
    let storage = memory();
    let store = alone(&storage);
    let ticket = submit_next(&store, 0);
    let mut notes = Notes::default();
    notes.counts.insert(7, 3);
    let report = store.install(notes).unwrap();
    let bell = Arc::new(Bell::default());
    assert!(matches!(poll(&ticket, &bell), Poll::Ready(Ok(_))));
    assert_eq!(store.applied(), report.position);
    let refused = store.submit(|notes| match notes.count(7) {
        3 => Err("three"),
        _ => Ok((vec![notes.next(7)], ())),
    });
    assert!(matches!(refused, Err(CommandError::Rejected("three"))));
    append_next(&store, 7).unwrap();
    assert_eq!(store.checkpoint().unwrap().unwrap().removed, [""; 0]);
    drop(store);
    let (store, _) = Store::<Notes>::open(storage, store_options()).unwrap();
    assert_eq!((store.state().count(7), store.state().count(0)), (4, 0));
}
