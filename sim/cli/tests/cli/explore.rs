//! `beaver explore`: what is printed for people and for programs, and that threads do not matter.

use serde_json::Value;

use crate::beaver::Place;

fn document(words: &str) -> Value {
    let ran = Place::empty().beaver(words).ends_with(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn small_workloads_are_exhaustive_and_clean() {
    let explored = document("explore --ops 1 --format json");
    assert_eq!(explored["verdict"], "pass");
    let names: Vec<_> = explored["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["name"].as_str().unwrap())
        .collect();
    let small = [
        "small-from-empty",
        "small-from-prepared",
        "small-preallocated",
        "small-without-fall-back",
        "small-failing-sync",
        "small-failing-sync-cache-kept",
    ];
    assert_eq!(names, small);
    for scenario in explored["scenarios"].as_array().unwrap() {
        for counter in ["crash_points", "enumerated", "dropped", "recoveries"] {
            assert!(scenario[counter].as_u64().unwrap() > 0, "{counter}");
        }
        assert_eq!(scenario["sampled"], 0);
        assert_eq!(scenario["exhaustive"], true);
        let all_torn = scenario["torn_capped"] == 0;
        assert_eq!(scenario["torn_exhaustive"], all_torn);
        assert_eq!(scenario["torn_sampled"] == 0, all_torn);
    }
    let torn = explored["scenarios"].as_array().unwrap().iter();
    assert!(
        torn.map(|one| one["torn_enumerated"].as_u64().unwrap())
            .sum::<u64>()
            > 0
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn number_of_threads_changes_nothing() {
    let hashes = |words| {
        let explored = document(words);
        let scenarios = explored["scenarios"].as_array().unwrap().clone();
        let hashes = scenarios
            .iter()
            .map(|scenario| scenario["trace_hash"].clone());
        hashes.collect::<Vec<_>>()
    };
    assert_eq!(
        hashes("explore --ops 1 --format json --jobs 1"),
        hashes("explore --ops 1 --format json --jobs 3")
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn more_images_than_the_cap_are_sampled_and_said_to_be() {
    let ran = Place::empty()
        .beaver("explore --ops 1 --depth 1 --cap 2")
        .ends_with(0);
    assert!(ran.stdout.contains("Not exhaustive: "), "{}", ran.stdout);
    let ran = Place::empty()
        .beaver("explore --ops 1 --depth 1 --torn-cap 1")
        .ends_with(0);
    assert!(
        ran.stdout.contains("Torn pages were sampled where"),
        "{}",
        ran.stdout
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn torn_pages_can_be_left_out_which_is_said() {
    let explored = document("explore --ops 1 --torn-cap 0 --format json");
    for scenario in explored["scenarios"].as_array().unwrap() {
        assert_eq!(scenario["torn_enumerated"], 0);
        assert_eq!(scenario["exhaustive"], true);
        assert_eq!(scenario["torn_exhaustive"], false);
    }
    let ran = Place::empty()
        .beaver("explore --ops 1 --torn-cap 0")
        .ends_with(0);
    assert!(
        ran.stdout.contains("zero fill. Torn pages were left out."),
        "{}",
        ran.stdout
    );
}
