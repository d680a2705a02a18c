//! What an explanation says.

use std::path::Path;

use beaver_sim::explain::{AckFate, Explained, FirstWrong, NameVerdict, PageVerdict, explain};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Profile;

use crate::caught::{bug, caught};

/// Bugs that leave out or spoil a storage call, and the rule that must name it first.
const NAMED: &[(&str, &str)] = &[
    ("B07", "failed-write-stays"),
    ("B13", "removed-too-early"),
    ("B14", "name-not-synced"),
    ("B16", "nothing-removed"),
    ("B18", "failed-write-stays"),
    ("B34", "never-written"),
    ("B35", "renamed-before-sync"),
    ("B38", "not-synced"),
    ("B39", "sync-failed"),
    ("B40", "removed-uncovered"),
    ("B41", "damage-believed"),
    ("S01", "rename-not-undone"),
    ("S02", "rename-not-undone"),
    ("S05", "cache-believed"),
    ("S07", "cache-believed"),
    ("S10", "damage-believed"),
];

/// Bugs that no storage call shows: the store is read or written wrongly.
const UNNAMED: &[&str] = &["B01", "B03", "B21", "B23", "B25", "B33b"];

#[test]
fn the_missing_step_of_an_injected_bug_is_named() {
    let mut wrong = Vec::new();
    for (id, rule) in NAMED {
        let caught = caught(id);
        let failures = [
            ("as it was found", caught.saved()),
            ("made smaller", caught.shrunk()),
            ("by hand", bug(id).witness()),
        ];
        for (which, failure) in failures {
            let explained = explain(&caught.subject, &failure, "").unwrap();
            let missing = &explained.explanation.missing;
            if missing[0].rule != *rule {
                wrong.push((id, which, rule, missing.clone()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn where_no_storage_step_is_missing_none_is_blamed() {
    for id in UNNAMED {
        let explained = caught(id).explained();
        let missing = &explained.explanation.missing;
        assert_eq!(missing[0].rule, "nothing-lost", "{id}: {missing:?}");
    }
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
