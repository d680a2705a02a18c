//! The search: tries smaller drafts until none fails alike, or until it may try no more.

use beaver_disk::TraceMode;

use crate::result::RunResult;
use crate::run::{Keep, run_seed};
use crate::scenario::{Crashes, Expect, Profile, Scenario, Workload};
use crate::subject::AnySubject;
use crate::world::ReplayMode;

use super::draft::Draft;
use super::edits::{self, Edits};
use super::likeness::Likeness;
use super::rerun::replay;
use super::size::{Order, Size};
use super::values;

/// How far a search may go.
#[derive(Clone, Copy)]
pub struct Limits<'l> {
    /// How many candidates may be run.
    pub runs: u64,
    /// Asked before each: whether to go on. The result depends on it, so only people use it.
    pub go_on: &'l dyn Fn() -> bool,
}

impl Limits<'_> {
    /// At most `runs` candidates, with no time limit.
    #[must_use]
    pub fn runs(runs: u64) -> Self {
        Limits {
            runs,
            go_on: &|| true,
        }
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing smaller that was tried fails alike.
    NothingSmaller,
    /// It had no candidates or no time left.
    Limit,
}

/// A failure that was shrunk.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The history, with everything written out.
    pub scenario: Scenario,
    /// Its run, with the trace.
    pub run: RunResult,
    /// What makes other failures the same as this one.
    pub likeness: Likeness,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// How many candidates were run.
    pub runs: u64,
    /// Why the search ended.
    pub ended: Ended,
}

/// Shrinks `failure`, the saved form of a run of `subject` that failed. Nothing, if its script does
/// not fail.
#[must_use]
pub fn shrink(subject: &AnySubject, failure: &Scenario, limits: Limits<'_>) -> Option<Shrunk> {
    failure.script.as_ref()?;
    let first = replay(subject, failure, ReplayMode::Exact, TraceMode::Off);
    let likeness = Likeness::of(&first.outcome, first.recovering, &first.script)?;
    let before = Size::of(failure.script.as_ref()?);
    let draft = Draft::of(failure, &first.script);
    let mut best = failure.clone();
    best.script = Some(first.script);
    let mut search = ShrinkSearch {
        subject,
        likeness,
        order: Order::of(&draft),
        draft,
        best,
        runs: 0,
        limits,
    };
    let ended = match search.run() {
        Some(()) => Ended::NothingSmaller,
        None => Ended::Limit,
    };
    let scenario = stripped(search.best);
    let everything = Keep {
        script: true,
        trace: true,
    };
    let mut run = run_seed(subject, &scenario, 0, everything);
    run.seed = failure.seeds.start;
    Some(Shrunk {
        after: Size::of(scenario.script.as_ref()?),
        scenario,
        run,
        likeness: search.likeness,
        before,
        runs: search.runs,
        ended,
    })
}

/// The scenario without what a script leaves unused.
fn stripped(scenario: Scenario) -> Scenario {
    Scenario {
        workload: Workload::default(),
        crashes: Crashes::default(),
        faults: Vec::new(),
        fault_mixture: 0,
        expect: Expect::default(),
        ..scenario
    }
}

struct ShrinkSearch<'s> {
    subject: &'s AnySubject,
    likeness: Likeness,
    /// The smallest so far, counted process by process, how it compares, and as it is written to a file.
    draft: Draft,
    order: Order,
    best: Scenario,
    runs: u64,
    limits: Limits<'s>,
}

/// Kept as it is.
const EXACT: &[ReplayMode] = &[ReplayMode::Exact];

/// With what survived at one of its two ends.
const ENDS: &[ReplayMode] = &[ReplayMode::Everything, ReplayMode::Nothing];

/// With what survived, and where damage struck, drawn anew.
const DRAWN: &[ReplayMode] = &[
    ReplayMode::Drawn(1),
    ReplayMode::Drawn(2),
    ReplayMode::Drawn(3),
    ReplayMode::Drawn(4),
    ReplayMode::Drawn(5),
    ReplayMode::Drawn(6),
    ReplayMode::Drawn(7),
    ReplayMode::Drawn(8),
];

