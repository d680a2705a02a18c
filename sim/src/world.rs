//! The world: the only loop. It gives commands to the client, stops it, starts it again, and asks
//! the oracle.

mod checks;
mod commands;
mod concurrent;
mod crashes;
pub(crate) mod examine;
mod inspection;
mod marking;
mod moments;
mod observer;
mod refusal;
mod requeue;
mod schedule;
mod start;
mod steps;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver::{Clock, ManualClock, Storage};
use beaver_disk::{Disk, DiskEvent, SimDisk, SimOptions, Subset, TraceMode};

use crate::faults::{Director, Faults, Source, SurvivorDraw};
use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::oracle::history::History;
use crate::scenario::{CrashKind, Drawn, FaultRate, Scenario, Script, Step};
use crate::stream::Stream;
use crate::subject::{AnySubject, Failure, Machine, OpenReport, OpenStore};

use crate::lockstep::LockstepThread;
use crate::recorder::Recorder;
use crashes::CrashPlan;
use moments::BeliefSpans;
pub(crate) use moments::{DeadProcess, RunMoment};
pub(crate) use observer::Observer;
use schedule::Part;
pub(crate) use schedule::ReplayMode;
pub(crate) use start::check_recovery_calls;
use steps::NextSteps;

/// What came of the second step of a checkpoint.
type WrittenCheckpoint = Result<Box<dyn Any + Send>, Failure>;

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An invariant is violated.
    Wrong(Finding),
    /// A budget ran out.
    Exhausted(Finding),
    /// The program under test panicked.
    Panicked(Finding),
    /// The store cannot go on, and has not promised to.
    Over,
}

impl Stop {
    /// The program under test panicked, and said this.
    fn panicked(message: String) -> Self {
        Stop::Panicked(examine::panicked(message))
    }
}

/// What a piece of the program answers whose process dies in it: something that nobody hears.
trait Unheard {
    fn unheard() -> Self;
}

impl<T> Unheard for Result<T, Failure> {
    fn unheard() -> Self {
        let text = "the process has died";
        Err(Failure::new(crate::subject::ErrorClass::Poisoned, text))
    }
}

impl<T> Unheard for Vec<T> {
    fn unheard() -> Self {
        Vec::new()
    }
}

impl<A: Unheard, B: Unheard> Unheard for (A, B) {
    fn unheard() -> Self {
        (A::unheard(), B::unheard())
    }
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
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    clock: Arc<ManualClock>,
    faults: Faults,
    subject: AnySubject,
    store: Option<Box<dyn OpenStore>>,
    /// What opening the store reported last.
    report: OpenReport,
    /// Whether the store was ever open.
    was_open: bool,
    history: History,
    steps: NextSteps<'a>,
    crashes: CrashPlan,
    survivors: SurvivorDraw,
    /// Whether the log must refuse every change until it is opened again, as far as the client
    /// knows.
    poisoned: bool,
    /// How many ops the processes that are gone had answered without a promise.
    unsynced: usize,
    /// Commands that failed and are given again later.
    again: VecDeque<Step>,
    /// Whether a command was refused by a full disk and none has succeeded since.
    met_full_disk: bool,
    /// Whether a checkpoint failed since the store was opened: what it left may not count as kept.
    checkpoint_failed: bool,
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
    damage: InjectedDamage,
    /// Whether the log holds an event of an unknown type, and nothing has damaged it since.
    unknown_event: bool,
    /// Whether a sector may be unreadable for good.
    unreadable: bool,
    /// What the files held when an earlier process ended.
    earlier: Files,
    /// What the disk held when the store was opened last, where the cache showed something else: pages
    /// whose sync had failed.
    found_on_disk: Option<Files>,
    /// Whether a recovery has ended and nothing was asked of the store since.
    untouched: bool,
    /// Whether an error in the last recovery may have left what the next one removes.
    may_go: bool,
    /// What is wrong with an image beside the run, until the run has shown it itself.
    wrong_side_image: Option<Stop>,
    /// Everything that chance decided so far.
    script: Script,
    seen: Recorder,
    /// What the client believed at which call, if the moments of the run are kept.
    beliefs: Option<BeliefSpans>,
    /// The part of a process in a step that is under way.
    part: Part,
    /// Where the parts so far began, if the script is kept: step, process, the last call before.
    parts: Vec<(u32, u32, u64)>,
    /// How closely the script is followed.
    replay: ReplayMode,
    /// Whether the script of the run is kept.
    keeps_script: bool,
    /// The second step of a checkpoint, while commands are given in the middle of it.
    writing: Option<LockstepThread<WrittenCheckpoint>>,
    /// Whether there will be such a step: then the store's calls are made one by one.
    has_lockstep: bool,
    /// Who looks on from another thread.
    observer: Option<Arc<Observer>>,
    /// When it is set the run ends after the command that is under way.
    cancel: Option<&'a AtomicBool>,
}

