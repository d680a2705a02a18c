//! Small workloads: every sequence of a few ops from one start, each a unit of work of its own.

use std::sync::atomic::AtomicBool;

use crate::oracle::kind::KeptKinds;
use crate::scenario::{Scenario, Script, Step};
use crate::subject::{AnyState, AnySubject};

use super::options::Options;
use super::sequences::{OpRound, StepBuilder, length, sequences, sequences_with_a_failure};
use super::starts::Start;
use super::target::{ExploreTarget, Findings};
use super::undisturbed;
use super::watched::WatchedPath;
use super::work::{explore_last, explore_last_after_failure};

/// The small workloads of one subject from one start.
#[derive(Clone, Debug)]
pub(crate) struct SmallWorkloads {
    subject: AnySubject,
    scenario: Scenario,
    start: Start,
    /// The steps that lead to the start, and the state there.
    first: Vec<Step>,
    state: AnyState,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct SmallWorkload(Vec<OpRound>);

impl SmallWorkloads {
    pub(crate) fn new(subject: &AnySubject, scenario: &Scenario, start: Start) -> Self {
        let scenario = Scenario {
            log: start.log(),
            keeps_cache: start.keeps_cache(),
            ..undisturbed(scenario)
        };
        let (first, state) = start.steps(subject, &scenario);
        SmallWorkloads {
            subject: subject.clone(),
            scenario,
            start,
            first,
            state,
        }
    }

    /// The scenario around them.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Those of up to `ops` ops, shorter ones first; none when `cancel` is set.
    pub(crate) fn up_to(
        &self,
        ops: usize,
        callers: u32,
        cancel: &AtomicBool,
    ) -> Vec<SmallWorkload> {
        let list = match self.start.has_failing_sync() {
            true => sequences_with_a_failure,
            false => sequences,
        };
        let sequences = list(&self.subject, &self.state, ops, callers, cancel);
        sequences.into_iter().map(SmallWorkload).collect()
    }

    /// Those of exactly `ops` ops.
    pub(crate) fn of_length(&self, ops: usize, callers: u32) -> Vec<SmallWorkload> {
        let mut workloads = self.up_to(ops, callers, &AtomicBool::new(false));
        workloads.retain(|workload| length(&workload.0) == ops);
        workloads
    }

    /// Lets the process die at every moment of the last round of one of them.
    pub(crate) fn explore(
        &self,
        SmallWorkload(rounds): &SmallWorkload,
        options: &Options,
        cancel: &AtomicBool,
        kinds: Option<KeptKinds<'_>>,
        watched: Option<&WatchedPath>,
    ) -> Findings {
        let target = ExploreTarget {
            subject: &self.subject,
            scenario: &self.scenario,
            options,
            cancel,
            kinds,
            watched,
        };
        let mut builder = StepBuilder::new(&self.subject, self.state.clone());
        let mut steps = self.first.clone();
        for round in rounds {
            let Some(step) = builder.step(round) else {
                return Findings::default();
            };
            steps.push(step);
        }
        match rounds.iter().position(OpRound::has_failing_sync) {
            Some(at) => explore_last_after_failure(target, &steps, self.first.len() + at),
            None => explore_last(
                target,
                Script {
                    steps,
                    ..Script::default()
                },
            ),
        }
    }
}
