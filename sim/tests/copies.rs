//! Repair and truncate as subjects: the directory of the copy is on the disk that fails, and holds the whole copy or no store.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use beaver::store::RecoveryReport;
use beaver::{
    CommandError, DecodeError, Error, LogEvent, Position, StateMachine, Storage, StorageFile,
    Store, StoreId, StoreOptions, WalOptions, inspect,
};
use beaver_disk::{Disk, DiskEvent, Profile, SimDisk, SimOptions};
use beaver_sim::check::{Check, find};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Seeds;
use beaver_sim::subject::{
    Answer, AnySubject, Durability, ErrorClass, Expected, Failure, Machine, Subject,
};
use beaver_storage::Interposer;
use serde::{Deserialize, Serialize};

/// The name that says that a directory is no store yet.
const UNFINISHED: &str = "UNFINISHED";

const COPY: StoreId = StoreId(0xc0_b1);

/// Every number that was ever added.
#[derive(Clone, Debug, Default, PartialEq)]
struct Numbers(Vec<u64>);

#[derive(Clone, Debug)]
struct Added(u64);

impl LogEvent for Added {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.to_string().as_bytes());
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json)
            .map(Added)
            .map_err(DecodeError::new)
    }
}

impl StateMachine for Numbers {
    type Event = Added;
    type Error = Infallible;

    fn apply(&mut self, event: &Added) -> Result<(), Infallible> {
        self.0.push(event.0);
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, &self.0).expect("numbers can always be written");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json)
            .map(Numbers)
            .map_err(DecodeError::new)
    }

    fn initial() -> Self {
        Numbers::default()
    }
}

fn open_store(
    storage: &Arc<dyn Storage>,
    must_exist: bool,
) -> Result<(Store<Numbers>, RecoveryReport), Error> {
    let options = StoreOptions {
        wal: WalOptions {
            preallocate_bytes: 0,
            store_id: Some(StoreId(1)),
            must_exist,
            ..WalOptions::default()
        },
        keep_old_snapshots: 9,
        ..StoreOptions::default()
    };
    Store::open(Arc::clone(storage), options)
}

fn add(store: &mut Store<Numbers>, number: u64) -> Result<(), Error> {
    match store.commit(|_| Ok::<_, Infallible>((vec![Added(number)], ()))) {
        Ok(_) => Ok(()),
        Err(CommandError::Log(error)) => Err(error),
        Err(CommandError::Rejected(never)) => match never {},
    }
}

fn empty() -> SimDisk {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default())
}

/// A store of three segments, all of them kept: many a part of it would open. The second has a wrong bit.
static SOURCE: LazyLock<SimDisk> = LazyLock::new(|| {
    let disk = empty();
    let (mut store, _) = open_store(&disk.storage(), false).unwrap();
    for number in 1..=3 {
        add(&mut store, number * 2 - 1).unwrap();
        add(&mut store, number * 2).unwrap();
        if number < 3 {
            store.checkpoint().unwrap();
        }
    }
    drop(store);
    let file = "wal-0000000002.jsonl".to_owned();
    let length = disk.live().len_of(&file).unwrap();
    let flip = DiskEvent::FlipBit {
        file,
        offset: length - 40,
        bit: 0,
    };
    assert!(disk.happen(&flip), "{:?}", disk.live().to_files());
    disk
});

/// What a repair and a truncation leave when nothing goes wrong.
static COPIES: LazyLock<[Vec<u64>; 2]> = LazyLock::new(|| {
    [CopyOp::Repair, CopyOp::Truncate].map(|op| {
        let out: Arc<dyn Storage> = empty().storage();
        copy(&op, &out).unwrap();
        open_store(&out, true).unwrap().0.state().0.clone()
    })
});

fn copy(op: &CopyOp, out: &Arc<dyn Storage>) -> Result<(), Error> {
    let source: Arc<dyn Storage> = SOURCE.fork().storage();
    match op {
        CopyOp::Repair => inspect::repair(&source, out, COPY).map(drop),
        CopyOp::Truncate => inspect::truncate(&source, Position::new(1, 1), out, COPY).map(drop),
        CopyOp::Add(_) => Ok(()),
    }
}

#[derive(Debug)]
struct Copies;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum CopyOp {
    Repair,
    Truncate,
    /// One more number for the copy, which is a store like any other.
    Add(u64),
}

/// Nothing is copied over a store, and nothing is added where there is none.
fn is_refused(op: &CopyOp, has_store: bool) -> bool {
    has_store != matches!(op, CopyOp::Add(_))
}

/// The directory of the copy, and its store if it is one.
struct OpenCopy {
    out: Arc<dyn Storage>,
    store: Option<Store<Numbers>>,
}

impl Subject for Copies {
    type Op = CopyOp;
    type State = Option<Vec<u64>>;
    type Store = OpenCopy;

    fn apply(held: &mut Option<Vec<u64>>, op: &CopyOp) {
        match op {
            CopyOp::Repair => *held = Some(COPIES[0].clone()),
            CopyOp::Truncate => *held = Some(COPIES[1].clone()),
            CopyOp::Add(number) => held.get_or_insert_default().push(*number),
        }
    }

    fn ops(&self, held: &Option<Vec<u64>>) -> Vec<CopyOp> {
        match held {
            None => vec![CopyOp::Repair, CopyOp::Truncate],
            Some(numbers) => vec![CopyOp::Add(100 + numbers.len() as u64)],
        }
    }

    fn resolve(&self, op: &CopyOp, held: &Option<Vec<u64>>, _now_ms: u64) -> (CopyOp, Expected) {
        let expected = match is_refused(op, held.is_some()) {
            false => Expected::default(),
            true => Expected {
                text: "refused".to_owned(),
                changes: false,
                durable: false,
            },
        };
        (op.clone(), expected)
    }

