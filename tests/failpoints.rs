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

use beaver::{Error, FAIL_POINTS, Store};
use fail::FailScenario;
use support::*;

/// What a client knows about its events.
#[derive(Debug, Default)]
struct Client {
    acknowledged: Vec<String>,
    /// The one whose outcome is open: nothing is written behind it.
    open: Option<String>,
    next: u64,
    /// Everything that went wrong.
    errors: Vec<String>,
}

impl Client {
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result
            .map_err(|error| self.errors.push(error.to_string()))
            .ok()
    }

    fn commit(&mut self, store: &mut Store<Tape>, count: u64) {
        for _ in 0..count {
            let event = self.next.to_string();
            self.next += 1;
            // Until the answer comes nobody knows; a crash is no answer.
            self.open = Some(event.clone());
            match try_commit(store, &event) {
                Ok(_) => self.acknowledged.push(event),
                Err(error) if error.is_indeterminate() => {
                    self.errors.push(error.to_string());
                    return;
                }
                Err(error) => self.errors.push(error.to_string()),
            }
            self.open = None;
        }
    }

    fn open(&mut self, disk: &Memory) -> Option<Store<Tape>> {
        let result = try_recover(disk);
        let (store, report) = self.note(result)?;
        let warnings = report.warnings.iter().map(ToString::to_string);
        self.errors.extend(warnings);
        Some(store)
    }

    /// Two processes on one disk, as far as the log lets them.
    fn work(&mut self, disk: &Memory) {
        for _ in 0..2 {
            disk.put("leftover.tmp", "x");
            let mut store = match self.open(disk) {
                Some(store) => store,
                None => self.open(disk).expect("an error that came once is gone"),
            };
            for _ in 0..3 {
                self.commit(&mut store, 2);
                let result = store.checkpoint();
                self.note(result);
                if store.poisoned().is_some() {
                    self.errors.push("poisoned".to_owned());
                    return;
                }
            }
            self.commit(&mut store, 1);
            let result = store.close();
            self.note(result);
            if self.open.is_some() {
                return;
            }
        }
    }

    /// Whoever opens the disk sees what was acknowledged, and at most the open event behind it.
    fn check(&self, disk: &Memory, what: &str) {
        for disk in [disk.copy(), disk.power_cut()] {
            let mut expected = self.acknowledged.clone();
            let mut seen = tape(&disk);
            if seen != expected {
                expected.extend(self.open.clone());
            }
            assert_eq!(seen, expected, "{what}: {self:?}");
            // What one recovery shows every later one shows, and the log goes on.
            drop(recover(&disk));
            let disk = disk.power_cut();
            let (mut store, _) = recover(&disk);
            try_commit(&mut store, "\"more\"").unwrap();
            checkpoint(&mut store);
            seen.push("\"more\"".to_owned());
            assert_eq!(tape(&disk.power_cut()), seen, "{what}");
        }
    }
}

/// Arms what leads to `point`, if only another failure does.
fn lead_to(point: &str, disk: &Memory) {
    match point {
        "append::undo::before" => {
            disk.inject(Fault::on(Op::Write, "wal-0000000002").after(1).torn(7))
        }
        "rotate::undo::before" => fail::cfg("rotate::sync_dir::before", "1*return").unwrap(),
        _ => {}
    }
}

/// Lets `point` strike the time after `skip` others. Answers with what the client met, and whether
/// it crashed.
fn strike(point: &str, skip: usize, action: &str) -> (Client, bool) {
    let scenario = FailScenario::setup();
    let (disk, mut client) = (Memory::new(), Client::default());
    lead_to(point, &disk);
    fail::cfg(point, &format!("{skip}*off->1*{action}->off")).unwrap();
    let crashed = catch_unwind(AssertUnwindSafe(|| client.work(&disk))).is_err();
    FAIL_POINTS.iter().for_each(|point| fail::remove(*point));
    disk.heal();
    client.check(&disk, &format!("{point} after {skip}: {action}"));
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
            let is_told = client.errors.iter().any(|error| error.contains(&told));
            // A failed undo answers with the error that it could not undo.
            is_told || (point.contains("undo") && client.errors.contains(&"poisoned".to_owned()))
        });
        assert!(fired.count() > 0, "{point} was never reached");
    }
}

#[test]
fn without_an_armed_fail_point_nothing_goes_wrong() {
    let scenario = FailScenario::setup();
    let (disk, mut client) = (Memory::new(), Client::default());
    client.work(&disk);
    assert_eq!((client.errors.len(), client.acknowledged.len()), (0, 14));
    client.check(&disk, "nothing");
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
    assert_eq!(listed.len(), FAIL_POINTS.len());
}
