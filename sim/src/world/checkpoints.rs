//! Checkpoints, in one go or with commands between their steps.

use std::any::Any;

use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::judge::Finding;
use crate::oracle::tidiness;
use crate::run_log::RunEvent;
use crate::scenario::{Meanwhile, Step};
use crate::subject::{Begun, Failure, Grave};

use super::beside::Beside;
use super::commands::Ended;
use super::crashes::Activity;
use super::{Stop, World};

impl World<'_> {
    /// A checkpoint, with commands after its first and its second step if there are any.
    pub(super) fn checkpoint(
        &mut self,
        before_write: &[Step],
        before_finish: &[Step],
    ) -> Result<(), Stop> {
        if before_write.is_empty() && before_finish.is_empty() {
            return self.checkpoint_at_once();
        }
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let begun = self.with_client(|client| client.begin_checkpoint())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        self.mark_undone(begun.is_err());
        match self.checkpoint_step(begun, excuses, true)?.flatten() {
            Some(begun) => self.complete_checkpoint(begun, before_write, before_finish),
            None => Ok(()),
        }
    }

    /// A checkpoint with commands in the middle of its second step.
    pub(super) fn checkpoint_amid(&mut self, during_write: Vec<Meanwhile>) -> Result<(), Stop> {
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let begun = self.with_client(|client| client.begin_checkpoint())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        self.mark_undone(begun.is_err());
        let Some(begun) = self.checkpoint_step(begun, excuses, true)?.flatten() else {
            return Ok(());
        };
        let (mut calls, mut excuses) = self.begin(Activity::Checkpoint);
        self.writing = Some(Beside::start(move || begun.write()));
        let mut made = 1;
        for Meanwhile { before_call, step } in during_write {
            while made < before_call && !self.has_crashed() {
                if let Some(writing) = &mut self.writing {
                    writing.make_call();
                }
                made += 1;
            }
            if self.crashed_in_checkpoint(calls)? {
                return Ok(());
            }
            let excused = self.faults.director().excuses() > excuses;
            if !self.command(&step)? {
                return Ok(());
            }
            (calls, excuses) = self.begin(Activity::Checkpoint);
            // What went wrong in the step so far still explains how it ends.
            excuses -= u64::from(excused);
        }
        let writing = self.writing.take().expect("it was started above");
        let written = writing.finish().map_err(Stop::Panicked)?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        match self.checkpoint_step(written, excuses, false)? {
            Some(written) => self.finish_checkpoint(written),
            None => Ok(()),
        }
    }

    /// A checkpoint that begins while callers wait for a sync.
    pub(super) fn queued_checkpoint(
        &mut self,
        steps: &[Step],
        before_write: &[Step],
        before_finish: &[Step],
    ) -> Result<(), Stop> {
        let expected = self.expect_all(steps);
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let (begun, answers) = self.with_client(|client| client.begin_checkpoint_queued(steps))?;
        if self.end(Activity::Checkpoint, calls) == Ended::Crashed {
            self.doubt_all(expected);
            self.carry_out_crash(Activity::Checkpoint)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses;
        self.mark_undone(begun.is_err());
        self.settle_all(steps, expected, answers, excused)?;
        self.believe_settled();
        self.check_live_state()?;
        match self.checkpoint_step(begun, excuses, true)?.flatten() {
            Some(begun) => self.complete_checkpoint(begun, before_write, before_finish),
            None => Ok(()),
        }
    }

    /// The second and the third step of a checkpoint, with commands before each.
    fn complete_checkpoint(
        &mut self,
        begun: Box<dyn Begun>,
        before_write: &[Step],
        before_finish: &[Step],
    ) -> Result<(), Stop> {
        if !self.commands_between(before_write)? {
            return Ok(());
        }
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let written = self.program(|| begun.write())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        let Some(written) = self.checkpoint_step(written, excuses, false)? else {
            return Ok(());
        };
        if !self.commands_between(before_finish)? {
            return Ok(());
        }
        self.finish_checkpoint(written)
    }

    /// The last step of a checkpoint.
    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Stop> {
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let finished = self.with_client(|client| client.finish_checkpoint(written))?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        if let Some(removed) = self.checkpoint_step(finished, excuses, true)? {
            self.seen.mark(Mark::AppendDuringCheckpoint);
            self.checkpointed(Some(removed), excuses)?;
        }
        Ok(())
    }

    fn checkpoint_at_once(&mut self) -> Result<(), Stop> {
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let done = self.with_client(|client| client.checkpoint())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        self.mark_undone(done.is_err());
        if let Some(removed) = self.checkpoint_step(done, excuses, true)? {
            self.checkpointed(removed, excuses)?;
        }
        Ok(())
    }

    /// Commands between two steps of a checkpoint; false if the process did not survive them.
    fn commands_between(&mut self, steps: &[Step]) -> Result<bool, Stop> {
        for step in steps {
            if !self.command(step)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn crashed_in_checkpoint(&mut self, calls: u64) -> Result<bool, Stop> {
        if self.end(Activity::Checkpoint, calls) == Ended::Normally {
            return Ok(false);
        }
        self.carry_out_crash(Activity::Checkpoint)?;
        self.start()?;
        Ok(true)
    }

    /// A rotate that failed behind its rename is undone by removing the new segment.
    fn mark_undone(&mut self, failed: bool) {
        let removed = self.faults.director().take_newest_removed();
        self.seen.mark_if(failed && removed, Mark::RotateUndone);
    }

    /// A step of a checkpoint ended; `needs_log` says that a poisoned log must refuse it. A failure
    /// needs a fault, and what was acknowledged stays as it is.
    fn checkpoint_step<T>(
        &mut self,
        outcome: Result<T, Failure>,
        excuses: u64,
        needs_log: bool,
    ) -> Result<Option<T>, Stop> {
        let failure = match outcome {
            Ok(value) => {
                if needs_log && (self.poisoned || self.log_sync_failed()) {
                    let expected = "no checkpoint until the log is opened again";
                    return Err(Finding::new(Invariant::Poison, expected, "it went on").into());
                }
                return Ok(Some(value));
            }
            Err(failure) => failure,
        };
        let call = self.faults.disk().calls();
        let text = format!("failed: {}", failure.text);
        self.seen.record(call, RunEvent::Note { text });
        let excused = self.faults.director().excuses() > excuses;
        let known = self.poisoned && failure.grave == Grave::Poisoned;
        if !excused && !known {
            let expected = "the checkpoint to succeed: no fault was injected";
            return Err(Finding::new(Invariant::Availability, expected, failure.text).into());
        }
        match failure.grave {
            Grave::InDoubt | Grave::Poisoned => {
                self.seen.mark_if(!self.poisoned, Mark::Poisoned);
                self.poisoned = true;
            }
            Grave::NotDone => {
                self.seen.mark(Mark::CheckpointFailed);
                self.give_again_later(&Step::Checkpoint);
            }
            Grave::Locked | Grave::Corrupt | Grave::Invalid => {
                let expected = "the checkpoint to fail as a checkpoint can";
                return Err(Finding::new(Invariant::Availability, expected, failure.text).into());
            }
        }
        Ok(None)
    }

    /// A checkpoint ended well: what is on the disk now is bounded.
    fn checkpointed(&mut self, removed: Option<usize>, excuses: u64) -> Result<(), Stop> {
        let Some(removed) = removed else {
            self.seen.mark(Mark::EmptyRotate);
            return Ok(());
        };
        self.seen.mark_if(removed > 0, Mark::Pruned);
        if self.faults.director().excuses() > excuses || !self.scars.is_empty() {
            return Ok(());
        }
        let files = self.files();
        if self.subject.is_documented() {
            let names: Vec<&str> = files.keys().map(String::as_str).collect();
            let keep = self.scenario.log.keep_old_snapshots;
            if let Some(finding) = tidiness::after_checkpoint(&names, keep) {
                return Err(finding.into());
            }
        }
        self.check_disk_bytes(&files)
    }

    /// Invariant 11: after a checkpoint the disk holds a bounded number of bytes.
    fn check_disk_bytes(&self, files: &crate::oracle::damage::Files) -> Result<(), Stop> {
        let used: usize = files.values().map(Vec::len).sum();
        let most = self.scenario.budget.disk_bytes;
        if most > 0 && used as u64 > most {
            let expected = format!("at most {most} bytes on disk after a checkpoint");
            return Err(Finding::new(Invariant::Hygiene, expected, format!("{used} bytes")).into());
        }
        Ok(())
    }
}
