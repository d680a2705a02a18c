//! The world: the only loop. It gives commands to the client, stops it, starts it again, and asks
//! the oracle.

mod beside;
mod checkpoints;
mod checks;
mod commands;
mod course;
mod crashes;
mod describe;
mod inspection;
mod marking;
mod moments;
mod start;
mod steps;
mod unsynced;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use beaver::{Clock, ManualClock};
use beaver_disk::{Disk, SimDisk, SimOptions, TraceMode};

use crate::faults::{Director, Faults, Source, Survivors};
use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::damage::{Files, Scars};
use crate::oracle::history::History;
use crate::oracle::judge::Finding;
use crate::scenario::{CrashKind, Drawn, FaultRate, Scenario, Script, Step};
use crate::stream::Stream;
use crate::subject::{Failure, Layout, Process, Subject};

use crate::recorder::Recorder;
use beside::Beside;
use course::Courses;
pub(crate) use course::{Course, Leg, Licence, between_calls};
use crashes::CrashPlan;
pub(crate) use describe::describe;
use moments::Beliefs;
pub(crate) use moments::Moment;
pub(crate) use start::check_recovery_calls;
use steps::Steps;
use unsynced::Unpromised;

/// What came of the second step of a checkpoint.
type Written = Result<Box<dyn Any + Send>, Failure>;

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An invariant is violated.
    Wrong(Finding),
    /// A budget ran out.
    Exhausted(Finding),
    /// The program under test panicked.
    Panicked(String),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Stop::Wrong(finding)
    }
}

/// What the time is when a run begins, in milliseconds: early enough to read, late enough to be no
/// special case.
const START_MS: u64 = 1_000_000;

/// One run.
#[derive(Debug)]
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    clock: Arc<ManualClock>,
    faults: Faults,
    subject: Subject,
    client: Option<Box<dyn Process>>,
    history: History,
    steps: Steps<'a>,
    crashes: CrashPlan,
    survivors: Survivors,
    /// Whether the log must refuse every change until it is opened again, as far as the client
    /// knows.
    poisoned: bool,
    /// What was answered and is not promised yet.
    unpromised: VecDeque<Unpromised>,
    /// How many groups the processes that are gone had answered without a promise.
    unsynced: usize,
    /// Commands that failed and are given again later.
    again: VecDeque<Step>,
    /// Whether a command was refused by a full disk and none has succeeded since.
    met_full_disk: bool,
    /// Whether a torn tail was cut and nothing was acknowledged since.
    cut_torn_tail: bool,
    /// Whether another process holds the lock.
    lock_held: bool,
    /// What it is worth if the store opens after the attempts that failed.
    marks_if_open: Vec<crate::marks::Mark>,
    /// How many wrong reads there were up to the last recovery.
    wrong_reads: u64,
    /// How the last process ended, and whether the one before it was killed and the store opened in
    /// between.
    last_crash: Option<CrashKind>,
    killed_then_opened: bool,
    /// Damage that nothing has healed yet.
    scars: Scars,
    /// Whether the log holds an event of an unknown type, and nothing has damaged it since.
    unknown_event: bool,
    /// Whether a sector may be unreadable for good.
    unreadable: bool,
    /// What the files held when an earlier process ended.
    earlier: Files,
    /// Whether a recovery has ended and nothing was asked of the store since.
    untouched: bool,
    /// Whether an error in the last recovery may have left what the next one removes.
    may_go: bool,
    /// What is wrong with an image beside the run, until the run has shown it itself.
    wrong_beside: Option<Stop>,
    /// Everything that chance decided so far.
    script: Script,
    seen: Recorder,
    /// What the client believed at which call, if the moments of the run are kept.
    beliefs: Option<Beliefs>,
    /// The course of the run, if it is written down.
    courses: Option<Courses>,
    /// The second step of a checkpoint, while commands are given in the middle of it.
    writing: Option<Beside<Written>>,
    /// Whether there will be such a step: then the store's calls are made one by one.
    has_stepwise: bool,
}

