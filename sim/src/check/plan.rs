//! What a check searches, and how a piece of it is done.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use crate::explore::{Findings, FoundFailure, Options, SmallWorkload, SmallWorkloads, Start};
use crate::oracle::Finding;
use crate::oracle::kind::KeptKinds;
use crate::result::RunResult;
use crate::run::{Keep, run_and_repeat, run_once};
use crate::scenario::{Profile, Scenario};
use crate::subject::AnySubject;

use super::Check;
use super::checked::Extent;

/// Where small workloads begin, whatever the store.
const STARTS: [Start; 3] = [Start::Empty, Start::Prepared, Start::FailingSync];

/// After this many kinds of failures a search ends. One without a time limit ends with the first: a
/// store that is wrong may take for ever.
const MOST_KINDS: usize = 8;

/// What is searched: everything that stays as it is.
pub(super) struct Plan<'a> {
    pub(super) subject: &'a AnySubject,
    /// The scenario of the runs.
    pub(super) scenario: Scenario,
    /// The small workloads of each start.
    pub(super) starts: OnceLock<Vec<Arc<SmallWorkloads>>>,
    /// Whether syncs fail in them.
    fails_syncs: bool,
    profile: Profile,
    options: Options,
    /// The most ops of a small workload.
    ops: usize,
    /// Whether fewer crashes come before more of them: with a time limit the smallest comes first.
    pub(super) breadth_first: bool,
    pub(super) kept: KeptKinds<'a>,
}

/// A piece of work.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// To get to where small workloads start.
    Prepare,
    /// A small workload, by its place among those of its extent.
    Workload {
        number: u64,
        /// The place of the extent.
        extent: usize,
        /// All workloads of the extent.
        workloads: Arc<Vec<(usize, SmallWorkload)>>,
        nth: usize,
        crashes: u32,
    },
    /// A seed.
    Seed { number: u64, seed: u64 },
}

/// What came of a piece.
pub(super) enum WorkDone {
    Workload(Findings),
    Seed(Box<RunResult>),
    /// The search was over before it was done.
    Cut,
}

impl<'a> Plan<'a> {
    pub(super) fn new(subject: &'a AnySubject, check: &'a Check) -> Self {
        let scenario = check.scenario_of(subject);
        // A store that is to survive no failed sync says so by a scenario that has none.
        let fails_syncs = scenario.faults.iter().any(|rate| rate.kind.fails_a_sync())
            || subject.shared_ops().is_some();
        Plan {
            subject,
            profile: scenario.profile,
            starts: OnceLock::new(),
            fails_syncs,
            options: Options {
                power_cuts: !scenario.kills_alone(),
                ..check.options.clone()
            },
            ops: check.commands(),
            breadth_first: check.duration().is_some(),
            kept: KeptKinds {
                allowed: &check.allowed,
                most: match check.duration() {
                    Some(_) => MOST_KINDS,
                    None => 1,
                },
            },
            scenario,
        }
    }

    /// The small workloads of each start. The store is run the first time, to get there.
    pub(super) fn starts(&self) -> &[Arc<SmallWorkloads>] {
        self.starts.get_or_init(|| {
            let starts = STARTS.iter();
            let starts = starts.filter(|start| self.fails_syncs || !start.has_failing_sync());
            let starts = starts.map(|start| {
                let scenario = self.scenario_at(*start);
                Arc::new(SmallWorkloads::new(self.subject, &scenario, *start))
            });
            starts.collect()
        })
    }

    /// The scenario around the small workloads from a start.
    pub(super) fn scenario_at(&self, start: Start) -> Scenario {
        Scenario {
            name: self.subject.name(),
            ..start.scenario(self.profile)
        }
    }

    /// How the small workloads with this number of crashes are explored.
    pub(super) fn options(&self, crashes: u32) -> Options {
        Options {
            depth: crashes,
            ..self.options.clone()
        }
    }

    /// Does a piece of work.
    pub(super) fn carry_out(&self, piece: &Piece, cancel: &AtomicBool) -> WorkDone {
        match piece {
            Piece::Prepare => panic!("that is done before the work begins"),
            Piece::Seed { seed, .. } => {
                let run = run_and_repeat(self.subject, &self.scenario, *seed, cancel);
                run.map_or(WorkDone::Cut, |run| WorkDone::Seed(Box::new(run)))
            }
            Piece::Workload {
                workloads,
                nth,
                crashes,
                ..
            } => {
                let (start, workload) = &workloads[*nth];
                let start = &self.starts()[*start];
                let (options, kept) = (self.options(*crashes), Some(self.kept_of_one()));
                let mut findings = start.explore(workload, &options, cancel, kept, None);
                for failure in &mut findings.failures {
                    self.say_as_in_a_report(start.scenario(), failure);
                }
                WorkDone::Workload(findings)
            }
        }
    }

    /// What is kept of one workload. What is found there may turn out to be allowed, so it is not the last.
    fn kept_of_one(&self) -> KeptKinds<'a> {
        let most = match self.kept.allowed {
            [] => self.kept.most,
            _ => MOST_KINDS,
        };
        KeptKinds { most, ..self.kept }
    }

    /// Takes over what the run of a failure's script finds: that is what a report says, and what its
    /// reader allows.
    fn say_as_in_a_report(&self, scenario: &Scenario, failure: &mut FoundFailure) {
        let scenario = Scenario {
            script: Some(failure.script.clone()),
            ..scenario.clone()
        };
        let run = run_once(self.subject, &scenario, 0, Keep::default());
        if let Some(finding) = finding_of(&run) {
            failure.finding = finding;
        }
    }

    /// The extent after this one: more crashes first, then more ops.
    pub(super) fn extent_after(&self, last: Option<&Extent>) -> Option<Extent> {
        let most = self.options.depth;
        let least = match self.breadth_first {
            true => most.min(1),
            false => most,
        };
        let (ops, crashes) = match last {
            None => (self.ops.min(1), least),
            Some(last) if last.crashes < most => (last.ops, last.crashes + 1),
            Some(last) => (last.ops + 1, least),
        };
        (ops <= self.ops).then_some(Extent {
            ops,
            crashes,
            ..Extent::default()
        })
    }

    /// The workloads of this number of ops from every start. The empty one comes with those of one op.
    pub(super) fn workloads(&self, ops: usize) -> Vec<(usize, SmallWorkload)> {
        let callers = self.options.callers;
        let starts = self.starts().iter().enumerate();
        let workloads = starts.flat_map(|(start, small)| {
            let workloads = match ops {
                0 | 1 => small.up_to(ops, callers, &AtomicBool::new(false)),
                _ => small.of_length(ops, callers),
            };
            workloads.into_iter().map(move |workload| (start, workload))
        });
        workloads.collect()
    }
}

/// What a run found, if it did not hold.
pub(super) fn finding_of(run: &RunResult) -> Option<Finding> {
    let failure = run.outcome.failure()?;
    let (expected, found) = (failure.expected.clone(), failure.found.clone());
    Some(Finding::new(failure.invariant, expected, found))
}
