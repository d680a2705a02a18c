//! Runs: one seed, one script, or all seeds of a scenario on several threads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use beaver_disk::{Image, TraceMode};

use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::recorder::Fnv;
use crate::result::{
    Counts, ExpectedFailure, FAILURES_KEPT, Outcome, RunResult, ScenarioResult, Violation,
};
use crate::run_log::{LoggedEvent, with_calls};
use crate::scenario::{Scenario, Seeds};
use crate::subject::AnySubject;
use crate::world::{Observer, Stop, World};

/// What to keep of a run beside its result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The script, also of a run that held.
    pub script: bool,
    /// The trace, one line a command or storage call.
    pub trace: bool,
}

/// How many lines of the trace a failure shows.
const LAST_CALLS: usize = 30;

/// One seed in this many is run twice, and must give the same trace hash.
const REPEAT_EVERY: u64 = 64;

/// Runs one seed, or the script of a scenario, with `subject` under test.
///
/// # Panics
/// If the script holds an op that is none of `subject`'s, or
/// [`Subject::draw`](crate::subject::Subject::draw) panics.
#[must_use]
pub fn run_seed(subject: &AnySubject, scenario: &Scenario, seed: u64, keep: Keep) -> RunResult {
    let result = run_once(subject, scenario, seed, keep);
    match keep.trace {
        true => result,
        false => written_down(subject, scenario, result),
    }
}

/// A run that holds as it is, and any other with its script and its trace.
fn written_down(subject: &AnySubject, scenario: &Scenario, result: RunResult) -> RunResult {
    if result.outcome == Outcome::Held {
        return result;
    }
    // A failure is run again with everything written down, so that runs that hold need not.
    let everything = Keep {
        script: true,
        trace: true,
    };
    let again = run_once(subject, scenario, result.seed, everything);
    match again.outcome {
        Outcome::Held => not_repeated(&result, again),
        _ => again,
    }
}

/// A run that held, although it did not when it was run first: invariant 13.
fn not_repeated(first: &RunResult, mut again: RunResult) -> RunResult {
    if let Some(failure) = first.outcome.failure() {
        again.outcome = Outcome::Violated(Violation {
            invariant: Invariant::Determinism,
            step: failure.step,
            command: failure.command.clone(),
            crash_point: failure.crash_point.clone(),
            expected: format!("{} again: {}", failure.invariant, failure.found),
            found: "it held when it was run once more".to_owned(),
            last_calls: Vec::new(),
        });
    }
    again
}

/// A run with everything that an explanation needs.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The run, with its trace and script.
    pub result: RunResult,
    /// Everything that happened, in order.
    pub log: Vec<LoggedEvent>,
    /// Where each process's part of a step begins: step, process, and the last storage call before.
    pub parts: Vec<(u32, u32, u64)>,
    /// What is on the disk at the end.
    pub end: Image,
}

/// Runs one seed, or the script of a scenario, and keeps everything.
#[must_use]
pub(crate) fn watch(subject: &AnySubject, scenario: &Scenario, seed: u64) -> Watched {
    let scenario = scenario.of_seed(seed);
    let mut world = World::new(subject, &scenario, seed, TraceMode::Records);
    world.keep_script();
    world.keep_log();
    let keep = Keep {
        script: true,
        trace: true,
    };
    let result = run_to_end(&mut world, seed, keep);
    Watched {
        result,
        log: with_calls(world.seen().log(), world.disk().trace()),
        parts: world.parts().to_vec(),
        end: world.disk().live(),
    }
}

/// Runs what the script of `scenario` says, with `subject` under test; draws nothing.
///
/// # Panics
/// If the scenario has no script, or the script holds an op that is none of `subject`'s.
#[must_use]
pub fn run_script(subject: &AnySubject, scenario: &Scenario, keep: Keep) -> RunResult {
    assert!(scenario.script.is_some(), "the scenario has no script");
    run_seed(subject, scenario, 0, keep)
}

