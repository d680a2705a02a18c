//! The search: from one moment of a run to everything that a crash at it may leave, and from there on.
//!
//! ```text
//! crash ──▶ each disk that it may leave ──▶ recover, judge ──┬─▶ crash at each call of that recovery   (depth)
//!                                                           └─▶ crash when it is over: what it showed is decided
//! ```

use std::sync::Arc;

use beaver::ManualClock;
use beaver_disk::{
    self, CallEffect, Change, Crash, CrashPoint, Disk, Profile, SimDisk, SimOptions, TraceMode,
};

use crate::beaver::tidiness;
use crate::coverage::Coverage;
use crate::faults::{Faults, SurvivorDraw};
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::kind::FindingKind;
use crate::scenario::{Crashes, Script};
use crate::subject::{OpenReport, OpenStore};
use crate::world::examine::{shown_state, unreadable};
use crate::world::{RunMoment, check_recovery_calls, out_of_calls};

use super::beliefs::{BeliefId, DiskBeliefs};
use super::memory::{Memory, Showing, VisitedKey};
use super::prefixes::prefixes;
use super::tally::Tally;
use super::target::{ExploreTarget, Findings, mixed};
use super::trail::{TrailStep, Wrong, killed};

/// Coverage is taken from one recovery in this many: the fault source that notes each call slows a recovery down.
const WATCHED_EVERY: u64 = 32;

/// How many failures of one unit are kept where kinds make no difference.
const FAILURES_KEPT: usize = 8;

/// Everything that one unit of work (a command of a workload) remembers.
pub(super) struct CrashSearch<'a> {
    pub(super) target: ExploreTarget<'a>,
    pub(super) profile: Profile,
    pub(super) clock: Arc<ManualClock>,
    pub(super) tally: Tally,
    pub(super) wrong: Vec<Wrong>,
    pub(super) beliefs: DiskBeliefs,
    memory: Memory,
    /// Where processes died.
    coverage: Coverage,
    /// A hash over every disk that was judged.
    hash: u64,
    pub(super) survivors: SurvivorDraw,
    /// The samples of what a bad device leaves.
    pub(super) on_bad_device: SurvivorDraw,
    /// What a bad device does in the next of them.
    pub(super) bad_device_turn: usize,
    /// Whether a store is going on now: what follows from that need not go on once more.
    going_on: bool,
    /// Whether something was left out: there was no time for it, or there were enough failures.
    is_cut_off: bool,
}

/// A disk on which a process starts.
pub(super) struct DiskStart {
    disk: Disk,
    belief: BeliefId,
    /// How many more crashes follow: the last of them only when recovery has ended.
    depth: u32,
    /// Whether the recovery before this one had ended.
    shown_before: bool,
}

/// Where a process dies.
pub(super) struct CrashState<'c> {
    pub(super) crash: &'c Crash,
    /// Where that is, as a script says it.
    pub(super) at: CrashPoint,
    pub(super) belief: BeliefId,
    /// Whether no process had made a call before.
    pub(super) is_start: bool,
    /// How many more crashes follow, as for the start of a process.
    pub(super) depth: u32,
    /// Whether its recovery had ended.
    pub(super) shown: bool,
}

/// A store that has just opened.
pub(super) struct OpenedStore<'s> {
    /// What is believed about it.
    pub(super) belief: BeliefId,
    /// Its machine.
    pub(super) sim: &'s SimDisk,
    /// The process that has it open.
    pub(super) store: Box<dyn OpenStore>,
    /// What opening reported.
    pub(super) report: OpenReport,
}

impl<'a> CrashSearch<'a> {
    pub(super) fn new(target: ExploreTarget<'a>) -> Self {
        let crashes = Crashes {
            torn_pages: 0,
            ..Crashes::default()
        };
        CrashSearch {
            target,
            profile: target.scenario.profile,
            clock: Arc::new(ManualClock::new(0)),
            tally: Tally::default(),
            wrong: Vec::new(),
            beliefs: DiskBeliefs::default(),
            memory: Memory::default(),
            coverage: Coverage::default(),
            hash: 0,
            survivors: SurvivorDraw::new(target.options.seed, &crashes, Vec::new()),
            on_bad_device: SurvivorDraw::new(target.options.seed, &crashes, Vec::new()),
            bad_device_turn: 0,
            going_on: false,
            is_cut_off: false,
        }
    }

