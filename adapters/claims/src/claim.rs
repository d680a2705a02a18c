//! A claim about an engine as a test: that a configuration keeps its promises, or that it breaks one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use beaver_sim::check::{Check, Failing, find};
use beaver_sim::scenario::Profile;
use beaver_sim::subject::{AnySubject, Subject};

/// One check at a time: each uses every processor, and an engine may have state that its stores share.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long a configuration is checked that should be silent, in seconds; `BEAVER_SECONDS` in the environment says
/// otherwise.
const SECONDS: u64 = 10;

/// Crashes of every sort, and calls that fail, but no sync that does: for engines that say nothing of what a failed sync leaves.
#[must_use]
pub fn without_failing_syncs(profile: Profile) -> Check {
    let scenario = r#"{
            "profile": "PROFILE",
            "claim": "What was acknowledged survives crashes, and calls that fail, where every sync succeeds.",
            "seeds": "0..4000000000",
            "workload": {
                "commands": 24,
                "weights": {"op": 32, "checkpoint": 6, "reopen": 5, "kill": 4, "power-cut": 6}
            },
            "crashes": {
                "kill_in_command_per_mille": 60, "power_cut_in_command_per_mille": 120,
                "in_recovery_per_mille": 200, "nested": 2, "torn_pages": 1, "images": 1
            },
            "faults": [
                {"kind": "read-error", "per_mille": 20},
                {"kind": "write-error", "per_mille": 20},
                {"kind": "set-len-error", "per_mille": 20},
                {"kind": "full-at-write", "per_mille": 20},
                {"kind": "short-read", "per_mille": 50},
                {"kind": "short-write", "per_mille": 50},
                {"kind": "interrupted-read", "per_mille": 50},
                {"kind": "interrupted-write", "per_mille": 50},
                {"kind": "cache-drop", "per_mille": 200},
                {"kind": "writeback", "per_mille": 20}
            ],
            "fault_mixture": 4
        }"#;
    Check::scenario(&scenario.replace("PROFILE", profile.name()))
}

/// Nothing is found, in as much time as there is. Says how far the check came.
///
/// # Panics
/// With the report, if there is a finding.
pub fn silent<S: Subject>(subject: S, check: &Check) {
    let seconds = std::env::var("BEAVER_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let check = check.clone().for_duration(Duration::from_secs(seconds));
    let name = subject.name();
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast it was is for people to read"
    )]
    let begin = Instant::now();
    match find(&AnySubject::new(subject), &check) {
        Err(failing) => {
            let others: String = failing.others.iter().map(Failing::to_string).collect();
            panic!("{failing}\n{others}")
        }
        Ok(checked) => {
            let recoveries = checked.explored.recoveries + checked.counts.recoveries;
            let rate = recoveries as f64 / begin.elapsed().as_secs_f64();
            println!("{name}: {checked}; {recoveries} recoveries, {rate:.0} a second");
        }
    }
}

/// This promise, called as reports call it, is broken, and the report has each of these texts. Prints the report: with
/// `--nocapture` it is seen.
///
/// # Panics
/// If something else is found first, or nothing at all.
pub fn caught<S: Subject>(subject: S, check: &Check, promise: &str, says: &[&str]) {
    let name = subject.name();
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let failing = match find(&AnySubject::new(subject), check) {
        Err(failing) => failing,
        Ok(checked) => panic!("{name}: nothing is found: {checked}"),
    };
    println!("{name}: {failing}");
    let failure = failing.run.outcome.failure();
    let broken = failure.map(|failure| failure.invariant.name());
    assert_eq!(broken, Some(promise), "another promise is broken");
    let report = failing.to_string();
    for text in says {
        assert!(report.contains(text), "the report does not say `{text}`");
    }
}
