//! Whose a file is: a store of format version 1 gets an identity, and files of two stores, or of two
//! time lines of one, are never read as one.

use beaver::inspect::{self, StoreProblem};
use beaver::{Boundary, Error, Position, Store, StoreId, StoreOptions, Wal, WalOptions};

use crate::support::*;

/// Whose the other store is.
const OTHER: StoreId = StoreId(0x0bad_c0de);

fn options(store: StoreId) -> WalOptions {
    WalOptions {
        store_id: Some(store),
        ..plain()
    }
}

fn open_as(disk: &Memory, store: StoreId) -> Store<Tape> {
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

/// Commits so many events in each epoch, called by `name`, with a checkpoint after each but the last.
fn go_on(disk: &Memory, store: StoreId, name: &str, epochs: &[u64]) {
    let mut store = open_as(disk, store);
    for (index, count) in epochs.iter().enumerate() {
        if index > 0 {
            checkpoint(&mut store);
        }
        for number in 1..=*count {
            let epoch = store.last_position().epoch;
            try_commit(&mut store, format!("\"{name} {epoch}.{number}\"")).unwrap();
        }
    }
}

/// `disk` with the file `name` of `other`.
fn mixed(disk: &Memory, other: &Memory, name: &str) -> Memory {
    let mixed = disk.copy();
    mixed.put(name, other.bytes(name));
    mixed
}

fn problems(disk: &Memory) -> Vec<StoreProblem> {
    inspect::validate::<Line>(&disk.storage()).unwrap()
}

/// Whether a message names the exchanged file and the one that it does not fit.
fn names_both(said: &str, disk: &Memory, exchanged: &str) -> bool {
    let others = disk.names();
    let mut others = others.iter().filter(|name| *name != exchanged);
    said.contains(exchanged) && others.any(|name| said.contains(name))
}

/// A broken chain, with both names.
fn check_broken(error: &Error, disk: &Memory, exchanged: &str) {
    assert!(
        matches!(error, Error::BrokenChain { .. })
            && names_both(&error.to_string(), disk, exchanged),
        "{exchanged}: {error}"
    );
}

/// Nothing takes this mixture for a store.
fn check_mixture_refused(mixed: &Memory, exchanged: &str) {
    check_broken(&recover_error(mixed), mixed, exchanged);
    let problems = problems(mixed);
    let mut said = problems.iter().map(ToString::to_string);
    assert!(
        said.any(|said| names_both(&said, mixed, exchanged)),
        "{exchanged}: {problems:?}"
    );
    let out = Memory::new();
    let error = inspect::repair(&mixed.storage(), &out.storage(), COPY).unwrap_err();
    check_broken(&error, mixed, exchanged);
    assert_eq!(out.names(), [""; 0]);
}

#[test]
fn no_file_of_another_store_is_taken_for_one_of_this_whatever_it_holds() {
    // With the very same events too.
    for name in ["a", "b"] {
        let (ours, other) = (Memory::new(), Memory::new());
        go_on(&ours, STORE, "a", &[2, 2, 2, 2]);
        go_on(&other, OTHER, name, &[2, 2, 2, 2]);
        let names = ours.names();
        assert_eq!(names, other.names());
        assert_eq!(names[..3], [1, 2, 3].map(snapshot));
        assert_eq!(names[3..], [2, 3, 4].map(wal));
        for name in &names {
            check_mixture_refused(&mixed(&ours, &other, name), name);
        }
    }
}

#[test]
fn a_salvage_of_a_mixture_is_the_state_of_one_store_or_says_what_is_wrong() {
    let (ours, other) = (Memory::new(), Memory::new());
    go_on(&ours, STORE, "a", &[2, 2, 2, 2]);
    go_on(&other, OTHER, "b", &[2, 2, 2, 2]);
    for name in ours.names() {
        let mixed = mixed(&ours, &other, &name);
        let salvaged = inspect::salvage_state::<Tape>(&mixed.storage());
        if let Ok((state, _, report)) = salvaged {
            let is_one = [&ours, &other].iter().any(|disk| tape(disk) == state.0);
            assert!(is_one || !report.skipped.is_empty(), "{name}: {state:?}");
        }
        let strict = beaver::store::read_state::<Tape>(&mixed.storage());
        if let Ok((state, ..)) = strict {
            assert_eq!(state.0, tape(&ours), "{name}");
        }
    }
}

/// A log of four segments without snapshots.
fn log_as(disk: &Memory, store: StoreId, name: &str, epochs: &[u64]) {
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), options(store)).unwrap();
    for (index, count) in epochs.iter().enumerate() {
        if index > 0 {
            wal.rotate().unwrap();
        }
        let epoch = wal.last_position().epoch;
        for number in 1..=*count {
            let event = line(format!("\"{name} {epoch}.{number}\""));
            wal.append(&[event]).unwrap();
        }
    }
}

/// The error of whoever opens the log and reads all of it.
fn log_error_of(disk: &Memory) -> Error {
    let disk = disk.copy();
    match try_open(&disk) {
        Err(error) => error,
        Ok((wal, _)) => log_error(
            wal.replay(Position::default(), |_, _| Ok::<(), ()>(()))
                .unwrap_err(),
        ),
    }
}