    /// What came out of a workload that began with `script`.
    pub(super) fn into_findings(self, script: &Script) -> Findings {
        let failures = self.wrong.into_iter().map(|wrong| wrong.after(script));
        Findings {
            failures: failures.collect(),
            tally: self.tally,
            coverage: self.coverage,
            hash: self.hash,
            is_cut_off: self.is_cut_off,
        }
    }

    /// Whether the rest is left out. Asked at each crash and each image: what one command leads to may
    /// take minutes.
    pub(super) fn is_cancelled(&mut self) -> bool {
        let cancelled = self.target.is_cancelled();
        self.is_cut_off |= cancelled;
        cancelled
    }

    /// Lets the workload's process die at `moment`. `before_next`: another moment of this command follows, so a crash after this
    /// call is written as one before the next. `calls` were made before the command.
    pub(super) fn moment(&mut self, moment: &RunMoment, calls: u64, before_next: bool) {
        self.clock = Arc::new(ManualClock::new(moment.now_ms));
        let belief = self.beliefs.of(&moment.belief);
        let first_wrong = self.wrong.len();
        let mut at = moment.crash.point();
        let is_start = at.call == 0;
        at.call = at.call.saturating_sub(calls);
        if before_next && at.moment == beaver_disk::Moment::After {
            at = CrashPoint {
                call: at.call + 1,
                moment: beaver_disk::Moment::Before,
            };
        }
        if let Some(watched) = self.target.watched {
            watched.die_after(moment.crash.point().call.saturating_sub(calls));
        }
        self.crash(&CrashState {
            crash: &moment.crash,
            at,
            belief,
            is_start,
            depth: self.target.options.depth,
            shown: false,
        });
        for wrong in &mut self.wrong[first_wrong..] {
            wrong.last_call = moment.crash.point().call.saturating_sub(calls);
        }
    }

    /// A process dies: goes on from everything that it may leave.
    pub(super) fn crash(&mut self, crashed: &CrashState<'_>) {
        if self.is_cancelled() {
            return;
        }
        self.tally.crash_points += 1;
        let inside = crashed.crash.inside();
        // Keyed by disk and write: two different writes on one disk have different prefixes.
        if let Some(Change::Write { bytes, .. }) = inside
            && self.is_first(crashed, crashed.crash.fingerprint())
        {
            for length in prefixes(bytes) {
                let progress = CallEffect::Bytes(length);
                let disk = crashed.crash.kill(progress);
                let fingerprint = disk.fingerprint();
                self.start_killed(crashed, &disk, fingerprint, progress);
            }
        }
        let syncs = inside.is_some_and(Change::is_sync);
        // What a call changes is pending while it runs, and so is what a sync is about to commit.
        let pending = match inside.is_none() || syncs {
            true => CallEffect::Nothing,
            false => CallEffect::Everything,
        };
        let disk = crashed.crash.kill(pending);
        let fingerprint = disk.fingerprint();
        // Killed inside a call: nothing of it and all of it is before and after the call.
        if inside.is_none() {
            self.start_killed(crashed, &disk, fingerprint, pending);
        }
        if !self.target.options.power_cuts {
            return;
        }
        // In `strict` alone it matters which sync is under way.
        if syncs && self.profile == Profile::Strict {
            self.lose_power(crashed, &crashed.crash.images());
        } else if self.is_first(crashed, fingerprint) {
            let space = disk.images();
            self.lose_power(crashed, &space);
            self.lose_power_on_a_bad_device(crashed, &disk, &space);
        } else {
            self.tally.equal_points += 1;
        }
    }

    fn start_killed(
        &mut self,
        crashed: &CrashState<'_>,
        disk: &Disk,
        fingerprint: u128,
        progress: CallEffect,
    ) {
        self.tally.killed += 1;
        if !self.is_new(crashed, fingerprint) {
            self.tally.dropped += 1;
            return;
        }
        let start = start(crashed, disk.clone());
        self.follow(start, || killed(crashed.at, crashed.is_start, progress));
    }

    /// Whether no process has died like this before, with the same things believed and as many crashes to follow.
    fn is_first(&mut self, crashed: &CrashState<'_>, fingerprint: u128) -> bool {
        let key = VisitedKey::new(crashed.belief, crashed.shown, fingerprint);
        self.memory.is_first_crash(key, crashed.depth)
    }

    /// Whether a disk has yet to be judged.
    pub(super) fn is_new(&mut self, crashed: &CrashState<'_>, fingerprint: u128) -> bool {
        let key = VisitedKey::new(crashed.belief, crashed.shown, fingerprint);
        if !self.memory.is_new(key, crashed.depth) {
            return false;
        }
        let low = u64::try_from(fingerprint & u128::from(u64::MAX)).unwrap_or_default();
        // Only disks that are judged count: the hash says whether two explorations judged the same set.
        self.hash = mixed(self.hash, low);
        true
    }

