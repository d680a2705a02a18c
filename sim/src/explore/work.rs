//! Units of work: one command of one workload, with everything that a crash in it can lead to.

use beaver_disk::{Behaviour, FailedSync, FailureKind, Fault, Op, Subset};

use crate::coverage::Coverage;
use crate::scenario::{Effect, FaultKind, PlannedFault, Scenario, Script, Step};
use crate::world::{RunMoment, Stop, World};

use super::search::CrashSearch;
use super::target::{ExploreTarget, Findings};
use super::trail::{FoundFailure, count};

/// One command of a long workload: what led to it, and the moments in it.
#[derive(Debug)]
pub(super) struct WorkUnit {
    script: Script,
    /// The last storage call before it.
    calls: u64,
    moments: Vec<RunMoment>,
}

/// The units of work of one seed, and what went wrong without any crash.
pub(super) fn work_units(target: ExploreTarget<'_>, seed: u64) -> (Vec<WorkUnit>, Findings) {
    let mut world = target.world(target.scenario, seed);
    world.keep_moments();
    let mut work_units = Vec::new();
    let mut run = Findings::default();
    let mut running = world.begin_run().map(|()| true);
    loop {
        work_units.push(WorkUnit {
            script: world.script(),
            calls: world.calls_before_part(),
            moments: world.take_moments(),
        });
        running = match running {
            Ok(true) => world.next_command(),
            Ok(false) | Err(Stop::Over) => break,
            Err(stop) => {
                run.failures.push(stopped(stop, &mut world));
                break;
            }
        };
    }
    run.tally.workloads = 1;
    run.tally.commands = world.seen().counts.commands;
    run.tally.storage_calls = world.disk().calls();
    run.coverage = coverage(&world);
    (work_units, run)
}

impl WorkUnit {
    /// Lets the process die at each moment.
    pub(super) fn explore(&self, target: ExploreTarget<'_>) -> Findings {
        let mut search = CrashSearch::new(target);
        for (moment, moments_left) in self.moments.iter().zip((0..self.moments.len()).rev()) {
            search.moment(moment, self.calls, moments_left > 0);
        }
        search.into_findings(&self.script)
    }
}

/// Explores the last of the steps of `script`; what comes before is explored as a workload of its own.
pub(super) fn explore_last(target: ExploreTarget<'_>, script: Script) -> Findings {
    let count = script.steps.len();
    if let Some(watched) = target.watched {
        watched.begin(&script);
    }
    let scenario = Scenario {
        script: Some(script),
        ..target.scenario.clone()
    };
    let mut world = target.world(&scenario, 0);
    let mut sum = Findings::default();
    sum.tally.workloads = 1;
    match run_to_last(&mut world, count) {
        Ok(calls) => {
            sum.tally.commands = 1;
            sum.tally.storage_calls = world.disk().calls() - calls;
            let unit = WorkUnit {
                script: world.script(),
                calls: world.calls_before_part(),
                moments: world.take_moments(),
            };
            sum.coverage = coverage(&world);
            sum.add(unit.explore(target));
        }
        // A shorter workload has ended like this, and was explored.
        Err(Stop::Over) => {}
        Err(stop) => sum.failures.push(stopped(stop, &mut world)),
    }
    sum
}

/// Runs a workload of `steps` steps and keeps the moments of the last one. Answers with the number of calls before it.
fn run_to_last(world: &mut World<'_>, steps: usize) -> Result<u64, Stop> {
    if steps == 0 {
        world.keep_moments();
        world.begin_run()?;
        return Ok(0);
    }
    world.begin_run()?;
    for _ in 1..steps {
        world.next_command()?;
    }
    let calls = world.disk().calls();
    world.keep_moments();
    // The moment before the step is the last one of the workload without it.
    let _ = world.take_moments();
    match world.next_command() {
        // A store that does not open again, and has not promised to, ends the workload.
        Ok(_) | Err(Stop::Over) => Ok(calls),
        Err(stop) => Err(stop),
    }
}

