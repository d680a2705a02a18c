//! Where small workloads begin: an empty store, or a prepared one with an old snapshot and a log that is about to cross a page.

use beaver_disk::TraceMode;

use crate::oracle::damage::segment_epoch;
use crate::oracle::model::Model;
use crate::scenario::{
    Budget, Crashes, Expect, Job, LogSettings, Profile, Scenario, Script, Seeds, Step, Workload,
};
use crate::subject::{Layout, Subject};
use crate::world::World;

use super::alphabet::one_by_one;

/// How far before the end of its page the active segment of a prepared store ends, in bytes: every append crosses.
const BEFORE_PAGE_END: u64 = 40;
/// So few bytes that two short commands share a batch and others wait for the next one.
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
    /// One snapshot and the segment behind it: no older snapshot is kept to fall back to.
    WithoutFallBack,
    /// As prepared, with batches of a few commands, and workloads in which the sync of one of them fails.
    FailingSync,
}

impl Start {
    /// All of them.
    pub const ALL: [Start; 5] = [
        Start::Empty,
        Start::Prepared,
        Start::Preallocated,
        Start::WithoutFallBack,
        Start::FailingSync,
    ];

    /// Those from which so many callers have workloads: where a sync fails there must be somebody else who waits for it, or comes
    /// behind it.
    pub fn of(callers: u32) -> impl Iterator<Item = Start> {
        let alone = move |start: &Start| callers > 1 || *start != Start::FailingSync;
        Start::ALL.into_iter().filter(alone)
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
            workload: Workload::default(),
            log: self.log(),
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
            Start::FailingSync => LogSettings {
                batch_bytes: BATCH_BYTES,
                ..settings
            },
        }
    }

    /// The steps that lead there, and the queue that they leave.
    pub(super) fn steps(self, subject: &Subject, scenario: &Scenario) -> (Vec<Step>, Model) {
        match self {
            Start::Empty => (Vec::new(), Model::default()),
            _ => match subject.store.layout() {
                Layout::Documented => prepared(subject, scenario),
                Layout::Own { words } => prepared_own(subject, scenario, words),
            },
        }
    }
}

fn prepared(subject: &Subject, scenario: &Scenario) -> (Vec<Step>, Model) {
    let enqueue = |ids: &[&str], payload: &str| Step::Enqueue {
        jobs: ids.iter().map(|id| job(id, payload)).collect(),
    };
    let ack = |id: &str| Step::Ack { id: id.to_owned() };
    let fail = |id: &str| Step::Fail { id: id.to_owned() };
    let mut steps = vec![
        enqueue(&["old-1", "old-2", "old-3"], "{}"),
        Step::Dispatch,
        ack("old-1"),
        Step::Checkpoint,
        Step::Dispatch,
        enqueue(&["old-4"], "[1,2,3]"),
        Step::Checkpoint,
        fail("old-2"),
        Step::Dispatch,
    ];
    // A first run says where the log ends with an empty filler, a second one fills it up.
    steps.push(enqueue(&["filler"], "\"\""));
    let (end, _) = run(subject, scenario, &steps);
    let room = (PAGE - BEFORE_PAGE_END).saturating_sub(end);
    let filler = "x".repeat(usize::try_from(room).expect("less than a page"));
    steps.pop();
    steps.push(enqueue(&["filler"], &format!("\"{filler}\"")));
    let (_, model) = run(subject, scenario, &steps);
    (steps, model)
}

/// Commands, a checkpoint, and more commands, for a store with files of its own.
fn prepared_own(
    subject: &Subject,
    scenario: &Scenario,
    words: fn(u64) -> String,
) -> (Vec<Step>, Model) {
    let jobs = (1..=5).map(|number| Job::numbered(number, &words(number)));
    let mut steps = one_by_one(jobs.collect());
    steps.insert(4, Step::Checkpoint);
    steps.insert(2, Step::Checkpoint);
    let (_, model) = run(subject, scenario, &steps);
    (steps, model)
}

fn job(id: &str, payload: &str) -> Job {
    Job {
        id: id.to_owned(),
        payload: payload.to_owned(),
        max_attempts: 2,
        timeout_ms: 500,
    }
}

/// Runs `steps` and answers with where the lines of the newest segment end, and with the queue. What goes wrong here goes
/// wrong again in the exploration, which reports it.
fn run(subject: &Subject, scenario: &Scenario, steps: &[Step]) -> (u64, Model) {
    let scenario = Scenario {
        script: Some(Script {
            steps: steps.to_vec(),
            ..Script::default()
        }),
        ..scenario.clone()
    };
    let mut world = World::new(&scenario, 0, TraceMode::Off);
    world.test(subject.clone());
    let mut running = world.begin_run().is_ok();
    while running {
        running = world.next_command().unwrap_or(false);
    }
    let live = world.disk().live();
    let newest = live
        .names()
        .filter(|name| segment_epoch(name).is_some())
        .last();
    let bytes = newest.and_then(|name| live.read(name)).unwrap_or_default();
    let free = bytes
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\n')
        .count();
    let end = bytes.len() as u64 - free as u64 + 1;
    (end, world.believed().clone())
}
