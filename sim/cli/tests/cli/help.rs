//! The help teaches: what can be done, by example, and what the exit codes mean.

use crate::beaver::Place;
use crate::golden::check_golden;

#[track_caller]
fn check_help(words: &str, golden: &str) {
    let ran = Place::empty().beaver(words).ends_with(0);
    assert_eq!(ran.stderr, "");
    check_golden(golden, &ran.stdout);
}

#[test]
fn help_shows_examples_and_exit_codes() {
    check_help("--help", "help.txt");
}

#[test]
fn help_of_run_names_every_flag() {
    check_help("run --help", "help_run.txt");
}

#[test]
fn help_of_images_explains_the_notation() {
    check_help("images --help", "help_images.txt");
}

#[test]
fn help_of_wal_names_its_tools() {
    check_help("wal --help", "help_wal.txt");
}

#[test]
fn help_hides_what_is_not_for_people() {
    let help = Place::empty().beaver("--help").stdout;
    for hidden in ["trace-hashes", "stand-guard", "run-watched"] {
        assert!(!help.contains(hidden), "{help}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    let ran = Place::empty().beaver("--version").ends_with(0);
    assert_eq!(
        ran.stdout,
        format!("beaver {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn help_of_explore_says_what_is_explored() {
    check_help("explore --help", "help_explore.txt");
}

#[test]
fn help_of_zoo_says_what_is_in_it() {
    check_help("zoo --help", "help_zoo.txt");
}

#[test]
fn help_of_shrink_says_what_is_taken_out() {
    check_help("shrink --help", "help_shrink.txt");
}

#[test]
fn help_of_trace_teaches_by_examples() {
    check_help("trace --help", "help_trace.txt");
}
