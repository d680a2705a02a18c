//! A run that does not hold: what is printed, what is saved, and that the saved file shows the same failure again.
//!
//! The program under test keeps its promises, so the failures here are budgets that no program could keep.

use serde_json::Value;

use crate::beaver::Place;
use crate::golden::check_golden;

/// Disk use after a checkpoint counts as unbounded above one byte: invariant 11 cannot hold. The commands are written out,
/// so that what is printed changes only with the library.
const UNBOUNDED: &str = r#"{
  "claim": "disk use stays below 200 bytes",
  "seeds": "0..2",
  "script": {"steps": [
    {"enqueue": {"jobs": [{"id": "j", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
    "checkpoint"
  ]},
  "budget": {"disk_bytes": 200}
}
"#;

/// The same with commands that are drawn.
const DRAWN: &str = r#"{
  "claim": "disk use stays below 200 bytes",
  "workload": {"commands": 30, "weights": {"enqueue": 3, "checkpoint": 2}},
  "crashes": {"power_cut_in_command_per_mille": 200},
  "faults": [{"kind": "write-error", "per_mille": 50}],
  "budget": {"disk_bytes": 200}
}
"#;

/// Five storage calls are not enough for a run.
const EXHAUSTED: &str = r#"{
  "claim": "five calls are enough",
  "seeds": "0..2",
  "workload": {"commands": 6},
  "budget": {"storage_calls": 5}
}
"#;

/// The only folder in a directory of failures.
fn only_folder(place: &Place, directory: &str) -> String {
    let entries = std::fs::read_dir(place.path().join(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.collect();
    assert_eq!(names.len(), 1, "{names:?}");
    format!("{directory}/{}", names[0])
}

fn place_with(name: &str, scenario: &str) -> Place {
    let place = Place::empty();
    place.write(&format!("scenarios/{name}.json"), scenario);
    place
}

#[test]
fn a_violation_ends_with_1_and_is_printed_and_saved() {
    let place = place_with("unbounded", UNBOUNDED);
    let ran = place.beaver("run").ends_with(1);
    check_golden("run_violation.txt", &ran.stdout);
    let folder = only_folder(&place, "failures");
    assert!(
        folder.starts_with("failures/unbounded-hygiene-"),
        "{folder}"
    );
}

#[test]
fn a_saved_failure_is_a_folder_whose_stores_open() {
    let place = place_with("unbounded", UNBOUNDED);
    place.beaver("run").ends_with(1);
    let folder = only_folder(&place, "failures");
    let read = |file: &str| {
        let path = place.path().join(&folder).join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["invariant"], 11);
    assert_eq!(report["weakest"]["profile"], "linux-ordered");
    assert!(read("report.txt").contains("invariant 11 violated: hygiene"));
    let plan: Value = serde_json::from_str(&read("plan.json")).unwrap();
    assert_eq!(plan["crashes"], serde_json::json!([]));
    let calls = read("trace.jsonl");
    let calls = calls
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(calls.filter(|row| row["what"] == "call").count() > 20);
    // The only recovery of this run met an empty directory.
    assert!(place.path().join(&folder).join("before").is_dir());
    place
        .beaver(&format!("wal validate {folder}/after"))
        .ends_with(0);
    place
        .beaver(&format!("wal dump {folder}/after"))
        .ends_with(0)
        .says("ENQUEUE");
}

#[test]
fn a_page_is_written_where_it_is_asked_for() {
    let place = place_with("unbounded", UNBOUNDED);
    let page = |file: &str| std::fs::read_to_string(place.path().join(file)).unwrap();
    place.beaver("run --report run.html").ends_with(1);
    let run = page("run.html");
    for part in [
        "unbounded",
        "Invariant 11 violated: hygiene",
        "replayed-twice",
        "sync_dir",
    ] {
        assert!(run.contains(part), "{part}");
    }
    let folder = only_folder(&place, "failures");
    place
        .beaver(&format!("replay {folder} --report failure.html"))
        .ends_with(1);
    assert!(page("failure.html").contains("Invariant 11 violated"));
    place
        .beaver("explore --ops 1 --depth 1 --cap 2 --report explored.html")
        .ends_with(0);
    assert!(page("explored.html").contains("crash points"));
    place
        .beaver("run --report nowhere/run.html")
        .ends_with(2)
        .complains("nowhere/run.html");
}

#[test]
fn a_failure_of_the_zoo_replays_with_its_bug_injected() {
    let place = Place::empty();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/b14.json");
    place
        .beaver_words(&["replay", example, "--bug", "b14"])
        .ends_with(1)
        .says("the directory was never synced");
    place
        .beaver_words(&["replay", example, "--report", "page.html"])
        .ends_with(2)
        .complains("holds now");
    place
        .beaver_words(&["replay", example, "--bug", "B99"])
        .ends_with(2)
        .complains("no bug of the zoo");
}

#[test]
fn equal_failures_share_a_folder_that_counts_them() {
    let place = place_with("unbounded", UNBOUNDED);
    let ran = place.beaver("run").ends_with(1);
    ran.says("stands for 2 runs:");
    let folder = only_folder(&place, "failures");
    let seen = std::fs::read_to_string(place.path().join(&folder).join("seen.json")).unwrap();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        seen,
        serde_json::json!({"count": 2, "seeds": {"unbounded": [0, 1]}})
    );
    place.beaver("run --seed 1").ends_with(1);
    assert_eq!(only_folder(&place, "failures"), folder);
}

/// The same failure after one more command, in another scenario.
const TWICE: &str = r#"{
  "claim": "disk use stays below 200 bytes",
  "seeds": "0..3",
  "script": {"steps": [
    {"enqueue": {"jobs": [{"id": "z", "payload": "12", "max_attempts": 2, "timeout_ms": 7}]}},
    {"enqueue": {"jobs": [{"id": "j", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
    "checkpoint"
  ]},
  "budget": {"disk_bytes": 200}
}
"#;

#[test]
fn failures_that_shrink_to_the_same_history_are_one_wherever_they_were_met() {
    let place = place_with("unbounded", UNBOUNDED);
    place.write("scenarios/twice.json", TWICE);
    let ran = place.beaver("run").ends_with(1);
    let folder = only_folder(&place, "failures");
    let seen = std::fs::read_to_string(place.path().join(&folder).join("seen.json")).unwrap();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["count"], 5);
    ran.says("stands for 5 runs:").says(&format!(
        "unbounded: failed in 2 of its runs as in {folder}"
    ));
}

#[test]
fn without_shrinking_only_alike_failures_of_one_scenario_are_one() {
    let place = place_with("unbounded", UNBOUNDED);
    place.write("scenarios/twice.json", TWICE);
    place.beaver("run --no-shrink").ends_with(1);
    let folders = std::fs::read_dir(place.path().join("failures")).unwrap();
    assert_eq!(folders.count(), 2);
}

#[test]
fn a_saved_failure_that_holds_now_gives_way_to_one_that_does_not() {
    let place = place_with("unbounded", UNBOUNDED);
    place.beaver("run").ends_with(1);
    let file = only_folder(&place, "failures") + "/scenario.json";
    let text = std::fs::read_to_string(place.path().join(&file)).unwrap();
    let mut mended: Value = serde_json::from_str(&text).unwrap();
    mended["budget"]["disk_bytes"] = 1_000_000.into();
    mended["script"]["steps"] = serde_json::json!(["checkpoint"]);
    place.write(&file, &mended.to_string());
    place.beaver(&format!("replay {file}")).ends_with(0);
    place.beaver("run").ends_with(1);
    place.beaver(&format!("replay {file}")).ends_with(1);
}

#[test]
fn the_json_of_a_violation_names_invariant_seed_step_and_file() {
    let place = place_with("unbounded", UNBOUNDED);
    let document = place
        .beaver("run --format json --out elsewhere")
        .ends_with(1)
        .json();
    assert_eq!(document["verdict"], "violation");
    let violation = &document["scenarios"][0]["violations"][0];
    assert_eq!(violation["invariant"], 11);
    assert_eq!(violation["seed"], 0);
    assert!(violation["step"].as_u64().unwrap() > 0);
    assert_eq!(violation["file"], only_folder(&place, "elsewhere"));
    assert_eq!(violation["stands_for"], 2);
    let folded = &document["scenarios"][0]["violations"][1];
    assert_eq!(folded["file"], violation["file"]);
    assert_eq!(folded["stands_for"], Value::Null);
}

#[test]
fn a_saved_failure_replays_call_by_call_to_the_same_end() {
    let place = place_with("unbounded", UNBOUNDED);
    place.beaver("run --seed 0").ends_with(1);
    let folder = only_folder(&place, "failures");
    let ran = place.beaver(&format!("replay {folder}")).ends_with(1);
    check_golden("replay_violation.txt", &ran.stdout);
    let file = format!("{folder}/scenario.json");
    let document = place
        .beaver(&format!("replay {file} --format json"))
        .ends_with(1)
        .json();
    assert_eq!(document["verdict"], "violation");
    assert_eq!(document["violations"][0]["invariant"], 11);
    assert_eq!(document["violations"][0]["file"], file);
    let calls = document["storage_calls"].as_u64().unwrap();
    let lines = document["trace"].as_array().unwrap().len() as u64;
    assert!(lines >= calls, "{lines} lines for {calls} calls");
}

#[test]
fn a_replay_draws_no_random_number() {
    let place = place_with("drawn", DRAWN);
    for seed in 0..5 {
        let ran = place
            .beaver(&format!(
                "run --seed {seed} --no-shrink --format json --out failures-{seed}"
            ))
            .ends_with(1)
            .json();
        let file = only_folder(&place, &format!("failures-{seed}")) + "/scenario.json";
        let replay = |file: &str| {
            let mut document = place
                .beaver(&format!("replay {file} --format json"))
                .ends_with(1)
                .json();
            document["violations"][0]["file"] = Value::Null;
            document
        };
        let original = replay(&file);
        let violation = &ran["scenarios"][0]["violations"][0];
        assert_eq!(original["violations"][0]["found"], violation["found"]);
        assert_eq!(original["violations"][0]["step"], violation["step"]);
        // The same script under other seeds and another workload is the same run.
        let text = std::fs::read_to_string(place.path().join(&file)).unwrap();
        let mut scenario: Value = serde_json::from_str(&text).unwrap();
        scenario["seeds"] = "900..901".into();
        scenario["workload"]["commands"] = 77.into();
        place.write("other.json", &scenario.to_string());
        assert_eq!(replay("other.json"), original);
    }
}

#[test]
fn a_budget_that_runs_out_ends_with_3() {
    let place = place_with("exhausted", EXHAUSTED);
    place.beaver("run").ends_with(3).says("a budget ran out");
    let document = place.beaver("run --format json").ends_with(3).json();
    assert_eq!(document["verdict"], "budget");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn no_invariant_is_blamed_for_a_budget_wherever_it_runs_out() {
    for calls in [12, 20, 30, 40, 60, 80] {
        let place = place_with(
            "exhausted",
            &format!(
                r#"{{"claim": "c", "seeds": "0..20", "workload": {{"commands": 12}},
                "crashes": {{"power_cut_in_command_per_mille": 300}}, "budget": {{"storage_calls": {calls}}}}}"#
            ),
        );
        let run = place.beaver("run --format json").ends_with(3).json();
        assert_eq!(run["verdict"], "budget", "{calls} calls");
        let explored = place.beaver("explore --format json").json();
        let verdict = &explored["verdict"];
        assert!(
            verdict == "budget" || verdict == "pass",
            "{calls} calls: {verdict}"
        );
    }
}

#[test]
fn a_violation_wins_over_a_budget_and_a_missed_mark() {
    let place = place_with("unbounded", UNBOUNDED);
    place.write("scenarios/exhausted.json", EXHAUSTED);
    place.write(
        "scenarios/unreached.json",
        r#"{"claim": "c", "seeds": "0..2", "workload": {"commands": 2}, "expect": {"marks": ["lenient-skipped"]}}"#,
    );
    let document = place.beaver("run --format json").ends_with(1).json();
    let verdicts: Vec<&Value> = document["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| &scenario["verdict"])
        .collect();
    assert_eq!(verdicts, ["budget", "violation", "coverage"]);
    place.beaver("run exhausted unreached").ends_with(3);
}

#[test]
fn a_failure_that_cannot_be_saved_is_a_failure_all_the_same() {
    let place = place_with("unbounded", UNBOUNDED);
    place.beaver("run --seed 0").ends_with(1);
    let folder = only_folder(&place, "failures");
    std::fs::remove_dir_all(place.path().join("failures")).unwrap();
    place.write(&folder, "a file");
    let ran = place
        .beaver("run --seed 0")
        .ends_with(1)
        .complains("warning: not saved");
    ran.says("run unbounded --seed 0 --fs posix");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn where_nothing_can_be_saved_nothing_runs() {
    let place = Place::with_small_scenario();
    place.write("taken", "a file");
    place.write("folder/file", "");
    for command in ["run --seed 0", "explore --ops 1 --depth 1", "zoo B01"] {
        for wrong in [
            "--out taken",
            "--out taken/below",
            "--report folder",
            "--report none/page.html",
            "--report taken/page.html",
        ] {
            let ran = place.beaver(&format!("{command} {wrong}")).ends_with(2);
            assert_eq!(ran.stdout, "", "{command} {wrong}");
            let path = wrong.split(' ').next_back().unwrap();
            ran.complains(&format!("error: {path}: "));
        }
        place
            .beaver(&format!("{command} --out below/new"))
            .ends_with(0);
    }
    // Nothing is left of looking there.
    let names = std::fs::read_dir(place.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["below", "folder", "scenarios", "taken"]);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_bug_that_cannot_be_saved_ends_the_zoo_with_2() {
    let place = Place::empty();
    place.write("caught/B01", "a file");
    let ran = place.beaver("zoo B01 --out caught").ends_with(2);
    ran.says("verdict  pass")
        .complains("warning: not saved")
        .complains("error: 1 failure could not be saved");
}

#[cfg(unix)]
#[test]
fn a_page_takes_the_place_of_another_at_its_end_alone_and_keeps_its_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::with_small_scenario();
    let page = place.write("pages/page.html", "an older page");
    std::fs::set_permissions(&page, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("pages/page.html", place.path().join("link.html")).unwrap();
    // A usage error leaves it alone.
    place.beaver("run none --report link.html").ends_with(2);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "an older page");
    place.beaver("run --seed 0 --report link.html").ends_with(0);
    assert!(std::fs::read_to_string(&page).unwrap().contains("</html>"));
    assert!(place.path().join("link.html").is_symlink());
    let mode = std::fs::metadata(&page).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let names = std::fs::read_dir(place.path().join("pages")).unwrap();
    assert_eq!(names.count(), 1);
    // A device is written to, not replaced.
    place.beaver("run --seed 0 --report /dev/null").ends_with(0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_saved_failure_that_was_edited_by_mistake_is_refused_with_its_line() {
    let place = place_with("unbounded", UNBOUNDED);
    place.beaver("run --seed 0").ends_with(1);
    let folder = only_folder(&place, "failures");
    let file = place.path().join(&folder).join("scenario.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"enqueue\"", "\"enqeue\"", 2)).unwrap();
    let ran = place.beaver(&format!("replay {folder}")).ends_with(2);
    ran.complains("(did you mean `enqueue`?)");
}

#[test]
fn a_failure_of_a_store_of_ones_own_names_the_test_that_replays_it() {
    let place = Place::empty();
    let folder = place.path().join("shelf-1");
    std::fs::create_dir(&folder).unwrap();
    let here = folder.canonicalize().unwrap();
    let scenario = r#"{"name":"Shelf","seeds":"0..1","script":{"steps":[[1,1]]}}"#;
    std::fs::write(folder.join("scenario.json"), scenario).unwrap();
    let report = r#"{"replay":"BEAVER_REPLAY=/where/it/was/saved cargo test shelf"}"#;
    std::fs::write(folder.join("report.json"), report).unwrap();
    for command in ["replay", "shrink"] {
        for named in ["shelf-1", "shelf-1/scenario.json"] {
            place
                .beaver(&format!("{command} {named}"))
                .ends_with(2)
                .complains(&format!(
                    "whose test runs it again: BEAVER_REPLAY={} cargo test shelf",
                    here.display()
                ));
        }
    }
}
