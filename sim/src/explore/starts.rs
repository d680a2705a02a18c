//! Where small workloads begin: an empty store, or a prepared one with an old snapshot and a log that is about to cross a page.

use beaver_disk::{Image, TraceMode};

use crate::scenario::{
    Budget, Crashes, Expect, LogSettings, Profile, Scenario, Script, Seeds, Step, Swarm, Workload,
};
use crate::subject::{AnyState, AnySubject};
use crate::world::World;

/// Small enough that two short commands share a batch and a third waits.
const BATCH_BYTES: u64 = 400;
const PAGE: u64 = beaver_disk::PAGE_SIZE;

/// Where a small workload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// No store at all.
    Empty,
    /// Two snapshots, the segments that lead from the older one on, and an active segment just before the end of a page.
    Prepared,
    /// The same with space preallocated ahead of the log.
    Preallocated,
    /// One snapshot and the segment after it: no older snapshot is kept to fall back to.
    WithoutFallBack,
    /// As prepared, with batches of a few commands, and workloads in which the sync of one of them fails.
    FailingSync,
    /// The same on a system that does not drop a cache: what recovery reads may be there alone.
    FailingSyncCacheKept,
}

impl Start {
    /// All of them.
    pub const ALL: [Start; 6] = [
        Start::Empty,
        Start::Prepared,
        Start::Preallocated,
        Start::WithoutFallBack,
        Start::FailingSync,
        Start::FailingSyncCacheKept,
    ];

    /// The starts of the library's own queue with this many callers. A failing sync of a single one is left to the sampler.
    pub fn of(callers: u32) -> impl Iterator<Item = Start> {
        let alone = move |start: &Start| callers > 1 || !start.has_failing_sync();
        Start::ALL.into_iter().filter(alone)
    }

    /// Whether the sync of one of the commands fails.
    pub(crate) const fn has_failing_sync(self) -> bool {
        matches!(self, Start::FailingSync | Start::FailingSyncCacheKept)
    }

    /// Whether the system does not drop a cache.
    pub(super) const fn keeps_cache(self) -> bool {
        matches!(self, Start::FailingSyncCacheKept)
    }

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Start::Empty => "small-from-empty",
            Start::Prepared => "small-from-prepared",
            Start::Preallocated => "small-preallocated",
            Start::WithoutFallBack => "small-without-fall-back",
            Start::FailingSync => "small-failing-sync",
            Start::FailingSyncCacheKept => "small-failing-sync-cache-kept",
        }
    }

    /// The scenario around the small workloads that begin here.
    #[must_use]
    pub fn scenario(self, profile: Profile) -> Scenario {
        Scenario {
            name: self.name().to_owned(),
            claim: "Every small workload survives a crash at every moment of it.".to_owned(),
            seeds: Seeds::one(0),
            profile,
            keeps_cache: self.keeps_cache(),
            workload: Workload::default(),
            log: self.log(),
            swarm: Swarm::default(),
            crashes: Crashes::default(),
            faults: Vec::new(),
            fault_mixture: 0,
            expect: Expect::default(),
            budget: Budget::default(),
            script: None,
        }
    }

    /// How the log is set up.
    pub(super) fn log(self) -> LogSettings {
        let settings = LogSettings::default();
        match self {
            Start::Empty | Start::Prepared => settings,
            Start::Preallocated => LogSettings {
                preallocate_bytes: PAGE,
                ..settings
            },
            Start::WithoutFallBack => LogSettings {
                keep_old_snapshots: 0,
                ..settings
            },
            Start::FailingSync | Start::FailingSyncCacheKept => LogSettings {
                batch_bytes: BATCH_BYTES,
                ..settings
            },
        }
    }

    /// The steps that lead there, and the state that they leave.
    pub(super) fn steps(self, subject: &AnySubject, scenario: &Scenario) -> (Vec<Step>, AnyState) {
        let steps = match (self, subject.inspected()) {
            (Start::Empty, _) => return (Vec::new(), subject.initial()),
            (_, Some(inspected)) => {
                inspected.prepared(&|steps| end_of_log(subject, scenario, steps))
            }
            (_, None) => prepared(subject),
        };
        let (_, state) = run(subject, scenario, &steps);
        (steps, state)
    }
}

/// Ops, a checkpoint, and more ops, for a store of whose files nothing is known.
pub(crate) fn prepared(subject: &AnySubject) -> Vec<Step> {
    let mut state = subject.initial();
    let mut steps = Vec::new();
    for at in 0..5 {
        if at == 2 || at == 4 {
            steps.push(Step::Checkpoint);
        }
        let ops = subject.ops(&state);
        let Some(op) = ops.get(at % ops.len().max(1)) else {
            break;
        };
        let (op, _) = subject.resolve(op, &state, 0);
        op.apply(&mut state);
        steps.push(Step::Op(op));
    }
    steps
}

/// Where the lines of the newest file end after `steps`.
fn end_of_log(subject: &AnySubject, scenario: &Scenario, steps: &[Step]) -> u64 {
    let (live, _) = run(subject, scenario, steps);
    let newest = live.names().filter(|name| name.ends_with(".jsonl")).last();
    let bytes = newest.and_then(|name| live.read(name)).unwrap_or_default();
    let free = bytes
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\n')
        .count();
    bytes.len() as u64 - free as u64 + 1
}

/// Runs `steps` and answers with what is on the disk then, and with the state. What goes wrong here
/// goes wrong again in the exploration, which reports it.
fn run(subject: &AnySubject, scenario: &Scenario, steps: &[Step]) -> (Image, AnyState) {
    let scenario = Scenario {
        script: Some(Script {
            steps: steps.to_vec(),
            ..Script::default()
        }),
        ..scenario.clone()
    };
    let mut world = World::new(subject, &scenario, 0, TraceMode::Off);
    let mut running = world.begin_run().is_ok();
    while running {
        running = world.next_command().unwrap_or(false);
    }
    (world.disk().live(), world.believed().clone())
}
