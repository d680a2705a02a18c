//! What an explanation says.

use std::path::Path;

use beaver_sim::beaver::library;
use beaver_sim::explain::{AckFate, Explained, FirstWrong, NameVerdict, PageVerdict, explain};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed, saved_failure};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::scenarios::scenario;

use crate::caught::{SEEDS, caught};

/// How well the sentences of an explanation name a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sentence {
    Right,
    Generic,
    Wrong,
}

/// What is said where no rule names a step: that there is none, or which failed call the run needed.
const GENERIC: [&str; 4] = ["nothing-lost", "lost", "failed-call", "error-swallowed"];

/// What the first sentence is; wrong if any sentence is.
fn judged(bug: &Bug, explained: &Explained) -> Sentence {
    let mut rules = explained.explanation.missing.iter().map(|step| step.rule);
    let is_known = |rule| bug.named_by.contains(&rule) || GENERIC.contains(&rule);
    if !rules.clone().all(is_known) {
        return Sentence::Wrong;
    }
    match rules.next() {
        Some(first) if bug.named_by.contains(&first) => Sentence::Right,
        _ => Sentence::Generic,
    }
}

/// How many failures of each bug are judged as they were found.
const FOUND: usize = 3;

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_injected_bug_is_named_rightly_or_not_at_all() {
    let mut counts = [0; 3];
    let (mut wrong, mut unnamed) = (Vec::new(), Vec::new());
    for bug in BUGS {
        let subject = bug.mutant();
        let mut failures = vec![("by hand", bug.witness())];
        failures.extend(found(bug).map(|failure| ("as it was found", failure)));
        if !bug.named_by.is_empty() {
            failures.push(("made smaller", caught(bug.id).shrunk()));
        }
        let mut sentences = Vec::new();
        for (which, failure) in failures {
            let explained = explain(&subject, &failure, "").unwrap();
            let sentence = judged(bug, &explained);
            sentences.push(sentence);
            if sentence == Sentence::Wrong {
                let missing = explained.explanation.missing.clone();
                wrong.push((bug.id, which, failure.seeds.start, missing));
            }
        }
        // Of a bug the best counts that was said of a failure, and the worst if that is wrong.
        let of_bug = [Sentence::Wrong, Sentence::Right, Sentence::Generic];
        let of_bug = of_bug.into_iter().find(|one| sentences.contains(one));
        counts[of_bug.unwrap() as usize] += 1;
        if !bug.named_by.is_empty() && !sentences.contains(&Sentence::Right) {
            unnamed.push(bug.id);
        }
    }
    let [right, generic, bad] = counts;
    println!("{right} bugs named rightly, {generic} in general words, {bad} wrongly");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        unnamed.is_empty(),
        "no failure of these is named: {unnamed:?}"
    );
    assert_eq!(right + generic, BUGS.len());
}

/// The first failures of a bug in its scenario.
fn found(bug: &Bug) -> impl Iterator<Item = Scenario> {
    let (subject, scenario) = (bug.mutant(), scenario(bug.scenario));
    let runs = (0..SEEDS).filter_map(move |seed| {
        let run = run_seed(&subject, &scenario, seed, Keep::default());
        (run.outcome != Outcome::Held).then(|| saved_failure(&scenario, &run))
    });
    runs.take(FOUND)
}

#[test]
fn a_lost_segment_is_followed_from_acknowledgement_to_loss() {
    let caught = caught("B14");
    let explained = explain(
        &caught.subject,
        &caught.shrunk(),
        "beaver replay failures/x",
    )
    .unwrap();
    let explanation = &explained.explanation;
    assert_eq!(explanation.invariant, Invariant::Durability);
    let ack = &explanation.acknowledged[0];
    assert!(
        matches!(ack.fate, AckFate::Lost { gone: true, .. }),
        "{ack:?}"
    );
    let survival = explanation.survival.as_ref().unwrap();
    let name = survival
        .names
        .iter()
        .find(|name| name.name == "wal-0000000001.jsonl")
        .unwrap();
    assert_eq!(name.verdict, NameVerdict::Lost);
    let file = &survival.files[0];
    assert_eq!((file.live_len, file.after_len), (file.durable_len, None));
    assert!(
        file.pages
            .iter()
            .all(|page| page.verdict == PageVerdict::Gone)
    );
    assert!(matches!(
        explanation.first_wrong,
        FirstWrong::LostByte { gone: true, .. }
    ));
    assert_eq!(explanation.weakest.profile, Profile::Posix);
}

#[test]
fn an_explanation_is_the_same_every_time() {
    let caught = caught("B38");
    let (one, other) = (caught.explained(), caught.explained());
    assert_eq!(one.explanation, other.explanation);
    let lines = |explained: &Explained| -> Vec<String> {
        let events = explained.log.iter();
        let lines = events.map(|event| serde_json::to_string(&event.event).unwrap());
        lines.collect()
    };
    assert_eq!(lines(&one), lines(&other));
    assert_eq!(one.lanes, other.lanes);
}

#[test]
fn the_text_of_an_explanation() {
    for (id, name) in [
        ("B14", "explain_b14.txt"),
        ("B38", "explain_b38.txt"),
        ("B21", "explain_b21.txt"),
    ] {
        let caught = caught(id);
        let explained = explain(
            &caught.subject,
            &caught.shrunk(),
            "beaver replay failures/x",
        )
        .unwrap();
        check_golden(name, &explained.explanation.to_string());
    }
}

#[track_caller]
fn check_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("BEAVER_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        expected,
        actual,
        "{}; BEAVER_BLESS=1 writes it anew",
        path.display()
    );
}

/// What a failed sync of new blocks does on a system whose cache cannot be dropped.
const UNWRITTEN: &str = include_str!("../../../../scenarios/mark-clean-unwritten.json");

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_page_that_stays_unwritten_is_named() {
    let scenario: Scenario = serde_json::from_str(UNWRITTEN).unwrap();
    let scenario = Scenario {
        keeps_cache: true,
        ..scenario
    };
    let subject = library(&scenario);
    let runs = (0..500).map(|seed| run_seed(&subject, &scenario, seed, Keep::default()));
    let failed = runs.filter(|run| run.outcome != Outcome::Held).take(8);
    let failures: Vec<Scenario> = failed.map(|run| saved_failure(&scenario, &run)).collect();
    assert!(!failures.is_empty());
    for failure in failures {
        let explained = explain(&subject, &failure, "").unwrap();
        let missing = &explained.explanation.missing;
        assert_eq!(missing[0].rule, "stays-unwritten", "{missing:?}");
        assert!(
            missing[0].text.contains("although a later sync said Ok"),
            "{missing:?}"
        );
    }
}
