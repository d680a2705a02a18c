//! A store that breaks a promise: the smallest history that shows it, and why it does, in words.

use std::fmt;

use crate::explain::{Explained, explain, shortened, shortened_lines};
use crate::explore::run_again;
use crate::oracle::kind::FindingKind;
use crate::plural::counted;
use crate::report;
use crate::result::RunResult;
use crate::run::{Keep, run_once, saved_failure};
use crate::run_log::RunEvent;
use crate::scenario::{Scenario, Seeds};
use crate::shrink::{Limits, shrink, words};
use crate::subject::AnySubject;

use super::differing;
use super::found::{FoundKind, Shown};
use super::plan::{Plan, finding_of};

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
    /// How often a finding of this kind came up.
    pub count: u64,
    /// The failures of other kinds.
    pub others: Vec<Failing>,
    /// How it is seen again.
    pub(super) replay: String,
}

impl Failing {
    /// The first failure of a kind, run again twice, and shrunk if it came out alike,
    /// for as long as `go_on` says.
    pub(super) fn of_kind(plan: &Plan<'_>, kind: &FoundKind, go_on: &dyn Fn() -> bool) -> Self {
        let subject = plan.subject;
        let (scenario, seed) = match &kind.shown {
            Shown::Seed(seed, _) => (plan.scenario.clone(), *seed),
            Shown::Script(start, failure) => {
                let script = Some(failure.script.clone());
                let scenario = plan.starts()[*start].scenario().clone();
                (Scenario { script, ..scenario }, 0)
            }
        };
        let everything = Keep {
            script: true,
            trace: true,
        };
        let again = || run_once(subject, &scenario, seed, everything);
        let failing = match (differing::repeated(again), &kind.shown) {
            (Err(differing), _) => Failing::as_found(&scenario, *differing),
            (Ok(run), _) if run.outcome.failure().is_some() => {
                Failing::shrunk(subject, &scenario, run, go_on)
            }
            (Ok(run), Shown::Seed(_, finding)) => {
                Failing::as_found(&scenario, differing::only_once(run, finding))
            }
            (Ok(_), Shown::Script(_, failure)) => {
                let run = run_again(subject, &scenario, failure, 0);
                Failing::shrunk(subject, &scenario, run, go_on)
            }
        };
        Failing {
            count: kind.count,
            ..failing
        }
    }

    /// The first of them with the others. Those that shrank to the history of an earlier one, or to its
    /// kind, are counted there: a long history may only have said the same in more words.
    pub(super) fn together(all: Vec<Failing>) -> Option<Box<Self>> {
        let mut different: Vec<Failing> = Vec::new();
        for next in all {
            let same = |known: &&mut Failing| {
                known.written_history() == next.written_history() || known.kind() == next.kind()
            };
            match different.iter_mut().find(same) {
                Some(known) => known.count += next.count,
                None => different.push(next),
            }
        }
        let mut different = different.into_iter();
        let mut first = different.next()?;
        first.others = different.collect();
        Some(Box::new(first))
    }

    /// Shrinks a run of `scenario` that did not hold.
    fn shrunk(
        subject: &AnySubject,
        scenario: &Scenario,
        run: RunResult,
        go_on: &dyn Fn() -> bool,
    ) -> Self {
        let saved = saved_failure(scenario, &run);
        let limits = Limits {
            runs: CANDIDATES,
            go_on,
        };
        match shrink(subject, &saved, limits) {
            Some(shrunk) => Failing::of(subject, shrunk.scenario, shrunk.run),
            None => Failing::of(subject, saved, run),
        }
    }

    /// A run that is not run again: each time something else would come out, or nothing at all.
    pub(super) fn as_found(scenario: &Scenario, run: RunResult) -> Self {
        let scenario = saved_failure(scenario, &run);
        let script = scenario.script.iter();
        let steps = script.clone().flat_map(|script| &script.steps);
        let crashes = script.flat_map(|script| &script.crashes);
        let crashes = crashes.map(|crash| {
            let (step, call) = (crash.step.unwrap_or(0), crash.at.call);
            format!(
                "  a crash in step {step}, at call {call} of process {}",
                crash.process
            )
        });
        Failing {
            history: steps.map(ToString::to_string).chain(crashes).collect(),
            explained: None,
            scenario,
            run,
            count: 1,
            others: Vec::new(),
            replay: NOT_SAVED.to_owned(),
        }
    }

    /// The run of a saved failure.
    pub(super) fn of(subject: &AnySubject, scenario: Scenario, run: RunResult) -> Self {
        Failing {
            history: words(subject, &scenario),
            explained: explain(subject, &scenario, NOT_SAVED).map(Box::new),
            scenario,
            run,
            count: 1,
            others: Vec::new(),
            replay: NOT_SAVED.to_owned(),
        }
    }

    fn kind(&self) -> Option<FindingKind> {
        let finding = finding_of(&self.run)?;
        Some(FindingKind::of(&finding, &[]))
    }

    /// The history that shows it, without what says how it was found.
    pub(super) fn written_history(&self) -> Scenario {
        Scenario {
            claim: String::new(),
            seeds: Seeds::one(0),
            ..self.scenario.clone()
        }
    }

    /// The storage calls and what lies between them. A call on an open file has the path that the file has
    /// then, where the run could be explained: the other parts of the report speak of that path.
    fn calls(&self) -> Vec<String> {
        let mut lines = self.run.trace.clone();
        let log = self.explained.iter().flat_map(|explained| &explained.log);
        let log = log.filter_map(|event| Some((&event.event, event.event.line()?)));
        let log: Vec<(&RunEvent, String)> = log.collect();
        if log.len() == lines.len() {
            for (line, (event, now)) in lines.iter_mut().zip(log) {
                if matches!(event, RunEvent::Call { .. }) {
                    *line = now;
                }
            }
        }
        lines
    }

    /// The same, to be seen again with this command.
    pub(super) fn replayed_by(&mut self, command: String) {
        if let Some(explained) = &mut self.explained {
            explained.explanation.replay.clone_from(&command);
        }
        self.replay = command;
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

    /// One of the other kinds: what is wrong, and how all of it is seen.
    fn write_short(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(failure) = self.run.outcome.failure() else {
            return Ok(());
        };
        let times = counted(self.count, "time", "times");
        writeln!(f, "\n{}, found {times}", failure.invariant)?;
        report::entry(f, "expected", &shortened_lines(&failure.expected))?;
        report::entry(f, "found", &shortened_lines(&failure.found))?;
        report::entry(f, "replay", &self.replay)
    }
}

/// What is said of a failure that is in no folder.
const NOT_SAVED: &str = "save `scenario` and name the file in BEAVER_REPLAY";

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_why(f)?;
        for (title, lines) in [("history", &self.history), ("calls", &self.calls())] {
            writeln!(f, "\n{title}")?;
            for line in lines {
                // Ops and answers of a store may hold anything.
                writeln!(f, "  {}", shortened(line))?;
            }
        }
        writeln!(f, "\nreplay: {}", self.replay)?;
        if self.others.is_empty() {
            return Ok(());
        }
        let others = counted(self.others.len() as u64, "other kind", "other kinds");
        writeln!(f, "\n{others} of findings")?;
        self.others
            .iter()
            .try_for_each(|other| other.write_short(f))
    }
}
