//! `beaver zoo`: what is printed for people and for programs, and how it ends.

use crate::beaver::Place;
use crate::golden::check_golden;

#[test]
fn a_bug_is_named_caught_and_shrunk() {
    let ran = Place::empty().beaver("zoo B01 B14 S07").ends_with(0);
    check_golden("zoo.txt", &ran.stdout);
}

#[test]
fn json_has_an_entry_for_each_bug() {
    let ran = Place::empty().beaver("zoo b05 --format json").ends_with(0);
    let document = ran.complains("bugs         2").json();
    assert_eq!(document["verdict"], "pass");
    assert_eq!(document["caught"], 2);
    assert!(document["false_alarms"].as_array().unwrap().is_empty());
    let bugs = document["bugs"].as_array().unwrap();
    let ids: Vec<_> = bugs.iter().map(|bug| bug["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["B05a", "B05b"]);
    for bug in bugs {
        assert!(bug["source"].as_str().unwrap().contains("raft-recovery"));
        assert_eq!(bug["caught"], true);
        assert_eq!(bug["right"], true);
        assert!(bug["invariant"].is_u64());
        assert!(bug["runs"].as_u64().unwrap() > 0);
        assert_eq!(bug["profile"], "linux-ordered");
        assert!(bug["shrunk_commands"].as_u64().unwrap() <= 6);
        assert!(bug["shrunk_crashes"].as_u64().unwrap() <= 1);
        assert!(!bug["shrunk"].as_array().unwrap().is_empty());
        assert!(bug["scenario"]["script"]["steps"].is_array());
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_jobs() {
    let document = |jobs: u32| {
        let ran = Place::empty().beaver(&format!("zoo B01 B15 B36 --format json --jobs {jobs}"));
        let mut document = ran.ends_with(0).json();
        document["elapsed_ms"] = 0.into();
        document
    };
    assert_eq!(document(1), document(3));
}

#[test]
fn a_bug_that_is_not_caught_ends_with_1() {
    let ran = Place::empty().beaver("zoo B05a --seeds 1").ends_with(1);
    ran.says("NOT CAUGHT").says("verdict  violation");
}

#[test]
fn the_explorer_looks_too_where_it_is_asked() {
    let ran = Place::empty().beaver("zoo B34 --explore").ends_with(0);
    ran.says("explorer invariant 1 (durability)");
}

#[test]
fn a_bug_that_is_not_there_is_a_wrong_usage() {
    let ran = Place::empty().beaver("zoo B43").ends_with(2);
    ran.complains("no bug `B43` in the zoo");
}

#[test]
fn the_witnesses_are_no_scenarios_of_the_default_run() {
    let place = Place::with_small_scenario();
    place.write(
        "scenarios/zoo/B01.json",
        r#"{"claim": "not run by default"}"#,
    );
    place
        .beaver("run --seed 0")
        .ends_with(0)
        .says("scenarios    1\n");
}
