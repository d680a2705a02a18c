//! `beaver zoo`: what is printed for people and for programs, and how it ends.

use crate::beaver::Place;
use crate::golden::check_golden;

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_bug_is_named_caught_and_shrunk() {
    let ran = Place::empty().beaver("zoo B01 B14 S07").ends_with(0);
    check_golden("zoo.txt", &ran.stdout);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
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
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
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
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_bug_that_is_not_caught_ends_with_1() {
    let ran = Place::empty().beaver("zoo B05a --seeds 1").ends_with(1);
    ran.says("NOT CAUGHT").says("verdict  violation");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_explorer_looks_too_where_it_is_asked() {
    let ran = Place::empty().beaver("zoo B34 --explore").ends_with(0);
    ran.says("explorer invariant 1 (durability)")
        .says(" recoveries of 3,120 workloads");
}

/// The command after the `replay` of a bug, without the program.
fn replay_of(stdout: &str, id: &str) -> String {
    let block = stdout.split("\n\n").find(|block| block.starts_with(id));
    let lines = block
        .unwrap_or_else(|| panic!("no {id} in:\n{stdout}"))
        .lines();
    let mut lines = lines.filter_map(|line| line.trim_start().strip_prefix("replay "));
    let command = lines
        .next()
        .unwrap_or_else(|| panic!("{id} has no replay:\n{stdout}"));
    let words = command.trim_start().split_once(' ');
    words.unwrap().1.to_owned()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn each_bug_is_saved_where_it_is_asked_for_and_replays_with_one_command() {
    let place = Place::empty();
    let ran = place
        .beaver("zoo B03 S03 --out caught --report zoo.html")
        .ends_with(0);
    for (id, invariant) in [("B03", "invariant"), ("S03", "invariant")] {
        let folder = place.path().join("caught").join(id);
        for file in [
            "scenario.json",
            "plan.json",
            "trace.jsonl",
            "report.txt",
            "report.json",
        ] {
            assert!(folder.join(file).is_file(), "{id} {file}");
        }
        for image in ["before", "after"] {
            assert!(folder.join(image).is_dir(), "{id} {image}");
        }
        let replay = replay_of(&ran.stdout, id);
        assert_eq!(replay, format!("replay caught/{id} --bug {id}"));
        let again = place.beaver(&replay).ends_with(1);
        again.says(invariant).says(&format!("{id}, profile"));
        // The folder knows its bug.
        let again = place.beaver(&format!("replay caught/{id}")).ends_with(1);
        again.says(&format!("injected     {id} "));
        // Without the bug the same history holds.
        place
            .beaver(&format!("replay caught/{id} --bug none"))
            .ends_with(0);
        place
            .beaver(&format!("shrink caught/{id} --out smaller.json"))
            .ends_with(1);
        // A file elsewhere does not know it, and says what is missing.
        place
            .beaver("replay smaller.json")
            .ends_with(0)
            .complains(&format!("`--bug {id}` does"));
    }
    let page = std::fs::read_to_string(place.path().join("zoo.html")).unwrap();
    for part in [
        "B03",
        "S03",
        "caught by",
        "false alarms",
        "replay caught/B03 --bug B03",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn json_says_where_a_bug_is_saved() {
    let place = Place::empty();
    let document = place
        .beaver("zoo B01 --out caught --format json")
        .ends_with(0)
        .json();
    assert_eq!(document["bugs"][0]["file"], "caught/B01");
    let replay = document["bugs"][0]["replay"].as_str().unwrap();
    assert!(replay.ends_with("replay caught/B01 --bug B01"), "{replay}");
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
