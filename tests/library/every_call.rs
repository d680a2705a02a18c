//! Every storage call of a client's work: an error there, and a crash there. What was acknowledged is
//! there afterwards, what was refused is not, and the log goes on or says that it does not.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{
    CallEffect, CrashPoint, FailureKind, Fault, FaultPlan, Moment, SimDisk, TraceRecord,
};

use crate::support::*;

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Inside, Moment::After];

/// The calls whose errors the client is not told of. The first one the client makes itself, for the next
/// process to find. The other one an opening makes as well as it can: a system that does not forget its
/// cache is no worse than one that cannot.
const UNTOLD: [(&str, &str); 2] = [
    ("create", "snapshot-0000000009.json.tmp"),
    ("drop_cache", "wal-0000000004.jsonl"),
];

/// The storage calls when nothing goes wrong.
fn calls() -> Vec<TraceRecord> {
    let (disk, mut client) = (recorded_disk(), Client::default());
    client.work(&disk);
    assert_eq!((client.errors.len(), client.acknowledged.len()), (0, 14));
    client.check(&disk.crash_between_calls(), "nothing");
    disk.trace()
}

fn error(error: FailureKind, effect: CallEffect) -> Fault {
    Fault::Error {
        error,
        effect,
        sticky: false,
    }
}

/// A disk on which these calls fail.
fn failing_disk(calls: impl IntoIterator<Item = (u64, Fault)>) -> SimDisk {
    let disk = recorded_disk();
    disk.set_plan(FaultPlan {
        calls: BTreeMap::from_iter(calls),
        ..FaultPlan::default()
    });
    disk
}

#[test]
fn an_error_of_any_call_loses_nothing_and_adds_nothing() {
    let mut untold = BTreeSet::new();
    for call in calls() {
        for effect in [
            CallEffect::Nothing,
            CallEffect::Everything,
            CallEffect::Bytes(7),
        ] {
            let fault = error(FailureKind::StorageFull, effect);
            let (disk, mut client) = (failing_disk([(call.call, fault)]), Client::default());
            client.work(&disk);
            let what = format!("{call} fails with effect {effect:?}");
            // A call that changes nothing fails without an effect alone.
            let fits = effect == CallEffect::Nothing || disk.missed().is_empty();
            assert_eq!(!disk.fired().is_empty(), fits, "{what}");
            if fits && client.errors.is_empty() {
                untold.insert((call.op.name(), call.file.to_string()));
            }
            client.check(&disk.crash_between_calls(), &what);
        }
    }
    let known = UNTOLD.map(|(op, file)| (op, file.to_owned()));
    assert_eq!(untold, known.into());
}

#[test]
fn an_error_of_any_call_and_of_the_next_one_loses_nothing_and_adds_nothing() {
    // The next one is where an undo begins.
    for TraceRecord { call, .. } in calls() {
        let first = error(FailureKind::Io, CallEffect::Bytes(7));
        let next = error(FailureKind::Io, CallEffect::Nothing);
        let disk = failing_disk([(call, first), (call + 1, next)]);
        let mut client = Client::default();
        client.work(&disk);
        let what = format!("calls {call} and the next one fail");
        assert!(!disk.fired().is_empty(), "{what}: they did not");
        client.check(&disk.crash_between_calls(), &what);
    }
}

#[test]
fn a_crash_at_any_call_loses_nothing_and_adds_nothing() {
    for TraceRecord { call, .. } in calls() {
        for moment in MOMENTS {
            let (disk, mut client) = (empty_disk(), Client::default());
            let point = CrashPoint { call, moment };
            disk.crash_at(Some(point));
            client.work(&disk);
            assert_eq!(disk.frozen_at(), Some(point));
            client.check(&disk.crash(), &point.to_string());
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_crash_while_the_error_of_any_call_is_undone_loses_nothing_and_adds_nothing() {
    let mut died_at = BTreeSet::new();
    for TraceRecord { call, .. } in calls() {
        for moment in MOMENTS {
            let fault = error(FailureKind::Io, CallEffect::Bytes(7));
            let (disk, mut client) = (failing_disk([(call, fault)]), Client::default());
            let point = CrashPoint {
                call: call + 1,
                moment,
            };
            disk.crash_at(Some(point));
            client.work(&disk);
            // A log that is poisoned by the error makes no further call.
            if disk.frozen_at().is_none() {
                continue;
            }
            let crash = disk.crash();
            died_at.extend(crash.op());
            client.check(&crash, &format!("call {call} fails, and {point}"));
        }
    }
    // An append is undone by cutting the file, a rotate by removing it.
    for undo in [beaver_disk::Op::SetLen, beaver_disk::Op::Remove] {
        assert!(died_at.contains(&undo), "{died_at:?}");
    }
}
