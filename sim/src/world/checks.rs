//! What is asked of a store that has just opened, in the run itself and on copies of its disk:
//! invariants 1 to 9 and 11.

use std::sync::Arc;

use beaver_disk::{Choice, ImageSpace, SimDisk};

use crate::beaver::tidiness;
use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::oracle::history::History;
use crate::oracle::recognise::Wrong;
use crate::run_log::{CrashEvent, RunEvent};
use crate::scenario::CrashKind;
use crate::subject::{AnySubject, Damaged, OpenReport, OpenStore, Recovered};

use super::commands::OPEN;
use super::examine::{
    Examined, check_tidy, decide, examine, let_go, shown_state, unreadable, without_newest_snapshot,
};
use super::requeue::Requeue;
use super::{Stop, World, out_of_calls};

/// No damage.
static WHOLE: InjectedDamage = InjectedDamage::NONE;

impl World<'_> {
    /// Judges the store that has just opened; `found` are the files that it met, `excused` whether
    /// a fault hit the attempt. False if one hit the reading of its state too, so that there is nothing to
    /// judge.
    pub(super) fn judge_start(&mut self, found: &Files, excused: bool) -> Result<bool, Stop> {
        if std::mem::take(&mut self.unknown_event) {
            let expected = "a refusal: the log holds an event of an unknown type";
            return Err(Finding::new(Invariant::Honesty, expected, "it opened").into());
        }
        let excuses = self.faults.director().excuses();
        let examined = match self.examined() {
            Ok(examined) => examined,
            Err(Wrong::Unreadable(_)) if self.faults.director().excuses() > excuses => {
                return Ok(false);
            }
            Err(wrong) => self.accept_loss(wrong, found)?,
        };
        self.decide(examined);
        self.forget_healed();
        if self.damage.is_empty() {
            self.judge_again(excused)?;
            let files = self.faults.disk().live();
            self.unreadable &= files.has_unreadable_sector();
            // A fall-back that cannot be read keeps everything below it.
            if !excused && !self.unreadable {
                let (subject, log) = (self.subject.clone(), &self.scenario.log);
                check_tidy(&subject, &self.recovered(&files), log)?;
                if let Some(inspected) = subject.inspected() {
                    let before: Vec<&str> = found.keys().map(String::as_str).collect();
                    let after: Vec<&str> = files.names().collect();
                    inspected.check_fall_back(&before, &after, true, log)?;
                }
            }
        }
        Ok(true)
    }

    fn recovered<'r>(&'r mut self, files: &'r beaver_disk::Image) -> Recovered<'r> {
        let store = self.store.as_mut().expect(OPEN);
        Recovered {
            store: &mut **store,
            disk: self.faults.disk(),
            files,
            report: &self.report,
            history: &self.history,
            damaged: Damaged {
                damage: &self.damage,
                unreadable: self.unreadable,
            },
        }
    }

    fn examined(&mut self) -> Result<Examined, Wrong> {
        let subject = self.subject.clone();
        let files = self.faults.disk().live();
        let Some(requeue) = self.requeue(&subject) else {
            return examine(&subject, &mut self.recovered(&files));
        };
        let damaged = !self.damage.is_empty();
        let history = self.history.clone();
        let (history, examined) = requeue.examine(&history, damaged, &mut |possible| {
            let recovered = Recovered {
                history: possible,
                ..self.recovered(&files)
            };
            examine(&subject, &mut { recovered })
        })?;
        self.history = history;
        Ok(examined)
    }

    /// What the store does whenever it opens.
    fn requeue<'s>(&self, subject: &'s AnySubject) -> Option<Requeue<'s>> {
        let inspected = subject.inspected();
        let inspected = inspected.filter(|_| self.scenario.log.requeue_in_flight);
        Some(Requeue {
            subject,
            op: inspected?.requeue()?,
            now_ms: self.now_ms(),
        })
    }

    /// A recovery that is not what it should be: only a shorter history can be accepted, and only
    /// where damage explains it.
    fn accept_loss(&mut self, wrong: Wrong, found: &Files) -> Result<Examined, Stop> {
        let Wrong::Shorter { kept, finding } = wrong else {
            return Err(wrong.finding().into());
        };
        let subject = self.subject.clone();
        let inspected = subject.inspected().filter(|_| !self.damage.is_empty());
        let Some(inspected) = inspected else {
            return Err(finding.into());
        };
        let before = self.damage.undone(found);
        let missing = &self.history.decided()[kept..];
        // What stood in the cache alone may have been gone before it was read, and proves nothing.
        let on_disk = self.found_on_disk.as_ref().unwrap_or(found);
        self.seen.counts.events_lost += inspected.excuse_loss(&before, on_disk, missing)?;
        self.seen.mark(Mark::BoundedLoss);
        self.history.lose_after(kept);
        // An old copy of a file could bring back what is decided to be lost.
        self.earlier.clear();
        // Examined again: what is left must still be right for the shorter history, not only shorter.
        self.examined().map_err(|wrong| wrong.finding().into())
    }

    fn decide(&mut self, examined: Examined) {
        if let Examined::Prefix { shown, .. } = examined {
            let doubtful = self.history.doubtful().len();
            self.mark_unsynced(shown);
            self.seen.mark_if(shown > 0, Mark::IndeterminateKept);
            self.seen.mark_if(shown < doubtful, Mark::IndeterminateLost);
        }
        decide(&self.subject, &mut self.history, examined);
    }

    /// What the recovery has read and found whole is not damaged any more: what was cut is decided,
    /// the rest was harmless.
    fn forget_healed(&mut self) {
        let before = !self.damage.is_empty();
        if let Some(inspected) = self.subject.inspected().filter(|_| before) {
            let names = self.files();
            let report = &self.report;
            self.damage
                .forget(|file| inspected.has_read(file, report) || !names.contains_key(file));
        }
        self.seen
            .mark_if(before && self.damage.is_empty(), Mark::DamageHarmless);
    }

    /// Invariants 3, 5 and 6 on copies: opened again, and after a power cut at once, the store
    /// shows the same.
    fn judge_again(&mut self, excused: bool) -> Result<(), Stop> {
        let again = self.faults.copy();
        let before = self.accepted(&again.live().to_files());
        self.judge_copy(&again, Invariant::Idempotence, "opened once more")?;
        let after = self.accepted(&again.live().to_files());
        if let Some(finding) = tidiness::compare(&before, &after, excused) {
            return Err(finding.into());
        }
        if self.subject.promises().decided {
            let cut = self.faults.copy();
            let so_far = self.log_cut_on_copy(&cut);
            let when = "after a power cut as soon as it was open";
            self.judge_copy(&cut, Invariant::Decided, when)?;
            self.seen.forget_after(so_far);
        }
        let files = self.faults.disk().live();
        let profile = self.scenario.profile;
        let subject = self.subject.clone();
        if let Some(older) = without_newest_snapshot(&subject, &self.recovered(&files), profile) {
            let when = "without the newest snapshot";
            self.judge_copy(&older, Invariant::SnapshotEquivalence, when)?;
        }
        self.seen.mark(Mark::ReplayedTwice);
        Ok(())
    }

    /// The bytes that no later recovery may change; none of files that the checker cannot read.
    fn accepted(&self, files: &Files) -> Files {
        let inspected = self.subject.inspected();
        inspected.map_or_else(Files::new, |inspected| inspected.accepted(files))
    }

    /// Cuts the power of a copy and keeps what that leaves, if the run is to be explained. Says how
    /// much had been kept before.
    fn log_cut_on_copy(&mut self, cut: &SimDisk) -> usize {
        let so_far = self.seen.log().len();
        let crash = cut.crash();
        cut.power_cut(&Choice::default());
        let call = self.faults.disk().calls();
        self.seen.keep(call, || {
            RunEvent::Crash(Box::new(CrashEvent {
                kind: CrashKind::PowerCut,
                text: "power cut at once after the recovery".to_owned(),
                explained: false,
                crash,
                choice: Some(Choice::default()),
                left: cut.live(),
            }))
        });
        so_far
    }

    /// Opens the store on a copy of the disk, where nothing goes wrong, and holds it against the
    /// history.
    fn judge_copy(&mut self, copy: &SimDisk, invariant: Invariant, when: &str) -> Result<(), Stop> {
        let wrong = |expected: String, found: String| {
            Stop::from(Finding::new(
                invariant,
                expected,
                format!("{found}, {when}"),
            ))
        };
        let opened = self.open_copy(copy)?;
        let (mut store, _) =
            opened.map_err(|text| Finding::new(invariant, format!("to open, {when}"), text))?;
        let state = shown_state(&mut *store)?.map_err(|failure| unreadable(&failure))?;
        if state != *self.history.state() {
            let (expected, found) = self.history.state().difference(&state);
            return Err(wrong(expected, found));
        }
        if let Some(inspected) = self.subject.inspected() {
            let expected = inspected.applied(self.store.as_mut().expect(OPEN).as_any());
            let found = inspected.applied(store.as_any());
            if expected != found {
                let expected = format!("the last position to stay {expected}");
                return Err(wrong(expected, found.to_string()));
            }
        }
        self.seen.counts.images_checked += 1;
        Ok(let_go(store)?)
    }

    /// A process opens the store on a copy.
    fn open_copy(&self, copy: &SimDisk) -> Result<OpenedCopy, Stop> {
        let machine = super::Machine {
            clock: Arc::new(beaver::ManualClock::new(self.now_ms())),
            ..self.machine(copy.storage())
        };
        let most = self.scenario.budget.storage_calls;
        copy.set_max_calls(Some(copy.calls().saturating_add(most)));
        let opened = guarded(|| self.subject.open(machine)).map_err(Stop::panicked)?;
        if copy.is_out_of_calls() {
            return Err(Stop::Exhausted(out_of_calls(most)));
        }
        let opened = opened.map_err(|failure| failure.text);
        Ok(opened.map(|mut store| {
            let report = self.report_of(&mut *store);
            (store, report)
        }))
    }

    /// What opening a store reported.
    pub(super) fn report_of(&self, store: &mut dyn OpenStore) -> OpenReport {
        let inspected = self.subject.inspected();
        inspected.map_or_else(OpenReport::default, |inspected| {
            inspected.report(store.as_any())
        })
    }

    /// Invariant 5: what the recovery before has shown, this one leaves byte for byte. What that one
    /// could not remove, or not durably, may go now.
    pub(super) fn compare_bytes(&self, found: &Files) -> Result<(), Stop> {
        let (found, left) = (self.accepted(found), self.accepted(&self.files()));
        match tidiness::compare(&found, &left, self.may_go) {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }

    /// Recovers and judges other images of a power cut beside the one with which the run goes on. The
    /// first that is wrong is the answer: the run goes on with that one, so that its script says what
    /// was left, and the failure replays as every other does.
    pub(super) fn judge_side_images(
        &mut self,
        space: &ImageSpace,
        scripted: bool,
    ) -> Option<Choice> {
        if scripted || !self.damage.is_empty() {
            return None;
        }
        for _ in 0..self.scenario.crashes.images {
            let choice = self.survivors.choose(space);
            if let Err(wrong) = self.judge_side_image(space, &choice) {
                self.wrong_side_image = Some(wrong);
                // As beside the run: nothing stands in the way of the recovery that is to show it.
                self.crashes.stop(self.faults.disk());
                self.faults.director().set_quiet(true);
                self.faults.director().make_room();
                return Some(choice);
            }
            self.seen.counts.images_checked += 1;
            self.seen.mark(Mark::ImageJudged);
        }
        None
    }

    fn judge_side_image(&self, space: &ImageSpace, choice: &Choice) -> Result<(), Stop> {
        let side = self.faults.copy();
        side.boot(space.image(choice).disk(self.scenario.profile));
        let opened = self.open_copy(&side)?;
        let (mut store, report) = match opened {
            Ok(opened) => opened,
            Err(_) if !self.must_open() => return Ok(()),
            Err(text) => {
                let expected = "a power cut image to open";
                return Err(Finding::new(Invariant::Availability, expected, text).into());
            }
        };
        let files = side.live();
        let mut examined = |history: &History| {
            let mut recovered = Recovered {
                store: &mut *store,
                disk: &side,
                files: &files,
                report: &report,
                history,
                damaged: Damaged {
                    damage: &WHOLE,
                    unreadable: false,
                },
            };
            examine(&self.subject, &mut recovered)
        };
        let examined = match self.requeue(&self.subject) {
            None => examined(&self.history).map(drop),
            Some(requeue) => {
                let found = requeue.examine(&self.history, false, &mut examined);
                found.map(drop)
            }
        };
        examined.map_err(|wrong| Stop::from(wrong.finding()))?;
        Ok(let_go(store)?)
    }

    /// Whether the store has promised to open now.
    pub(super) fn must_open(&self) -> bool {
        let promises = self.subject.promises();
        promises.opens && (self.was_open || promises.opens_after_creation)
    }
}

/// A store on a copy and what opening it reported, or why it did not open.
type OpenedCopy = Result<(Box<dyn OpenStore>, OpenReport), String>;
