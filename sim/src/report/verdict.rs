//! The verdict over one scenario, or over all of them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::invariant::Invariant;
use crate::result::{Outcome, ScenarioResult};

/// What a run has to say in one word. The order is the precedence: of several verdicts the smallest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The program under test panicked.
    Panic,
    /// An invariant was violated.
    Violation,
    /// The same seed gave two different runs.
    NotDeterministic,
    /// A budget ran out: no progress.
    Budget,
    /// A fault that was on never fired, or what was expected was never reached: a mark or a violation by one scenario, or what
    /// all scenarios must reach together.
    Coverage,
    /// It was stopped before its end, and nothing was found until then: whether everything holds is not decided.
    Interrupted,
    /// Nothing was measured.
    Nothing,
    /// Everything held.
    Pass,
    /// A scenario that expects a violation found it, and nothing else. It comes last: over several scenarios
    /// it is no worse than one that held.
    ExpectedFailure,
}

impl Verdict {
    /// All verdicts, in order of precedence.
    pub const ALL: [Verdict; 9] = [
        Verdict::Panic,
        Verdict::Violation,
        Verdict::NotDeterministic,
        Verdict::Budget,
        Verdict::Coverage,
        Verdict::Interrupted,
        Verdict::Nothing,
        Verdict::Pass,
        Verdict::ExpectedFailure,
    ];

    /// The word that programs read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Panic => "panic",
            Verdict::Violation => "violation",
            Verdict::NotDeterministic => "nondeterministic",
            Verdict::Budget => "budget",
            Verdict::Coverage => "coverage",
            Verdict::Interrupted => "interrupted",
            Verdict::Nothing => "nothing",
            Verdict::Pass => "pass",
            Verdict::ExpectedFailure => "expected-failure",
        }
    }

    /// What went wrong, in one clause.
    #[must_use]
    pub fn headline(self, invariant: Invariant) -> String {
        match self {
            Verdict::Panic => "the program under test panicked".to_owned(),
            Verdict::Budget => "a budget ran out".to_owned(),
            _ => format!(
                "invariant {} violated: {}",
                invariant.number(),
                invariant.name()
            ),
        }
    }

    /// The verdict over how one run ended. A run that was repeated and differed has a verdict of its own.
    #[must_use]
    pub const fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Held => Verdict::Pass,
            Outcome::Violated(violation)
                if matches!(violation.invariant, Invariant::Determinism) =>
            {
                Verdict::NotDeterministic
            }
            Outcome::Violated(_) => Verdict::Violation,
            Outcome::Exhausted(_) => Verdict::Budget,
            Outcome::Panicked(_) => Verdict::Panic,
        }
    }

    /// The verdict over all runs of a scenario.
    ///
    /// `gated` says whether coverage counts: only when the scenario's own seeds were asked for. A run that was stopped early
    /// is never gated, because the seeds that are missing might have reached what is missing.
    #[must_use]
    pub fn of_scenario(result: &ScenarioResult, gated: bool) -> Self {
        let worst = result
            .failures
            .iter()
            .map(|run| Verdict::of_outcome(&run.outcome))
            .min();
        let missed = result.missed_marks().next().is_some()
            || result.unfired_faults().next().is_some()
            || result.missed_failure().is_some();
        let found = result.expected_failure.is_some_and(|it| it.runs > 0);
        match worst {
            Some(verdict) => verdict,
            None if result.cancelled => Verdict::Interrupted,
            None if gated && result.runs > 0 && missed => Verdict::Coverage,
            None if result.runs == 0 || result.counts.commands == 0 => Verdict::Nothing,
            None if found => Verdict::ExpectedFailure,
            None => Verdict::Pass,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Mark;
    use crate::report::testing::{failed_run, scenario_result};
    use crate::result::ExpectedFailure;

    #[test]
    fn the_worst_run_decides() {
        let mut result = scenario_result();
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Pass);
        result.failures.push(failed_run(3, Outcome::Exhausted));
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Budget);
        result.failures.push(failed_run(4, Outcome::Violated));
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Violation);
        result.failures.push(failed_run(5, Outcome::Panicked));
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Panic);
    }

    #[test]
    fn coverage_counts_only_when_gated_and_complete() {
        let mut result = scenario_result();
        result.marks.insert(Mark::Pruned, 0);
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Coverage);
        assert_eq!(Verdict::of_scenario(&result, false), Verdict::Pass);
        result.cancelled = true;
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Interrupted);
    }

    #[test]
    fn an_interrupted_scenario_has_no_other_verdict_than_what_was_wrong_until_then() {
        let mut result = scenario_result();
        result.cancelled = true;
        assert_eq!(Verdict::of_scenario(&result, false), Verdict::Interrupted);
        result.runs = 0;
        assert_eq!(Verdict::of_scenario(&result, false), Verdict::Interrupted);
        result.failures.push(failed_run(3, Outcome::Violated));
        assert_eq!(Verdict::of_scenario(&result, false), Verdict::Violation);
    }

    #[test]
    fn expected_failure_must_be_found_and_hides_no_other() {
        let mut result = scenario_result();
        let mut expected = ExpectedFailure {
            invariant: Invariant::Decided,
            runs: 0,
            first_seed: None,
        };
        result.expected_failure = Some(expected);
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Coverage);
        assert_eq!(Verdict::of_scenario(&result, false), Verdict::Pass);
        let run = failed_run(3, Outcome::Violated);
        assert!(!expected.takes(run.seed, &run.outcome), "of durability");
        expected.invariant = Invariant::Durability;
        assert!(expected.takes(run.seed, &run.outcome));
        assert_eq!((expected.runs, expected.first_seed), (1, Some(3)));
        let exhausted = failed_run(4, Outcome::Exhausted);
        assert!(!expected.takes(exhausted.seed, &exhausted.outcome));
        result.expected_failure = Some(expected);
        assert_eq!(
            Verdict::of_scenario(&result, true),
            Verdict::ExpectedFailure
        );
        result.marks.insert(Mark::Pruned, 0);
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Coverage);
        result.failures.push(exhausted);
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Budget);
    }

    #[test]
    fn without_a_run_or_a_command_nothing_was_measured() {
        let mut result = scenario_result();
        result.counts.commands = 0;
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Nothing);
        result.runs = 0;
        result.marks.insert(Mark::Pruned, 0);
        assert_eq!(Verdict::of_scenario(&result, true), Verdict::Nothing);
    }
}