    /// Goes on from a disk; `step` says how the way to it continues, if something is wrong there: a closure, so that the survivors
    /// are named only on failure.
    pub(super) fn follow(&mut self, start: DiskStart, step: impl FnOnce() -> TrailStep) {
        self.follow_with(step, |search| search.recover(start));
    }

    /// Goes on with what `judge` does, likewise.
    pub(super) fn follow_with(
        &mut self,
        step: impl FnOnce() -> TrailStep,
        judge: impl FnOnce(&mut Self),
    ) {
        let before = self.wrong.len();
        let enough = self.found_enough();
        self.is_cut_off |= enough;
        if enough || self.is_cancelled() {
            return;
        }
        let mut step = Some(step);
        let shown = self
            .target
            .watched
            .zip(step.take_if(|_| self.target.watched.is_some()));
        let shown = shown.map(|(watched, step)| {
            let step = step();
            watched.push(step.clone());
            (watched, step)
        });
        judge(self);
        if let Some((watched, _)) = &shown {
            watched.pop();
        }
        self.fold_known_kinds(before);
        if self.wrong.len() > before
            && let Some(step) = step.map(|step| step()).or(shown.map(|(_, step)| step))
        {
            let wrong = self.wrong[before..].iter_mut();
            wrong.for_each(|wrong| wrong.trail.push(step.clone()));
        }
    }

    /// Counts what was found wrong since `before` with an earlier failure of its kind.
    fn fold_known_kinds(&mut self, before: usize) {
        let Some(kept) = self.target.kinds else {
            return;
        };
        for mut next in self.wrong.split_off(before) {
            let kind = next.kind.take();
            let kind =
                kind.unwrap_or_else(|| Box::new(FindingKind::of(&next.finding, kept.allowed)));
            let mut known = self.wrong.iter_mut();
            match known.find(|known| known.kind.as_ref() == Some(&kind)) {
                Some(known) => known.count += next.count,
                None => {
                    next.kind = Some(kind);
                    self.wrong.push(next);
                }
            }
        }
    }

    /// Whether enough was found wrong.
    fn found_enough(&self) -> bool {
        let is_failure = |wrong: &&Wrong| {
            let kind = wrong.kind.as_ref();
            kind.is_none_or(|kind| kind.allowed.is_none())
        };
        let most = self.target.kinds.map_or(FAILURES_KEPT, |kept| kept.most);
        self.wrong.iter().filter(is_failure).count() >= most
    }

    /// A process starts on a disk and opens the store.
    fn recover(&mut self, start: DiskStart) {
        self.tally.recoveries += 1;
        let options = SimOptions {
            max_calls: Some(self.target.scenario.budget.storage_calls),
            trace: TraceMode::Off,
            keeps_cache: self.target.scenario.keeps_cache,
            ..SimOptions::default()
        };
        let sim = SimDisk::new(start.disk.clone(), options);
        sim.record_crash_points(start.depth > 1);
        let opened = self.open_within_budget(&start, &sim);
        let crashes = sim.take_crash_points();
        sim.record_crash_points(false);
        let end = sim.crash_between_calls();
        let calls = sim.calls();
        let decided = opened.and_then(|opened| {
            let judged = opened.map(|store| self.judge(&start, &sim, store));
            judged.transpose()
        });
        let decided = match decided {
            Ok(Some(decided)) => decided,
            Ok(None) => return,
            Err(finding) => return self.wrong.push(Wrong::new(finding)),
        };
        let Some(depth) = start.depth.checked_sub(1) else {
            return;
        };
        if depth > 0 {
            self.tally.storage_calls += calls;
        }
        for crash in &crashes {
            self.crash(&CrashState {
                crash,
                at: crash.point(),
                belief: start.belief,
                is_start: false,
                depth,
                shown: false,
            });
        }
        self.crash(&CrashState {
            crash: &end,
            at: end.point(),
            belief: decided,
            is_start: false,
            depth,
            shown: true,
        });
    }