impl<'a> World<'a> {
    /// The world of `seed`, or of the scenario's script.
    pub(crate) fn new(scenario: &'a Scenario, seed: u64, trace: TraceMode) -> Self {
        let options = SimOptions {
            trace,
            max_calls: Some(scenario.budget.storage_calls),
            ..SimOptions::default()
        };
        let profile = scenario.profile;
        let disk = SimDisk::new(Disk::empty(profile), options);
        let rates = mixture(scenario, seed);
        let device: Vec<FaultRate> = rates
            .iter()
            .filter(|rate| rate.kind.drawn() == Drawn::PowerCut)
            .cloned()
            .collect();
        let director = match &scenario.script {
            Some(script) => Director::scripted(&script.faults),
            None => Director::new(Source::Random {
                rates,
                stream: Box::new(Stream::new(seed, "faults")),
            }),
        };
        World {
            scenario,
            clock: Arc::new(ManualClock::new(START_MS)),
            faults: Faults::new(disk, director),
            subject: Subject::default(),
            client: None,
            history: History::default(),
            steps: Steps::new(scenario, seed),
            crashes: CrashPlan::new(scenario, seed),
            survivors: Survivors::new(seed, &scenario.crashes, device),
            poisoned: false,
            unpromised: VecDeque::new(),
            unsynced: 0,
            again: VecDeque::new(),
            met_full_disk: false,
            cut_torn_tail: false,
            lock_held: false,
            marks_if_open: Vec::new(),
            wrong_reads: 0,
            last_crash: None,
            killed_then_opened: false,
            scars: Scars::default(),
            unknown_event: false,
            unreadable: false,
            earlier: Files::new(),
            untouched: false,
            may_go: false,
            wrong_beside: None,
            script: Script::default(),
            seen: Recorder::default(),
            beliefs: None,
            courses: None,
            writing: None,
            has_stepwise: has_stepwise(scenario),
        }
    }

    /// Tests this in place of the library.
    pub(crate) fn test(&mut self, subject: Subject) {
        if let Layout::Own { words } = subject.store.layout() {
            self.steps.number(words);
        }
        self.subject = subject;
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Why it ended early.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        self.crashes.arm_scripted(self.faults.disk());
        self.begin_scene();
        self.start()?;
        while self.next_command()? {}
        self.last_look()
    }

    /// The end of a run: nothing goes wrong any more, the store is closed and opened once more, and
    /// judged.
    fn last_look(&mut self) -> Result<(), Stop> {
        self.faults.director().set_quiet(true);
        self.crashes.stop(self.faults.disk());
        self.begin_scene();
        self.reopen()
    }

    /// Runs a piece of the program under test.
    fn program<T>(&mut self, piece: impl FnOnce() -> T) -> Result<T, Stop> {
        guarded(piece).map_err(Stop::Panicked)
    }

    fn check_budget(&self) -> Result<(), Stop> {
        if self.faults.disk().is_out_of_calls() {
            let finding = out_of_calls(self.scenario.budget.storage_calls);
            return Err(Stop::Exhausted(finding));
        }
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// What the files hold now, as a reader sees them.
    fn files(&self) -> Files {
        self.faults.disk().live().to_files()
    }

    /// The script so far, the faults that fired included.
    pub(crate) fn script(&self) -> Script {
        let mut script = self.script.clone();
        script.faults = self.faults.director().planned().to_vec();
        script
    }

    /// The disk, for its trace and its counters.
    pub(crate) fn disk(&self) -> &SimDisk {
        self.faults.disk()
    }

    /// The faults, for what fired.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was seen on the way.
    pub(crate) fn seen(&self) -> &Recorder {
        &self.seen
    }

    /// Keeps everything that happens, for a trace or an explanation.
    pub(crate) fn keep_log(&mut self) {
        self.seen.keep_log();
    }
}

/// Whether a script gives commands in the middle of a step of the store.
fn has_stepwise(scenario: &Scenario) -> bool {
    let mut steps = scenario.script.iter().flat_map(|script| &script.steps);
    steps.any(|step| matches!(step, Step::CheckpointAmid { .. }))
}

/// A run made more storage calls than its budget allows.
pub(crate) fn out_of_calls(most: u64) -> Finding {
    let expected = format!("the run to end within {most} storage calls");
    Finding::new(Invariant::Progress, expected, "it went on")
}

/// The faults of a seed: all that are switched on, or as many of them as the mixture has.
fn mixture(scenario: &Scenario, seed: u64) -> Vec<FaultRate> {
    let mut rates = scenario.faults.clone();
    let kept = scenario.fault_mixture as usize;
    if kept > 0 {
        let mut stream = Stream::new(seed, "mixture");
        while rates.len() > kept {
            rates.swap_remove(stream.index(rates.len()));
        }
        rates.sort_by_key(|rate| rate.kind);
    }
    rates
}
