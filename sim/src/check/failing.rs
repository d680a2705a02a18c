//! A store that breaks a promise: the smallest history that shows it, in words.

use std::fmt;

use crate::report;
use crate::result::RunResult;
use crate::run::saved_failure;
use crate::scenario::Scenario;
use crate::shrink::{Limits, shrink, words};
use crate::subject::Subject;

/// How many smaller histories are tried.
const CANDIDATES: u64 = 3_000;

/// A run that did not hold, as small as it could be made.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The scenario that replays it from data alone.
    pub scenario: Scenario,
    /// What came out.
    pub run: RunResult,
    /// What was done, a line for each command and for each thing that went wrong.
    pub history: Vec<String>,
}

impl Failing {
    /// Shrinks a run of `scenario` that did not hold.
    pub(super) fn shrunk(subject: &Subject, scenario: &Scenario, run: RunResult) -> Self {
        let saved = saved_failure(scenario, &run);
        match shrink(subject, &saved, Limits::runs(CANDIDATES)) {
            Some(shrunk) => Failing::of(subject, shrunk.scenario, shrunk.run),
            None => Failing::of(subject, saved, run),
        }
    }

    /// The run of a saved failure.
    pub(super) fn of(subject: &Subject, scenario: Scenario, run: RunResult) -> Self {
        let history = words(subject, &scenario);
        Failing {
            scenario,
            run,
            history,
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = report::Failure {
            scenario: &self.scenario.name,
            run: &self.run,
            profile: self.scenario.profile,
            mildest: None,
            replay: None,
        };
        writeln!(f, "{failure}")?;
        for line in &self.history {
            writeln!(f, "    {line}")?;
        }
        writeln!(f)?;
        for line in &self.run.trace {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
