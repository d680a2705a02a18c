//! What an author of a store sees of a check: how far it came, which kinds of findings there are, and
//! that nothing which the store does can end it without a report.

#[path = "own/register.rs"]
mod register;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use beaver_sim::check::{Check, Checked, Failing, check, find};
use beaver_sim::failure_folder::replaying_test;
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Seeds;
use beaver_sim::subject::AnySubject;

use register::{Registers, Wrong};

fn found(wrong: Wrong, check: &Check) -> Result<Checked, Box<Failing>> {
    find(&AnySubject::new(Registers(wrong)), check)
}

#[track_caller]
fn check_holds(wrong: Wrong, check: &Check) -> Checked {
    found(wrong, check).unwrap_or_else(|failing| panic!("{failing}"))
}

/// The invariants of all kinds, in the order of the report.
fn invariants(failing: &Failing) -> Vec<Invariant> {
    let others = failing.others.iter();
    let all = std::iter::once(failing).chain(others);
    let violations = all.filter_map(|failing| failing.run.outcome.failure());
    violations.map(|violation| violation.invariant).collect()
}

fn seeds(end: u64) -> Seeds {
    Seeds { start: 0, end }
}

/// As much as ends long before the time does.
fn a_little() -> Check {
    Check::default()
        .for_duration(Duration::from_secs(3_600))
        .explore(1)
        .seeds(seeds(20))
}

#[test]
fn what_was_done_to_its_end_is_called_exhausted() {
    let checked = check_holds(Wrong::Sound, &a_little());
    let words = "exhausted: 1 op with 1 crash, 1 op with 2 crashes; 20 seeds";
    assert_eq!(checked.to_string(), words, "{checked:?}");
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
}

#[test]
fn a_sound_store_is_done_when_the_time_is_over() {
    let checked = check_holds(
        Wrong::Sound,
        &Check::default().for_duration(Duration::from_millis(300)),
    );
    // Whatever it came to, it has not explored six ops.
    let begun: Vec<_> = checked
        .extents
        .iter()
        .filter(|extent| extent.done < extent.histories)
        .collect();
    assert!(!begun.is_empty(), "{checked:?}");
    for extent in begun {
        assert!(!extent.is_exhausted(), "{extent:?}");
        let words = format!("({} of {} histories)", extent.done, extent.histories);
        assert!(checked.to_string().contains(&words), "{checked}");
    }
}

/// It would go on for an hour otherwise, or until it has found eight kinds.
#[test]
fn a_check_that_finds_nothing_new_ends_before_its_time() {
    let hour = Check::default().for_duration(Duration::from_secs(3_600));
    let failing = found(Wrong::IgnoresFailedSync, &hour).unwrap_err();
    assert!(invariants(&failing).len() < 8, "{failing}");
}

#[test]
fn a_run_is_cut_where_the_time_is_over() {
    let long = r#"{
        "claim": "c", "budget": {"storage_calls": 1000000000},
        "workload": {"commands": 1000000, "weights": {"op": 1}}
    }"#;
    let check = Check::scenario(long).explore(0);
    let checked = check_holds(
        Wrong::Sound,
        &check.for_duration(Duration::from_millis(300)),
    );
    assert_eq!(checked.runs, 0, "{checked}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_fault_explains_that_a_state_cannot_be_read() {
    check_holds(Wrong::SoundAndReads, &a_little().seeds(seeds(2_000)));
}

#[test]
fn no_time_is_no_finding_and_nothing_is_exhausted() {
    let checked = check_holds(Wrong::TwoBugs, &a_little().for_duration(Duration::ZERO));
    assert!(!checked.to_string().contains("exhausted"), "{checked}");
}

#[test]
fn a_power_cut_with_more_images_than_the_cap_is_not_exhausted() {
    let checked = check_holds(Wrong::Sound, &a_little().cap(1).depth(1));
    assert!(checked.to_string().starts_with("ended: 1 op"), "{checked}");
}

#[test]
fn two_bugs_are_two_kinds() {
    let failing = found(Wrong::TwoBugs, &a_little()).unwrap_err();
    let kinds = invariants(&failing);
    assert!(kinds.contains(&Invariant::Progress), "{failing}");
    let lost = [Invariant::Decided, Invariant::Durability];
    assert!(kinds.iter().any(|kind| lost.contains(kind)), "{failing}");
    let text = failing.to_string();
    assert!(text.contains("two is too much"), "{text}");
    assert!(failing.count > 1, "each was met more than once: {text}");
}

#[test]
fn what_is_allowed_is_counted_and_no_failure() {
    let failing = found(Wrong::TwoBugs, &a_little()).unwrap_err();
    let kinds = invariants(&failing);
    let all = kinds.iter().fold(a_little(), |check, kind| {
        let text = match kind {
            Invariant::Progress => "two is too much",
            _ => "",
        };
        check.allow(kind.name(), text)
    });
    let checked = check_holds(Wrong::TwoBugs, &all.allow("poison", "nothing has this"));
    let words = checked.to_string();
    assert!(words.contains("allowed and found"), "{words}");
    assert!(words.contains("allowed and never found: poison"), "{words}");
    let others = a_little().allow("budget or panic", "two is too much");
    let failing = found(Wrong::TwoBugs, &others).unwrap_err();
    assert!(
        !invariants(&failing).contains(&Invariant::Progress),
        "{failing}"
    );
}

#[test]
#[should_panic(expected = "`durable` is no promise that can be allowed to break")]
fn a_promise_that_there_is_not_cannot_be_allowed() {
    let _ = Check::default().allow("durable", "");
}