    /// Opens the store, which a crash alone must not keep from opening, nor for long. Nothing: it is not
    /// open, and has not promised to be.
    fn open_within_budget(
        &mut self,
        start: &DiskStart,
        sim: &SimDisk,
    ) -> Result<Option<Box<dyn OpenStore>>, Finding> {
        let budget = &self.target.scenario.budget;
        let opened = match start.depth > 1 && self.tally.recoveries % WATCHED_EVERY == 1 {
            true => {
                let watched = Faults::watched(sim);
                let opened = self.open(watched.storage());
                sim.set_faults(None);
                self.coverage.add(watched.director().watch().coverage());
                opened?
            }
            false => self.open(sim.storage())?,
        };
        if sim.is_out_of_calls() {
            return Err(out_of_calls(budget.storage_calls));
        }
        check_recovery_calls(sim.calls(), budget.recovery_calls)?;
        match opened {
            Ok(store) => Ok(Some(store)),
            Err(_) if !self.must_open(start) => Ok(None),
            Err(failure) => {
                let expected = "recovery to succeed: no injected damage explains a refusal";
                Err(Finding::new(self.refused(), expected, failure.text))
            }
        }
    }

    /// Whether the store has promised to open on this disk. One to which no op was given may have
    /// died while it was being created.
    fn must_open(&self, start: &DiskStart) -> bool {
        let promises = self.target.subject.promises();
        let was_open = self.was_open(start.belief, start.shown_before);
        promises.opens && (was_open || promises.opens_after_creation)
    }

    /// Whether the store was ever open, as far as the client knows.
    pub(super) fn was_open(&self, belief: BeliefId, shown_before: bool) -> bool {
        let history = self.beliefs.history(belief);
        shown_before || !history.decided().is_empty() || !history.doubtful().is_empty()
    }

    /// The invariant of a refusal that nothing explains: a store whose files the checker can read says
    /// that they are damaged.
    fn refused(&self) -> Invariant {
        match self.target.subject.inspected() {
            Some(_) => Invariant::Honesty,
            None => Invariant::Availability,
        }
    }

    /// Invariant 5: what a recovery has shown, the next one leaves byte for byte.
    fn compare_bytes(&self, start: &DiskStart, left: &Disk) -> Result<(), Finding> {
        let Some(inspected) = self
            .target
            .subject
            .inspected()
            .filter(|_| start.shown_before)
        else {
            return Ok(());
        };
        let (found, left) = (start.disk.live(), left.live());
        if found.hash128() == left.hash128() {
            return Ok(());
        }
        let found = inspected.accepted(&found.to_files());
        let left = inspected.accepted(&left.to_files());
        tidiness::compare(&found, &left, false).map_or(Ok(()), Err)
    }

    /// Judges what a recovery shows. Answers with what is believed from now on.
    fn judge(
        &mut self,
        start: &DiskStart,
        sim: &SimDisk,
        mut store: Box<dyn OpenStore>,
    ) -> Result<BeliefId, Finding> {
        let inspected = self.target.subject.inspected();
        let report = inspected.map(|inspected| inspected.report(store.as_any()));
        let report = report.unwrap_or_default();
        let state = shown_state(&mut *store)?.map_err(|failure| unreadable(&failure))?;
        let showing = Showing {
            state,
            applied: inspected.map(|inspected| inspected.applied(store.as_any())),
            snapshot: report.snapshot,
        };
        let left = sim.disk();
        let fingerprint = left.fingerprint();
        let key = VisitedKey::new(start.belief, false, fingerprint);
        if let Some(decided) = self.memory.decided(key, &showing) {
            self.compare_bytes(start, &left)?;
            die(sim, store);
            return Ok(decided);
        }
        self.tally.examined += 1;
        let mut opened = OpenedStore {
            belief: start.belief,
            sim,
            store,
            report,
        };
        let decided = self.examine(&mut opened)?;
        // Before the store goes on, because a crash then may lead back to here.
        self.memory.remember(key, showing, decided);
        self.compare_bytes(start, &left)?;
        let key = VisitedKey::new(decided, true, fingerprint);
        // One op after a recovery is enough: its crashes come back to recoveries that are judged here anyway.
        if !self.going_on && self.memory.is_first_to_go_on(key) {
            self.going_on = true;
            self.go_on(opened, decided);
            self.going_on = false;
        } else {
            die(sim, opened.store);
        }
        Ok(decided)
    }
}

/// The process of a store dies: what an engine does when it is dropped may take longer than all that
/// was asked of it, and a store that goes on is dropped alive.
fn die(sim: &SimDisk, store: Box<dyn OpenStore>) {
    drop(sim.crash());
    drop(store);
}

pub(super) fn start(crashed: &CrashState<'_>, disk: Disk) -> DiskStart {
    DiskStart {
        disk,
        belief: crashed.belief,
        depth: crashed.depth,
        shown_before: crashed.shown,
    }
}