    fn open(&self, machine: &Machine) -> Result<OpenCopy, Failure> {
        let out = Arc::clone(&machine.storage);
        let store = match open_store(&out, true) {
            Ok((store, _)) => Some(store),
            Err(Error::NoStore { .. }) => None,
            Err(Error::Refused { reason }) if reason.contains(UNFINISHED) => {
                remove_all(&*out)?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(OpenCopy { out, store })
    }

    fn run(&self, copied: &mut OpenCopy, op: &CopyOp) -> Result<Answer, Failure> {
        if is_refused(op, copied.store.is_some()) {
            return Ok(Answer {
                text: "refused".to_owned(),
                ..Durability::NotYet.into()
            });
        }
        let done = match (op, &mut copied.store) {
            (CopyOp::Add(number), Some(store)) => add(store, *number),
            (op, _) => copy(op, &copied.out).and_then(|()| {
                copied.store = Some(open_store(&copied.out, true)?.0);
                Ok(())
            }),
        };
        // A call that failed may have had its effect.
        done.map_err(|error| Failure {
            class: ErrorClass::InDoubt,
            ..Failure::from(error)
        })?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, copied: &mut OpenCopy) -> Result<Option<Vec<u64>>, Failure> {
        Ok(copied.store.as_ref().map(|store| store.state().0.clone()))
    }
}

/// What the documentation says is to be done with an unfinished copy: everything goes, the mark last.
fn remove_all(out: &dyn Storage) -> io::Result<()> {
    for name in out.list()?.iter().filter(|name| *name != UNFINISHED) {
        out.remove(name)?;
    }
    out.sync_dir()?;
    out.remove(UNFINISHED)?;
    out.sync_dir()
}

/// A step of the protocol that is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LeftOut {
    /// There is no mark.
    Mark,
    /// The mark's name is not synced before the files are made.
    SyncOfMark,
    /// The names of the files are not synced before the mark goes.
    SyncOfNames,
    /// The content of the files is not synced.
    SyncOfContent,
}

#[derive(Debug)]
struct WithoutStep {
    left_out: LeftOut,
    /// Whether the mark is there.
    marked: AtomicBool,
    /// How often the directory was synced since.
    syncs: AtomicU64,
    /// How many files got their names since the last sync.
    named: AtomicU64,
}

impl WithoutStep {
    fn of(left_out: LeftOut) -> Self {
        WithoutStep {
            left_out,
            marked: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            named: AtomicU64::new(0),
        }
    }
}

impl Interposer for WithoutStep {
    fn create(&self, next: &dyn Storage, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let created = next.create(name)?;
        if name == UNFINISHED {
            self.marked.store(true, Ordering::SeqCst);
            self.syncs.store(0, Ordering::SeqCst);
            if self.left_out == LeftOut::Mark {
                next.remove(name)?;
            }
        }
        Ok(created)
    }

    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        self.named.fetch_add(1, Ordering::SeqCst);
        next.rename(from, to)
    }

    fn remove(&self, next: &dyn Storage, name: &str) -> io::Result<()> {
        if name == UNFINISHED {
            self.marked.store(false, Ordering::SeqCst);
        }
        next.remove(name)
    }

    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        let first = self.syncs.fetch_add(1, Ordering::SeqCst) == 0;
        let named = self.named.swap(0, Ordering::SeqCst) > 0;
        let marked = self.marked.load(Ordering::SeqCst);
        match self.left_out {
            LeftOut::SyncOfMark if marked && first => Ok(()),
            LeftOut::SyncOfNames if marked && named => Ok(()),
            _ => next.sync_dir(),
        }
    }

    fn sync_data(&self, file: &beaver_storage::InterposedFile) -> io::Result<()> {
        let marked = self.marked.load(Ordering::SeqCst);
        match self.left_out {
            LeftOut::SyncOfContent if marked => Ok(()),
            _ => file.next().sync_data(),
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_copy_is_whole_or_no_store_after_every_crash() {
    let explored = Check::default()
        .seeds(Seeds { start: 0, end: 0 })
        .explore(2);
    match find(&AnySubject::new(Copies), &explored) {
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
fn a_copy_is_whole_or_no_store_where_calls_fail_too() {
    let sampled = Check::default().explore(0);
    if let Err(failing) = find(&AnySubject::new(Copies), &sampled) {
        panic!("{failing}");
    }
}

#[track_caller]
fn check_caught(left_out: LeftOut) {
    let subject = AnySubject::new(Copies).interposed(move || WithoutStep::of(left_out));
    let explored = Check::default()
        .seeds(Seeds { start: 0, end: 0 })
        .explore(1);
    let failing = find(&subject, &explored).expect_err("a step is left out");
    let violation = failing.run.outcome.failure();
    let violation = violation.expect("what is found out did not hold");
    let invariants = [
        Invariant::Durability,
        Invariant::NoPhantom,
        Invariant::Decided,
        Invariant::State,
        Invariant::Availability,
    ];
    assert!(invariants.contains(&violation.invariant), "{failing}");
    println!(
        "{left_out:?}: {:?} {}",
        violation.invariant, violation.found
    );
}

#[test]
fn a_copy_without_a_mark_is_caught() {
    check_caught(LeftOut::Mark);
}

#[test]
fn a_mark_that_is_not_durable_before_the_files_is_caught() {
    check_caught(LeftOut::SyncOfMark);
}

#[test]
fn a_mark_that_goes_before_the_names_are_durable_is_caught() {
    check_caught(LeftOut::SyncOfNames);
}

#[test]
fn a_copy_whose_content_is_not_synced_is_caught() {
    check_caught(LeftOut::SyncOfContent);
}
