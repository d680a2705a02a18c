//! What a run has to say for itself: counts, faults fired, marks reached, and whether everything
//! held.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::coverage::Coverage;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::scenario::{FaultKind, Scenario, Script};

/// Counts of one run, or summed over many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Commands given to the program under test.
    pub commands: u64,
    /// Storage calls it made.
    pub storage_calls: u64,
    /// Times it was killed or lost power.
    pub crashes: u64,
    /// Recoveries that ended, well or with a typed error.
    pub recoveries: u64,
    /// Disk images that were recovered and judged.
    pub images_checked: u64,
    /// Acknowledged events lost to injected damage that no proof covered (see invariant 8).
    pub events_lost: u64,
}

impl Counts {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Counts) {
        self.commands += other.commands;
        self.storage_calls += other.storage_calls;
        self.crashes += other.crashes;
        self.recoveries += other.recoveries;
        self.images_checked += other.images_checked;
        self.events_lost += other.events_lost;
    }
}

/// One run: one seed of one scenario, or one script.
#[derive(Clone, Debug, Default)]
pub struct RunResult {
    /// The seed; 0 for a script.
    pub seed: u64,
    /// What was counted.
    pub counts: Counts,
    /// Faults that fired, by kind.
    pub faults_fired: BTreeMap<FaultKind, u64>,
    /// Marks that were reached.
    pub marks: BTreeMap<Mark, u64>,
    /// Where the process died, and what went wrong where.
    pub coverage: Coverage,
    /// Hash over every command with its outcome and every storage call with its result.
    pub trace_hash: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Everything that chance decided; only of a run that did not hold, or where it was asked for.
    pub script: Option<Script>,
    /// The trace, one line a command or storage call; only of a run that did not hold, or where it was
    /// asked for.
    pub trace: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Everything held.
    #[default]
    Held,
    /// An invariant was violated.
    Violated(Violation),
    /// A budget ran out.
    Exhausted(Violation),
    /// The program under test panicked.
    Panicked(Violation),
}

impl Outcome {
    /// The failure, if it is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Violation> {
        match self {
            Outcome::Held => None,
            Outcome::Violated(v) | Outcome::Exhausted(v) | Outcome::Panicked(v) => Some(v),
        }
    }
}

/// What went wrong, where, and what led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: Invariant,
    /// The command, counted from 1; 0 at the first opening, and where it is the whole run.
    pub step: u64,
    /// The command in words.
    pub command: String,
    /// The crash before the check, in words: `power cut inside call 41 (sync_data
    /// wal-0000000002.jsonl)`.
    pub crash_point: Option<String>,
    /// What had to be.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// The last 30 lines of the trace, oldest first: storage calls, and among them commands, answers and
    /// crashes. Empty where there is no trace.
    pub last_calls: Vec<String>,
}

/// All seeds of one scenario.
#[derive(Clone, Debug, Default)]
pub struct ScenarioResult {
    /// The name of the scenario.
    pub name: String,
    /// Runs that ended (fewer than there are seeds only when cancelled).
    pub runs: u64,
    /// Sums over all runs.
    pub counts: Counts,
    /// Faults that fired, by kind; the kinds that are switched on and never fired are there with 0.
    pub faults_fired: BTreeMap<FaultKind, u64>,
    /// Marks reached; those that are expected and were never reached are there with 0.
    pub marks: BTreeMap<Mark, u64>,
    /// Where processes died, and what went wrong where.
    pub coverage: Coverage,
    /// Hash over the trace hashes in seed order.
    pub trace_hash: u64,
    /// The runs that did not hold and were not expected to fail, in seed order, at most
    /// [`FAILURES_KEPT`]; each with its script, but for one that held and only had another trace hash
    /// when it was run again.
    pub failures: Vec<RunResult>,
    /// How many runs did not hold and were not expected to fail.
    pub failed_runs: u64,
    /// The violation that the scenario expects.
    pub expected_failure: Option<ExpectedFailure>,
    /// Whether it was stopped before its last seed.
    pub cancelled: bool,
}

/// A violation that a scenario expects, and how often it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedFailure {
    /// The invariant.
    pub invariant: Invariant,
    /// How many runs violated it.
    pub runs: u64,
    /// The first seed of these.
    pub first_seed: Option<u64>,
}

impl ExpectedFailure {
    /// What the scenario expects, before anything was run.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let invariant = scenario.expect.violation?;
        Some(ExpectedFailure {
            invariant,
            runs: 0,
            first_seed: None,
        })
    }

    /// Whether a run that ended so is one of them; then it is counted.
    pub(crate) fn takes(&mut self, seed: u64, outcome: &Outcome) -> bool {
        let taken = matches!(outcome, Outcome::Violated(it) if it.invariant == self.invariant);
        if taken {
            self.runs += 1;
            self.first_seed.get_or_insert(seed);
        }
        taken
    }
}

impl fmt::Display for ExpectedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invariant = self.invariant;
        match self.first_seed {
            Some(seed) => write!(
                f,
                "expected failure, found: {invariant} in {} runs, first with seed {seed}",
                self.runs
            ),
            None => write!(
                f,
                "expected to fail, and did not: no run violated {invariant}; if that is mended, take \
                 `violation` out of `expect`"
            ),
        }
    }
}

/// How many failed runs a [`ScenarioResult`] keeps whole.
pub const FAILURES_KEPT: usize = 20;

impl ScenarioResult {
    /// The expected failure, if there is one and no run failed like that.
    #[must_use]
    pub fn missed_failure(&self) -> Option<ExpectedFailure> {
        self.expected_failure.filter(|expected| expected.runs == 0)
    }

    /// Marks that were expected and never reached.
    pub fn missed_marks(&self) -> impl Iterator<Item = Mark> + '_ {
        let missed = self.marks.iter().filter(|(_, count)| **count == 0);
        missed.map(|(mark, _)| *mark)
    }

    /// Fault kinds that were switched on and never fired.
    pub fn unfired_faults(&self) -> impl Iterator<Item = FaultKind> + '_ {
        let unfired = self.faults_fired.iter().filter(|(_, count)| **count == 0);
        unfired.map(|(kind, _)| *kind)
    }
}
