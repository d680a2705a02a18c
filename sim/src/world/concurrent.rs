//! Checkpoints, and several ops at once: around a flush, a checkpoint or a close.

use std::any::Any;
use std::sync::Arc;

use crate::guard::Contained;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::plural::counted;
use crate::run_log::RunEvent;
use crate::scenario::{Around, ConcurrentStep, Step, When};
use crate::subject::{Answer, AnyOp, ErrorClass, Failure, PendingCheckpoint};

use super::commands::{Given, StepEnd};
use super::crashes::Activity;
use super::{Stop, World};
use crate::lockstep::LockstepThread;

impl World<'_> {
    /// Several ops at once.
    pub(super) fn run_concurrent(&mut self, round: &ConcurrentStep) -> Result<(), Stop> {
        match round.around {
            Around::Flush => self.flush_together(&round.at(When::Waiting)),
            Around::Interval => self.flush_when_due(&round.at(When::Waiting)),
            Around::Close => self.close_together(&round.at(When::Waiting)),
            Around::Checkpoint if round.ops.is_empty() => self.checkpoint(),
            Around::Checkpoint => self.checkpoint_in_steps(round),
        }
    }

    /// All of a checkpoint.
    pub(super) fn checkpoint(&mut self) -> Result<(), Stop> {
        let names = self.names();
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let done = self.with_store(|store| store.checkpoint())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        self.mark_undone(done.is_err());
        if self.checkpoint_step(done, excuses, true)?.is_some() {
            self.promise_all_but(0);
            self.checkpointed(&names, excuses)?;
        }
        Ok(())
    }

    /// Several callers share one sync.
    fn flush_together(&mut self, ops: &[AnyOp]) -> Result<(), Stop> {
        let given = self.give_all(ops);
        let ops = resolved(&given);
        let (calls, excuses) = self.begin(Activity::Command);
        let answers = self.with_store(|store| store.group(&ops))?;
        if self.end(Activity::Command, calls) == StepEnd::Crashed {
            self.doubt_all(given);
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses;
        self.settle_together(given, answers, excused)?;
        self.learn_durable()?;
        self.believe_settled();
        self.check_live_state().map(|_| ())
    }

    /// Several callers submit and do not wait. Time passes until the store says that what is queued is due,
    /// at the latest after the interval that the log's settings say: invariant 0 of an op that is never
    /// synced.
    fn flush_when_due(&mut self, ops: &[AnyOp]) -> Result<(), Stop> {
        let given = self.give_all(ops);
        let ops = resolved(&given);
        let interval_ms = self.scenario.log.interval_ms();
        let (calls, excuses) = self.begin(Activity::Command);
        let clock = Arc::clone(&self.clock);
        let mut waited_ms = 0;
        let mut pass = || {
            let goes_on = waited_ms < interval_ms;
            clock.advance(u64::from(goes_on));
            waited_ms += 1;
            goes_on
        };
        let answers = self.with_store(|store| store.unawaited(&ops, &mut pass))?;
        if self.end(Activity::Command, calls) == StepEnd::Crashed {
            self.doubt_all(given);
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        if waited_ms > interval_ms {
            let expected = format!("what is queued to be due after {interval_ms} ms");
            let finding = Finding::new(Invariant::Progress, expected, "it is not");
            return Err(Stop::Wrong(finding));
        }
        self.seen.mark_if(waited_ms > 0, Mark::FlushedWhenDue);
        let excused = self.faults.director().excuses() > excuses;
        self.settle_together(given, answers, excused)?;
        self.learn_durable()?;
        self.believe_settled();
        self.check_live_state().map(|_| ())
    }

    /// Several callers share the sync with which the store is closed.
    fn close_together(&mut self, ops: &[AnyOp]) -> Result<(), Stop> {
        let given = self.give_all(ops);
        let ops = resolved(&given);
        let (calls, excuses) = self.begin(Activity::Command);
        let answers = match self.store.take() {
            Some(store) => self.program(|| store.close_queued(&ops))?,
            None => Vec::new(),
        };
        if self.end(Activity::Command, calls) == StepEnd::Crashed {
            self.doubt_all(given);
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses;
        // The sync that failed may be the one after that of the callers.
        self.faults.director().reopened();
        self.settle_together(given, answers, excused)?;
        self.interrupt();
        self.at_rest();
        self.start()
    }

    fn settle_together(
        &mut self,
        given: Vec<Given>,
        answers: Vec<Result<Answer, Failure>>,
        excused: bool,
    ) -> Result<(), Stop> {
        let shared = answers.iter().zip(&given);
        let shared = shared.filter(|(answer, (_, expected))| answer.is_ok() && expected.changes);
        let shared = shared.count();
        self.seen.mark_if(shared > 1, Mark::GroupCommit);
        self.settle_all(given, answers, excused)?;
        let promised = shared > 0 && self.answers_before_sync();
        self.seen.mark_if(promised, Mark::SyncedOnRequest);
        Ok(())
    }

    /// Their callers had no time to hear an answer.
    fn doubt_all(&mut self, given: Vec<Given>) {
        given.into_iter().for_each(|given| self.doubt(given));
    }

    /// A checkpoint in three steps, with ops before, between and in the middle of them.
    fn checkpoint_in_steps(&mut self, round: &ConcurrentStep) -> Result<(), Stop> {
        let names = self.names();
        let waiting = round.at(When::Waiting);
        let begun = match waiting.is_empty() {
            true => self.begin_checkpoint()?,
            false => self.begin_checkpoint_with_callers(&waiting)?,
        };
        let Some(begun) = begun else {
            return Ok(());
        };
        if !self.ops_between(&round.at(When::BeforeWrite))? {
            return Ok(());
        }
        let during = round.during_write();
        let written = match during.is_empty() {
            true => self.write_checkpoint(begun)?,
            false => self.write_checkpoint_amid(begun, during)?,
        };
        let Some(written) = written.map(Contained::new) else {
            return Ok(());
        };
        if !self.ops_between(&round.at(When::BeforeFinish))? {
            return Ok(());
        }
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let finished = self.with_store(|store| store.finish_checkpoint(written.into_inner()))?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(());
        }
        if self.checkpoint_step(finished, excuses, true)?.is_some() {
            self.seen.mark(Mark::AppendDuringCheckpoint);
            self.checkpointed(&names, excuses)?;
        }
        Ok(())
    }

    /// The first step of a checkpoint.
    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Stop> {
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let begun = self.with_store(|store| store.begin_checkpoint())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(None);
        }
        self.mark_undone(begun.is_err());
        Ok(self.checkpoint_step(begun, excuses, true)?.flatten())
    }

    /// The same while callers wait for a sync.
    fn begin_checkpoint_with_callers(
        &mut self,
        ops: &[AnyOp],
    ) -> Result<Option<PendingCheckpoint>, Stop> {
        let given = self.give_all(ops);
        let ops = resolved(&given);
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let (begun, answers) = self.with_store(|store| store.begin_checkpoint_queued(&ops))?;
        if self.end(Activity::Checkpoint, calls) == StepEnd::Crashed {
            self.doubt_all(given);
            self.carry_out_crash(Activity::Checkpoint)?;
            self.start()?;
            return Ok(None);
        }
        let excused = self.faults.director().excuses() > excuses;
        self.mark_undone(begun.is_err());
        self.settle_all(given, answers, excused)?;
        self.believe_settled();
        if !self.check_live_state()? {
            return Ok(None);
        }
        Ok(self.checkpoint_step(begun, excuses, true)?.flatten())
    }

    /// The second step of a checkpoint.
    fn write_checkpoint(
        &mut self,
        begun: PendingCheckpoint,
    ) -> Result<Option<Box<dyn Any + Send>>, Stop> {
        let (calls, excuses) = self.begin(Activity::Checkpoint);
        let written = self.program(begun)?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(None);
        }
        self.checkpoint_step(written, excuses, false)
    }

    /// The same with ops just before some of its storage calls.
    fn write_checkpoint_amid(
        &mut self,
        begun: PendingCheckpoint,
        during: Vec<(u64, AnyOp)>,
    ) -> Result<Option<Box<dyn Any + Send>>, Stop> {
        let (mut calls, mut excuses) = self.begin(Activity::Checkpoint);
        self.writing = Some(LockstepThread::start(begun));
        let mut made = 1;
        for (before_call, op) in during {
            while made < before_call && !self.has_crashed() {
                if let Some(writing) = &mut self.writing {
                    writing.make_call();
                }
                made += 1;
            }
            if self.crashed_in_checkpoint(calls)? {
                return Ok(None);
            }
            let excused = self.faults.director().excuses() > excuses;
            if !self.op(&op)? {
                return Ok(None);
            }
            (calls, excuses) = self.begin(Activity::Checkpoint);
            // What went wrong in the step so far still explains how it ends.
            excuses -= u64::from(excused);
        }
        let writing = self.writing.take().expect("it was started above");
        let written = self.survived(writing.finish())?;
        if self.crashed_in_checkpoint(calls)? {
            return Ok(None);
        }
        self.checkpoint_step(written, excuses, false)
    }

    /// Ops between two steps of a checkpoint; false if the process did not survive them.
    fn ops_between(&mut self, ops: &[AnyOp]) -> Result<bool, Stop> {
        for op in ops {
            if !self.op(op)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn crashed_in_checkpoint(&mut self, calls: u64) -> Result<bool, Stop> {
        if self.end(Activity::Checkpoint, calls) == StepEnd::Normally {
            return Ok(false);
        }
        self.carry_out_crash(Activity::Checkpoint)?;
        self.start()?;
        Ok(true)
    }

    /// A rotate that failed after its rename is undone by removing the new segment.
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
        let known = self.poisoned && failure.class == ErrorClass::Poisoned;
        if !excused && !known {
            let expected = "the checkpoint to succeed: no fault was injected";
            return Err(Finding::new(Invariant::Availability, expected, failure.text).into());
        }
        match failure.class {
            ErrorClass::InDoubt | ErrorClass::Poisoned => {
                self.seen.mark_if(!self.poisoned, Mark::Poisoned);
                self.poisoned = true;
            }
            ErrorClass::NotDone => {
                self.seen.mark(Mark::CheckpointFailed);
                self.checkpoint_failed = true;
                self.give_again_later(&Step::Checkpoint);
            }
            ErrorClass::Locked
            | ErrorClass::Corrupt
            | ErrorClass::Invalid
            | ErrorClass::Unanswered => {
                let expected = "the checkpoint to fail as a checkpoint can";
                return Err(Finding::new(Invariant::Availability, expected, failure.text).into());
            }
        }
        Ok(None)
    }

    /// A checkpoint ended well: what is on the disk now is bounded. `before` are the names that were
    /// there when it began. Where the checker can read the files a checkpoint that has something to do
    /// changes them; of other files they say nothing: a store may rewrite one under its name.
    fn checkpointed(&mut self, before: &[String], excuses: u64) -> Result<(), Stop> {
        let names = self.names();
        let inspected = self.subject.inspected();
        let found_nothing = inspected.is_some() && names == before;
        self.seen.mark_if(found_nothing, Mark::EmptyRotate);
        let pruned = before.iter().any(|name| !names.contains(name));
        self.seen.mark_if(pruned, Mark::Pruned);
        if self.faults.director().excuses() > excuses || !self.damage.is_empty() {
            return Ok(());
        }
        if let Some(inspected) = inspected.filter(|_| !found_nothing) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            inspected.check_checkpointed(&names, &self.scenario.log)?;
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            if !self.checkpoint_failed {
                inspected.check_fall_back(&before, &names, false, &self.scenario.log)?;
            }
        }
        self.check_disk_bytes()
    }

    /// The names on the disk.
    fn names(&self) -> Vec<String> {
        let live = self.faults.disk().live();
        live.names().map(str::to_owned).collect()
    }

    /// Invariant 11: after a checkpoint the disk holds a bounded number of bytes.
    fn check_disk_bytes(&self) -> Result<(), Stop> {
        let limit = self.scenario.budget.disk_bytes;
        if limit == 0 {
            return Ok(());
        }
        let used: usize = self.files().values().map(Vec::len).sum();
        if used as u64 > limit {
            let most = counted(limit, "byte", "bytes");
            let expected = format!("at most {most} on disk after a checkpoint");
            let found = format!("{used} bytes");
            return Err(Finding::new(Invariant::Hygiene, expected, found).into());
        }
        Ok(())
    }
}

fn resolved(given: &[Given]) -> Vec<AnyOp> {
    given.iter().map(|(op, _)| op.clone()).collect()
}
