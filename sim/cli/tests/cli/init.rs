//! `beaver init`. That its test compiles and finds a missing sync is shown by `.ci/outside`, in a crate of its own.

use crate::beaver::Place;

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_first_scenario_holds() {
    let place = Place::empty();
    let ran = place.beaver("init").ends_with(0);
    assert!(ran.stdout.contains("beaver run first"), "{}", ran.stdout);
    assert!(ran.stdout.contains("cargo init --lib"), "{}", ran.stdout);
    place.beaver("run first --seeds 0..100").ends_with(0);
    // Without a name too: it is the only scenario here.
    let all = place.beaver("run --seeds 0..100").ends_with(0);
    assert!(all.stdout.contains("first"), "{}", all.stdout);
}

#[test]
fn it_overwrites_nothing() {
    let place = Place::empty();
    place.write("there/tests/crash.rs", "mine");
    let ran = place.beaver("init there").ends_with(2);
    assert!(
        ran.stderr
            .contains("there/tests/crash.rs: it is there already"),
        "{}",
        ran.stderr
    );
    let mine = std::fs::read_to_string(place.path().join("there/tests/crash.rs"));
    assert_eq!(mine.unwrap(), "mine");
    assert!(!place.path().join("there/scenarios").exists());
}
