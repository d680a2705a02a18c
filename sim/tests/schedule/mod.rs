//! Histories written out: commands, and what goes wrong at which of the storage calls that they
//! make.
//!
//! A storage call is named by what it does ("the second sync of the first segment"), not by its
//! number: the number is looked up in the trace of the history so far, with the same storage in
//! between.

#![expect(
    clippy::unwrap_used,
    reason = "a history that cannot be written out is a test that fails"
)]

use std::ops::Range;

use beaver_disk::{CrashPoint, Moment};
use beaver_sim::beaver::{Command, Job};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{
    CrashKind, Effect, FaultKind, PlannedCrash, PlannedFault, Profile, Scenario, Script, Step,
};
use beaver_sim::subject::AnySubject;
use beaver_zoo::interposed::library;

/// A history in the making.
#[derive(Clone)]
pub(crate) struct Schedule {
    steps: Vec<Step>,
    profile: Profile,
    keeps_cache: bool,
    wrong: Vec<Wrong>,
}

/// What goes wrong at one call.
#[derive(Clone)]
struct Wrong {
    call: &'static str,
    nth: usize,
    what: What,
}

#[derive(Clone)]
enum What {
    Fault(FaultKind, Effect),
    Kill(Moment),
}

impl Schedule {
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Schedule {
            steps: steps.into_iter().collect(),
            profile: Profile::Posix,
            keeps_cache: false,
            wrong: Vec::new(),
        }
    }

    /// On a system that does not drop a cache.
    pub(crate) fn with_cache_kept(mut self) -> Self {
        self.keeps_cache = true;
        self
    }

    /// The `nth` call (from 1) that reads `call` in the trace, `"sync_data wal-0000000001"`, fails.
    pub(crate) fn fault(
        mut self,
        call: &'static str,
        nth: usize,
        kind: FaultKind,
        fault: beaver_disk::Fault,
    ) -> Self {
        let what = What::Fault(kind, Effect::Call(fault));
        self.wrong.push(Wrong { call, nth, what });
        self
    }

    /// Something happens just before that call.
    pub(crate) fn event(
        mut self,
        call: &'static str,
        nth: usize,
        kind: FaultKind,
        event: beaver_disk::DiskEvent,
    ) -> Self {
        let what = What::Fault(kind, Effect::Event(event));
        self.wrong.push(Wrong { call, nth, what });
        self
    }

    /// The process is killed at that call.
    pub(crate) fn kill(mut self, moment: Moment, call: &'static str, nth: usize) -> Self {
        let what = What::Kill(moment);
        self.wrong.push(Wrong { call, nth, what });
        self
    }

    /// Runs it and says how it ended.
    pub(crate) fn run(&self, subject: &AnySubject) -> RunResult {
        let mut scenario: Scenario = serde_json::from_str(r#"{"claim": "c"}"#).unwrap();
        scenario.profile = self.profile;
        scenario.keeps_cache = self.keeps_cache;
        let mut script = Script {
            steps: self.steps.clone(),
            ..Script::default()
        };
        for wrong in &self.wrong {
            scenario.script = Some(script.clone());
            let so_far = run(subject, &scenario);
            let number = find(&so_far.trace, wrong.call, wrong.nth);
            match &wrong.what {
                What::Fault(kind, effect) => script.faults.push(PlannedFault {
                    step: None,
                    process: 0,
                    call: number,
                    kind: *kind,
                    effect: effect.clone(),
                }),
                What::Kill(moment) => script.crashes.push(PlannedCrash {
                    step: None,
                    process: 0,
                    at: CrashPoint {
                        call: number,
                        moment: *moment,
                    },
                    kind: CrashKind::Kill,
                    progress: None,
                    image: None,
                }),
            }
        }
        scenario.script = Some(script);
        run(subject, &scenario)
    }

    /// Where the `nth` write (from 1) of the history so far goes.
    pub(crate) fn written(&self, subject: &AnySubject, nth: usize) -> Range<usize> {
        let trace = self.run(subject).trace;
        let mut writes = trace.iter().filter_map(|line| {
            let range = line.split_once(" write_at ")?.1.split(' ').nth(1)?;
            let (offset, len) = range.split_once('+')?;
            let offset: usize = offset.parse().ok()?;
            Some(offset..offset + len.parse::<usize>().ok()?)
        });
        let found = writes.nth(nth - 1);
        found.unwrap_or_else(|| panic!("no write number {nth} in\n{}", trace.join("\n")))
    }

    /// Holds, this under test.
    pub(crate) fn check_holds(&self, subject: &AnySubject) {
        let run = self.run(subject);
        assert_eq!(run.outcome, Outcome::Held, "{}", run.trace.join("\n"));
    }

    /// Violates `invariant`, this under test.
    pub(crate) fn check_violates(&self, invariant: Invariant, subject: &AnySubject) {
        let run = self.run(subject);
        let trace = run.trace.join("\n");
        match &run.outcome {
            Outcome::Violated(violation) => {
                assert_eq!(violation.invariant, invariant, "{violation:#?}\n{trace}");
            }
            other => panic!("invariant {invariant} should be violated: {other:?}\n{trace}"),
        }
    }
}

fn run(subject: &AnySubject, scenario: &Scenario) -> RunResult {
    let keep = Keep {
        script: false,
        trace: true,
    };
    run_seed(subject, scenario, 0, keep)
}

/// The number of the `nth` storage call in `trace` that reads `call`.
fn find(trace: &[String], call: &str, nth: usize) -> u64 {
    let mut numbers = trace.iter().filter_map(|line| {
        let (number, rest) = line.trim_start().split_once(' ')?;
        rest.starts_with(call).then(|| number.parse().ok())?
    });
    let found = numbers.nth(nth - 1);
    found.unwrap_or_else(|| panic!("no {call} number {nth} in\n{}", trace.join("\n")))
}

/// One command of the queue, as it stands in a file.
pub(crate) fn step(command: Command) -> Step {
    serde_json::from_value(serde_json::to_value(command).unwrap()).unwrap()
}

pub(crate) fn enqueue(id: &str) -> Step {
    enqueue_with(id, "1".to_owned())
}

pub(crate) fn enqueue_with(id: &str, payload: String) -> Step {
    step(Command::Enqueue {
        jobs: vec![job(id, payload)],
    })
}

pub(crate) fn job(id: &str, payload: String) -> Job {
    Job {
        id: id.to_owned(),
        payload,
        max_attempts: 2,
        timeout_ms: 100,
        backoff_ms: [0, 0],
    }
}

pub(crate) fn power_cut() -> Step {
    Step::PowerCut { image: None }
}

/// An enqueue of `id` whose line ends where a page of the file ends, after `before`.
pub(crate) fn enqueue_to_page_end(before: &[Step], id: &str) -> Step {
    let with = |payload: String| {
        let mut steps = before.to_vec();
        steps.push(enqueue_with(id, payload));
        Schedule::of(steps)
    };
    let nth = before.len() + 2;
    let end = with("\"\"".to_owned()).written(&library(), nth).end;
    let padding = "x".repeat(end.next_multiple_of(4096) - end);
    enqueue_with(id, format!("\"{padding}\""))
}
