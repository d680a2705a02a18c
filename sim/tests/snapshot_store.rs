//! The snapshot store alone: a crash at every call with every image leaves each snapshot old or new, what `load` has shown stays
//! shown, and a damaged newest one is passed over.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use beaver::{Epoch, Position, Snapshot, SnapshotStore, Storage};
use beaver_sim::beaver::files::snapshot_epoch;
use beaver_sim::check::{Check, find};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Seeds;
use beaver_sim::subject::{
    Answer, AnySubject, Durability, ErrorClass, Expected, Failure, Machine, Subject,
};
use beaver_storage::{InterposedFile, Interposer, interpose};
use serde::{Deserialize, Serialize};

#[derive(Debug)]
struct Snapshots;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum SnapshotOp {
    /// Writes this state at the end of this epoch.
    Write(u64, u64),
    /// Removes all but the newest and this many before it.
    Prune(usize),
    Load,
}

/// The state of each snapshot, by epoch.
type Held = BTreeMap<u64, u64>;

struct OpenSnapshots {
    snapshots: SnapshotStore,
    storage: Arc<dyn Storage>,
    /// What was loaded since the last change.
    shown: Option<Held>,
}

impl OpenSnapshots {
    /// Loads everything: the newest, and the next one as often as that is damaged.
    fn show(&mut self) -> beaver::Result<Held> {
        let damaged = Arc::new(DamagedFiles::default());
        let storage = interpose(Arc::clone(&self.storage), Arc::clone(&damaged) as _);
        let mut held = Held::new();
        let (mut newest, _) = self.snapshots.load()?;
        while let Some(snapshot) = newest {
            let (epoch, state) = told(&snapshot);
            held.insert(epoch, state);
            damaged.epochs.lock().unwrap().insert(epoch);
            let (next, passed_over) = SnapshotStore::new(Arc::clone(&storage)).load()?;
            let files = passed_over.iter().map(|it| snapshot_epoch(&it.file));
            let named: Vec<_> = files.collect();
            let damaged: Vec<_> = held.keys().rev().copied().map(Some).collect();
            assert_eq!(named, damaged, "each damaged one is named");
            newest = next;
        }
        self.shown = Some(held.clone());
        Ok(held)
    }
}

impl Subject for Snapshots {
    type Op = SnapshotOp;
    type State = Held;
    type Store = OpenSnapshots;

    fn apply(held: &mut Held, op: &SnapshotOp) {
        match op {
            SnapshotOp::Write(epoch, state) => drop(held.insert(*epoch, *state)),
            SnapshotOp::Prune(keep_old) => {
                while held.len() > keep_old + 1 {
                    held.pop_first();
                }
            }
            SnapshotOp::Load => {}
        }
    }

    fn ops(&self, held: &Held) -> Vec<SnapshotOp> {
        let newest = held.keys().next_back().copied();
        let state = held.values().sum::<u64>() + 1;
        let mut ops = Vec::new();
        // No more than two at a time: a prune removes one after the other, and an op is whole or not at all.
        if held.len() < 2 {
            ops.push(SnapshotOp::Write(newest.unwrap_or_default() + 1, state));
        }
        ops.extend(newest.map(|epoch| SnapshotOp::Write(epoch, state)));
        ops.extend([SnapshotOp::Prune(0), SnapshotOp::Prune(1), SnapshotOp::Load]);
        ops
    }

    fn resolve(&self, op: &SnapshotOp, held: &Held, _now_ms: u64) -> (SnapshotOp, Expected) {
        let mut after = held.clone();
        Self::apply(&mut after, op);
        let text = match op {
            SnapshotOp::Write(..) => String::new(),
            SnapshotOp::Prune(_) => (held.len() - after.len()).to_string(),
            SnapshotOp::Load => {
                load_answer(held.last_key_value().map(|(epoch, state)| (*epoch, *state)))
            }
        };
        let expected = Expected {
            text,
            changes: after != *held,
            durable: true,
        };
        (op.clone(), expected)
    }

    /// What is there is shown before anything else is done.
    fn open(&self, machine: &Machine) -> Result<OpenSnapshots, Failure> {
        let mut opened = OpenSnapshots {
            snapshots: SnapshotStore::open(Arc::clone(&machine.storage))?,
            storage: Arc::clone(&machine.storage),
            shown: None,
        };
        opened.show()?;
        Ok(opened)
    }

    fn run(&self, store: &mut OpenSnapshots, op: &SnapshotOp) -> Result<Answer, Failure> {
        store.shown = None;
        let done = match op {
            SnapshotOp::Write(epoch, state) => {
                let at = Position::new(*epoch, *epoch);
                let written = store.snapshots.write(at, state.to_string().as_bytes());
                written.map(|()| String::new())
            }
            SnapshotOp::Prune(keep_old) => {
                let pruned = store.snapshots.prune(*keep_old);
                pruned.map(|count| count.to_string())
            }
            SnapshotOp::Load => {
                let loaded = store.snapshots.load();
                loaded.map(|(newest, _)| load_answer(newest.as_ref().map(told)))
            }
        };
        // A call that failed may have had its effect.
        let text = done.map_err(|error| Failure {
            class: ErrorClass::InDoubt,
            ..Failure::from(error)
        })?;
        Ok(Answer {
            text,
            ..Durability::Durable.into()
        })
    }

