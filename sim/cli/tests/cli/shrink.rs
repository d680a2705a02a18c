//! `beaver shrink`: a saved failure made smaller, written out, and replayed to the same end.

use crate::beaver::Place;
use crate::golden::check_golden;

/// Disk use above one byte after a checkpoint counts as unbounded; the first commands have nothing
/// to do with it.
const FAILURE: &str = r#"{
  "name": "unbounded",
  "claim": "disk use stays below 200 bytes",
  "script": {"steps": [
    {"enqueue": {"jobs": [
      {"id": "job-1", "payload": "[1, 2, 3]", "max_attempts": 3, "timeout_ms": 500},
      {"id": "job-2", "payload": "{}", "max_attempts": 3, "timeout_ms": 500}]}},
    "dispatch",
    {"power-cut": {}},
    {"ack": {"id": "job-1"}},
    "reopen",
    {"group": {"steps": ["dispatch", "dispatch"]}},
    "checkpoint"
  ]},
  "budget": {"disk_bytes": 200}
}
"#;

fn place() -> Place {
    let place = Place::empty();
    place.write("failures/long.json", FAILURE);
    place
}

#[test]
fn what_is_left_is_shown_and_written_beside() {
    let place = place();
    let ran = place.beaver("shrink failures/long.json").ends_with(1);
    check_golden("shrink.txt", &ran.stdout);
    let text = std::fs::read_to_string(place.path().join("failures/long-shrunk.json")).unwrap();
    check_golden("shrink.json", &text);
    place
        .beaver("replay failures/long-shrunk.json")
        .ends_with(1)
        .says("invariant 11 violated");
}

#[test]
fn json_says_how_large_it_was_and_is() {
    let place = place();
    let ran = place
        .beaver("shrink failures/long.json --out small.json --format json")
        .ends_with(1);
    let document = ran.complains("shrinks      failures/long.json").json();
    assert_eq!(document["invariant"], 11);
    assert_eq!(document["before"]["commands"], 7);
    assert_eq!(document["before"]["crashes"], 1);
    assert_eq!(document["after"]["commands"], 2);
    assert_eq!(document["after"]["crashes"], 0);
    assert_eq!(document["complete"], true);
    assert_eq!(document["file"], "small.json");
    assert!(place.path().join("small.json").is_file());
    assert!(!place.path().join("failures/long-shrunk.json").exists());
}

#[test]
fn a_limit_stops_it_and_it_goes_on_from_there() {
    let place = place();
    place
        .beaver("shrink failures/long.json --runs 2")
        .ends_with(1)
        .says("the limit was reached");
    place
        .beaver("shrink failures/long-shrunk.json")
        .ends_with(1)
        .says("nothing smaller fails alike")
        .says("written  failures/long-shrunk.json");
}

#[test]
fn what_holds_or_has_no_script_is_refused() {
    let place = Place::with_small_scenario();
    place
        .beaver("shrink scenarios/small.json")
        .ends_with(2)
        .complains("has no `script`");
    place.write(
        "holds.json",
        &FAILURE.replace("\"disk_bytes\": 200", "\"disk_bytes\": 0"),
    );
    place
        .beaver("shrink holds.json")
        .ends_with(2)
        .complains("does not fail with this build");
}

/// How many commands the only failure has that `beaver run` saved.
fn saved_commands(words: &str) -> usize {
    let place = Place::empty();
    place.write("scenarios/unbounded.json", FAILURE);
    place.beaver(words).ends_with(1);
    let mut folders = std::fs::read_dir(place.path().join("failures")).unwrap();
    let file = folders
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("scenario.json");
    let text = std::fs::read_to_string(file).unwrap();
    let scenario: serde_json::Value = serde_json::from_str(&text).unwrap();
    scenario["script"]["steps"].as_array().unwrap().len()
}

#[test]
fn what_run_finds_is_shrunk_before_it_is_saved_unless_that_is_switched_off() {
    assert_eq!(saved_commands("run --seed 0"), 2);
    assert_eq!(saved_commands("run --seed 0 --no-shrink"), 7);
}
