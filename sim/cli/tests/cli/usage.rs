//! Wrong usage ends with 2 and says what was wrong; nothing runs.

use crate::beaver::Place;

#[track_caller]
fn check_refused(line: &str, why: &str) {
    let ran = Place::with_small_scenario()
        .beaver(line)
        .ends_with(2)
        .complains(why);
    assert_eq!(ran.stdout, "", "{line}");
}

#[test]
fn a_seed_that_is_no_number_is_refused() {
    check_refused("run --seed seven", "`seven` is not a seed");
    check_refused("--seed -1", "`-1` is not a seed: write a number");
    check_refused("explore --seed -1", "`-1` is not a seed");
    check_refused("run --seed 0xg", "`0xg` is not a seed");
}

#[test]
fn a_seed_from_the_environment_that_is_no_number_is_refused() {
    let place = Place::with_small_scenario().set("BEAVER_SEED", "seven");
    place
        .beaver("run")
        .ends_with(2)
        .complains("the environment variable BEAVER_SEED: `seven` is not a seed");
}

#[test]
fn a_range_without_a_seed_is_refused() {
    check_refused("run --seeds 5..5", "5..5");
    check_refused("run --seeds 9..1", "9..1");
    check_refused("run --seeds 5", "A..B");
}

#[test]
fn a_seed_and_a_range_exclude_each_other() {
    check_refused("run --seed 1 --seeds 1..2", "cannot be used with");
}

#[test]
fn jobs_must_be_at_least_one() {
    for command in ["run", "explore", "zoo"] {
        for wrong in ["0", "-1", "many"] {
            let why = format!("`{wrong}` is no number of threads: write 1 or more");
            check_refused(&format!("{command} --jobs {wrong}"), &why);
        }
    }
}

#[test]
fn a_seed_that_would_choose_nothing_is_refused() {
    for seed in ["--seed 3", "--seeds 0..9"] {
        check_refused(&format!("explore --ops 1 {seed}"), "need no seed");
    }
    check_refused("explore --ops 0", "0 is not in 1..=6");
}

#[test]
fn an_unknown_command_flag_or_format_is_refused() {
    check_refused("rnu", "unrecognized subcommand 'rnu'");
    check_refused("run --sed 1", "--seed");
    check_refused("run --format xml", "possible values: text, json");
}

#[test]
fn an_unknown_profile_is_named_with_what_was_meant() {
    check_refused(
        "run --fs posx",
        "unknown profile `posx` (did you mean `posix`?)",
    );
}

#[test]
fn a_profile_goes_by_the_name_of_its_file_system_too() {
    let place = Place::empty();
    place.write("scenarios/tiny.json", r#"{"claim": "c"}"#);
    for name in ["ext4", "xfs", "btrfs"] {
        let ran = place.beaver(&format!("run tiny --seed 1 --fs {name}"));
        ran.ends_with(0)
            .says(&format!("profile      {name} (from --fs)"));
    }
}

#[test]
fn a_folder_without_scenarios_does_not_hide_the_scenario_of_its_name() {
    let place = Place::empty();
    place.write("scenarios/tiny.json", r#"{"claim": "c"}"#);
    std::fs::create_dir(place.path().join("tiny")).unwrap();
    let ran = place.beaver("run tiny --seed 1 --format json");
    assert_eq!(ran.json()["scenarios"][0]["name"], "tiny", "{}", ran.stdout);
}

#[test]
fn what_is_of_another_command_or_store_is_said_to_be() {
    let place = Place::empty();
    place.write("nodes.json", r#"{"claim": "c", "nodes": 3, "nods": 1}"#);
    let ran = place.beaver("run nodes.json").ends_with(2);
    ran.complains("nodes.json: is a scenario of a cluster: use `beaver cluster`");
    place.write("empty.json", "{}");
    let ran = place.beaver("run empty.json").ends_with(2);
    ran.complains("missing field `claim`");
    for sync in ["every-append", "on-request"] {
        let text = format!(
            r#"{{"claim":"c","log":{{"sync":"{sync}"}},"workload":{{"weights":{{"op":1}}}}}}"#
        );
        place.write("op.json", &text);
        let ran = place.beaver("run op.json").ends_with(2);
        ran.complains(
            "`workload.weights.op`: only of a store of one's own, which has its own test",
        );
    }
}

#[test]
fn an_unknown_scenario_is_named_with_what_was_meant() {
    check_refused(
        "run smal",
        "smal: neither a file nor a scenario in scenarios/ (did you mean `small`?)",
    );
}

#[test]
fn a_directory_that_is_not_there_is_refused() {
    Place::empty()
        .beaver("run claims/")
        .ends_with(2)
        .complains("claims/");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn without_a_directory_of_scenarios_those_of_the_program_run() {
    let place = Place::empty();
    let ran = place.beaver("--seed 0").ends_with(0);
    ran.says(" (built in: there is no scenarios/ here)\n")
        .says("\nswarm ");
    place
        .beaver("run swarm --seed 1 --check-determinism")
        .ends_with(0)
        .says("scenarios    1 (built in");
    place
        .beaver("run swarn --seed 1")
        .ends_with(2)
        .complains("did you mean `swarm`?");
    place.write("scenarios/own.json", r#"{"claim": "c"}"#);
    let ran = place.beaver("--seed 0").ends_with(0);
    ran.says("scenarios    1\n");
    place.beaver("run swarm").ends_with(2);
}

#[test]
fn a_replay_without_a_file_or_of_a_missing_one_is_refused() {
    check_refused("replay", "<FILE>");
    check_refused("replay nowhere.json", "nowhere.json");
}

#[test]
fn a_scenario_is_not_a_saved_failure() {
    check_refused(
        "replay scenarios/small.json",
        "it is a scenario and not a saved failure",
    );
}

#[test]
fn a_scenario_that_is_named_twice_runs_once_and_two_of_one_name_are_refused() {
    let place = Place::with_small_scenario();
    let ran = place
        .beaver("run small scenarios/small.json scenarios --seed 1")
        .ends_with(0);
    assert_eq!(ran.stdout.matches("\nsmall ").count(), 1);
    place.write("elsewhere/small.json", r#"{"claim": "c"}"#);
    let ran = place.beaver("run small elsewhere --seed 1").ends_with(2);
    ran.complains("the name `small` is that of scenarios/small.json too");
}
