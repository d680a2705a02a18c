//! `beaver run`.

use crate::beaver::Place;
use crate::golden::check_golden;

/// A scenario that draws nothing, so that its counts change only with the library.
const WRITTEN_OUT: &str = r#"{
  "claim": "a job survives a power cut",
  "seeds": "0..2",
  "script": {"steps": [
    {"enqueue": {"jobs": [{"id": "j", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
    {"power-cut": {}},
    "dispatch"
  ]}
}
"#;

#[test]
fn without_a_command_everything_in_scenarios_runs() {
    let place = Place::empty();
    place.write("scenarios/written_out.json", WRITTEN_OUT);
    let ran = place.beaver("").ends_with(0);
    check_golden("run_written_out.txt", &ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn what_all_scenarios_must_reach_together_is_written_down() {
    let place = Place::empty();
    place.write("scenarios/written_out.json", WRITTEN_OUT);
    // The run makes this call, and no process dies at it.
    place.write("scenarios/must-reach.txt", ". list: before\n");
    place
        .beaver("run")
        .ends_with(7)
        .says("\n  . list: before after\n");
    // No scenario makes this call any more.
    let gone = "snapshot-#.json rename: inside rename-error";
    place.write("scenarios/must-reach.txt", gone);
    place
        .beaver("run")
        .ends_with(7)
        .says("0 of 1 faults at calls reached")
        .says(&format!("\n  {gone}\n"));
    let ran = place.beaver("run --format json").ends_with(7);
    let missed = ran.json()["missed"].clone();
    assert!(
        missed.as_array().unwrap().contains(&gone.into()),
        "{missed}"
    );
    // Other seeds and single scenarios reach other things.
    place.beaver("run --seeds 0..2").ends_with(0);
    place.beaver("run written_out").ends_with(0);
    place.write("scenarios/must-reach.txt", "");
    place
        .beaver("run")
        .ends_with(2)
        .complains("it names nothing that must be reached");
}

#[test]
fn a_scenario_is_a_name_a_file_or_a_directory() {
    let place = Place::with_small_scenario();
    for scenario in ["small", "small.json", "scenarios/small.json", "scenarios"] {
        place
            .beaver(&format!("run {scenario} --seed 1"))
            .ends_with(0)
            .says("\nsmall ");
    }
}

#[test]
fn version_seed_and_configuration_come_before_any_work() {
    let place = Place::with_small_scenario();
    let ran = place
        .beaver("run --seed 0x10 --fs alice --jobs 1 --out elsewhere")
        .ends_with(0);
    let header: Vec<&str> = ran.stdout.lines().take(8).collect();
    assert_eq!(
        header,
        [
            concat!("beaver ", env!("CARGO_PKG_VERSION")),
            "scenarios    1",
            "runs         1",
            "seeds        16..17 (from --seed); coverage is reported, not judged",
            "profile      alice (from --fs)",
            "jobs         1",
            "failures     elsewhere",
            "processes    one",
        ]
    );
}

#[test]
fn the_environment_is_the_fallback_for_the_seed() {
    let place = Place::with_small_scenario().set("BEAVER_SEED", "0x2a");
    place
        .beaver("run")
        .ends_with(0)
        .says("42..43 (from BEAVER_SEED)");
    place
        .beaver("run --seed 3")
        .ends_with(0)
        .says("3..4 (from --seed)");
    place
        .beaver("run --seeds 3..5")
        .ends_with(0)
        .says("3..5 (from --seeds)");
}

#[test]
fn json_is_one_object_and_the_rest_goes_to_standard_error() {
    let place = Place::with_small_scenario();
    let ran = place
        .beaver("run --format json")
        .ends_with(0)
        .complains("beaver ");
    let document = ran.json();
    assert_eq!(document["tool"], "beaver");
    assert_eq!(document["verdict"], "pass");
    assert!(document["elapsed_ms"].is_u64());
    let scenario = &document["scenarios"][0];
    assert_eq!(scenario["name"], "small");
    assert_eq!(scenario["seeds"], "0..5");
    assert_eq!(scenario["runs"], 5);
    let counters = [
        "commands",
        "storage_calls",
        "crashes",
        "recoveries",
        "images_checked",
    ];
    for counter in counters {
        assert!(scenario[counter].is_u64(), "{counter}");
    }
    assert!(scenario["faults_fired"].is_object());
    assert!(scenario["marks"].is_object());
    assert!(scenario["violations"].as_array().unwrap().is_empty());
    let hash = scenario["trace_hash"].as_str().unwrap();
    assert_eq!(hash.len(), 16);
    assert!(
        hash.chars()
            .all(|digit| matches!(digit, '0'..='9' | 'a'..='f')),
        "{hash}"
    );
}

#[test]
fn the_result_does_not_depend_on_the_number_of_jobs() {
    let place = Place::with_small_scenario();
    let result = |jobs: u32| {
        let ran = place
            .beaver(&format!("run --format json --jobs {jobs}"))
            .ends_with(0);
        let mut scenario = ran.json()["scenarios"][0].clone();
        scenario["elapsed_ms"] = 0.into();
        scenario
    };
    assert_eq!(result(1), result(4));
}

#[test]
fn a_directory_that_is_empty_measures_nothing() {
    let place = Place::empty();
    std::fs::create_dir(place.path().join("scenarios")).unwrap();
    place.beaver("run").ends_with(6);
    let document = place.beaver("run --format json").ends_with(6).json();
    assert_eq!(document["verdict"], "nothing");
}

#[test]
fn a_mark_that_is_never_reached_ends_with_7_unless_other_seeds_were_asked_for() {
    let place = Place::empty();
    place.write(
        "scenarios/unreached.json",
        r#"{"claim": "c", "seeds": "0..3", "script": {"steps": ["checkpoint"]}, "expect": {"marks": ["lenient-skipped"]}}"#,
    );
    let ran = place.beaver("run").ends_with(7);
    check_golden("run_unreached.txt", &ran.stdout);
    let document = place.beaver("run --format json").ends_with(7).json();
    assert_eq!(document["verdict"], "coverage");
    assert_eq!(document["scenarios"][0]["marks"]["lenient-skipped"], 0);
    place
        .beaver("run --seed 0")
        .ends_with(0)
        .says("not judged:\n  unreached: marks lenient-skipped\n");
}

#[test]
fn the_last_seed_there_is_runs_once_on_any_number_of_threads() {
    let place = Place::with_small_scenario();
    for jobs in [1, 2, 1000] {
        let command = format!("run small --seed 18446744073709551614 --jobs {jobs} --format json");
        let document = place.beaver(&command).ends_with(0).json();
        assert_eq!(document["scenarios"][0]["runs"], 1, "{jobs}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_anything_runs() {
    let place = Place::with_small_scenario();
    for command in ["run small", "explore small", "zoo B14"] {
        let ran = place
            .beaver(&format!("{command} --report nowhere/page.html"))
            .ends_with(2);
        assert_eq!(ran.stdout, "", "{command}");
        assert!(
            ran.stderr.starts_with("error: nowhere/page.html: "),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_fault_that_never_fires_ends_with_7() {
    let place = Place::empty();
    place.write(
        "scenarios/unfired.json",
        r#"{"claim": "c", "seeds": "0..3", "workload": {"commands": 3}, "faults": [{"kind": "bit-flip", "per_mille": 0}]}"#,
    );
    place
        .beaver("run")
        .ends_with(7)
        .says("fault bit-flip is on and never fired");
}

#[test]
fn colour_is_for_terminals_and_those_who_ask() {
    let place = Place::with_small_scenario();
    assert!(!place.beaver("run --seed 1").stdout.contains('\u{1b}'));
    let asked = Place::with_small_scenario().set("CLICOLOR_FORCE", "1");
    assert!(asked.beaver("run --seed 1").stdout.contains("\u{1b}["));
    let declined = Place::with_small_scenario()
        .set("CLICOLOR_FORCE", "0")
        .set("NO_COLOR", "1");
    assert!(!declined.beaver("run --seed 1").stdout.contains('\u{1b}'));
}

#[test]
fn a_second_process_agrees() {
    let place = Place::with_small_scenario();
    place
        .beaver("run --check-determinism")
        .ends_with(0)
        .says("two for each seed, compared");
}

#[cfg(unix)]
#[test]
fn a_second_process_that_differs_ends_with_5_and_shows_the_first_call() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_small_scenario();
    let program = env!("CARGO_BIN_EXE_beaver");
    // A second process whose seed 2 differs from the third line of its trace on.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--calls-of*) '{program}' \"$@\" | sed '3s/^/other /' ;;\n\
         *--each*) '{program}' \"$@\" | sed '/^2 /s/.$/z/' ;;\n*) echo different ;;\nesac\n"
    );
    let second = place.write("second.sh", &script);
    std::fs::set_permissions(&second, std::fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("run --check-determinism --second {}", second.display());
    let ran = place.beaver(&line).ends_with(5);
    let shown = ran
        .says("small: not deterministic: in two processes seed 2 differs at line 3 of its trace");
    shown.says("  second  other ");
    let document = place
        .beaver(&format!("{line} --format json"))
        .ends_with(5)
        .json();
    assert_eq!(document["verdict"], "nondeterministic");
    assert_eq!(document["scenarios"][0]["disagreement"]["seed"], 2);
}

/// What the library cannot survive: a system that keeps its cache, and pages that stay unwritten.
const EXPECTS_A_FAILURE: &str = r#"{
  "claim": "c", "seeds": "0..500", "keeps_cache": true,
  "workload": {
    "commands": 28,
    "weights": {"enqueue": 30, "enqueue-batch": 10, "dispatch": 20, "ack": 14, "fail": 4, "group": 10, "checkpoint": 4, "reopen": 2, "kill": 2, "power-cut": 4},
    "payload_bytes": [0, 3000]
  },
  "crashes": {"power_cut_in_command_per_mille": 50, "kill_in_command_per_mille": 50, "in_recovery_per_mille": 60},
  "faults": [{"kind": "sync-mark-clean-unwritten", "per_mille": 30}],
  "expect": {"violation": "decided stays decided"}
}"#;

#[test]
fn an_expected_failure_is_no_pass_and_no_error_and_nothing_is_saved() {
    let place = Place::with_small_scenario();
    place.write("scenarios/mended.json", EXPECTS_A_FAILURE);
    let ran = place
        .beaver("run mended --seeds 0..60")
        .ends_with(0)
        .says("  expected-failure ")
        .says("\nmended: expected failure, found: invariant 3 (decided stays decided) in ");
    assert!(!ran.stdout.contains("violated"), "{}", ran.stdout);
    assert!(!place.path().join("failures").exists());
    let document = place.beaver("run --seeds 0..60 --format json").ends_with(0);
    let document = document.json();
    assert_eq!(document["verdict"], "pass", "with one that held");
    let scenario = &document["scenarios"][0];
    assert_eq!(scenario["name"], "mended");
    assert_eq!(scenario["verdict"], "expected-failure");
    assert_eq!(scenario["failed_runs"], 0);
    let expected = &scenario["expected_failure"];
    assert_eq!(expected["invariant"], 3);
    assert!(expected["runs"].as_u64().unwrap() > 0, "{expected}");
}

#[test]
fn a_failure_that_is_expected_and_not_found_fails_the_run() {
    let place = Place::empty();
    let mended = r#"{"claim": "c", "seeds": "0..3", "expect": {"violation": "durability"}}"#;
    place.write("scenarios/mended.json", mended);
    place
        .beaver("run")
        .ends_with(7)
        .says("\nmended: expected to fail, and did not: no run violated invariant 1 (durability);");
    place
        .beaver("run --seed 1")
        .ends_with(0)
        .says("mended: expected failure durability");
}

#[test]
fn another_failure_than_the_expected_one_is_a_violation() {
    let place = Place::empty();
    let other = EXPECTS_A_FAILURE.replace("decided stays decided", "hygiene");
    place.write("scenarios/other.json", &other);
    place
        .beaver("run --seeds 0..20 --no-shrink")
        .ends_with(1)
        .says("invariant 3 violated");
}

#[test]
fn quiet_says_what_is_wrong_and_the_last_line() {
    let place = Place::with_small_scenario();
    let ran = place.beaver("run --quiet").ends_with(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.starts_with("total "), "{}", ran.stdout);
    let ran = place.beaver("run -q --format json").ends_with(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.json()["verdict"], "pass");
    place.write(
        "scenarios/wrong.json",
        r#"{"claim": "c", "seeds": "0..2", "workload": {"commands": 30, "weights": {"enqueue": 3, "checkpoint": 2}},
        "budget": {"disk_bytes": 1}}"#,
    );
    let ran = place.beaver("run -q").ends_with(1);
    assert!(ran.stdout.starts_with("wrong "), "{}", ran.stdout);
    ran.says("invariant 11 violated");
}

#[test]
fn verbose_says_what_each_scenario_claims() {
    let place = Place::with_small_scenario();
    let ran = place.beaver("run -v").ends_with(0);
    ran.says("\n  acknowledged events survive; seeds 0..5, profile posix\n");
    place
        .beaver("run -v -q")
        .ends_with(2)
        .complains("cannot be used with");
}

#[test]
fn acknowledged_events_that_no_store_could_keep_are_explained() {
    let rot = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scenarios/rot-is-reported-and-never-replayed.json"
    );
    let ran = Place::empty()
        .beaver_words(&["run", rot, "--seeds", "0..60"])
        .ends_with(0);
    ran.says("acknowledged events lost, and no promise broken: an injected fault damaged the disk")
        .says("(`beaver invariants` lists all of them)");
}
