//! Install: the whole state gives way to another one, at every moment wholly or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver::{Error, Result, Store};
use beaver_disk::{
    CallEffect, Choice, Corner, Crash, Disk, FailureKind, Fault as DiskFault, FaultPlan, Op,
    Profile, SimDisk, SimOptions,
};

use crate::hooked::hooked;
use crate::support::{Tape, line, store_options, try_commit};

/// Profiles that keep the assumptions about the disk.
const PROFILES: [Profile; 5] = [
    Profile::Strict,
    Profile::LinuxOrdered,
    Profile::BtrfsLike,
    Profile::Posix,
    Profile::Alice,
];

/// What was done before the install.
const HISTORIES: [&str; 5] = ["", "e", "eecee", "eceecq", "eiq"];

fn on(disk: Disk) -> SimDisk {
    SimDisk::new(disk, SimOptions::default())
}

fn open(disk: &SimDisk) -> Result<Store<Tape>> {
    Store::open(disk.storage(), store_options()).map(|(store, _)| store)
}

fn tape_of(number: u64) -> Tape {
    Tape(vec![format!("\"installed {number}\"")])
}

/// Takes the steps of a history: an event, a checkpoint, an event that is only queued, an install.
fn go(disk: &SimDisk, history: &str) -> Store<Tape> {
    let mut store = open(disk).unwrap();
    for (number, step) in history.chars().enumerate() {
        match step {
            'e' => drop(try_commit(&mut store, number).unwrap()),
            'c' => drop(store.checkpoint().unwrap().unwrap()),
            'i' => drop(store.install(tape_of(1)).unwrap()),
            _ => {
                let queued = vec![line(number)];
                drop(store.submit(|_| Ok::<_, ()>((queued, ()))).unwrap());
            }
        }
    }
    store
}

/// What may be seen: the old state, with what is queued or without, or the new one.
struct Expected {
    old: [Vec<String>; 2],
    new: Vec<String>,
}

impl Expected {
    fn of(store: &mut Store<Tape>) -> Self {
        Expected {
            old: [store.state().0.clone(), store.tip().0.clone()],
            new: tape_of(2).0,
        }
    }

    /// Every later process sees the one that the first one sees, and goes on with that.
    fn check(&self, disk: Disk, what: &str) -> bool {
        let disk = on(disk);
        let mut store = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        let seen = store.state().0.clone();
        let is_new = seen == self.new;
        assert!(is_new || self.old.contains(&seen), "{what}: {seen:?}");
        disk.power_cut(&Choice::default());
        assert_eq!(open(&disk).unwrap().state().0, seen, "{what}");
        store = open(&disk).unwrap();
        try_commit(&mut store, "\"more\"").unwrap();
        disk.power_cut(&Choice::default());
        let more = [&seen[..], &["\"more\"".to_owned()]].concat();
        assert_eq!(open(&disk).unwrap().state().0, more, "{what}");
        if is_new {
            self.check_no_fall_back(&disk, what);
        }
        is_new
    }

    /// Where the snapshot of the new state is lost, nothing is shown in its place.
    fn check_no_fall_back(&self, disk: &SimDisk, what: &str) {
        let storage = disk.storage();
        let names = storage.list().unwrap();
        let snapshots: Vec<_> = names.iter().filter(|n| n.starts_with("snap")).collect();
        assert_eq!(snapshots.len(), 1, "{what}: {names:?}");
        let file = storage.open(snapshots[0], beaver::Access::Write).unwrap();
        file.set_len(9).unwrap();
        let error = open(disk).unwrap_err();
        assert!(matches!(error, Error::NoSnapshot { .. }), "{what}: {error}");
    }
}