/// The scenario that replays a run from data alone: what is saved of a failure. It needs the script of
/// `result`: without one the scenario has none either, and draws the seed.
#[must_use]
pub fn saved_failure(scenario: &Scenario, result: &RunResult) -> Scenario {
    Scenario {
        script: result.script.clone(),
        seeds: Seeds::one(result.seed),
        ..scenario.of_seed(result.seed).into_owned()
    }
}

/// Runs all `seeds` of a scenario on `jobs` threads, with `subject` under test. The result does not
/// depend on `jobs`.
///
/// `progress` is told how many runs are done, from any thread, in any order. When `cancel` is set
/// no further run begins, and one that is under way does not count.
///
/// # Panics
/// As [`run_seed`], and as [`Seeds::count`].
pub fn run_scenario(
    subject: &AnySubject,
    scenario: &Scenario,
    seeds: Seeds,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> ScenarioResult {
    let next = AtomicU64::new(seeds.start);
    let done = AtomicU64::new(0);
    let sum = Mutex::new(Sum::new(scenario, seeds.start));
    let work = || {
        while !cancel.load(Ordering::Relaxed) {
            // It stops at the end instead of running over it: the last seed there is has no next one.
            let one_more = |seed: u64| (seed < seeds.end).then(|| seed + 1);
            let Ok(seed) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) else {
                break;
            };
            let Some(result) = run_and_repeat(subject, scenario, seed, cancel) else {
                break;
            };
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.take(result);
            drop(sum);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..seeds.count().min(jobs.get() as u64) {
            scope.spawn(work);
        }
        work();
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.finish(seeds.count())
}

/// One seed, and invariant 13: now and then it is run twice. Nothing where `cancel` ended it before anything was found.
pub(crate) fn run_and_repeat(
    subject: &AnySubject,
    scenario: &Scenario,
    seed: u64,
    cancel: &AtomicBool,
) -> Option<RunResult> {
    let of_seed = scenario.of_seed(seed);
    let mut world = World::new(subject, &of_seed, seed, TraceMode::Hash);
    world.end_when(cancel);
    let result = run_to_end(&mut world, seed, Keep::default());
    if result.outcome == Outcome::Held && world.is_cancelled() {
        return None;
    }
    drop(world);
    let mut result = written_down(subject, scenario, result);
    if seed.is_multiple_of(REPEAT_EVERY) && result.outcome == Outcome::Held {
        let again = run_once(subject, scenario, seed, Keep::default());
        if again.trace_hash != result.trace_hash {
            let finding = Finding::new(
                Invariant::Determinism,
                format!("the trace hash {:016x} again", result.trace_hash),
                format!("{:016x}", again.trace_hash),
            );
            result.outcome = Outcome::Violated(Violation {
                invariant: Invariant::Determinism,
                step: 0,
                command: "the whole run".to_owned(),
                crash_point: None,
                expected: finding.expected,
                found: finding.found,
                last_calls: Vec::new(),
            });
        }
    }
    Some(result)
}

/// Runs one seed, or the script of a scenario, exactly once.
pub(crate) fn run_once(
    subject: &AnySubject,
    scenario: &Scenario,
    seed: u64,
    keep: Keep,
) -> RunResult {
    let mode = match keep.trace {
        true => TraceMode::Records,
        false => TraceMode::Hash,
    };
    let scenario = scenario.of_seed(seed);
    let mut world = World::new(subject, &scenario, seed, mode);
    if keep.trace {
        world.keep_log();
    }
    if keep.script {
        world.keep_script();
    }
    run_to_end(&mut world, seed, keep)
}

/// Runs one seed, or the script of a scenario, where an observer sees how far it is.
pub(crate) fn run_observed(
    subject: &AnySubject,
    scenario: &Scenario,
    seed: u64,
    observer: &Arc<Observer>,
) {
    let scenario = scenario.of_seed(seed);
    let mut world = World::new(subject, &scenario, seed, TraceMode::Records);
    world.observe(observer);
    let _ = world.run();
}

fn run_to_end(world: &mut World<'_>, seed: u64, keep: Keep) -> RunResult {
    let stop = world.run().err();
    let trace = trace(world, keep.trace);
    let outcome = outcome(world, stop, &trace);
    let mut hash = Fnv::default();
    hash.update(&world.seen().hash().to_le_bytes());
    hash.update(&world.disk().trace_hash().to_le_bytes());
    let counts = Counts {
        storage_calls: world.disk().calls(),
        ..world.seen().counts
    };
    let fired = world.faults().director().fired().clone();
    let coverage = world.faults().director().watch().coverage().clone();
    RunResult {
        coverage,
        seed,
        counts,
        faults_fired: fired,
        marks: world.seen().marks.clone(),
        trace_hash: hash.0,
        script: keep.script.then(|| world.script()),
        trace,
        outcome,
    }
}

/// How a run that stopped so ended.
pub(crate) fn outcome(world: &World<'_>, stop: Option<Stop>, trace: &[String]) -> Outcome {
    match stop {
        None | Some(Stop::Over) => Outcome::Held,
        Some(Stop::Wrong(finding)) => Outcome::Violated(violation(world, finding, trace)),
        Some(Stop::Exhausted(finding)) => Outcome::Exhausted(violation(world, finding, trace)),
        Some(Stop::Panicked(finding)) => Outcome::Panicked(violation(world, finding, trace)),
    }
}

/// Commands and storage calls, in the order in which they happened.
fn trace(world: &World<'_>, wanted: bool) -> Vec<String> {
    if !wanted {
        return Vec::new();
    }
    let log = with_calls(world.seen().log(), world.disk().trace());
    log.iter().filter_map(|event| event.event.line()).collect()
}

fn violation(world: &World<'_>, finding: Finding, trace: &[String]) -> Violation {
    let first = trace.len().saturating_sub(LAST_CALLS);
    Violation {
        invariant: finding.invariant,
        step: world.seen().counts.commands,
        command: world.seen().command.clone(),
        crash_point: world.seen().crash_point.clone(),
        expected: finding.expected,
        found: finding.found,
        last_calls: trace[first..].to_vec(),
    }
}

/// Adds results up in seed order, whatever the order in which they come.
struct Sum {
    result: ScenarioResult,
    hash: Fnv,
    /// The seed that comes next.
    next: u64,
    /// Results that came too early.
    early: BTreeMap<u64, RunResult>,
}

impl Sum {
    fn new(scenario: &Scenario, first: u64) -> Self {
        let mut faults_fired = BTreeMap::new();
        for rate in &scenario.faults {
            faults_fired.insert(rate.kind, 0);
        }
        let marks = scenario.expect.marks.iter().map(|mark| (*mark, 0));
        Sum {
            result: ScenarioResult {
                name: scenario.name.clone(),
                faults_fired,
                marks: marks.collect(),
                expected_failure: ExpectedFailure::of(scenario),
                ..ScenarioResult::default()
            },
            hash: Fnv::default(),
            next: first,
            early: BTreeMap::new(),
        }
    }

    fn take(&mut self, result: RunResult) {
        self.early.insert(result.seed, result);
        while let Some(result) = self.early.remove(&self.next) {
            self.next += 1;
            self.add(result);
        }
    }

    fn add(&mut self, run: RunResult) {
        let sum = &mut self.result;
        sum.runs += 1;
        sum.counts.add(&run.counts);
        for (kind, count) in &run.faults_fired {
            *sum.faults_fired.entry(*kind).or_insert(0) += count;
        }
        for (mark, count) in &run.marks {
            *sum.marks.entry(*mark).or_insert(0) += count;
        }
        sum.coverage.add(&run.coverage);
        self.hash.update(&run.trace_hash.to_le_bytes());
        let mut expected = sum.expected_failure.iter_mut();
        let taken = expected.any(|expected| expected.takes(run.seed, &run.outcome));
        if run.outcome != Outcome::Held && !taken {
            sum.failed_runs += 1;
            if sum.failures.len() < FAILURES_KEPT {
                sum.failures.push(run);
            }
        }
    }

    fn finish(mut self, seeds: u64) -> ScenarioResult {
        // When cancelled, seeds after a gap may have finished; they count too, in their order.
        for (_, result) in std::mem::take(&mut self.early) {
            self.add(result);
        }
        self.result.cancelled = self.result.runs < seeds;
        self.result.trace_hash = self.hash.0;
        self.result
    }
}
