//! Every bug of the zoo is caught for its reason and shrinks to a small history; without bugs
//! nothing is caught.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use beaver_cli::report::{Verdict, ZooReport};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script_of, run_seed_of, saved_failure};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::shrink::{Ended, Limits, Shrunk, shrink};
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{EXHIBITS, Exhibit};
use beaver_zoo::habitats::{habitat, habitats};
use beaver_zoo::hunt::{Patience, hunt, hunt_all};
use beaver_zoo::patrol::{Beat, FalseAlarm, patrol};

fn jobs() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap()
}

fn exhibit(id: &str) -> &'static Exhibit {
    EXHIBITS.iter().find(|exhibit| exhibit.id == id).unwrap()
}

#[test]
fn every_bug_is_caught_for_its_reason_and_shrinks_to_six_commands_and_one_crash() {
    let all: Vec<_> = EXHIBITS.iter().collect();
    let go_on = AtomicBool::new(false);
    let report = ZooReport {
        bugs: hunt_all(&all, Patience::default(), jobs(), &|_| {}, &go_on),
        ..ZooReport::default()
    };
    assert_eq!(report.verdict(), Verdict::Pass, "{report}");
    assert_eq!(report.small(), EXHIBITS.len(), "{report}");
    for bug in &report.bugs {
        let shrunk = &bug.caught.as_ref().unwrap().shrunk;
        assert_eq!(shrunk.ended, Ended::NothingSmaller, "{}", bug.exhibit.id);
        let control = bug.exhibit.plant.control();
        let run = run_script_of(&control, &shrunk.scenario, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "{}", bug.exhibit.id);
    }
}

#[test]
fn without_bugs_nothing_is_caught() {
    let beat = Beat::everywhere(60).and_explore(Profile::Posix);
    let go_on = AtomicBool::new(false);
    let patrolled = patrol(&beat, jobs(), &|_| {}, &go_on);
    assert!(patrolled.false_alarms.is_empty(), "{patrolled:#?}");
    assert_eq!(patrolled.runs, 2 * 60 * habitats().len() as u64);
    assert!(patrolled.explored.recoveries > 10_000, "{patrolled:#?}");
}

#[test]
fn the_stores_without_bugs_run_wherever_bugs_were_looked_for() {
    let patience = Patience {
        seeds: 3,
        shrink_runs: 10,
        explore: false,
    };
    let hunted = hunt(exhibit("B05a"), patience, &AtomicBool::new(false));
    assert!(hunted.explored.is_some(), "three seeds do not find it");
    let beat = Beat::after(std::slice::from_ref(&hunted), 2);
    let places = hunted.sampled.len();
    assert_eq!(beat.rounds(), 2 * (places + 1));
    let patrolled = patrol(&beat, jobs(), &|_| {}, &AtomicBool::new(false));
    assert_eq!(patrolled.runs, 2 * hunted.sampled.values().sum::<u64>());
    assert!(patrolled.explored.workloads > 0);
}

