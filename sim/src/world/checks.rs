//! What is asked of a store that has just opened: invariants 1 to 9 and 11.

use std::sync::Arc;

use beaver::ManualClock;
use beaver_disk::{Choice, ImageSpace, SimDisk};

use crate::client::segment_epochs;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::damage::{Files, excuse_loss, excuse_refusal, segment_epoch, snapshot_epoch};
use crate::oracle::history::{History, Place};
use crate::oracle::judge::{Finding, Verdict, View, Wrong, judge};
use crate::oracle::tidiness;
use crate::run_log::{CrashEvent, RunEvent};
use crate::scenario::CrashKind;
use crate::subject::{Grave, Process, Report, Store};

use super::commands::OPEN;
use super::{Stop, World};

impl World<'_> {
    /// Judges the store that has just opened; `found` are the files that it met, `excused` whether
    /// a fault hit the attempt.
    pub(super) fn judge_start(
        &mut self,
        found: &Files,
        report: &Report,
        excused: bool,
    ) -> Result<(), Stop> {
        if std::mem::take(&mut self.unknown_event) {
            let expected = "a refusal: the log holds an event of an unknown type";
            return Err(Finding::new(Invariant::Honesty, expected, "it opened").into());
        }
        let view = match self.recognised()? {
            Some(view) => view,
            None => self.view(report)?,
        };
        let verdict = match judge(&self.history, &view) {
            Ok(verdict) => verdict,
            Err(wrong) => self.accept_loss(wrong, &view, found)?,
        };
        self.decide(&verdict);
        self.forget_healed(report);
        if self.scars.is_empty() {
            self.judge_again(report, excused)?;
            if !excused && self.subject.is_documented() {
                self.judge_files(report)?;
            }
        }
        Ok(())
    }

    /// What a store shows that says itself which history it is.
    fn recognised(&mut self) -> Result<Option<View>, Stop> {
        let client = self.client.as_mut().expect(OPEN);
        let history = &self.history;
        let view = crate::guard::guarded(|| client.recognise(history)).map_err(Stop::Panicked)?;
        Ok(view.transpose()?)
    }

    /// What the files and the queue show.
    fn view(&mut self, report: &Report) -> Result<View, Stop> {
        let (state, applied) = self.with_client(|client| (client.state(), client.applied()))?;
        let fork = self.faults.copy();
        let storage = fork.storage();
        let store = Arc::clone(&self.subject.store);
        let tail = self.program(|| store.replay_after(&storage, Place::default()))?;
        let first = segment_epochs(self.files().keys().map(String::as_str));
        let first = first.first().copied().unwrap_or(0);
        let decided = self.history.decided().iter();
        let after = decided
            .map(|decided| decided.place)
            .take_while(|place| place.epoch < first)
            .last();
        let (after, tail) = match (tail, report.snapshot) {
            (Ok(tail), _) => (after.unwrap_or_default(), tail),
            (Err(failure), snapshot) => {
                // What a snapshot covers is not read by recovery, so damage there does not keep the
                // store from opening.
                if !(self.unreadable && failure.grave == Grave::NotDone) {
                    excuse_refusal(&self.scars, failure.file.as_deref(), &failure.text)?;
                }
                let after = snapshot.unwrap_or_default();
                let boundary = snapshot.map_or(after, |place| Place {
                    epoch: place.epoch + 1,
                    seq: 0,
                });
                let tail = self.program(|| store.replay_after(&storage, boundary))?;
                let tail = tail.map_err(|failure| {
                    let expected = "everything behind the snapshot to be readable";
                    Finding::new(Invariant::Availability, expected, failure.text)
                })?;
                (after, tail)
            }
        };
        Ok(View {
            state,
            applied,
            after,
            tail,
            from_snapshot: report.snapshot.is_some(),
        })
    }

    /// A recovery that is not what it should be: only a shorter history can be accepted, and only
    /// where damage explains it.
    fn accept_loss(&mut self, wrong: Wrong, view: &View, found: &Files) -> Result<Verdict, Stop> {
        let Wrong::Shorter { kept, finding } = wrong else {
            return Err(wrong.finding().into());
        };
        if self.scars.is_empty() {
            return Err(finding.into());
        }
        let before = self.scars.undone(found);
        let missing = &self.history.decided()[kept];
        let append = self.history.decided()[kept..].iter();
        let append_last = append
            .take_while(|decided| decided.group == missing.group)
            .last()
            .map_or(0, |decided| decided.place.seq);
        excuse_loss(&before, found, missing.place, append_last)?;
        let lost = self.history.decided().len() - kept;
        self.seen.counts.events_lost += lost as u64;
        self.seen.mark(Mark::BoundedLoss);
        self.history.lose_behind(kept);
        // An old copy of a file could bring back what is decided to be lost.
        self.earlier.clear();
        judge(&self.history, view).map_err(|wrong| wrong.finding().into())
    }

    fn decide(&mut self, verdict: &Verdict) {
        let doubtful = self.history.doubtful().len();
        self.mark_unsynced(verdict.groups);
        self.seen
            .mark_if(verdict.groups > 0, Mark::IndeterminateKept);
        self.seen
            .mark_if(verdict.groups < doubtful, Mark::IndeterminateLost);
        self.history.decide(verdict.groups, &verdict.places);
    }

    /// What the recovery has read and found whole is not damaged any more: what was cut is decided,
    /// the rest was harmless.
    fn forget_healed(&mut self, report: &Report) {
        let base = report.snapshot.map_or(0, |place| place.epoch);
        let before = !self.scars.is_empty();
        let names = self.files();
        self.scars.forget(|file| {
            let read = segment_epoch(file).is_some_and(|epoch| epoch > base)
                || snapshot_epoch(file) == Some(base);
            read || !names.contains_key(file)
        });
        self.seen
            .mark_if(before && self.scars.is_empty(), Mark::DamageHarmless);
    }

    /// Invariants 3, 5 and 6 on copies: opened again, and after a power cut at once, the store
    /// shows the same.
    fn judge_again(&mut self, report: &Report, excused: bool) -> Result<(), Stop> {
        let again = self.faults.copy();
        let before = tidiness::accepted(&again.live().to_files());
        self.judge_copy(&again, Invariant::Idempotence, "opened once more")?;
        if self.subject.is_documented() {
            let after = tidiness::accepted(&again.live().to_files());
            if let Some(finding) = tidiness::compare(&before, &after, excused) {
                return Err(finding.into());
            }
        }
        let cut = self.faults.copy();
        let so_far = self.log_cut_on_copy(&cut);
        self.judge_copy(
            &cut,
            Invariant::Decided,
            "after a power cut as soon as it was open",
        )?;
        self.seen.forget_after(so_far);
        if let Some(older) = self.without_newest_snapshot(report) {
            self.judge_copy(
                &older,
                Invariant::SnapshotEquivalence,
                "without the newest snapshot",
            )?;
        }
        self.seen.mark(Mark::ReplayedTwice);
        Ok(())
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

    /// A copy of the disk without the snapshot that was used, if recovery must be able to do
    /// without it.
    fn without_newest_snapshot(&self, report: &Report) -> Option<SimDisk> {
        let used = report.snapshot?;
        let files = self.files();
        let older = files.keys().filter_map(|name| snapshot_epoch(name));
        let older = older.filter(|epoch| *epoch < used.epoch).max();
        let bridge = older.map_or(1, |epoch| epoch + 1);
        let segments = segment_epochs(files.keys().map(String::as_str));
        if !segments.contains(&bridge) {
            return None;
        }
        let fork = self.faults.copy();
        let files = files.into_iter();
        let kept = files.filter(|(name, _)| snapshot_epoch(name) != Some(used.epoch));
        let image = beaver_disk::Image::from_files(kept);
        fork.boot(image.disk(self.scenario.profile));
        Some(fork)
    }

    /// Opens the store on a copy of the disk, where nothing goes wrong, and holds it against the
    /// history.
    fn judge_copy(&mut self, copy: &SimDisk, invariant: Invariant, when: &str) -> Result<(), Stop> {
        let client = self.open_copy(copy)?;
        let mut client =
            client.map_err(|text| Finding::new(invariant, format!("to open, {when}"), text))?;
        client
            .compare(self.history.state())
            .map_err(|(expected, found)| {
                Finding::new(invariant, expected, format!("{found}, {when}"))
            })?;
        let (expected, found) = (self.applied(), client.applied());
        if expected != found {
            let expected = format!("the last position to stay {expected}");
            return Err(Finding::new(invariant, expected, format!("{found}, {when}")).into());
        }
        self.seen.counts.images_checked += 1;
        Ok(())
    }

    fn open_copy(&self, copy: &SimDisk) -> Result<Result<Box<dyn Process>, String>, Stop> {
        let clock = Arc::new(ManualClock::new(self.now_ms()));
        let (storage, settings) = (copy.storage(), &self.scenario.log);
        let subject = &self.subject;
        let opened = crate::guard::guarded(|| subject.open(storage, clock, settings));
        let opened = opened.map_err(Stop::Panicked)?;
        Ok(opened
            .map(|(client, _)| client)
            .map_err(|failure| failure.text))
    }

    fn applied(&self) -> Place {
        let client = self.client.as_ref();
        client.map_or(Place::default(), |client| client.applied())
    }

    /// Invariant 5: what the recovery before has shown, this one leaves byte for byte. What that one
    /// could not remove, or not durably, may go now.
    pub(super) fn compare_bytes(&self, found: &Files) -> Result<(), Stop> {
        let (found, left) = (tidiness::accepted(found), tidiness::accepted(&self.files()));
        match tidiness::compare(&found, &left, self.may_go) {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }

    /// Recovers and judges other images of a power cut beside the one with which the run goes on. The first that is wrong is
    /// the answer: the run goes on with that one, so that its script says what was left, and the failure replays as every
    /// other does.
    pub(super) fn judge_side_images(
        &mut self,
        space: &ImageSpace,
        scripted: bool,
    ) -> Option<Choice> {
        if scripted || !self.scars.is_empty() {
            return None;
        }
        for _ in 0..self.scenario.crashes.images {
            let choice = self.survivors.choose(space);
            if let Err(wrong) = self.judge_side_image(space, &choice) {
                self.wrong_beside = Some(wrong);
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
        let client = self.open_copy(&side)?;
        let client = client.map_err(|text| {
            Finding::new(Invariant::Availability, "a power cut image to open", text)
        });
        judge_side(&self.history, &*self.subject.store, &mut *client?, &side)?;
        Ok(())
    }

    /// Invariant 11: only the files that the protocol needs.
    fn judge_files(&mut self, report: &Report) -> Result<(), Stop> {
        let files = self.files();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let keep = self.scenario.log.keep_old_snapshots;
        match tidiness::after_recovery(&names, report.snapshot, &report.strays, keep) {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }
}

fn judge_side(
    history: &History,
    store: &dyn Store,
    client: &mut dyn Process,
    side: &SimDisk,
) -> Result<(), Finding> {
    if let Some(view) = client.recognise(history) {
        judge(history, &view?).map_err(Wrong::finding)?;
        return Ok(());
    }
    let storage: Arc<dyn beaver::Storage> = side.fork().storage();
    let tail = store
        .replay_after(&storage, Place::default())
        .map_err(|failure| {
            Finding::new(
                Invariant::Availability,
                "a power cut image to be read",
                failure.text,
            )
        })?;
    let files = side.live().to_files();
    let first = segment_epochs(files.keys().map(String::as_str));
    let first = first.first().copied().unwrap_or(0);
    let decided = history.decided().iter();
    let after = decided
        .map(|decided| decided.place)
        .take_while(|place| place.epoch < first)
        .last();
    let view = View {
        state: client.state(),
        applied: client.applied(),
        after: after.unwrap_or_default(),
        tail,
        from_snapshot: files.keys().any(|name| snapshot_epoch(name).is_some()),
    };
    judge(history, &view).map_err(Wrong::finding)?;
    Ok(())
}