#[test]
fn what_is_found_first_does_not_depend_on_the_threads() {
    let [one, two] = [1, 2].map(|jobs| found(Wrong::TwoBugs, &a_little().jobs(jobs)).unwrap_err());
    assert_eq!(one.scenario.script, two.scenario.script);
    assert_eq!(one.run.outcome, two.run.outcome);
    assert_eq!(one.history, two.history);
}

#[test]
fn a_failed_sync_that_is_ignored_is_found_by_exploring_alone() {
    let explored = a_little().seeds(seeds(0));
    let failing = found(Wrong::IgnoresFailedSync, &explored).unwrap_err();
    let script = failing.scenario.script.as_ref();
    let faults = script.map(|script| script.faults.len());
    assert_eq!(faults, Some(1), "{failing}");
    check_holds(Wrong::Sound, &explored);
}

#[test]
fn a_panic_in_drop_is_a_finding_while_the_process_is_alive() {
    for check in [
        a_little(),
        a_little().seeds(seeds(0)),
        a_little().explore(0),
    ] {
        let failing = found(Wrong::PanicsInDrop, &check).unwrap_err();
        let violation = failing.run.outcome.failure().expect("it did not hold");
        assert_eq!(violation.invariant, Invariant::Progress, "{failing}");
        let expected = "no panic when the store is closed or dropped";
        assert_eq!(violation.expected, expected, "{failing}");
        assert!(violation.found.contains("no good farewell"), "{failing}");
    }
}

#[test]
fn a_panic_of_a_process_that_has_died_is_none() {
    check_holds(Wrong::PanicsWhenDead, &a_little().seeds(seeds(100)));
}

#[test]
fn a_store_that_depends_on_chance_is_told_so_with_the_call_that_differs() {
    let failing = found(Wrong::DependsOnChance, &a_little()).unwrap_err();
    let violation = failing.run.outcome.failure().expect("it did not hold");
    assert_eq!(violation.invariant, Invariant::Determinism, "{failing}");
    assert!(violation.expected.contains("remove new-"), "{failing}");
    assert!(violation.found.contains("remove new-"), "{failing}");
}

/// Set where a test starts this program once more, to check a store that is wrong in this way.
const CHECKS: &str = "BEAVER_TEST_CHECKS";

/// Runs a test in a process of its own: its exit code, and what it said.
fn run_again(test: &str, checks: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let program = std::env::current_exe().expect("a test is a program");
    let mut child = Command::new(program);
    child.args(["--exact", test, "--nocapture"]);
    child.env(CHECKS, checks).envs(variables.iter().copied());
    let child = child.output().expect("it can be started once more");
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    (child.status.code(), said)
}

#[test]
fn a_store_that_hangs_ends_the_process_with_a_report() {
    if std::env::var_os(CHECKS).is_some() {
        let limit = Duration::from_millis(500);
        return check(Registers(Wrong::Hangs), &a_little().call_limit(limit));
    }
    let test = "a_store_that_hangs_ends_the_process_with_a_report";
    let (code, said) = run_again(test, "hangs", &[]);
    assert_eq!(code, Some(101), "{said}");
    for words in ["has not come back", "history", "calls", "saved: "] {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
    let [.., saved] = folders(&said)[..] else {
        panic!("no folder in:\n{said}");
    };
    let command = replaying_test(Path::new(saved));
    assert!(command.is_some_and(|command| command.contains(test)));
}

/// The folders that a report names, each once for each time.
fn folders(said: &str) -> Vec<&str> {
    let named = said.split("BEAVER_REPLAY=").skip(1);
    named.filter_map(|rest| rest.split(' ').next()).collect()
}

#[test]
fn each_kind_has_its_folder_and_a_mended_store_holds_there() {
    let test = "each_kind_has_its_folder_and_a_mended_store_holds_there";
    match std::env::var(CHECKS).as_deref() {
        Ok("two-bugs") => return check(Registers(Wrong::TwoBugs), &a_little()),
        Ok(_) => return check(Registers(Wrong::Sound), &a_little()),
        Err(_) => {}
    }
    let (code, said) = run_again(test, "two-bugs", &[]);
    assert_eq!(code, Some(101), "{said}");
    let named = folders(&said);
    assert!(named.len() > 1, "{said}");
    let mut different = named.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), named.len(), "{said}");
    let (_, once_more) = run_again(test, "two-bugs", &[]);
    assert_eq!(
        folders(&once_more),
        named,
        "the same findings have the same folders"
    );
    for folder in named {
        let replay = [("BEAVER_REPLAY", folder)];
        let (code, said) = run_again(test, "two-bugs", &replay);
        assert_eq!(code, Some(101), "{said}");
        let (code, said) = run_again(test, "sound", &replay);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("holds now"), "{said}");
        let unreached = with_unreached_crash(folder);
        let (code, said) = run_again(test, "sound", &[("BEAVER_REPLAY", &*unreached)]);
        assert_eq!(code, Some(101), "{said}");
        assert!(said.contains("was not reached"), "{said}");
    }
}

/// A copy of the scenario in `folder`, in which the process is to die at a call that no store makes.
fn with_unreached_crash(folder: &str) -> String {
    let text = std::fs::read(format!("{folder}/scenario.json")).expect("it is saved");
    let mut scenario: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
    scenario["script"]["crashes"] = serde_json::json!([
        {"step": 0, "at": {"call": 999, "moment": "before"}, "kind": "kill"}
    ]);
    let path = format!("{folder}-unreached.json");
    std::fs::write(&path, scenario.to_string()).expect("it can be saved");
    path
}