    fn state(&self, store: &mut OpenSnapshots) -> Result<Held, Failure> {
        match &store.shown {
            Some(held) => Ok(held.clone()),
            None => Ok(store.show()?),
        }
    }
}

fn load_answer(newest: Option<(u64, u64)>) -> String {
    format!("{newest:?}")
}

fn told(snapshot: &Snapshot) -> (u64, u64) {
    let Position {
        epoch: Epoch(epoch),
        ..
    } = snapshot.boundary.position;
    let state = std::str::from_utf8(&snapshot.state).unwrap();
    (epoch, state.parse().unwrap())
}

/// The snapshots of these epochs are read with a wrong byte.
#[derive(Debug, Default)]
struct DamagedFiles {
    epochs: Mutex<BTreeSet<u64>>,
}

impl Interposer for DamagedFiles {
    fn read_at(&self, file: &InterposedFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = file.next().read_at(buf, offset)?;
        let epoch = snapshot_epoch(&file.name());
        if epoch.is_some_and(|epoch| self.epochs.lock().unwrap().contains(&epoch)) && offset == 0 {
            buf[..read].iter_mut().take(1).for_each(|byte| *byte ^= 1);
        }
        Ok(read)
    }
}

/// A call that is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LeftOut {
    /// The sync of the directory in `load`: of names that an earlier process gave.
    SyncOfLoad,
    /// The sync of the directory after a rename or a removal.
    SyncOfNames,
    /// The sync of a snapshot before its rename.
    SyncOfContent,
    /// The removals of `prune`.
    Removal,
}

#[derive(Debug)]
struct WithoutCall {
    left_out: LeftOut,
    /// Whether this process has changed a name since the directory was synced.
    changed: AtomicBool,
}

impl Interposer for WithoutCall {
    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        self.changed.store(true, Ordering::SeqCst);
        next.rename(from, to)
    }

    fn remove(&self, next: &dyn Storage, name: &str) -> io::Result<()> {
        if self.left_out == LeftOut::Removal && snapshot_epoch(name).is_some() {
            return Ok(());
        }
        self.changed.store(true, Ordering::SeqCst);
        next.remove(name)
    }

    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        match (self.left_out, self.changed.swap(false, Ordering::SeqCst)) {
            (LeftOut::SyncOfLoad, false) | (LeftOut::SyncOfNames, true) => Ok(()),
            _ => next.sync_dir(),
        }
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        match self.left_out {
            LeftOut::SyncOfContent => Ok(()),
            _ => file.next().sync_data(),
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_small_history_of_snapshots_survives_every_crash() {
    let explored = Check::default().seeds(Seeds { start: 0, end: 0 });
    match find(&AnySubject::new(Snapshots), &explored) {
        Ok(checked) => {
            assert!(checked.explored.is_exhaustive(), "{checked:?}");
            assert!(checked.explored.recoveries > 1_000, "{checked:?}");
        }
        Err(failing) => panic!("{failing}"),
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn longer_histories_of_snapshots_survive_failing_calls_too() {
    let sampled = Check::default().explore(0);
    if let Err(failing) = find(&AnySubject::new(Snapshots), &sampled) {
        panic!("{failing}");
    }
}

#[track_caller]
fn check_caught(left_out: LeftOut, invariants: &[Invariant]) {
    let subject = AnySubject::new(Snapshots).interposed(move || WithoutCall {
        left_out,
        changed: AtomicBool::new(false),
    });
    let explored = Check::default()
        .seeds(Seeds { start: 0, end: 0 })
        .explore(2);
    let failing = find(&subject, &explored).expect_err("a call is left out");
    let violation = failing.run.outcome.failure();
    let violation = violation.expect("what is found out did not hold");
    assert!(invariants.contains(&violation.invariant), "{failing}");
}

#[test]
fn a_load_that_shows_a_name_in_the_cache_alone_is_caught() {
    check_caught(LeftOut::SyncOfLoad, &[Invariant::Decided]);
}

#[test]
fn a_write_without_a_sync_of_the_directory_is_caught() {
    check_caught(
        LeftOut::SyncOfNames,
        &[Invariant::Durability, Invariant::Decided],
    );
}

#[test]
fn a_snapshot_that_is_renamed_before_its_sync_is_caught() {
    check_caught(
        LeftOut::SyncOfContent,
        &[Invariant::Durability, Invariant::Decided],
    );
}

#[test]
fn a_prune_that_leaves_snapshots_behind_is_caught() {
    check_caught(LeftOut::Removal, &[Invariant::State]);
}