/// What is tried, in this order, again and again until none of it helps.
const PASSES: &[(Edits, &[ReplayMode])] = &[
    (edits::without_commands, EXACT),
    (edits::without_one, ENDS),
    (edits::less_wrong, EXACT),
    (values::less_inside, EXACT),
    (edits::crashes_between, EXACT),
    (edits::crashes_between, ENDS),
    (edits::without_one, DRAWN),
    (values::less_inside, DRAWN),
    (edits::without_two, EXACT),
    (edits::without_two, ENDS),
    (edits::plainer_crashes, EXACT),
    (edits::plainer_survivors, EXACT),
    (values::default_settings, EXACT),
    // What an op holds comes last: a long payload may be what makes a page tear.
    (values::simpler_ops, EXACT),
    (values::plainer_values, EXACT),
    (values::simpler_ops, DRAWN),
    (values::plainer_values, DRAWN),
];

impl ShrinkSearch<'_> {
    /// Tries until nothing helps; nothing if the limit came first.
    fn run(&mut self) -> Option<()> {
        loop {
            let before = self.order;
            for (edits, modes) in PASSES {
                self.pass(*edits, modes)?;
            }
            self.weaker_profile()?;
            if self.order == before {
                return Some(());
            }
        }
    }

    fn pass(&mut self, edits: Edits, modes: &[ReplayMode]) -> Option<()> {
        if modes != EXACT && !edits::is_drawable(&self.draft) {
            return Some(());
        }
        let mut at = 0;
        loop {
            let drafts = edits(self.subject, &self.draft);
            let mut tries = drafts.iter().enumerate().skip(at);
            let found = tries.find_map(|(at, draft)| {
                let mut modes = modes.iter();
                let tried = modes.find_map(|mode| match self.take(draft, *mode) {
                    Some(false) => None,
                    other => Some(other),
                });
                tried.map(|end| end.map(|_| at))
            });
            match found {
                None => return Some(()),
                Some(None) => return None,
                Some(Some(found)) => at = found,
            }
        }
    }

    /// Under the weakest profile in which it fails alike. `strict` is left out: a file system that
    /// loses everything that was not synced, names of synced files too, does not exist.
    fn weaker_profile(&mut self) -> Option<()> {
        for profile in Profile::ALL.iter().skip(1) {
            if *profile >= self.best.profile {
                break;
            }
            let weaker = Scenario {
                profile: *profile,
                ..self.best.clone()
            };
            self.count()?;
            if self.keep_if_alike(&weaker) {
                break;
            }
        }
        Some(())
    }

    /// Runs a draft and keeps it if it is smaller and fails alike; nothing if it may not be run.
    fn take(&mut self, draft: &Draft, mode: ReplayMode) -> Option<bool> {
        self.count()?;
        let scenario = draft.to_scenario(&self.best);
        let run = replay(self.subject, &scenario, mode, TraceMode::Off);
        let alike = Likeness::of(&run.outcome, run.recovering, &run.script);
        if alike.as_ref() != Some(&self.likeness)
            || Order::of(&Draft::of(&scenario, &run.script)) >= self.order
        {
            return Some(false);
        }
        let written = Scenario {
            script: Some(run.script),
            ..scenario
        };
        // Run once more from the file alone: a mode may have drawn what the written script does not say.
        Some(self.keep_if_alike(&written))
    }

    /// Runs a scenario from its script alone, and keeps it if it is smaller and fails alike.
    fn keep_if_alike(&mut self, written: &Scenario) -> bool {
        let run = replay(self.subject, written, ReplayMode::Exact, TraceMode::Off);
        let alike = Likeness::of(&run.outcome, run.recovering, &run.script);
        let draft = Draft::of(written, &run.script);
        let order = Order::of(&draft);
        let taken = alike.as_ref() == Some(&self.likeness) && order < self.order;
        if taken {
            self.best = Scenario {
                script: Some(run.script),
                ..written.clone()
            };
            self.draft = draft;
            self.order = order;
        }
        taken
    }

    fn count(&mut self) -> Option<()> {
        if self.runs >= self.limits.runs || !(self.limits.go_on)() {
            return None;
        }
        self.runs += 1;
        Some(())
    }
}
