//! Commands of the queue: given to the client, and their answers held against the model. Invariants
//! 1, 7, 10 and 12.

use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::history::Place;
use crate::oracle::judge::Finding;
use crate::oracle::model::{Record, Refusal, What};
use crate::run_log::RunEvent;
use crate::scenario::Step;
use crate::subject::{Answer, Failure, Grave, Process};

use super::crashes::Activity;
use super::describe::describe;
use super::{Stop, World};

/// Why there is a client.
pub(super) const OPEN: &str = "between two steps the store is open";

/// What the model says that a command must do.
pub(super) type Expected = Result<Vec<Record>, Refusal>;

impl World<'_> {
    /// Carries out one step and writes it down.
    pub(super) fn step(&mut self, step: Step) -> Result<(), Stop> {
        self.seen.counts.commands += 1;
        self.seen.command = describe(&step);
        let call = self.faults.disk().calls();
        let text = self.seen.command.clone();
        let number = self.seen.counts.commands;
        self.seen.record(call, RunEvent::Command { number, text });
        self.script.steps.push(step.clone());
        self.untouched &= matches!(step, Step::Kill | Step::PowerCut { .. });
        self.begin_scene();
        let jobs = self.history.state().len();
        self.faults.director().set_jobs(jobs);
        match step {
            Step::Group { steps } => self.group(&steps, false),
            Step::CloseQueued { steps } => self.group(&steps, true),
            Step::Checkpoint => self.checkpoint(&[], &[]),
            Step::SlowCheckpoint {
                before_write,
                before_finish,
            } => self.checkpoint(&before_write, &before_finish),
            Step::QueuedCheckpoint {
                steps,
                before_write,
                before_finish,
            } => self.queued_checkpoint(&steps, &before_write, &before_finish),
            Step::CheckpointAmid { during_write } => self.checkpoint_amid(during_write),
            Step::Reopen => self.reopen(),
            Step::Kill | Step::PowerCut { .. } => self.stop_and_start(step),
            Step::SecondOpener => self.second_opener(),
            Step::Inspect => self.inspect(),
            Step::Sync | Step::Rotate | Step::Preallocate { .. } => self.sync(&step),
            Step::Lenient { damage } => self.lenient(damage),
            simple => self.command(&simple).map(|_| ()),
        }
    }

    /// One command of the queue; true if the process survived it.
    pub(super) fn command(&mut self, step: &Step) -> Result<bool, Stop> {
        if let Step::Tick { ms } = step {
            self.clock.advance(*ms);
        }
        let expected = self.history.state().expect(step, self.now_ms());
        self.believe_doubtful(&expected);
        let (calls, excuses) = self.begin(Activity::Command);
        let answer = self.with_client(|client| client.command(step))?;
        let state = self.end(Activity::Command, calls);
        self.say_answer(&answer);
        if state == Ended::Crashed {
            self.history.doubt(expected.unwrap_or_default());
            self.carry_out_crash(Activity::Command)?;
            self.start()?;
            return Ok(false);
        }
        let excused = self.faults.director().excuses() > excuses;
        let applied = self.with_client(|client| client.applied())?;
        self.settle(step, expected, answer, applied, excused, false)?;
        self.learn_durable_unasked()?;
        self.believe_settled();
        self.check_live_state()?;
        Ok(true)
    }

    /// Several callers share one sync; it may be the one with which the store is closed.
    pub(super) fn group(&mut self, steps: &[Step], closes: bool) -> Result<(), Stop> {
        let expected = self.expect_all(steps);
        let (calls, excuses) = self.begin(Activity::Command);
        let answers = match (closes, self.client.take()) {
            (true, Some(client)) => self.program(|| client.close_queued(steps))?,
            (_, client) => {
                self.client = client;
                self.with_client(|client| client.group(steps))?
            }
        };
        if self.end(Activity::Command, calls) == Ended::Crashed {
            self.doubt_all(expected);
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses;
        if closes {
            // The sync that failed may be the one after that of the callers.
            self.faults.director().reopened();
        }
        let durable = answers
            .iter()
            .filter(|(answer, place)| matches!(answer, Answer::Done(_)) && place.is_some());
        let durable = durable.count();
        self.seen.mark_if(durable > 1, Mark::GroupCommit);
        self.settle_all(steps, expected, answers, excused)?;
        if durable > 0 {
            self.promise_all();
        }
        if closes {
            self.at_rest();
            return self.start();
        }
        self.learn_durable()?;
        self.believe_settled();
        self.check_live_state()
    }

    /// What the model expects of commands that are all validated before any of them is durable.
    pub(super) fn expect_all(&mut self, steps: &[Step]) -> Vec<Expected> {
        let now_ms = self.now_ms();
        let mut model = self.history.state().clone();
        let mut expected: Vec<Expected> = Vec::new();
        for step in steps {
            let records = model.expect(step, now_ms);
            for record in records.iter().flatten() {
                model.apply(record);
            }
            expected.push(records);
        }
        self.believe_doubtful(expected.iter().flatten());
        expected
    }

    /// Their callers had no time to hear an answer.
    pub(super) fn doubt_all(&mut self, expected: Vec<Expected>) {
        for records in expected.into_iter().flatten() {
            self.history.doubt(records);
        }
    }

    /// Settles them one after the other.
    pub(super) fn settle_all(
        &mut self,
        steps: &[Step],
        expected: Vec<Expected>,
        answers: Vec<(Answer, Option<Place>)>,
        excused: bool,
    ) -> Result<(), Stop> {
        let last_in_doubt = answers.iter().rposition(|(answer, _)| {
            matches!(answer, Answer::Failed(failure) if failure.grave == Grave::InDoubt)
        });
        // Where not everybody fits into one batch, one may be durable before the sync of another one fails.
        let last_in_doubt = last_in_doubt.filter(|_| self.scenario.log.batch_bytes > 0);
        let answers = answers.into_iter().enumerate();
        for ((step, expected), (at, (answer, place))) in steps.iter().zip(expected).zip(answers) {
            self.say_answer(&answer);
            let place = place.unwrap_or_else(|| self.history.last_place());
            let before_failure = last_in_doubt.is_some_and(|last| at < last);
            self.settle(step, expected, answer, place, excused, before_failure)?;
        }
        Ok(())
    }

    /// Holds the answer of one command against what the model expects, and against what the client
    /// was told before. `before_failure` says that its batch was written before the one whose sync failed.
    fn settle(
        &mut self,
        step: &Step,
        expected: Expected,
        answer: Answer,
        applied: Place,
        excused: bool,
        before_failure: bool,
    ) -> Result<(), Stop> {
        match (expected, answer) {
            (Ok(records), Answer::Done(id)) => {
                let in_doubt = self.poisoned || self.log_sync_failed() && !before_failure;
                self.acknowledged(step, records, id, applied, in_doubt)
            }
            (Err(expected), Answer::Refused(found)) if expected == found => {
                self.mark_refused(expected);
                Ok(())
            }
            (Ok(records), Answer::Failed(failure)) => self.failed(step, records, &failure, excused),
            (_, Answer::Waiting) => Err(Stop::Exhausted(Finding::new(
                Invariant::Progress,
                format!("{} to be answered", describe(step)),
                "its caller waits for ever",
            ))),
            // A refusal needs no log: a store that is poisoned may say so instead.
            (Err(_), Answer::Failed(failure)) if failure.grave == Grave::Poisoned => Ok(()),
            (expected, found) => {
                let expected = match expected {
                    Ok(records) => format!("{} to be accepted: {records:?}", describe(step)),
                    Err(refusal) => format!("{} to be refused: {refusal:?}", describe(step)),
                };
                Err(Finding::new(Invariant::JobRules, expected, format!("{found:?}")).into())
            }
        }
    }

    fn acknowledged(
        &mut self,
        step: &Step,
        records: Vec<Record>,
        id: Option<String>,
        applied: Place,
        in_doubt: bool,
    ) -> Result<(), Stop> {
        if in_doubt && !records.is_empty() {
            let expected = "nothing to be acknowledged until the log is opened again";
            let found = format!("{} was acknowledged", describe(step));
            return Err(Finding::new(Invariant::Poison, expected, found).into());
        }
        let handed_out = records
            .iter()
            .find(|record| *step == Step::Dispatch && record.what == What::Dispatched);
        let expected = handed_out.map(|record| record.id.clone());
        if *step == Step::Dispatch && expected != id {
            let expected = format!("the first in the queue: {expected:?}");
            return Err(Finding::new(
                Invariant::JobRules,
                expected,
                format!("{id:?} was handed out"),
            )
            .into());
        }
        let last = self.history.last_place();
        if !records.is_empty() && applied <= last {
            let expected = format!("a position above {last}");
            return Err(Finding::new(Invariant::Positions, expected, applied.to_string()).into());
        }
        self.mark_records(&records);
        self.answered(step, records, applied);
        Ok(())
    }

    /// Whether a sync of the log failed in this process. Of files that are not documented nobody
    /// can say what they are.
    pub(super) fn log_sync_failed(&self) -> bool {
        self.subject.is_documented() && self.faults.director().segment_sync_failed()
    }

    pub(super) fn failed(
        &mut self,
        step: &Step,
        records: Vec<Record>,
        failure: &Failure,
        excused: bool,
    ) -> Result<(), Stop> {
        let known = self.poisoned && failure.grave == Grave::Poisoned;
        if !excused && !known {
            let expected = format!("{} to succeed: no fault was injected", describe(step));
            return Err(
                Finding::new(Invariant::Availability, expected, failure.text.clone()).into(),
            );
        }
        match failure.grave {
            Grave::InDoubt => {
                self.history.doubt(records);
                self.seen.mark_if(!self.poisoned, Mark::Poisoned);
                self.poisoned = true;
                self.give_again_later(step);
            }
            Grave::Poisoned => {
                self.seen.mark(Mark::PoisonRefused);
                self.poisoned = true;
            }
            Grave::NotDone => {
                self.seen.mark(Mark::WriteUndone);
                self.met_full_disk |= failure.kind == Some(std::io::ErrorKind::StorageFull);
                self.give_again_later(step);
            }
            Grave::Locked | Grave::Corrupt | Grave::Invalid => {
                let expected = format!("{} to fail as an append can", describe(step));
                return Err(
                    Finding::new(Invariant::Availability, expected, failure.text.clone()).into(),
                );
            }
        }
        Ok(())
    }

    /// The state that the client reads is the fold over what was acknowledged. Every time while it
    /// is small, else now and then.
    pub(super) fn check_live_state(&mut self) -> Result<(), Stop> {
        let jobs = self.history.state().len() as u64;
        if jobs > 100 && !self.seen.counts.commands.is_multiple_of(32.max(jobs / 8)) {
            return Ok(());
        }
        let client = self.client.as_mut().expect(OPEN);
        let expected = self.history.state();
        crate::guard::guarded(|| client.compare(expected))
            .map_err(Stop::Panicked)?
            .map_err(|(expected, found)| Finding::new(Invariant::JobRules, expected, found).into())
    }

    /// Runs a piece of the program under test that needs the open store.
    pub(super) fn with_client<T>(
        &mut self,
        piece: impl FnOnce(&mut dyn Process) -> T,
    ) -> Result<T, Stop> {
        let client = self.client.as_mut().expect(OPEN);
        crate::guard::guarded(|| piece(&mut **client)).map_err(Stop::Panicked)
    }

    /// A piece of the program under test begins.
    pub(super) fn begin(&mut self, activity: Activity) -> (u64, u64) {
        let calls = self.faults.disk().calls();
        self.crashes
            .arm(activity, self.history.state().len(), self.faults.disk());
        (calls, self.faults.director().excuses())
    }

    /// A piece of the program under test ended, or its process did.
    pub(super) fn end(&mut self, activity: Activity, calls: u64) -> Ended {
        if self.has_crashed() {
            return Ended::Crashed;
        }
        let made = self.faults.disk().calls() - calls;
        self.crashes.disarm(activity, made, self.faults.disk());
        Ended::Normally
    }

    pub(super) fn say_answer(&mut self, answer: &Answer) {
        let text = match answer {
            Answer::Done(Some(id)) => format!("ok: {id}"),
            Answer::Done(None) => "ok".to_owned(),
            Answer::Refused(refusal) => format!("refused: {refusal:?}"),
            Answer::Waiting => "no answer".to_owned(),
            Answer::Failed(failure) => format!("failed: {}", failure.text),
        };
        let call = self.faults.disk().calls();
        self.seen.record(call, RunEvent::Answer { text });
    }
}

/// How a piece of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It returned.
    Normally,
    /// Its process is gone.
    Crashed,
}
