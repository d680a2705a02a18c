//! Whatever is called, in whatever order: two storages give the same answers and hold the same
//! bytes, as long as no fault is injected.

mod plain;

use std::io;

use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_storage::{Access, Storage, StorageFile, StorageLock};
use beaver_storage::{DiskStorage, LOCK_NAME};
use plain::{BUGS, Bug, Plain};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The longest file that a sequence of calls makes.
const LIMIT: u64 = 20 * 4096;

/// One call. Handles and locks are kept in slots; a call on an empty slot is left out.
#[derive(Clone, Debug)]
enum Call {
    Create(usize, &'static str),
    Open(usize, &'static str, Access),
    Close(usize),
    Len(usize),
    Read(usize, u64, usize),
    Write(usize, u64, usize, u8),
    SetLen(usize, u64),
    Allocate(usize, u64),
    SyncData(usize),
    DropCache(usize),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    List,
    SyncDir,
    Lock,
    Unlock,
}

/// One storage and what is open on it.
struct World<'a> {
    storage: &'a dyn Storage,
    slots: Vec<Option<Box<dyn StorageFile>>>,
    locks: Vec<Box<dyn StorageLock>>,
}

/// What a call answered, in a form that can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    Names(Vec<String>),
    Failed(io::ErrorKind),
}

fn answer<T>(result: io::Result<T>, of: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => of(value),
        Err(error) => Answer::Failed(error.kind()),
    }
}

impl<'a> World<'a> {
    fn new(storage: &'a dyn Storage) -> Self {
        let slots = std::iter::repeat_with(|| None).take(SLOTS).collect();
        World {
            storage,
            slots,
            locks: Vec::new(),
        }
    }

    fn keep(&mut self, slot: usize, file: io::Result<Box<dyn StorageFile>>) -> Answer {
        answer(file, |file| {
            self.slots[slot] = Some(file);
            Answer::Done
        })
    }

    fn on(&self, slot: usize, call: impl FnOnce(&dyn StorageFile) -> Answer) -> Answer {
        match &self.slots[slot] {
            Some(file) => call(&**file),
            None => Answer::Nothing,
        }
    }

    fn run(&mut self, call: &Call) -> Answer {
        let done = |()| Answer::Done;
        match *call {
            Call::Create(slot, name) => self.keep(slot, self.storage.create(name)),
            Call::Open(slot, name, access) => self.keep(slot, self.storage.open(name, access)),
            Call::Close(slot) => {
                self.slots[slot] = None;
                Answer::Nothing
            }
            Call::Len(slot) => self.on(slot, |file| answer(file.len(), Answer::Number)),
            Call::Read(slot, offset, len) => self.on(slot, |file| {
                let mut buf = vec![0x77; len];
                let read = file.read_at(&mut buf, offset);
                answer(read, |read| Answer::Bytes(buf[..read].to_vec()))
            }),
            Call::Write(slot, offset, len, seed) => self.on(slot, |file| {
                let bytes: Vec<u8> = (0..=250).cycle().skip(seed.into()).take(len).collect();
                let written = file.write_at(&bytes, offset);
                answer(written, |written| Answer::Number(written as u64))
            }),
            Call::SetLen(slot, len) => self.on(slot, |file| answer(file.set_len(len), done)),
            Call::Allocate(slot, len) => self.on(slot, |file| answer(file.allocate(len), done)),
            Call::SyncData(slot) => self.on(slot, |file| answer(file.sync_data(), done)),
            // A storage that cannot do it says so, and real files can: both are right.
            Call::DropCache(slot) => self.on(slot, |file| match file.drop_cache() {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => Answer::Done,
                result => answer(result, done),
            }),
            Call::Rename(from, to) => answer(self.storage.rename(from, to), done),
            Call::Remove(name) => answer(self.storage.remove(name), done),
            Call::List => answer(self.storage.list(), Answer::Names),
            Call::SyncDir => answer(self.storage.sync_dir(), done),
            Call::Lock => answer(self.storage.lock(), |lock| {
                self.locks.push(lock);
                Answer::Done
            }),
            Call::Unlock => {
                self.locks.pop();
                Answer::Nothing
            }
        }
    }

