//! A repair or truncation that fails, or is killed half way: what it leaves is the whole copy, or no store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaver::inspect;
use beaver::wal::LogReader;
use beaver::{Error, Result, SnapshotStore, Storage, Store, Wal};
use beaver_disk::{
    CallEffect, Crash, CrashPoint, Fault, FaultPlan, Image, Moment, SimDisk, TraceRecord,
};

use crate::support::*;

/// The name that says that a directory is no store yet.
const UNFINISHED: &str = "UNFINISHED";

/// More combinations than this no call of a small copy leaves.
const MAX_IMAGES: u64 = 100_000;

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Inside, Moment::After];

type Files = BTreeMap<String, Vec<u8>>;

/// Fills a directory with a copy.
type Make = fn(&Arc<dyn Storage>) -> Result<()>;

/// The copy of a store of three segments, from the very first one on: many parts of it would open.
fn repaired(out: &Arc<dyn Storage>) -> Result<()> {
    let disk = store_with(2, keeping(9));
    flip(&disk, &wal(2), 1300);
    inspect::repair(&disk.storage(), out, COPY).map(drop)
}

fn truncated(out: &Arc<dyn Storage>) -> Result<()> {
    let disk = store_with(2, keeping(9));
    inspect::truncate(&disk.storage(), at(3, 1), out, COPY).map(drop)
}

/// A way to make a copy, and what it is when nothing goes wrong.
struct Copying {
    name: &'static str,
    make: Make,
    calls: Vec<TraceRecord>,
    whole: Files,
    tape: Vec<String>,
    /// The images that were looked at already.
    seen: BTreeSet<u128>,
}

fn both() -> [Copying; 2] {
    let makes: [(_, Make); 2] = [("repair", repaired), ("truncate", truncated)];
    makes.map(|(name, make)| {
        let disk = recorded_disk();
        make(&disk.storage()).unwrap();
        let whole = disk.live().to_files();
        let segments = whole.keys().filter(|name| name.starts_with("wal"));
        assert!(segments.count() > 2, "a part of them would open");
        Copying {
            name,
            make,
            calls: disk.trace(),
            tape: tape(&Memory::of(&whole)),
            whole,
            seen: BTreeSet::new(),
        }
    })
}

/// A disk on which this call fails.
fn failing_disk(call: u64, effect: CallEffect) -> SimDisk {
    let disk = recorded_disk();
    let fault = Fault::Error {
        error: beaver_disk::FailureKind::Io,
        effect,
        sticky: false,
    };
    disk.set_plan(FaultPlan {
        calls: [(call, fault)].into(),
        ..FaultPlan::default()
    });
    disk
}

impl Copying {
    /// The image is the whole copy, or nothing takes it for a store. An empty directory is none: there
    /// one is made.
    fn check(&mut self, image: &Image, what: &str) {
        if !self.seen.insert(image.hash128()) {
            return;
        }
        let files = image.to_files();
        let disk = Memory::of(&files);
        if files == self.whole {
            assert_eq!(tape(&disk), self.tape);
        } else if !files.is_empty() {
            let names = disk.names();
            let result = try_recover(&disk);
            assert!(
                matches!(&result, Err(Error::Refused { reason }) if reason.contains(UNFINISHED)),
                "{} with {what}: {names:?} opens as {:?}",
                self.name,
                result.map(|(store, _)| store.state().0.clone()),
            );
        }
    }

    /// After a kill, and after every power cut.
    fn check_crash(&mut self, crash: &Crash, what: &str) {
        for effect in [
            CallEffect::Nothing,
            CallEffect::Bytes(7),
            CallEffect::Everything,
        ] {
            self.check(&crash.kill(effect).live(), what);
        }
        let space = crash.images();
        for found in space.enumerate(MAX_IMAGES).expect("they can be counted") {
            self.check(&found.image, what);
        }
    }
}

