//! What the tests share: stores on every storage, and a gate that holds a storage call back.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use beaver::storage::DiskStorage;
use beaver::wal::{AppendOutcome, PendingAppend, QueueOptions};
use beaver::{
    BatchWriter, CommandError, Error, ManualClock, Position, SharedStore, Storage, StoreOptions,
    Wal, WalOptions,
};
use beaver_disk::{Disk, Op, Profile, SimDisk, SimOptions};

use crate::hooked::hooked;
use crate::note::{Note, Notes};

/// Runs `claim` on real files and in memory.
pub(crate) fn on_both(claim: impl Fn(Arc<dyn Storage>)) {
    let dir = tempfile::tempdir().unwrap();
    claim(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    claim(memory());
}

pub(crate) fn memory() -> Arc<dyn Storage> {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default()).storage()
}

/// No space is made ahead: a gate waits for the next write, and that is to be the next batch.
pub(crate) fn wal_options() -> WalOptions {
    WalOptions {
        preallocate_bytes: 0,
        clock: Arc::new(ManualClock::new(1_000)),
        ..WalOptions::default()
    }
}

/// The time of the tests stands still, so that only a full batch is ever due without a waiter.
pub(crate) fn writer(storage: &Arc<dyn Storage>, queue: QueueOptions) -> BatchWriter<Note> {
    let (wal, _) = Wal::open(Arc::clone(storage), wal_options()).unwrap();
    BatchWriter::new(wal, queue).unwrap()
}

pub(crate) fn store(storage: &Arc<dyn Storage>) -> SharedStore<Notes> {
    SharedStore::open(Arc::clone(storage), store_options())
        .unwrap()
        .0
}

pub(crate) fn store_options() -> StoreOptions {
    StoreOptions {
        wal: wal_options(),
        ..StoreOptions::default()
    }
}

pub(crate) fn append_next(store: &SharedStore<Notes>, caller: u32) -> Result<Position, Error> {
    match store.commit(|notes| Ok::<_, ()>((vec![notes.next(caller)], ()))) {
        Ok((position, ())) => Ok(position.unwrap()),
        Err(CommandError::Log(error)) => Err(error),
        Err(CommandError::Rejected(())) => unreachable!(),
    }
}

/// Every event of the log after a new open, by position. A strict replay also checks the numbers.
pub(crate) fn recovered(storage: &Arc<dyn Storage>) -> Vec<(Position, Note)> {
    let (wal, _) = Wal::<Note>::open(Arc::clone(storage), wal_options()).unwrap();
    let mut events = Vec::new();
    wal.replay(Position::default(), |position, note| {
        events.push((position, note));
        Ok::<(), ()>(())
    })
    .unwrap();
    events
}

/// A caller's events must be there in its order, none missing, none twice.
pub(crate) fn check_callers(events: &[(Position, Note)]) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for (position, note) in events {
        let next: &mut u32 = counts.entry(note.caller).or_default();
        assert_eq!(note.n, *next, "caller {} at {position}", note.caller);
        *next += 1;
    }
    counts
}

/// Holds back every thread that comes through until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct GateState {
    shut: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.changed.notify_all();
    }

    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        while state.shut {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// Waits until a thread stands before the shut gate.
    pub(crate) fn until_reached(&self) {
        let mut state = self.state.lock().unwrap();
        while state.waiting == 0 {
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// What the next sync or write of a segment does once the gate lets it through.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    Succeed,
    Fail,
    Panic,
}

/// A storage in memory with a gate before each call of kind `op` on a segment.
pub(crate) struct Gated {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) then: Arc<Mutex<Then>>,
}

impl Gated {
    pub(crate) fn before(op: Op) -> Self {
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
    pub(crate) fn shut(&self, then: Then) {
        *self.then.lock().unwrap() = then;
        self.gate.shut();
    }
}

pub(crate) fn note(caller: u32, n: u32) -> Note {
    Note { caller, n }
}

pub(crate) fn batches_of(max_batch_events: usize) -> QueueOptions {
    QueueOptions {
        max_batch_events,
        ..QueueOptions::default()
    }
}

pub(crate) fn failure(pending: &PendingAppend<Note>) -> Error {
    match pending.outcome() {
        AppendOutcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}
