//! What a run or an exploration found: the one structure that the text, the JSON and the page render.

use std::fmt;
use std::path::PathBuf;

use beaver_sim::coverage::Coverage;
use beaver_sim::explain::Explained;
use beaver_sim::explore::Tally;
use beaver_sim::marks::Mark;
use beaver_sim::report::Verdict;
use beaver_sim::result::{RunResult, ScenarioResult};
use beaver_sim::scenario::{FaultKind, Profile, Seeds};

use super::must_reach::MustReach;

/// Everything that `beaver run` or `beaver explore` found.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// What was done.
    pub(crate) kind: RunKind,
    /// The scenarios or explorations, in the order in which they ran.
    pub(crate) scenarios: Vec<ScenarioReport>,
    /// What they must reach together; nothing where that is not judged.
    pub(crate) must_reach: Option<MustReach>,
    /// Whether it was stopped before its end.
    pub(crate) interrupted: bool,
    /// How long it took, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

/// How scenarios are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// Seeds draw workload, faults and crashes.
    Seeds,
    /// Every crash point is explored.
    Exploration {
        /// Crashes in a row.
        depth: u32,
        /// Images of one power cut with whole pages that are judged at most.
        cap: u64,
        /// Images of one power cut with a torn page, or with garbage, that are judged at most.
        torn_cap: u64,
    },
}

/// Everything that a report says about one scenario or exploration.
#[derive(Clone, Debug)]
pub struct ScenarioReport {
    /// What it claims.
    pub(crate) claim: String,
    /// The crash profile in force.
    pub(crate) profile: Profile,
    /// The seeds that were asked for.
    pub(crate) seeds: Seeds,
    /// The marks that it expects.
    pub(crate) expected: Vec<Mark>,
    /// Whether coverage is judged, not only reported.
    pub(crate) gated: bool,
    /// What came out.
    pub(crate) result: ScenarioResult,
    /// How much was explored; `None` of seeded runs.
    pub(crate) explored: Option<Tally>,
    /// What became of each of `result.failures`, in the same order.
    pub(crate) saved: Vec<SavedFailure>,
    /// Where two processes differed; `None` where they agreed or were not compared.
    pub(crate) disagreement: Option<Disagreement>,
    /// How long it took, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

/// What became of a failed run.
#[derive(Clone, Debug)]
pub struct SavedFailure {
    /// The folder that it is saved in; `None` if it could not be written.
    pub(crate) file: Option<PathBuf>,
    /// The weakest profile in which it happens.
    pub(crate) weakest: Profile,
    /// How many runs it stands for.
    pub(crate) count: usize,
    /// Why it failed; not of one that lies in the folder of an earlier one, nor of one that its
    /// script alone does not show.
    pub(crate) explained: Option<Box<Explained>>,
    /// Whether it lies in the folder of an earlier one, which stands for it too.
    pub(crate) folded: bool,
}

/// Two runs of one seed that should have been the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The seed; `None` if only the hash over all seeds differs and no single seed could be found.
    pub(crate) seed: Option<u64>,
    /// The line of the trace, counted from 1, where the runs differ.
    pub(crate) line: u64,
    /// The lines before it, which are the same in both.
    pub(crate) before: Vec<String>,
    /// That line in the first process.
    pub(crate) first: String,
    /// That line in the second process.
    pub(crate) second: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => writeln!(
                f,
                "not deterministic: in two processes seed {seed} differs at line {} of its trace",
                self.line
            )?,
            None => writeln!(
                f,
                "not deterministic: two processes differ, but no seed does when run alone"
            )?,
        }
        for line in &self.before {
            writeln!(f, "  both    {line}")?;
        }
        writeln!(f, "  first   {}", self.first)?;
        write!(f, "  second  {}", self.second)
    }
}

impl RunReport {
    /// The verdict over everything.
    #[must_use]
    pub(crate) fn verdict(&self) -> Verdict {
        let verdicts = self.scenarios.iter().map(ScenarioReport::verdict);
        let missed = self.missed().map(|_| Verdict::Coverage);
        let interrupted = self.interrupted.then_some(Verdict::Interrupted);
        let all = verdicts.chain(missed).chain(interrupted);
        all.min().unwrap_or(Verdict::Nothing)
    }

    /// What must be reached and was not; nothing of runs that were stopped before their end.
    #[must_use]
    pub(crate) fn missed(&self) -> Option<MustReach> {
        let must_reach = self.must_reach.as_ref().filter(|_| !self.interrupted);
        let missed = must_reach.map(|all| all.missed(&self.coverage()));
        missed.filter(|missed| !missed.is_empty())
    }

    /// The crash points of all scenarios.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        Coverage::sum(self.scenarios.iter().map(|report| &report.result.coverage))
    }

    /// How much was explored in all.
    #[must_use]
    pub(crate) fn explored(&self) -> Tally {
        let mut sum = Tally::default();
        let all = self.scenarios.iter().filter_map(|report| report.explored);
        all.for_each(|tally| sum += tally);
        sum
    }
}

impl ScenarioReport {
    /// The verdict over the scenario.
    #[must_use]
    pub(crate) fn verdict(&self) -> Verdict {
        let runs = Verdict::of_scenario(&self.result, self.gated);
        match self.disagreement {
            Some(_) => runs.min(Verdict::NotDeterministic),
            None => runs,
        }
    }

    /// The failed runs that were kept, each with what became of it.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&RunResult, &SavedFailure)> {
        self.result.failures.iter().zip(&self.saved)
    }

    /// How many of the expected marks were reached.
    #[must_use]
    pub(crate) fn expected_reached(&self) -> usize {
        let reached = |mark: &&Mark| self.result.marks.get(mark).is_some_and(|count| *count > 0);
        self.expected.iter().filter(reached).count()
    }

    /// What was expected and did not happen, one sentence each.
    #[must_use]
    pub(crate) fn missed(&self) -> Vec<String> {
        let faults = self.result.unfired_faults();
        let marks = self.result.missed_marks();
        let faults = faults
            .map(|kind| format!("fault {kind} is on and never fired: {}", kind.description()));
        let marks =
            marks.map(|mark| format!("mark {mark} was never reached: {}", mark.description()));
        let failure = self.result.missed_failure();
        let failure = failure.map(|expected| expected.to_string());
        faults.chain(marks).chain(failure).collect()
    }

    /// The names of what was expected and did not happen, in one line; `None` if it all happened.
    #[must_use]
    pub(crate) fn missed_names(&self) -> Option<String> {
        let faults: Vec<&str> = self.result.unfired_faults().map(FaultKind::name).collect();
        let marks: Vec<&str> = self.result.missed_marks().map(Mark::name).collect();
        let failure = self.result.missed_failure();
        let failure = failure.map(|expected| expected.invariant.name());
        let failure: Vec<&str> = failure.into_iter().collect();
        let named = [
            ("faults", faults),
            ("marks", marks),
            ("expected failure", failure),
        ];
        let lists = named.iter().filter(|(_, names)| !names.is_empty());
        let lists: Vec<String> = lists
            .map(|(kind, names)| format!("{kind} {}", names.join(", ")))
            .collect();
        (!lists.is_empty()).then(|| lists.join("; "))
    }
}
