//! Files of two stores, or of two time lines of one, are never read as one store.

use beaver::inspect::{self, StoreProblem};
use beaver::{Error, Position, Wal};

use crate::identity::{OTHER, open_as, options};
use crate::support::*;

/// Commits events called by `name`, as many in each epoch as `epochs` says, with a checkpoint after each
/// epoch but the last.
fn go_on(disk: &Memory, store: beaver::StoreId, name: &str, epochs: &[u64]) {
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

/// Two stores with the same names and positions; the events of the other one are called `name`.
fn two_stores(name: &str) -> [Memory; 2] {
    let stores = [(STORE, "a"), (OTHER, name)].map(|(store, name)| {
        let disk = Memory::new();
        go_on(&disk, store, name, &[2, 2, 2, 2]);
        disk
    });
    assert_eq!(stores[0].names(), stores[1].names());
    stores
}

#[test]
fn no_file_of_another_store_is_taken_for_one_of_this_whatever_it_holds() {
    // With the very same events too.
    for name in ["a", "b"] {
        let [ours, other] = two_stores(name);
        let names = ours.names();
        assert_eq!(names[..3], [1, 2, 3].map(snapshot));
        assert_eq!(names[3..], [2, 3, 4].map(wal));
        for name in &names {
            check_mixture_refused(&mixed(&ours, &other, name), name);
        }
    }
}

/// A reader that only looks sees the state of one store, or is told what is wrong.
fn check_looked_at(ours: &Memory, other: &Memory, name: &str) {
    let mixed = mixed(ours, other, name);
    if let Ok((state, _, report)) = inspect::salvage_state::<Tape>(&mixed.storage()) {
        let is_one = [ours, other].iter().any(|disk| tape(disk) == state.0);
        assert!(is_one || !report.skipped.is_empty(), "{name}: {state:?}");
    }
    if let Ok((state, ..)) = beaver::store::read_state::<Tape>(&mixed.storage()) {
        assert_eq!(state.0, tape(ours), "{name}");
    }
}

#[test]
fn who_looks_at_a_mixture_sees_one_store_or_is_told() {
    let [ours, other] = two_stores("b");
    let edge = [snapshot(3), wal(4)];
    for name in ours.names().iter().filter(|name| !edge.contains(name)) {
        check_looked_at(&ours, &other, name);
    }
}

/// The state of one store, and the events of the other one after it, without a word.
#[test]
fn who_looks_at_a_snapshot_and_a_segment_of_two_stores_is_told() {
    let [ours, other] = two_stores("b");
    for name in [snapshot(3), wal(4)] {
        check_looked_at(&ours, &other, &name);
    }
}

/// A log of four segments without snapshots.
fn log_as(disk: &Memory, store: beaver::StoreId, name: &str, epochs: &[u64]) {
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

/// The error of a reader that opens the log and reads all of it.
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

/// Nothing seals it yet. This is documented: a backup must be restored whole.
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
