//! A store that breaks a promise: the smallest history that shows it, and why it does, in words.

use std::fmt;

use crate::explain::{Explained, explain};
use crate::report;
use crate::result::RunResult;
use crate::run::saved_failure;
use crate::scenario::Scenario;
use crate::shrink::{Limits, shrink, words};
use crate::subject::AnySubject;

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
    /// Why it failed; nothing if its script alone does not show it.
    pub explained: Option<Box<Explained>>,
    /// How it is seen again.
    pub(super) replay: String,
}

impl Failing {
    /// Shrinks a run of `scenario` that did not hold.
    pub(super) fn shrunk(subject: &AnySubject, scenario: &Scenario, run: RunResult) -> Self {
        let saved = saved_failure(scenario, &run);
        match shrink(subject, &saved, Limits::runs(CANDIDATES)) {
            Some(shrunk) => Failing::of(subject, shrunk.scenario, shrunk.run),
            None => Failing::of(subject, saved, run),
        }
    }

    /// The run of a saved failure.
    pub(super) fn of(subject: &AnySubject, scenario: Scenario, run: RunResult) -> Self {
        let replay = "save `scenario` and name the file in BEAVER_REPLAY".to_owned();
        Failing {
            history: words(subject, &scenario),
            explained: explain(subject, &scenario, &replay).map(Box::new),
            scenario,
            run,
            replay,
        }
    }

    /// The same, to be seen again with this command.
    pub(super) fn replayed_by(mut self, command: String) -> Self {
        if let Some(explained) = &mut self.explained {
            explained.explanation.replay.clone_from(&command);
        }
        self.replay = command;
        self
    }

    fn write_why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(explained) = &self.explained {
            return explained.explanation.write_why(f);
        }
        let failure = report::FailureReport {
            scenario: &self.scenario.name,
            run: &self.run,
            profile: self.scenario.profile,
            weakest: None,
            replay: None,
        };
        write!(f, "{failure}")
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_why(f)?;
        for (title, lines) in [("history", &self.history), ("calls", &self.run.trace)] {
            writeln!(f, "\n{title}")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        writeln!(f, "\nreplay: {}", self.replay)
    }
}
