//! Commands of a store: what they are planned on, and when they are due.

use std::convert::Infallible;
use std::sync::Arc;

use beaver::wal::{QueueOptions, WalOptions};
use beaver::{CommandError, Error, ManualClock, Store, StoreOptions};

use crate::support::*;

/// What a command is planned on now.
fn planned_on(store: &mut Store<Tape>) -> Vec<String> {
    let look = |tape: &Tape| Ok::<_, Infallible>((Vec::new(), tape.0.clone()));
    let (ticket, tape) = store.submit(look).unwrap();
    assert!(ticket.is_none(), "nothing was asked for");
    tape
}

fn queue(store: &mut Store<Tape>, texts: &[&str]) -> Result<(), CommandError<Infallible>> {
    let events = texts.iter().map(line).collect();
    store.submit(|_| Ok((events, ()))).map(|_| ())
}

#[test]
fn a_command_is_planned_on_what_is_queued() {
    let disk = Memory::new();
    let mut store = recover(&disk).0;
    commit(&mut store, 1..=1);
    queue(&mut store, &["2"]).unwrap();
    assert_eq!(planned_on(&mut store), numbers(1..=2));
    assert_eq!(store.state().0, numbers(1..=1));
}

#[test]
fn after_a_batch_that_failed_a_command_is_planned_on_what_is_durable() {
    let disk = Memory::new();
    let mut store = recover(&disk).0;
    commit(&mut store, 1..=1);
    disk.inject(Fault::on(Op::Write, "wal"));
    let error = try_commit(&mut store, 2).unwrap_err();
    assert!(!error.is_indeterminate(), "{error}");
    assert_eq!(planned_on(&mut store), numbers(1..=1));
    commit(&mut store, 3..=3);
    assert_eq!(tape(&disk), ["1", "3"]);
}

#[test]
fn after_a_plan_that_its_own_machine_refuses_nothing_of_it_is_left() {
    let disk = Memory::new();
    let mut store = recover(&disk).0;
    queue(&mut store, &["1"]).unwrap();
    let refused = queue(&mut store, &["2", "\"illegal\""]).unwrap_err();
    assert!(matches!(
        refused,
        CommandError::Log(Error::IllegalEvent { .. })
    ));
    assert_eq!(planned_on(&mut store), numbers(1..=1));
    store.flush().unwrap();
    assert_eq!(tape(&disk), numbers(1..=1));
}

#[test]
fn a_store_is_due_when_something_has_waited_long_enough() {
    let disk = Memory::new();
    let clock = Arc::new(ManualClock::new(1_000));
    let options = StoreOptions {
        wal: WalOptions {
            clock: Arc::<ManualClock>::clone(&clock),
            ..plain()
        },
        queue: QueueOptions {
            flush_interval_ms: 5,
            ..QueueOptions::default()
        },
        ..store_options()
    };
    let mut store = Store::<Tape>::open(disk.storage(), options).unwrap().0;
    clock.advance(100);
    assert!(!store.is_due(), "nothing is queued");
    queue(&mut store, &["1"]).unwrap();
    assert!(!store.is_due(), "it has not waited yet");
    clock.advance(5);
    assert!(store.is_due());
    store.flush().unwrap();
    assert!(!store.is_due());
}