    /// Everything that can be seen: the names, and the content of each name and each handle.
    fn everything(&mut self) -> Vec<Answer> {
        let names = self.storage.list().expect("`list` answers");
        let whole = usize::try_from(2 * LIMIT).expect("a small number");
        let mut seen: Vec<_> = (0..SLOTS)
            .flat_map(|slot| [Call::Len(slot), Call::Read(slot, 0, whole)])
            .map(|call| self.run(&call))
            .collect();
        for name in &names {
            let file = self
                .storage
                .open(name, Access::Read)
                .expect("a listed file opens");
            let mut buf = vec![0; whole];
            let read = file.read_at(&mut buf, 0).expect("an open file can be read");
            buf.truncate(read);
            seen.push(Answer::Bytes(buf));
        }
        seen.push(Answer::Names(names));
        seen
    }
}

const SLOTS: usize = 5;

/// Few names, so that calls meet; and some that must be refused.
fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        20 => select(vec!["a", "b", "c", "c.tmp"]),
        1 => select(vec![".a", "...", "", ".", "..", "a/b", "/a", "a\\b", "a\0", LOCK_NAME]),
    ]
}

/// Places at and around the borders of sectors and pages.
fn place() -> impl Strategy<Value = u64> {
    let border = prop_oneof![
        4 => (0u64..6).prop_map(|page| page * 4096),
        1 => (0u64..24).prop_map(|sector| sector * 512),
    ];
    prop_oneof![
        3 => (border, -3i64..=3).prop_map(|(border, by)| border.saturating_add_signed(by)),
        1 => 0u64..LIMIT / 2,
    ]
}

fn length() -> impl Strategy<Value = usize> {
    place().prop_map(|len| usize::try_from(len).expect("a small number"))
}

fn call() -> impl Strategy<Value = Call> {
    let slot = 0..SLOTS;
    let access = select(vec![Access::Read, Access::Write, Access::Write]);
    prop_oneof![
        4 => (slot.clone(), name()).prop_map(|(slot, name)| Call::Create(slot, name)),
        4 => (slot.clone(), name(), access)
            .prop_map(|(slot, name, access)| Call::Open(slot, name, access)),
        1 => slot.clone().prop_map(Call::Close),
        2 => slot.clone().prop_map(Call::Len),
        6 => (slot.clone(), place(), length())
            .prop_map(|(slot, at, len)| Call::Read(slot, at, len)),
        10 => (slot.clone(), place(), length(), any::<u8>())
            .prop_map(|(slot, at, len, seed)| Call::Write(slot, at, len, seed)),
        6 => (slot.clone(), place()).prop_map(|(slot, len)| Call::SetLen(slot, len)),
        3 => (slot.clone(), place()).prop_map(|(slot, len)| Call::Allocate(slot, len)),
        1 => slot.clone().prop_map(Call::SyncData),
        1 => slot.prop_map(Call::DropCache),
        4 => (name(), name()).prop_map(|(from, to)| Call::Rename(from, to)),
        2 => name().prop_map(Call::Remove),
        2 => Just(Call::List),
        1 => Just(Call::SyncDir),
        1 => Just(Call::Lock),
        1 => Just(Call::Unlock),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 1..60)
}

/// Runs `calls` on real files and on `other`, call by call, and returns the first difference. The
/// real file system may not be able to reserve space; then `other` is not asked either.
fn difference(calls: &[Call], other: &dyn Storage) -> Option<String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let disk = DiskStorage::open(directory.path()).expect("an open storage");
    let (mut real, mut other) = (World::new(&disk), World::new(other));
    for (index, call) in calls.iter().enumerate() {
        let expected = real.run(call);
        if expected == Answer::Failed(io::ErrorKind::Unsupported) {
            continue;
        }
        let found = other.run(call);
        if found != expected {
            return Some(format!(
                "call {index}, {call:?}: {found:?}, real files: {expected:?}"
            ));
        }
    }
    (other.everything() != real.everything()).then(|| "the content at the end".to_owned())
}

proptest! {
    #[test]
    fn a_plain_map_of_bytes_answers_like_real_files(calls in calls()) {
        prop_assert_eq!(difference(&calls, &Plain::default()), None);
    }

    #[test]
    fn the_simulated_disk_answers_like_real_files(calls in calls(), profile in select(&Profile::ALL[..])) {
        let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
        prop_assert_eq!(difference(&calls, &*disk.storage()), None);
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_planted_bug_makes_a_difference() {
    // The calls of a sequence come from one thread.
    let seen = |bug: &&Bug| **bug != Bug::HandlesBelongToTheirThread;
    for &bug in BUGS.iter().filter(seen) {
        let config = Config {
            cases: 2000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let found = TestRunner::new_with_rng(config, rng).run(&calls(), |calls| {
            prop_assert_eq!(difference(&calls, &Plain::with(bug)), None);
            Ok(())
        });
        assert!(found.is_err(), "nothing told {bug:?} from real files");
    }
}
