//! Every witness shows its bug, and nothing without the bug.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::path::{Path, PathBuf};

use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::interposed::library;

/// The numbers of calls by which a witness may have to be moved.
const MOVES: std::ops::RangeInclusive<i64> = -12..=12;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/zoo")
}

/// The text of a witness with the number of every call moved.
fn moved(text: &str, by: i64) -> String {
    let mut parts = text.split("\"call\": ");
    let mut moved = parts.next().unwrap().to_owned();
    for part in parts {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap();
        moved.push_str("\"call\": ");
        match part[..digits].parse::<i64>() {
            Ok(number) => moved.push_str(&format!("{}{}", number + by, &part[digits..])),
            Err(_) => moved.push_str(part),
        }
    }
    moved
}

/// Whether this is a witness of a bug.
fn testifies(bug: &Bug, text: &str) -> bool {
    // A call moved before the first is none.
    let Ok(witness) = serde_json::from_str::<Scenario>(text) else {
        return false;
    };
    let broken = |subject: &AnySubject| {
        let run = run_script(subject, &witness, Keep::default());
        run.outcome.failure().map(|violation| violation.invariant)
    };
    broken(&bug.mutant()) == Some(bug.reason())
        && broken(&bug.original()).is_none()
        && broken(&library()).is_none()
}

#[test]
fn every_witness_breaks_its_invariant_with_the_bug_and_holds_without() {
    let mut wrong = Vec::new();
    for bug in BUGS {
        let path = directory().join(format!("{}.json", bug.id));
        let text = std::fs::read_to_string(&path).unwrap();
        if testifies(bug, &text) {
            continue;
        }
        wrong.push((bug.id, bug.run_witness()));
        let mut moves = MOVES.map(|by| moved(&text, by));
        if std::env::var_os("BEAVER_BLESS").is_some()
            && let Some(moved) = moves.find(|text| testifies(bug, text))
        {
            std::fs::write(&path, moved).unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "no longer witnesses: {wrong:#?}. Where a store only makes its calls in another order, \
         BEAVER_BLESS=1 moves the numbers in the files"
    );
}

#[test]
fn every_witness_belongs_to_a_bug() {
    let mut files: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let bugs = BUGS.iter().map(|bug| format!("{}.json", bug.id));
    assert_eq!(files, bugs.collect::<Vec<_>>());
}

#[test]
fn the_library_holds_in_every_witness() {
    for bug in BUGS {
        let run = run_script(&library(), &bug.witness(), Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "{}", bug.id);
    }
}