/// Explores the last of `steps` once for each sync of step `at` that can fail, and each way in which it can.
pub(super) fn explore_last_after_failure(
    target: ExploreTarget<'_>,
    steps: &[Step],
    at: usize,
) -> Findings {
    let script = |faults| Script {
        steps: steps.to_vec(),
        faults,
        ..Script::default()
    };
    let mut sum = Findings::default();
    for (call, op) in calls_of(target, &steps[..=at]) {
        for (kind, failed) in failures_of(op, target) {
            if target.is_cancelled() {
                sum.is_cut_off = true;
                return sum;
            }
            let fault = PlannedFault {
                step: Some(count(at + 1)),
                process: 0,
                call,
                kind,
                effect: Effect::Call(failed),
            };
            sum.add(explore_last(target, script(vec![fault])));
        }
    }
    sum
}

/// How this call can fail, if it is a sync.
fn failures_of(op: Op, target: ExploreTarget<'_>) -> Vec<(FaultKind, Fault)> {
    // What stays pending when a directory sync fails is what a crash before it may leave: it is the store that may go on
    // wrongly. The library's own queue is given such failures by its scenarios.
    let fails_directories = target.subject.inspected().is_none();
    match op {
        Op::SyncData => failed_syncs(target.scenario.keeps_cache).collect(),
        Op::SyncDir if fails_directories => {
            let failed = Fault::FailedSyncDir {
                error: FailureKind::default(),
                durable: Subset::default(),
            };
            vec![(FaultKind::SyncDirError, failed)]
        }
        _ => Vec::new(),
    }
}

/// Those that a store can survive: where the cache is kept, pages that stay unwritten are lost.
fn failed_syncs(keeps_cache: bool) -> impl Iterator<Item = (FaultKind, Fault)> {
    let survived =
        move |(kind, _): &(FaultKind, Behaviour)| !keeps_cache || *kind != FaultKind::SyncUnwritten;
    let failures = FAILED_SYNCS.into_iter().filter(survived);
    failures.map(|(kind, behaviour)| {
        let failed = FailedSync {
            behaviour,
            ..FailedSync::default()
        };
        (kind, Fault::FailedSync(failed))
    })
}

/// What file systems make of a failed sync. Where everything is refused from then on, only a reboot helps: that is left to the
/// sampler.
const FAILED_SYNCS: [(FaultKind, Behaviour); 5] = [
    (FaultKind::SyncMarkClean, Behaviour::MarkClean),
    (FaultKind::SyncUnwritten, Behaviour::MarkCleanUnwritten),
    (FaultKind::SyncSizeLost, Behaviour::MarkCleanSizeLost),
    (FaultKind::SyncRevert, Behaviour::Revert),
    (FaultKind::SyncRetryWorks, Behaviour::RetryWorks),
];

/// The calls of the last of `steps`, by their numbers. A workload that does not get so far has none: it is
/// explored, and reported, without the failure.
fn calls_of(target: ExploreTarget<'_>, steps: &[Step]) -> Vec<(u64, Op)> {
    let scenario = Scenario {
        script: Some(Script {
            steps: steps.to_vec(),
            ..Script::default()
        }),
        ..target.scenario.clone()
    };
    let mut world = target.world(&scenario, 0);
    if run_to_last(&mut world, steps.len()).is_err() {
        return Vec::new();
    }
    let crashes = world.take_moments().into_iter().map(|moment| moment.crash);
    let before = crashes.filter(|crash| crash.point().moment == beaver_disk::Moment::Before);
    let calls = world.calls_before_part();
    let calls = before.filter_map(|crash| Some((crash.point().call - calls, crash.op()?)));
    calls.collect()
}

/// Where the process of a world could die while its moments were kept.
fn coverage(world: &World<'_>) -> Coverage {
    world.faults().director().watch().coverage().clone()
}

/// The run ended without any crash: that needs none to be reported.
fn stopped(stop: Stop, world: &mut World<'_>) -> FoundFailure {
    FoundFailure {
        finding: stop.into(),
        script: world.script(),
        count: 1,
    }
}
