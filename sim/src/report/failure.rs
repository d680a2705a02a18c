//! What is printed about one run that did not hold: what broke, where, what led there, and how to see it again.

use std::fmt;

use super::Verdict;
use crate::result::RunResult;
use crate::scenario::Profile;

/// A failed run, ready to be printed.
#[derive(Clone, Debug)]
pub struct FailureReport<'r> {
    /// The scenario.
    pub scenario: &'r str,
    /// The run; nothing is printed of one that held.
    pub run: &'r RunResult,
    /// The crash profile in force.
    pub profile: Profile,
    /// The weakest profile in which it happens, where it was looked for.
    pub weakest: Option<Profile>,
    /// The command that replays it. `None`: this report is of a replay, which shows neither the seed nor the last calls.
    pub replay: Option<String>,
}

impl fmt::Display for FailureReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(failure) = self.run.outcome.failure() else {
            return Ok(());
        };
        let headline = Verdict::of_outcome(&self.run.outcome).headline(failure.invariant);
        write!(f, "{}", self.scenario)?;
        if self.replay.is_some() {
            write!(f, ", seed {}", self.run.seed)?;
        }
        writeln!(f, ", profile {}: {headline}", self.profile.name())?;
        entry(
            f,
            "step",
            &format!("{} ({})", failure.step, failure.command),
        )?;
        let crash_point = failure.crash_point.as_deref();
        entry(f, "crash", crash_point.unwrap_or("none before the check"))?;
        entry(f, "expected", &failure.expected)?;
        entry(f, "found", &failure.found)?;
        if let Some(weakest) = self.weakest {
            entry(
                f,
                "weakest",
                &format!("{}: {}", weakest.name(), weakest.description()),
            )?;
        }
        let Some(command) = &self.replay else {
            return Ok(());
        };
        if !failure.last_calls.is_empty() {
            entry(f, "calls", &failure.last_calls.join("\n"))?;
        }
        entry(f, "replay", command)
    }
}

/// One labelled entry; further lines of its text are indented to stand under the first.
pub(crate) fn entry(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let mut lines = text.lines();
    writeln!(f, "  {label:<9} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(f, "  {:<9} {line}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::failed_run;
    use crate::result::Outcome;

    #[test]
    fn a_failure_names_everything_that_is_needed_to_see_it_again() {
        let run = failed_run(7, Outcome::Violated);
        let failure = FailureReport {
            scenario: "acked_events_survive",
            run: &run,
            profile: Profile::Posix,
            weakest: Some(Profile::Strict),
            replay: Some("beaver replay failures/acked_events_survive-7.json".to_owned()),
        };
        assert_eq!(
            failure.to_string(),
            "acked_events_survive, seed 7, profile posix: invariant 1 violated: durability
  step      12 (checkpoint)
  crash     power cut inside call 41 (sync_data wal-0000000002.jsonl)
  expected  5 events
  found     4 events
            the last is missing
  weakest   strict: nothing that was not synced survives
  calls     40 write_at wal-0000000002.jsonl 0 112 -> Ok(112)
  replay    beaver replay failures/acked_events_survive-7.json
"
        );
    }
}