#[test]
fn an_error_of_any_call_leaves_the_whole_copy_or_no_store() {
    for mut copying in both() {
        for call in copying.calls.clone() {
            for effect in [
                CallEffect::Nothing,
                CallEffect::Everything,
                CallEffect::Bytes(7),
            ] {
                let disk = failing_disk(call.call, effect);
                let result = (copying.make)(&disk.storage());
                let what = format!("{call} failing with effect {effect:?}");
                if !disk.fired().is_empty() && result.is_err() {
                    let left = disk.live().to_files();
                    assert!(left.is_empty(), "{what} leaves {:?}", left.keys());
                }
                copying.check(&disk.live(), &what);
                copying.check_crash(&disk.crash_between_calls(), &what);
            }
        }
    }
}

#[test]
fn a_crash_at_any_call_leaves_the_whole_copy_or_no_store() {
    for mut copying in both() {
        for TraceRecord { call, .. } in copying.calls.clone() {
            for moment in MOMENTS {
                let disk = recorded_disk();
                let point = CrashPoint { call, moment };
                disk.crash_at(Some(point));
                (copying.make)(&disk.storage()).ok();
                assert_eq!(disk.frozen_at(), Some(point));
                copying.check_crash(&disk.crash(), &point.to_string());
            }
        }
        assert!(copying.seen.len() > 100, "{}", copying.seen.len());
    }
}

/// What fails from the removal of the mark on is cleared without a mark: a power cut meanwhile leaves
/// some of the files, and `wal-0000000001.jsonl` alone opens as the store `["1", "2"]`.
#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_crash_while_a_failed_copy_is_cleared_leaves_no_store() {
    for mut copying in both() {
        for TraceRecord { call: failed, .. } in copying.calls.clone() {
            for effect in [CallEffect::Nothing, CallEffect::Everything] {
                for (call, moment) in (failed + 1..).flat_map(|call| MOMENTS.map(|it| (call, it))) {
                    let disk = failing_disk(failed, effect);
                    let point = CrashPoint { call, moment };
                    disk.crash_at(Some(point));
                    (copying.make)(&disk.storage()).ok();
                    if disk.frozen_at().is_none() {
                        break;
                    }
                    let what = format!("call {failed} failing with effect {effect:?}, {point}");
                    copying.check_crash(&disk.crash(), &what);
                }
            }
        }
    }
}

#[test]
fn nothing_takes_an_unfinished_copy_for_a_store() {
    for copying in both() {
        let disk = Memory::of(&copying.whole);
        disk.put(UNFINISHED, "");
        let (storage, out) = (disk.storage(), Memory::new());
        let before = disk.files();
        let errors = [
            Store::<Tape>::open(disk.storage(), store_options()).map(drop),
            Wal::<Line>::open(disk.storage(), plain()).map(drop),
            Wal::<Line>::open_after(disk.storage(), at(1, 2), plain()).map(drop),
            SnapshotStore::open(disk.storage()).map(drop),
            LogReader::<Line>::open(disk.storage()).map(drop),
            beaver::store::read_state::<Tape>(&storage).map(drop),
            inspect::salvage_state::<Tape>(&storage).map(drop),
            inspect::repair(&storage, &out.storage(), COPY).map(drop),
            inspect::truncate(&storage, at(1, 1), &out.storage(), COPY).map(drop),
        ];
        for (index, result) in errors.into_iter().enumerate() {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, Error::Refused { reason } if reason.contains(UNFINISHED)),
                "{index}: {error}"
            );
        }
        // It is not empty either.
        let refused = inspect::repair(&log_of(1..=1).storage(), &storage, COPY);
        assert!(matches!(refused, Err(Error::Refused { .. })));
        assert_eq!((disk.files(), out.names()), (before, vec![]));
        let problems = inspect::validate::<Line>(&storage).unwrap();
        assert!(problems.iter().any(|problem| problem.file == UNFINISHED));
    }
}
