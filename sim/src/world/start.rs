//! Starting the store: opened again and again until it opens, crashed on the way, and judged when
//! it has opened.

use std::sync::Arc;

use beaver_disk::Choice;
use beaver_storage::interpose;

use crate::faults::{at_rest, device_kinds};
use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::run_log::RunEvent;
use crate::scenario::{Effect, FaultKind, Phase, Step, Survivors};
use crate::subject::{ErrorClass, Failure};

use super::commands::OPEN;
use super::crashes::Activity;
use super::examine::{let_go, panicked_at_end};
use super::refusal::Obstacles;
use super::{Stop, World};
use crate::lockstep::Lockstep;

/// After this many failed attempts in a row nothing goes wrong any more: the store must open.
const PATIENCE: u32 = 4;

impl World<'_> {
    /// The store is closed cleanly and opened again.
    pub(super) fn reopen(&mut self) -> Result<(), Stop> {
        if let Some(store) = self.store.take() {
            let calls = self.faults.disk().calls();
            let size = self.history.state().size();
            self.crashes
                .arm(Activity::Checkpoint, size, self.faults.disk());
            let closed = guarded(|| store.close());
            if self.has_crashed() {
                self.carry_out_crash(Activity::Checkpoint)?;
                return self.start();
            }
            let made = self.faults.disk().calls() - calls;
            self.crashes
                .disarm(Activity::Checkpoint, made, self.faults.disk());
            let closed = closed.map_err(|message| Stop::Panicked(panicked_at_end(message)))?;
            match &closed {
                Ok(()) => {
                    let unpromised = self.history.unpromised();
                    self.promise_all_but(0);
                    self.seen.mark_if(unpromised > 0, Mark::SyncedOnRequest);
                }
                Err(_) => self.interrupt(),
            }
            let clean = closed.is_ok() && !self.poisoned;
            self.seen.mark_if(clean, Mark::CleanReopen);
            self.seen.mark_if(self.poisoned, Mark::PoisonedReopened);
        }
        self.faults.director().reopened();
        self.at_rest();
        self.start()
    }

    /// A process ended: what it left lies there until the next one starts.
    pub(super) fn process_ended(&mut self) {
        self.seen
            .mark_if(self.poisoned && self.store.is_none(), Mark::PoisonedKilled);
        self.faults.director().process_ended();
        self.at_rest();
    }

    /// Time for faults at rest.
    pub(super) fn at_rest(&mut self) {
        let before = self.files();
        let happened = at_rest(&self.faults, &self.earlier);
        self.lock_held |= happened
            .iter()
            .any(|fault| fault.effect == Effect::LockHeld);
        if happened.iter().any(|fault| fault.kind.damages()) {
            let after = self.files();
            self.damage.remember(&before, &after);
            // Where the last damage was of another kind, it may have hit the event.
            let damage = happened.iter().rfind(|fault| fault.kind.damages());
            self.unknown_event = damage.is_some_and(|f| f.kind == FaultKind::UnknownEvent);
        }
        self.earlier = before;
    }

    /// Opens the store and judges what it shows. Faults and crashes may need several attempts.
    pub(super) fn start(&mut self) -> Result<(), Stop> {
        let was_quiet = self.faults.director().is_quiet();
        let mut failures = 0;
        self.marks_if_open.clear();
        for _ in 0..self.scenario.budget.open_attempts {
            self.check_budget()?;
            if failures > 0 && self.faults.director().is_remount_needed() {
                self.crashes.arm_reboot(self.faults.disk());
            }
            if failures == PATIENCE {
                self.faults.director().process_ended();
                self.faults.director().set_quiet(true);
            }
            if self.attempt(&mut failures)? {
                let mut director = self.faults.director();
                director.set_quiet(was_quiet);
                director.set_phase(Phase::Running);
                drop(director);
                self.untouched = true;
                self.believe_settled();
                return self.wrong_side_image.take().map_or(Ok(()), Err);
            }
        }
        let attempts = self.scenario.budget.open_attempts;
        Err(Stop::Exhausted(Finding::new(
            Invariant::Availability,
            format!("the store to open within {attempts} attempts"),
            "it did not",
        )))
    }

    /// One attempt to open; true when the store is open and judged.
    fn attempt(&mut self, failures: &mut u32) -> Result<bool, Stop> {
        let disk = self.faults.disk().clone();
        let found = self.files();
        let (full, differs, in_changes) = {
            let director = self.faults.director();
            let differs = director.has_failed_a_sync();
            (director.is_full(), differs, director.spoiled_changes())
        };
        self.found_on_disk = differs.then(|| self.files_on_disk()).flatten();
        let untouched = std::mem::take(&mut self.untouched);
        let (excuses, faults) = {
            let mut director = self.faults.director();
            director.set_phase(Phase::Recovery);
            (director.excuses(), director.planned().len())
        };
        let calls = disk.calls();
        self.seen
            .keep(calls, || RunEvent::Opening { found: disk.live() });
        let size = self.history.state().size();
        self.crashes.arm(Activity::Recovery, size, &disk);
        let storage = match self.has_lockstep {
            true => interpose(self.faults.storage(), Arc::new(Lockstep)),
            false => self.faults.storage(),
        };
        let machine = self.machine(storage);
        let opened = self.survived(guarded(|| self.subject.open(machine)))?;
        if self.has_crashed() {
            drop(opened);
            self.carry_out_crash(Activity::Recovery)?;
            return Ok(false);
        }
        self.check_budget()?;
        let made = disk.calls() - calls;
        self.crashes.disarm(Activity::Recovery, made, &disk);
        self.seen.counts.recoveries += 1;
        check_recovery_calls(made, self.scenario.budget.recovery_calls)?;
        let excused = self.faults.director().excuses() > excuses;
        match opened {
            Ok(mut store) => {
                self.report = self.report_of(&mut *store);
                self.store = Some(store);
                self.say_opened(&found);
                self.mark_success_after_failures();
                self.faults.director().reopened();
                let compares = untouched && !excused && self.damage.is_empty();
                if !self.judge_start(&found, excused)? {
                    // As if it had not opened.
                    *failures += 1;
                    let unread = self.store.take().map_or(Ok(()), let_go);
                    return unread.map(|()| false).map_err(Stop::from);
                }
                if compares {
                    self.compare_bytes(&found)?;
                }
                self.may_go = excused;
                self.poisoned = false;
                self.was_open = true;
                self.checkpoint_failed = false;
                Ok(true)
            }
            Err(failure) => {
                *failures += 1;
                let text = failure.text.clone();
                self.seen.record(disk.calls(), RunEvent::Refused { text });
                let obstacles = excused.then(|| self.obstacles(faults, in_changes, full));
                self.judge_refusal(&failure, &found, obstacles)?;
                if excused {
                    self.remember_refusal(&failure, faults);
                }
                Ok(false)
            }
        }
    }

    fn say_opened(&mut self, found: &Files) {
        let call = self.faults.disk().calls();
        let store = self.store.as_mut().expect(OPEN);
        let inspected = self.subject.inspected();
        let position = inspected.map(|inspected| inspected.applied(store.as_any()));
        self.seen.record(call, RunEvent::Opened { position });
        let report = self.report.clone();
        self.mark_report(&report, found);
    }

    /// The store did not open. Either what stood in the way of this very attempt explains it, and trying
    /// again must help, or damage does.
    fn judge_refusal(
        &mut self,
        failure: &Failure,
        found: &Files,
        obstacles: Option<Obstacles>,
    ) -> Result<(), Stop> {
        if failure.class == ErrorClass::Locked && std::mem::take(&mut self.lock_held) {
            self.faults.disk().release_lock();
            return Ok(());
        }
        if let Some(obstacles) = obstacles {
            // Of other stores it is not known what their errors mean, or what a file of theirs may hold.
            if self.subject.inspected().is_some() {
                self.check_kind(failure, &obstacles, found)?;
                self.check_unchanged(failure, Some(&obstacles), found)?;
            }
            let read_only = failure.kind == Some(std::io::ErrorKind::ReadOnlyFilesystem);
            self.seen.mark_if(read_only, Mark::ReadOnlyRefused);
            return Ok(());
        }
        if failure.class == ErrorClass::NotDone && self.unreadable {
            return self.restore(found);
        }
        if !self.must_open() {
            return self.give_up(failure);
        }
        let name = failure.file.as_deref();
        self.excuse_refusal(failure, found)?;
        self.check_unchanged(failure, None, found)?;
        self.mark_refusal(name);
        self.restore(found)
    }

    /// Whether damage explains that the store does not open.
    pub(super) fn excuse_refusal(&self, failure: &Failure, found: &Files) -> Result<(), Finding> {
        match self.subject.inspected() {
            Some(inspected) => {
                inspected.excuse_refusal(&self.damage, failure)?;
                inspected.check_no_way_left(&self.damage, found, failure)
            }
            None => {
                let expected = "recovery to succeed: no injected damage explains a refusal";
                let found = failure.text.clone();
                Err(Finding::new(Invariant::Availability, expected, found))
            }
        }
    }

    /// An attempt failed to which the director did what it planned from `faults` on: what it is
    /// worth if the store opens after all.
    fn remember_refusal(&mut self, failure: &Failure, faults: usize) {
        let director = self.faults.director();
        let planned = director.planned().get(faults..).unwrap_or_default();
        let mark = match failure.is_full() {
            true => Mark::RecoveredOnFullDisk,
            false if planned.iter().any(|fault| fault.kind.fails_a_read()) => {
                Mark::TransientRetried
            }
            false => return,
        };
        drop(director);
        self.marks_if_open.push(mark);
    }

    /// The store does not open, and has not promised to. One that was never open is made anew.
    fn give_up(&mut self, failure: &Failure) -> Result<(), Stop> {
        let promises = self.subject.promises();
        if self.was_open || !promises.opens {
            let call = self.faults.disk().calls();
            let text = format!("given up: {}", failure.text);
            self.seen.record(call, RunEvent::Note { text });
            return Err(Stop::Over);
        }
        self.faults.restore(&Files::new(), self.scenario.profile);
        Ok(())
    }

    /// The store is open although it was not at first.
    fn mark_success_after_failures(&mut self) {
        for mark in std::mem::take(&mut self.marks_if_open) {
            self.seen.mark(mark);
        }
    }

    /// The damaged files are restored from outside, so that the run can go on.
    fn restore(&mut self, found: &Files) -> Result<(), Stop> {
        let whole = self.damage.undone(found);
        self.faults.restore(&whole, self.scenario.profile);
        self.damage = InjectedDamage::default();
        self.unreadable = false;
        self.unknown_event = false;
        Ok(())
    }

    /// Decides what survives a power cut, and lets it happen.
    pub(super) fn cut_power(
        &mut self,
        image: Option<Survivors>,
        scripted: bool,
    ) -> Result<(Choice, Survivors), Stop> {
        let disk = self.faults.disk().clone();
        let space = disk.crash().images();
        let image = image.map(|image| image.choose(&space));
        let image = self.left_by_mode(&space).or(image);
        let choice = match (image, scripted) {
            (Some(choice), _) => choice,
            (None, true) => Choice::default(),
            (None, false) => {
                let mut choice = self.survivors.choose(&space);
                if !self.faults.director().is_quiet() {
                    self.survivors.spoil(&space, &mut choice);
                }
                choice
            }
        };
        let wrong = self.judge_side_images(&space, scripted);
        let choice = wrong.unwrap_or(choice);
        let kinds = device_kinds(&choice);
        for kind in &kinds {
            self.faults.director().count(*kind);
        }
        self.seen.mark_if(!choice.tears.is_empty(), Mark::TornPage);
        if !choice.device.is_empty() {
            self.unknown_event = false;
            let mut sound = choice.clone();
            sound.device.clear();
            let before = space.image(&sound).to_files();
            let after = space.image(&choice).to_files();
            self.damage.remember(&before, &after);
            self.unreadable |= kinds.contains(&FaultKind::UnreadableSector);
            let lied = kinds.contains(&FaultKind::LyingSync);
            self.seen
                .mark_if(lied && before != after, Mark::LyingSyncHit);
        }
        let newest = self.newest_segment();
        let written = self.written(&space, &choice);
        disk.power_cut(&choice);
        self.faults.director().rebooted();
        let left = self.newest_segment();
        self.seen.mark_if(left < newest, Mark::NewSegmentLost);
        Ok((choice, written))
    }

    fn newest_segment(&self) -> Option<u64> {
        let inspected = self.subject.inspected()?;
        inspected.newest_segment(&self.faults.disk().live())
    }

    /// Carries out a step that ends the process.
    pub(super) fn stop_and_start(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::PowerCut { image } => self.power_cut(image)?,
            _ => self.kill()?,
        }
        self.start()
    }
}

/// Invariant 11: a recovery ends within its budget.
pub(crate) fn check_recovery_calls(made: u64, most: u64) -> Result<(), Finding> {
    if made <= most {
        return Ok(());
    }
    let expected = format!("a recovery of at most {most} storage calls");
    Err(Finding::new(
        Invariant::Hygiene,
        expected,
        format!("{made} calls"),
    ))
}