#[test]
fn no_segment_of_another_log_is_taken_for_one_of_this_whatever_it_holds() {
    for name in ["a", "b"] {
        let (ours, other) = (Memory::new(), Memory::new());
        log_as(&ours, STORE, "a", &[2, 0, 2, 2]);
        log_as(&other, OTHER, name, &[2, 0, 2, 2]);
        for epoch in 1..=4 {
            let name = wal(epoch);
            let mixed = mixed(&ours, &other, &name);
            check_broken(&log_error_of(&mixed), &mixed, &name);
            check_broken(&try_read(&mixed, at(0, 0)).unwrap_err(), &mixed, &name);
            check_mixture_refused(&mixed, &name);
        }
    }
}

/// A store that was copied at the end of its second epoch, and both went on, with events of these names.
fn time_lines(ours: (&str, &[u64]), other: (&str, &[u64])) -> [Memory; 2] {
    let common = Memory::new();
    go_on(&common, STORE, "c", &[2, 2, 0]);
    [ours, other].map(|(name, epochs)| {
        let disk = common.copy();
        go_on(&disk, STORE, name, epochs);
        disk
    })
}

#[test]
fn no_file_of_another_time_line_with_the_same_positions_is_taken_for_one_of_this() {
    let [ours, other] = time_lines(("a", &[2, 2]), ("b", &[2, 2]));
    let names = ours.names();
    assert_eq!(names, other.names());
    let differ = |name: &&String| ours.bytes(name) != other.bytes(name);
    let forked: Vec<_> = names.iter().filter(differ).collect();
    assert_eq!(forked, [&snapshot(3), &wal(3), &wal(4)]);
    for name in forked {
        check_mixture_refused(&mixed(&ours, &other, name), name);
    }
}

#[test]
fn no_segment_of_another_time_line_of_a_log_is_taken_for_one_of_this() {
    let common = Memory::new();
    log_as(&common, STORE, "c", &[2, 0]);
    let [ours, other] = ["a", "b"].map(|name| {
        let disk = common.copy();
        log_as(&disk, STORE, name, &[2, 2, 2]);
        disk
    });
    for epoch in 2..=4 {
        let name = wal(epoch);
        let mixed = mixed(&ours, &other, &name);
        check_broken(&log_error_of(&mixed), &mixed, &name);
        check_mixture_refused(&mixed, &name);
    }
}

/// Nothing seals it yet. This is documented: whoever restores a backup takes all of it.
#[test]
fn the_newest_segment_of_another_time_line_fits_if_it_is_the_first_after_the_fork() {
    let [ours, other] = time_lines(("a", &[2]), ("b", &[3]));
    assert_eq!(ours.names().last(), Some(&wal(3)));
    let mixed = mixed(&ours, &other, &wal(3));
    assert_eq!(problems(&mixed), []);
    assert_eq!(tape(&mixed), tape(&other), "the other one, whole");
    assert_ne!(tape(&mixed), tape(&ours));
}

#[test]
fn of_time_lines_of_unequal_lengths_nothing_is_mixed_and_every_exchange_is_reported() {
    let mut exchanged = 0;
    for epochs in [[1, 2], [3, 2], [1, 1], [3, 3], [1, 3], [2, 1], [2, 3]] {
        // With the same events as far as both go, too.
        for name in ["a", "b"] {
            let [ours, other] = time_lines(("a", &[2, 2]), (name, &epochs));
            for file in ours.names() {
                if ours.bytes(&file) != other.bytes(&file) {
                    check_unequal(&ours, &other, &file);
                    exchanged += 1;
                }
            }
        }
    }
    assert!(exchanged > 30, "{exchanged}");
}

fn check_unequal(ours: &Memory, other: &Memory, file: &str) {
    let mixed = mixed(ours, other, file);
    let header = |disk: &Memory| disk.text(file).lines().next().unwrap().to_owned();
    if file == wal(4) && header(ours) == header(other) {
        // Both are the same up to its header.
        assert_eq!(tape(&mixed), tape(other));
        return;
    }
    let said = problems(&mixed);
    assert!(!said.is_empty(), "{file}");
    if let Ok((store, _)) = try_recover(&mixed.copy()) {
        assert_eq!(store.state().0, tape(ours), "{file}: {said:?}");
    }
    if let Ok((state, ..)) = beaver::store::read_state::<Tape>(&mixed.storage()) {
        assert_eq!(state.0, tape(ours), "{file}: {said:?}");
    }
    match inspect::repair(&mixed.storage(), &Memory::new().storage(), COPY) {
        // A segment that is only too short has lost events, nothing else.
        Ok(report) => assert!(
            !report.problems.is_empty() || !report.lost.is_empty(),
            "{file}: {said:?}"
        ),
        Err(error) => assert!(
            matches!(error, Error::BrokenChain { .. }),
            "{file}: {error}"
        ),
    }
}

#[test]
fn files_of_version_1_are_not_mixed_with_those_of_version_2_but_as_a_store_moves() {
    let disk = Memory::new();
    go_on(&disk, STORE, "a", &[2, 2, 2, 2]);
    let old = disk.copy();
    let body = |text: &str| format!("\"a {text}\"");
    Lines::after(3, 2)
        .any_event(1, 1, false, &body("3.1"))
        .any_event(2, 2, false, &body("3.2"))
        .on(&old);
    // A segment of version 1 after those of version 2.
    check_mixture_refused(&old, &wal(3));
    let old = disk.copy();
    put_snapshot(&old, 3, 2, &["0"]);
    check_mixture_refused(&old, &snapshot(3));
    let old = disk.copy();
    Lines::after(4, 2).on(&old);
    check_mixture_refused(&old, &wal(4));
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