impl<'a> World<'a> {
    /// The world of `seed`, or of the scenario's script.
    ///
    /// # Panics
    /// If the script holds an op that is none of the subject's.
    pub(crate) fn new(
        subject: &AnySubject,
        scenario: &'a Scenario,
        seed: u64,
        trace: TraceMode,
    ) -> Self {
        let options = SimOptions {
            trace,
            max_calls: Some(scenario.budget.storage_calls),
            keeps_cache: scenario.keeps_cache,
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
            Some(script) => {
                let of_the_run = script.faults.iter().filter(|fault| fault.step.is_none());
                Director::scripted(&of_the_run.cloned().collect::<Vec<_>>())
            }
            None => Director::new(Source::Random {
                rates,
                stream: Box::new(Stream::new(seed, "faults")),
            }),
        };
        World {
            scenario,
            clock: Arc::new(ManualClock::new(START_MS)),
            faults: Faults::new(disk, director),
            store: None,
            report: OpenReport::default(),
            was_open: false,
            history: History::new(subject.initial()),
            steps: NextSteps::new(subject, scenario, seed),
            subject: subject.clone(),
            crashes: CrashPlan::new(scenario, seed),
            survivors: SurvivorDraw::new(seed, &scenario.crashes, device),
            poisoned: false,
            unsynced: 0,
            again: VecDeque::new(),
            met_full_disk: false,
            checkpoint_failed: false,
            cut_torn_tail: false,
            lock_held: false,
            marks_if_open: Vec::new(),
            wrong_reads: 0,
            last_crash: None,
            killed_then_opened: false,
            damage: InjectedDamage::default(),
            unknown_event: false,
            unreadable: false,
            earlier: Files::new(),
            found_on_disk: None,
            untouched: false,
            may_go: false,
            wrong_side_image: None,
            script: Script::default(),
            seen: Recorder::default(),
            beliefs: None,
            part: Part::default(),
            parts: Vec::new(),
            replay: ReplayMode::Exact,
            keeps_script: false,
            writing: None,
            has_lockstep: has_lockstep(scenario),
            observer: None,
            cancel: None,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Why it ended early.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        match self.run_until_over() {
            Err(Stop::Over) => Ok(()),
            // When a process has no calls left, all of them fail, and what it makes of that is no promise broken.
            Err(stop) => self.check_budget().and(Err(stop)),
            Ok(()) => Ok(()),
        }
    }

    fn run_until_over(&mut self) -> Result<(), Stop> {
        self.begin_run()?;
        while self.next_command()? {
            if self.is_cancelled() {
                return Ok(());
            }
        }
        self.last_look()
    }

    /// Whether the run is to end early.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// The end of a run: nothing goes wrong any more, the store is closed and opened once more, and
    /// judged.
    fn last_look(&mut self) -> Result<(), Stop> {
        self.faults.director().set_quiet(true);
        self.crashes.stop(self.faults.disk());
        self.begin_step();
        self.reopen()
    }

    /// Runs a piece of the program under test.
    fn program<T: Unheard>(&mut self, piece: impl FnOnce() -> T) -> Result<T, Stop> {
        self.survived(guarded(piece))
    }

    /// What a piece of the program answered. A panic of a process that has died already is none: in truth
    /// it made no further step.
    fn survived<T: Unheard>(&self, done: Result<T, String>) -> Result<T, Stop> {
        match done {
            Err(_) if self.has_crashed() => Ok(T::unheard()),
            done => done.map_err(Stop::panicked),
        }
    }

    /// A machine on which a process opens the store.
    fn machine(&self, storage: Arc<dyn Storage>) -> Machine {
        Machine {
            storage,
            clock: self.clock.clone(),
            log: self.scenario.log.clone(),
        }
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

    /// What they hold when the cache forgets the pages whose sync failed; nothing where that is the
    /// same.
    fn files_on_disk(&self) -> Option<Files> {
        let copy = self.faults.copy();
        let forgotten = copy.happen(&DiskEvent::CacheDrop(Subset::All));
        forgotten.then(|| copy.live().to_files())
    }

    /// The script so far, the faults that fired included.
    pub(crate) fn script(&mut self) -> Script {
        self.end_part();
        self.script.clone()
    }

    /// Where each process's part of a step begins, if the script is kept.
    pub(crate) fn parts(&self) -> &[(u32, u32, u64)] {
        &self.parts
    }

    /// The last storage call before the part of the step that is under way.
    pub(crate) fn calls_before_part(&self) -> u64 {
        self.part.calls
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

    /// Keeps the script, with what survived by name.
    pub(crate) fn keep_script(&mut self) {
        self.keeps_script = true;
    }

    /// Follows the script like this.
    pub(crate) fn replay(&mut self, mode: ReplayMode) {
        self.replay = mode;
    }

    /// Shows where the run is to one that looks on from another thread.
    pub(crate) fn observe(&mut self, observer: &Arc<Observer>) {
        self.keep_script();
        self.observer = Some(Arc::clone(observer));
    }

    /// Ends the run after a command once this is set.
    pub(crate) fn end_when(&mut self, cancel: &'a AtomicBool) {
        self.cancel = Some(cancel);
    }

    /// Keeps everything that happens, for a trace or an explanation.
    pub(crate) fn keep_log(&mut self) {
        self.seen.keep_log();
    }
}

/// Whether a script gives commands in the middle of a step of the store.
fn has_lockstep(scenario: &Scenario) -> bool {
    let mut steps = scenario.script.iter().flat_map(|script| &script.steps);
    steps.any(|step| match step {
        Step::Concurrent(round) => !round.during_write().is_empty(),
        _ => false,
    })
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
        rates = Stream::new(seed, "mixture").some_of(rates, kept);
        rates.sort_by_key(|rate| rate.kind);
    }
    rates
}
