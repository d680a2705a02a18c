//! The weakest crash profile in which a failure happens: "happens on ext4" is another message than "POSIX allows it".
//!
//! The script of the failure is run again under each profile, the weakest first. What survived each power cut is data; what a
//! weaker profile does not allow of it, its disk leaves out. If the run still breaks the same promise, it happens there too.
//! The reverse is not said: another history may break it under a weaker profile still.
//!
//! `strict` is no candidate: no file system is like it. There a sync of a file never commits its
//! name, which those with ordered metadata do, so it is not the weakest either.

use crate::result::{Outcome, RunResult};
use crate::run::{Keep, run_seed};
use crate::scenario::{Profile, Scenario};
use crate::subject::AnySubject;

/// The weakest profile under which `failure`, the saved form of the failed run `result`, fails in the same way.
#[must_use]
pub(crate) fn weakest_profile(
    subject: &AnySubject,
    failure: &Scenario,
    result: &RunResult,
) -> Profile {
    let own = failure.profile;
    if failure.script.is_none() {
        return own;
    }
    let weaker = Profile::ALL
        .iter()
        .copied()
        .filter(|profile| *profile != Profile::Strict && *profile < own);
    weaker
        .into_iter()
        .find(|profile| fails_alike(subject, failure, result, *profile))
        .unwrap_or(own)
}

/// Whether the script ends in the same way under `profile`: the same invariant, or a panic, or a budget.
fn fails_alike(
    subject: &AnySubject,
    failure: &Scenario,
    result: &RunResult,
    profile: Profile,
) -> bool {
    let scenario = Scenario {
        profile,
        ..failure.clone()
    };
    let run = run_seed(subject, &scenario, 0, Keep::default());
    // Only the invariant is compared: under another profile the same loss is found with other words.
    match (&run.outcome, &result.outcome) {
        (Outcome::Violated(found), Outcome::Violated(known)) => found.invariant == known.invariant,
        (Outcome::Exhausted(_), Outcome::Exhausted(_))
        | (Outcome::Panicked(_), Outcome::Panicked(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beaver::library;
    use crate::run::saved_failure;

    /// Disk use above one byte counts as unbounded, on any file system.
    fn unbounded(profile: Profile) -> (Scenario, RunResult) {
        let json = r#"{"claim": "c", "budget": {"disk_bytes": 1}, "script": {"steps": [
            {"enqueue": {"jobs": [{"id": "j", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}}, "checkpoint"]}}"#;
        let mut scenario: Scenario = serde_json::from_str(json).unwrap();
        scenario.profile = profile;
        let keep = Keep {
            script: true,
            trace: false,
        };
        let run = run_seed(&library(&scenario), &scenario, 0, keep);
        (saved_failure(&scenario, &run), run)
    }

    #[test]
    fn what_happens_everywhere_happens_on_the_weakest() {
        for profile in Profile::ALL {
            let (failure, run) = unbounded(profile);
            let weakest = Profile::LinuxOrdered.min(profile);
            let subject = library(&failure);
            assert_eq!(weakest_profile(&subject, &failure, &run), weakest);
        }
    }

    #[test]
    fn another_failure_does_not_count() {
        let (failure, mut run) = unbounded(Profile::Posix);
        if let Outcome::Violated(violation) = &mut run.outcome {
            violation.invariant = crate::invariant::Invariant::Durability;
        }
        let subject = library(&failure);
        assert_eq!(weakest_profile(&subject, &failure, &run), Profile::Posix);
    }
}