#[test]
fn a_crash_at_any_call_of_an_install_leaves_the_old_state_or_the_new_one() {
    let (mut images, mut new) = (0, 0);
    for profile in PROFILES {
        for history in HISTORIES {
            let disk = on(Disk::empty(profile));
            let mut store = go(&disk, history);
            let expected = Expected::of(&mut store);
            disk.record_crash_points(true);
            store.install(tape_of(2)).unwrap();
            let mut seen = BTreeSet::new();
            for crash in disk.take_crash_points() {
                let what = format!("{} {history:?} {}", profile.name(), crash.point());
                for effect in [CallEffect::Nothing, CallEffect::Everything] {
                    new += u64::from(expected.check(crash.kill(effect), &what));
                }
                for candidate in crash.images().enumerate(100_000).unwrap() {
                    if seen.insert(candidate.image.hash128()) {
                        images += 1;
                        new += u64::from(expected.check(candidate.image.disk(profile), &what));
                    }
                }
            }
            let last = disk.crash_between_calls().images();
            for candidate in last.enumerate(10).unwrap() {
                assert!(expected.check(candidate.image.disk(profile), "after it"));
            }
        }
    }
    assert!(images > 300 && new > 100, "{images} images, {new} new");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_crash_in_the_opening_after_a_crash_in_an_install_leaves_one_of_the_two() {
    for history in ["eecee", "ei"] {
        let disk = on(Disk::empty(Profile::Posix));
        let mut store = go(&disk, history);
        let expected = Expected::of(&mut store);
        disk.record_crash_points(true);
        store.install(tape_of(2)).unwrap();
        for crash in disk.take_crash_points() {
            let space = crash.images();
            for corner in [
                Corner::Nothing,
                Corner::Everything,
                Corner::NamesWithoutData,
            ] {
                let again = on(space.image(&space.corner(corner)).disk(Profile::Posix));
                again.record_crash_points(true);
                drop(open(&again).unwrap());
                for crash in again.take_crash_points() {
                    for candidate in crash.images().enumerate(100_000).unwrap() {
                        let what = format!("{history:?} {}", crash.point());
                        expected.check(candidate.image.disk(Profile::Posix), &what);
                    }
                }
            }
        }
    }
}

/// What a call that fails has done all the same.
const EFFECTS: [CallEffect; 3] = [
    CallEffect::Nothing,
    CallEffect::Everything,
    CallEffect::Bytes(7),
];

/// Installs while call `call` fails, and the one after it too if `twice`.
fn check_failing(before: &SimDisk, call: u64, effect: CallEffect, twice: bool) {
    let disk = on(before.disk());
    let mut store = open(&disk).unwrap();
    let queued = vec![line("\"queued\"")];
    drop(store.submit(|_| Ok::<_, ()>((queued, ()))).unwrap());
    let expected = Expected::of(&mut store);
    let fault = |effect| DiskFault::Error {
        error: FailureKind::Io,
        effect,
        sticky: false,
    };
    let first = disk.calls() + call;
    let mut calls = BTreeMap::from([(first, fault(effect))]);
    if twice {
        calls.insert(first + 1, fault(CallEffect::Nothing));
    }
    disk.set_plan(FaultPlan {
        calls,
        ..FaultPlan::default()
    });
    let what = format!("call {call} fails, {effect:?}");
    match store.install(tape_of(2)) {
        Ok(_) => assert_eq!(store.state().0, expected.new, "{what}"),
        Err(error) if store.poisoned().is_some() => {
            let refused = try_commit(&mut store, 1).unwrap_err();
            assert!(matches!(refused, Error::Poisoned { .. }), "{what}: {error}");
            assert!(expected.old.contains(&store.state().0), "{what}");
        }
        Err(error) => {
            assert!(!error.is_indeterminate(), "{what}: {error}");
            let old = store.state().0.clone();
            assert!(expected.old.contains(&old), "{what}: {error}");
            disk.set_plan(FaultPlan::default());
            try_commit(&mut store, 1).unwrap();
            disk.power_cut(&Choice::default());
            let more = [&old[..], &["1".to_owned()]].concat();
            assert_eq!(open(&disk).unwrap().state().0, more, "{what}");
            return;
        }
    }
    disk.set_plan(FaultPlan::default());
    let space = disk.crash_between_calls().images();
    for candidate in space.enumerate(10_000).unwrap() {
        expected.check(candidate.image.disk(Profile::Posix), &what);
    }
    expected.check(disk.crash_between_calls().kill(CallEffect::Nothing), &what);
}

#[test]
fn an_install_whose_call_fails_leaves_the_old_state_or_refuses_everything() {
    for history in ["", "eecee"] {
        let before = on(Disk::empty(Profile::Posix));
        drop(go(&before, history));
        for call in 1..=30 {
            for effect in EFFECTS {
                check_failing(&before, call, effect, false);
                check_failing(&before, call, effect, true);
            }
        }
    }
}

#[test]
fn an_open_that_cannot_remove_what_was_before_an_install_shows_nothing() {
    let disk = on(Disk::empty(Profile::Posix));
    let mut store = go(&disk, "eecee");
    disk.record_crash_points(true);
    store.install(tape_of(2)).unwrap();
    let removes = |crash: &Crash| crash.op() == Some(Op::Remove);
    let crash = disk.take_crash_points().into_iter().find(removes).unwrap();
    let left = on(crash.kill(CallEffect::Nothing));
    for refused in [Op::Remove, Op::SyncDir] {
        let storage = hooked(left.storage(), move |op, _| match op == refused {
            true => Err(io::Error::other("planned")),
            false => Ok(()),
        });
        let opened = Store::<Tape>::open(storage, store_options());
        assert!(matches!(opened, Err(Error::Storage { .. })), "{refused:?}");
        left.boot(left.disk());
    }
    let store = open(&left).unwrap();
    assert_eq!(store.state(), &tape_of(2));
    assert_eq!(left.storage().list().unwrap().len(), 2);
}

#[test]
fn a_store_goes_on_after_an_install() {
    let disk = on(Disk::empty(Profile::Posix));
    let mut store = go(&disk, "eec");
    let report = store.install(tape_of(2)).unwrap();
    assert_eq!(store.applied(), report.position);
    // Nothing that was before it is there to fall back to, also before the next open.
    let left = disk.storage().list().unwrap();
    assert_eq!(left, ["snapshot-0000000002.json", "wal-0000000003.jsonl"]);
    assert_eq!(store.tip(), &tape_of(2));
    try_commit(&mut store, 7).unwrap();
    store.checkpoint().unwrap().unwrap();
    try_commit(&mut store, 8).unwrap();
    store.install(tape_of(3)).unwrap();
    try_commit(&mut store, 9).unwrap();
    store.close().unwrap();
    let expected = [tape_of(3).0, vec!["9".to_owned()]].concat();
    assert_eq!(open(&disk).unwrap().state().0, expected);
}

/// Begins a checkpoint, installs a state, and finishes the checkpoint, whose snapshot is written
/// before the install or after it.
fn checkpoint_around_install(disk: &SimDisk, is_written_before: bool) -> Store<Tape> {
    let mut store = go(disk, "eece");
    let mut begun = Some(store.begin_checkpoint().unwrap().unwrap());
    let mut write = || begun.take().map(|checkpoint| checkpoint.write().unwrap());
    let mut written = if is_written_before { write() } else { None };
    store.install(tape_of(2)).unwrap();
    disk.record_crash_points(true);
    written = written.or_else(write);
    let report = store.finish_checkpoint(written.unwrap()).unwrap();
    assert_eq!(report.removed.is_empty(), is_written_before);
    store
}

#[test]
fn a_checkpoint_that_an_install_overtakes_leaves_no_snapshot() {
    for is_written_before in [false, true] {
        let disk = on(Disk::empty(Profile::Posix));
        let mut store = checkpoint_around_install(&disk, is_written_before);
        let expected = Expected {
            old: [tape_of(2).0, tape_of(2).0],
            new: tape_of(2).0,
        };
        for crash in disk.take_crash_points() {
            for candidate in crash.images().enumerate(100_000).unwrap() {
                expected.check(
                    candidate.image.disk(Profile::Posix),
                    &crash.point().to_string(),
                );
            }
        }
        expected.check(disk.disk(), "after it");
        // The next checkpoint keeps the installed state as its fall-back.
        try_commit(&mut store, 7).unwrap();
        store.checkpoint().unwrap().unwrap();
        let names = disk.storage().list().unwrap();
        let snapshots: Vec<_> = names.iter().filter(|n| n.starts_with("snap")).collect();
        assert_eq!(snapshots.len(), 2, "{names:?}");
        drop(store);
        let newest = disk.storage().open(snapshots[1], beaver::Access::Write);
        newest.unwrap().set_len(9).unwrap();
        let seen = open(&disk).unwrap().state().0.clone();
        assert_eq!(seen, [tape_of(2).0, vec!["7".to_owned()]].concat());
    }
}

#[test]
fn a_checkpoint_that_a_later_one_overtakes_costs_no_fall_back() {
    let disk = on(Disk::empty(Profile::Posix));
    let mut store = go(&disk, "ece");
    let first = store.begin_checkpoint().unwrap().unwrap();
    let first = first.write().unwrap();
    try_commit(&mut store, 7).unwrap();
    store.checkpoint().unwrap().unwrap();
    store.finish_checkpoint(first).unwrap();
    let seen = store.state().0.clone();
    drop(store);
    let names = disk.storage().list().unwrap();
    let newest = names.iter().rfind(|name| name.starts_with("snap")).unwrap();
    let newest = disk.storage().open(newest, beaver::Access::Write).unwrap();
    newest.set_len(9).unwrap();
    assert_eq!(open(&disk).unwrap().state().0, seen);
}

#[test]
fn a_later_checkpoint_of_an_installed_state_has_it_as_its_fall_back() {
    let disk = on(Disk::empty(Profile::Posix));
    let is_full = Arc::new(AtomicBool::default());
    let full = Arc::clone(&is_full);
    let storage = hooked(disk.storage(), move |op, file| {
        match full.load(Ordering::SeqCst) && op == Op::WriteAt && file.starts_with("snapshot-") {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    });
    let (mut store, _) = Store::open(storage, store_options()).unwrap();
    try_commit(&mut store, 7).unwrap();
    store.install(tape_of(1)).unwrap();
    // It has begun new epochs when it fails, so there is something for a checkpoint to cover.
    is_full.store(true, Ordering::SeqCst);
    store.install(tape_of(2)).unwrap_err();
    is_full.store(false, Ordering::SeqCst);
    store.checkpoint().unwrap().unwrap();
    drop(store);
    let snapshots = || {
        let names = disk.storage().list().unwrap();
        names.iter().filter(|n| n.starts_with("snap")).count()
    };
    assert_eq!(snapshots(), 2);
    assert_eq!(open(&disk).unwrap().state(), &tape_of(1));
    assert_eq!(snapshots(), 2);
}
