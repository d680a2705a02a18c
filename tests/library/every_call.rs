//! Every storage call of a client's work: an error there, and a crash there. What was acknowledged is
//! there afterwards, what was refused is not, and the log goes on or says that it does not.

use std::collections::BTreeMap;

use beaver_disk::{CallEffect, CrashPoint, FailureKind, Fault, FaultPlan, Moment};

use crate::support::*;

/// The number of storage calls when nothing goes wrong.
fn calls() -> u64 {
    let (disk, mut client) = (empty_disk(), Client::default());
    client.work(&disk);
    assert_eq!((client.errors.len(), client.acknowledged.len()), (0, 14));
    client.check(&disk.crash_between_calls(), "nothing");
    disk.calls()
}

#[test]
fn an_error_of_any_call_loses_nothing_and_adds_nothing() {
    for call in 1..=calls() {
        for effect in [
            CallEffect::Nothing,
            CallEffect::Everything,
            CallEffect::Bytes(7),
        ] {
            let (disk, mut client) = (empty_disk(), Client::default());
            let error = FailureKind::StorageFull;
            let sticky = false;
            let fault = Fault::Error {
                error,
                effect,
                sticky,
            };
            disk.set_plan(FaultPlan {
                calls: BTreeMap::from([(call, fault)]),
                ..FaultPlan::default()
            });
            client.work(&disk);
            let what = format!("call {call} fails with effect {effect:?}");
            client.check(&disk.crash_between_calls(), &what);
        }
    }
}

#[test]
fn an_error_of_any_call_and_of_the_next_one_loses_nothing_and_adds_nothing() {
    // The next one is where an undo begins.
    for call in 1..=calls() {
        let (disk, mut client) = (empty_disk(), Client::default());
        let fault = |effect| Fault::Error {
            error: FailureKind::Io,
            effect,
            sticky: false,
        };
        disk.set_plan(FaultPlan {
            calls: BTreeMap::from([
                (call, fault(CallEffect::Bytes(7))),
                (call + 1, fault(CallEffect::Nothing)),
            ]),
            ..FaultPlan::default()
        });
        client.work(&disk);
        let what = format!("calls {call} and the next one fail");
        client.check(&disk.crash_between_calls(), &what);
    }
}

#[test]
fn a_crash_at_any_call_loses_nothing_and_adds_nothing() {
    for call in 1..=calls() {
        for moment in [Moment::Before, Moment::Inside, Moment::After] {
            let (disk, mut client) = (empty_disk(), Client::default());
            let point = CrashPoint { call, moment };
            disk.crash_at(Some(point));
            client.work(&disk);
            assert_eq!(disk.frozen_at(), Some(point));
            client.check(&disk.crash(), &point.to_string());
        }
    }
}