#[test]
fn a_store_with_a_bug_among_the_sound_ones_is_a_false_alarm() {
    let alarm = FalseAlarm {
        store: "library",
        place: "power-cuts under posix".to_owned(),
        seed: Some(7),
        invariant: Invariant::Durability,
        found: "nothing".to_owned(),
    };
    let mut report = ZooReport {
        bugs: vec![hunt(
            exhibit("B01"),
            Patience::default(),
            &AtomicBool::new(false),
        )],
        ..ZooReport::default()
    };
    assert_eq!(report.verdict(), Verdict::Pass);
    report.patrolled.false_alarms.push(alarm);
    assert_eq!(report.verdict(), Verdict::Violation);
    let text = report.to_string();
    let line =
        "false alarm: library, power-cuts under posix, seed 7: invariant 1 (durability): nothing";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_bug_that_is_caught_for_another_reason_is_not_caught() {
    let mut bug = hunt(exhibit("B01"), Patience::default(), &AtomicBool::new(false));
    assert!(bug.is_right());
    bug.caught.as_mut().unwrap().invariant = Invariant::Hygiene;
    let report = ZooReport {
        bugs: vec![bug],
        ..ZooReport::default()
    };
    assert_eq!(report.verdict(), Verdict::Violation);
    assert!(
        report.to_string().contains("FOR ANOTHER REASON"),
        "{report}"
    );
}

#[test]
fn bug_that_no_seed_finds_is_left_to_the_explorer() {
    let patience = Patience {
        seeds: 0,
        ..Patience::default()
    };
    let hunted = hunt(exhibit("B34"), patience, &AtomicBool::new(false));
    assert!(hunted.is_right(), "{hunted:#?}");
    assert_eq!(
        hunted.explored.unwrap().invariant,
        Some(Invariant::Durability)
    );
}

/// The numbers of calls by which a witness may have to be moved.
const MOVES: std::ops::RangeInclusive<i64> = -12..=12;

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
fn testifies(exhibit: &Exhibit, text: &str) -> bool {
    let witness: Scenario = serde_json::from_str(text).unwrap();
    let broken = |subject: &AnySubject| {
        let run = run_script_of(subject, &witness, Keep::default());
        run.outcome.failure().map(|violation| violation.invariant)
    };
    broken(&exhibit.plant.subject()) == Some(exhibit.reason())
        && broken(&exhibit.plant.control()).is_none()
        && broken(&beaver_zoo::recovering::library()).is_none()
}

#[test]
fn every_witness_breaks_its_invariant_with_the_bug_and_holds_without() {
    let mut wrong = Vec::new();
    for exhibit in EXHIBITS {
        let file = format!("../../scenarios/zoo/{}.json", exhibit.id);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        if testifies(exhibit, &text) {
            continue;
        }
        wrong.push((exhibit.id, exhibit.question_witness()));
        let mut moves = MOVES.map(|by| moved(&text, by));
        if std::env::var_os("BEAVER_BLESS").is_some()
            && let Some(moved) = moves.find(|text| testifies(exhibit, text))
        {
            std::fs::write(&path, moved).unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "no longer witnesses: {wrong:?}. Where a store only makes its calls in another order, \
         BEAVER_BLESS=1 moves the numbers in the files"
    );
}

#[test]
fn every_witness_belongs_to_a_bug() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/zoo");
    let mut files: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let bugs = EXHIBITS
        .iter()
        .map(|exhibit| format!("{}.json", exhibit.id));
    assert_eq!(files, bugs.collect::<Vec<_>>());
}

#[test]
fn the_library_holds_in_every_witness() {
    for exhibit in EXHIBITS {
        let run = run_script_of(
            &beaver_zoo::recovering::library(),
            &exhibit.witness(),
            Keep::default(),
        );
        assert_eq!(run.outcome, Outcome::Held, "{}", exhibit.id);
    }
}

/// The first failure of a bug in its habitat.
fn failure(exhibit: &Exhibit) -> Scenario {
    let (subject, habitat) = (exhibit.plant.subject(), habitat(exhibit.habitat));
    let mut runs = (0..3000).map(|seed| run_seed_of(&subject, &habitat, seed, Keep::default()));
    let run = runs.find(|run| run.outcome != Outcome::Held).unwrap();
    saved_failure(&habitat, &run)
}

fn shrunk(id: &str, limits: Limits<'_>) -> Shrunk {
    let exhibit = exhibit(id);
    shrink(&exhibit.plant.subject(), &failure(exhibit), limits).unwrap()
}

#[test]
fn the_same_failure_shrinks_to_the_same_history() {
    let (one, other) = (
        shrunk("B36", Limits::runs(400)),
        shrunk("B36", Limits::runs(400)),
    );
    assert_eq!(one.scenario, other.scenario);
    assert_eq!(one.run.trace_hash, other.run.trace_hash);
}

#[test]
fn a_shrunk_failure_replays_from_its_script_and_shrinks_no_further() {
    for id in ["B13", "B41", "S06"] {
        let first = shrunk(id, Limits::runs(10_000));
        assert_eq!(first.ended, Ended::NothingSmaller);
        let subject = exhibit(id).plant.subject();
        let text = serde_json::to_string(&first.scenario).unwrap();
        let read: Scenario = serde_json::from_str(&text).unwrap();
        let again = shrink(&subject, &read, Limits::runs(10_000)).unwrap();
        assert_eq!(again.scenario, first.scenario, "{id}");
        assert_eq!(again.likeness, first.likeness, "{id}");
    }
}

#[test]
fn a_limit_ends_the_search_with_what_there_is() {
    let stopped = shrunk("B36", Limits::runs(3));
    assert_eq!((stopped.runs, stopped.ended), (3, Ended::Limit));
    assert!(stopped.run.outcome != Outcome::Held);
    let limits = Limits {
        runs: 1000,
        go_on: &|| false,
    };
    let untouched = shrunk("B36", limits);
    assert_eq!((untouched.runs, untouched.ended), (0, Ended::Limit));
    assert_eq!(untouched.before, untouched.after);
}

#[test]
fn a_history_that_holds_is_not_shrunk() {
    let exhibit = exhibit("B36");
    let limits = Limits::runs(1000);
    let result = shrink(&exhibit.plant.control(), &failure(exhibit), limits);
    assert!(result.is_none());
}
