//! Whose a store is: drawn when it is made, or when it moves from format version 1 to 2.

use beaver::inspect;
use beaver::{Boundary, Error, Store, StoreId, StoreOptions, Wal, WalOptions};

use crate::support::*;

/// Whose the other store is.
pub(super) const OTHER: StoreId = StoreId(0x0bad_c0de);

pub(super) fn options(store: StoreId) -> WalOptions {
    WalOptions {
        store_id: Some(store),
        ..plain()
    }
}

pub(super) fn open_as(disk: &Memory, store: StoreId) -> Store<Tape> {
    let options = StoreOptions {
        wal: options(store),
        ..keeping(2)
    };
    Store::open(disk.storage(), options).unwrap().0
}

/// What statistics say about versions and identity; nothing is wrong.
fn identity(disk: &Memory) -> (Vec<(u64, u64)>, Option<StoreId>, String) {
    let stats = inspect::stats::<Line>(&disk.storage()).unwrap();
    assert_eq!(stats.problems, []);
    let said = stats.identity();
    (stats.versions.into_iter().collect(), stats.store, said)
}

const NOT_SAID: &str = "of format version 1, which does not say whose a file is";
const BOTH: &str = "store 6f1d0c5be2a94417, of format versions 1 and 2";
const NEW: &str = "store 6f1d0c5be2a94417, of format version 2";

#[test]
fn a_log_of_version_1_goes_on_in_its_segment_and_gets_an_identity_at_its_next_rotate() {
    let first = Lines::first().event(1, 1).event(2, 2);
    let disk = first.disk();
    let mut wal = open(&disk);
    append(&mut wal, 3..=3);
    let first = first.event(3, 3);
    assert_eq!(disk.bytes(WAL1), first.bytes);
    assert_eq!(identity(&disk), (vec![(1, 1)], None, NOT_SAID.to_owned()));
    let sealed = wal.rotate().unwrap();
    assert_eq!((sealed.position, sealed.store), (at(1, 3), Some(STORE)));
    assert_eq!(format!("{:08x}", sealed.crc.unwrap()), first.last_crc());
    append(&mut wal, 1..=1);
    drop(wal);
    // From now on it has this one, whatever the options say.
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), options(OTHER)).unwrap();
    assert_eq!(wal.boundary(), Some(sealed));
    wal.rotate().unwrap();
    let second = first.next(STORE, 3).event(1, 1);
    assert_eq!(disk.bytes(WAL1), first.bytes);
    assert_eq!(disk.bytes(WAL2), second.bytes);
    assert_eq!(
        disk.bytes(&super::support::wal(3)),
        second.next(STORE, 1).bytes
    );
    let both = (vec![(1, 1), (2, 2)], Some(STORE), BOTH.to_owned());
    assert_eq!(identity(&disk), both);
    assert_eq!(read(&disk), ["1:1=1", "1:2=2", "1:3=3", "2:1=1"]);
}

#[test]
fn a_store_of_version_1_gets_its_identity_with_its_next_checkpoint() {
    let first = Lines::first().event(1, 1);
    let disk = first.disk();
    let second = Lines::after(2, 1).any_event(1, 1, false, "2");
    second.on(&disk);
    put_snapshot(&disk, 1, 1, &["1"]);
    assert_eq!(identity(&disk), (vec![(1, 3)], None, NOT_SAID.to_owned()));
    let mut store = open_as(&disk, STORE);
    commit(&mut store, 3..=3);
    let second = second.any_event(2, 2, false, "3");
    assert_eq!(disk.bytes(WAL2), second.bytes);
    checkpoint(&mut store);
    drop(store);
    let third = second.next(STORE, 2);
    assert_eq!(disk.bytes(&wal(3)), third.bytes);
    let state = tape_state(2, 2, &["1", "2", "3"]);
    assert_eq!(
        disk.text(&snapshot(2)),
        snapshot_document_of(STORE, 2, 2, &second.last_crc(), &state)
    );
    let (versions, ..) = identity(&disk);
    assert_eq!(versions.last(), Some(&(2, 2)));
    let mut store = open_as(&disk, OTHER);
    for number in 4..=6 {
        commit(&mut store, number..=number);
        checkpoint(&mut store);
    }
    drop(store);
    assert_eq!(identity(&disk), (vec![(2, 6)], Some(STORE), NEW.to_owned()));
    assert_eq!(tape(&disk), numbers(1..=6));
}

#[test]
fn a_log_that_is_made_without_an_identity_draws_one() {
    let store = |disk: &Memory| {
        let drawn = WalOptions {
            store_id: None,
            ..plain()
        };
        drop(Wal::<Line>::open(disk.storage(), drawn).unwrap());
        identity(disk).1.unwrap()
    };
    let disk = Memory::new();
    let own = store(&disk);
    assert_eq!(store(&disk), own, "once");
    assert_ne!(store(&Memory::new()), own);
}

#[test]
fn a_log_is_opened_only_after_the_boundary_that_it_goes_on_from() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    let sealed = wal.rotate().unwrap();
    append(&mut wal, 1..=1);
    drop(wal);
    disk.lose(WAL1);
    let open_after = |covered: Boundary| Wal::<Line>::open_after(disk.storage(), covered, plain());
    for covered in [sealed, Boundary::from(sealed.position)] {
        drop(open_after(covered).unwrap());
    }
    let (mut fork, mut other) = (sealed, sealed);
    fork.crc = Some(0);
    other.store = Some(OTHER);
    for covered in [fork, other] {
        let before = disk.files();
        let error = open_after(covered).unwrap_err();
        assert!(matches!(error, Error::BrokenChain { .. }), "{error}");
        assert!(error.to_string().contains(WAL2), "{error}");
        assert_eq!(disk.files(), before);
    }
}
