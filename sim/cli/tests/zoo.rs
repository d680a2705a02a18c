//! The report over the zoo: what makes it pass and what not.

use std::sync::atomic::AtomicBool;

use beaver_cli::report::{Verdict, ZooReport};
use beaver_sim::invariant::Invariant;
use beaver_zoo::catalogue::BUGS;
use beaver_zoo::false_alarms::FalseAlarm;
use beaver_zoo::find::{Effort, find};

/// The report over the first bug, which is caught.
fn report() -> ZooReport {
    ZooReport {
        bugs: vec![find(&BUGS[0], Effort::default(), &AtomicBool::new(false))],
        ..ZooReport::default()
    }
}

#[test]
fn a_store_with_a_bug_among_the_sound_ones_is_a_false_alarm() {
    let mut report = report();
    assert_eq!((report.verdict(), report.small()), (Verdict::Pass, 1));
    report.controls.false_alarms.push(FalseAlarm {
        store: "library",
        place: "power-cuts under posix".to_owned(),
        seed: Some(7),
        invariant: Invariant::Durability,
        found: "nothing".to_owned(),
    });
    assert_eq!(report.verdict(), Verdict::Violation);
    let text = report.to_string();
    let line =
        "false alarm: library, power-cuts under posix, seed 7: invariant 1 (durability): nothing";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_bug_that_is_caught_for_another_reason_is_not_caught() {
    let mut report = report();
    let caught = report.bugs[0].caught.as_mut().unwrap();
    caught.invariant = Invariant::Hygiene;
    assert_eq!(report.verdict(), Verdict::Violation);
    let text = report.to_string();
    assert!(text.contains("FOR ANOTHER REASON"), "{text}");
}
