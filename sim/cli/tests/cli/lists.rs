//! `beaver faults`, `beaver profiles` and `beaver invariants`.

use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::{FaultKind, Profile};

use crate::beaver::Place;
use crate::golden::check_golden;

#[test]
fn every_fault_has_a_line() {
    let ran = Place::empty().beaver("faults").ends_with(0);
    assert_eq!(ran.stdout.lines().count(), FaultKind::ALL.len());
    check_golden("faults.txt", &ran.stdout);
}

#[test]
fn every_profile_has_a_line() {
    let ran = Place::empty().beaver("profiles").ends_with(0);
    check_golden("profiles.txt", &ran.stdout);
}

#[test]
fn every_invariant_has_a_line_with_its_number_and_promise() {
    let ran = Place::empty().beaver("invariants").ends_with(0);
    check_golden("invariants.txt", &ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), Invariant::ALL.len());
    let document = Place::empty()
        .beaver("invariants --format json")
        .ends_with(0)
        .json();
    let entries = document["invariants"].as_array().unwrap();
    for ((invariant, line), entry) in Invariant::ALL.iter().zip(lines).zip(entries) {
        assert!(
            line.trim_start()
                .starts_with(&format!("{} ", invariant.number())),
            "{line}"
        );
        assert!(line.ends_with(invariant.promise()), "{line}");
        assert_eq!(entry["number"], invariant.number());
        assert_eq!(entry["name"], invariant.name());
        assert_eq!(entry["promise"], invariant.promise());
    }
}

#[test]
fn lists_are_json_for_programs() {
    let faults = Place::empty()
        .beaver("faults --format json")
        .ends_with(0)
        .json();
    assert_eq!(
        faults["faults"].as_array().unwrap().len(),
        FaultKind::ALL.len()
    );
    assert_eq!(faults["faults"][0]["name"], FaultKind::ALL[0].name());
    let profiles = Place::empty()
        .beaver("profiles --format json")
        .ends_with(0)
        .json();
    assert_eq!(
        profiles["profiles"].as_array().unwrap().len(),
        Profile::ALL.len()
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let mut child = Place::empty()
        .command(&["faults"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
