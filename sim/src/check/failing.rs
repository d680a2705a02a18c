//! A store that breaks a promise, in words.

use std::fmt;

use crate::report;
use crate::result::RunResult;
use crate::run::saved_failure;
use crate::scenario::{Scenario, Step};

/// A run that did not hold.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The scenario that replays it from data alone.
    pub scenario: Scenario,
    /// What came out.
    pub run: RunResult,
}

impl Failing {
    pub(super) fn new(scenario: &Scenario, run: RunResult) -> Self {
        Failing {
            scenario: saved_failure(scenario, &run),
            run,
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
        let Some(script) = &self.scenario.script else {
            return Ok(());
        };
        for (step, number) in script.steps.iter().zip(1..) {
            writeln!(f, "{number:>5}  {}", words(step))?;
        }
        writeln!(f, "\n{}\n", self.run.trace.join("\n"))
    }
}

/// A step as the user of a store of his own would say it.
fn words(step: &Step) -> String {
    match step {
        Step::Enqueue { jobs } => {
            let words = jobs.iter().map(|job| {
                serde_json::from_str(&job.payload).unwrap_or_else(|_| job.payload.clone())
            });
            format!("write {}", words.collect::<Vec<String>>().join(", "))
        }
        Step::Group { steps } => {
            let steps: Vec<String> = steps.iter().map(words).collect();
            steps.join("; ")
        }
        Step::CloseQueued { steps } => {
            let steps: Vec<String> = steps.iter().map(words).collect();
            format!("{}; close and open again", steps.join("; "))
        }
        other => crate::world::describe(other),
    }
}
