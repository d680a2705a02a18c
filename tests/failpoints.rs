//! Every fail point: an error there, and a crash there. What was acknowledged is there afterwards,
//! what was refused is not, and the log goes on or says that it does not.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error it does not expect has failed"
)]

#[expect(
    dead_code,
    unused_imports,
    reason = "the claims about the library use the rest"
)]
#[path = "library/support/mod.rs"]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use beaver::FAIL_POINTS;
use fail::FailScenario;
use support::*;

/// Lets `point` strike the time after `skip` others. Answers with what the client met, and whether
/// it crashed.
fn strike(point: &str, skip: usize, action: &str) -> (Client, bool) {
    let scenario = FailScenario::setup();
    let (disk, mut client) = (empty_disk(), Client::default());
    fail::cfg(point, &format!("{skip}*off->1*{action}->off")).unwrap();
    let crashed = catch_unwind(AssertUnwindSafe(|| client.work(&disk))).is_err();
    FAIL_POINTS.iter().for_each(|point| fail::remove(*point));
    let what = format!("{point} after {skip}: {action}");
    client.check(&disk.crash_between_calls(), &what);
    // Only now may another test arm a point.
    scenario.teardown();
    (client, crashed)
}

#[test]
fn a_crash_at_any_fail_point_loses_nothing_and_adds_nothing() {
    for point in FAIL_POINTS {
        let fired = (0..20).take_while(|skip| strike(point, *skip, "panic").1);
        assert!(fired.count() > 0, "{point} was never reached");
    }
}

#[test]
fn an_error_at_any_fail_point_loses_nothing_and_adds_nothing() {
    for point in FAIL_POINTS {
        let fired = (0..20).take_while(|skip| {
            let (client, crashed) = strike(point, *skip, "return");
            assert!(!crashed, "{point}: {client:?}");
            let told = format!("fail point {point}");
            client.errors.iter().any(|error| error.contains(&told))
        });
        assert!(fired.count() > 0, "{point} was never reached");
    }
}

#[test]
fn without_an_armed_fail_point_nothing_goes_wrong() {
    let scenario = FailScenario::setup();
    let (disk, mut client) = (empty_disk(), Client::default());
    client.work(&disk);
    assert_eq!((client.errors.len(), client.acknowledged.len()), (0, 14));
    client.check(&disk.crash_between_calls(), "nothing");
    scenario.teardown();
}

#[test]
fn every_fail_point_is_listed_once_and_named_by_area_operation_and_moment() {
    let source = include_str!("../src/failpoint.rs");
    let quoted = source
        .split('"')
        .filter(|text| text.split("::").count() == 3);
    let mut declared: Vec<&str> = quoted.filter(|text| !text.contains(' ')).collect();
    let mut listed = FAIL_POINTS.to_vec();
    declared.sort_unstable();
    listed.sort_unstable();
    assert_eq!(declared, listed);
    listed.dedup();
    assert!(
        listed.len() <= 8,
        "commit points only: the simulated disk reaches every call"
    );
    assert_eq!(listed.len(), FAIL_POINTS.len());
}
