//! Ops of the store: given to it, and their answers held against the model. Invariants 1, 7, 10
//! and 12.

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::run_log::RunEvent;
use crate::scenario::{Step, SyncSetting};
use crate::subject::{
    Answer, AnyOp, Durability, ErrorClass, Expected, Failure, OpenStore, Position,
};

use super::crashes::Activity;
use super::examine::{shown_state, unreadable};
use super::{Stop, Unheard, World};

/// Why there is a store.
pub(super) const OPEN: &str = "between two steps the store is open";

/// An op as it was given, and what it must answer.
pub(super) type Given = (AnyOp, Expected);

impl World<'_> {
    /// Carries out one step and writes it down.
    pub(super) fn step(&mut self, step: Step) -> Result<(), Stop> {
        self.seen.counts.commands += 1;
        self.seen.command = step.to_string();
        let call = self.faults.disk().calls();
        let text = self.seen.command.clone();
        let number = self.seen.counts.commands;
        self.seen.record(call, RunEvent::Command { number, text });
        self.script.steps.push(step.clone());
        self.untouched &= matches!(step, Step::Kill | Step::PowerCut { .. });
        self.begin_step();
        let size = self.history.state().size();
        self.faults.director().set_jobs(size);
        match step {
            Step::Op(op) => self.op(&op).map(|_| ()),
            Step::Concurrent(round) => self.run_concurrent(&round),
            Step::Checkpoint => self.checkpoint(),
            Step::Reopen => self.reopen(),
            Step::Kill | Step::PowerCut { .. } => self.stop_and_start(step),
            Step::SecondOpener => self.second_opener(),
            Step::Inspect => self.inspect(),
            Step::Lenient { damage } => self.lenient(damage),
        }
    }

    /// One op; true if the process survived it.
    pub(super) fn op(&mut self, op: &AnyOp) -> Result<bool, Stop> {
        self.clock
            .set(self.now_ms().saturating_add_signed(op.takes_ms()));
        let (op, expected) = self
            .subject
            .resolve(op, self.history.state(), self.now_ms());
        self.believe_doubtful(expected.changes.then_some(&op));
        let (calls, excuses) = self.begin(Activity::Command);
        let changes = self.faults.director().changes();
        let answer = self.with_store(|store| store.run(&op))?;
        let state = self.end(Activity::Command, calls);
        self.say_answer(&answer);
        if state == StepEnd::Crashed {
            self.doubt((op, expected));
            self.carry_out_crash(Activity::Command)?;
            self.start()?;
            return Ok(false);
        }
        let excused = self.faults.director().excuses() > excuses;
        let decided = self.history.decided().len();
        let asked = expected.durable;
        self.check_refused_untouched(&op, &expected, changes)?;
        self.settle((op, expected), answer, excused, false)?;
        self.learn_durable()?;
        let promised = self.history.decided().len() > decided && self.answers_before_sync();
        let mark = match asked {
            true => Mark::SyncedOnRequest,
            false => Mark::BatchLimitSynced,
        };
        self.seen.mark_if(promised, mark);
        self.believe_settled();
        self.check_live_state()
    }

    /// An op that must be refused has changed nothing: it made no call that could. Of another store it is
    /// not known what else it does meanwhile.
    fn check_refused_untouched(
        &self,
        op: &AnyOp,
        expected: &Expected,
        changes: u64,
    ) -> Result<(), Finding> {
        let refused = !expected.changes && !expected.durable && !expected.text.is_empty();
        let made = self.faults.director().changes() - changes;
        if !refused || made == 0 || self.subject.inspected().is_none() {
            return Ok(());
        }
        let expected = format!("{op:?} to be refused without a change on the disk");
        let found = format!("{made} storage calls that change something");
        Err(Finding::new(self.rules(), expected, found))
    }

    /// What the model expects of ops that are all validated before any of them is durable.
    pub(super) fn give_all(&mut self, ops: &[AnyOp]) -> Vec<Given> {
        let now_ms = self.now_ms();
        let mut state = self.history.state().clone();
        let given = ops.iter().map(|op| {
            let given = self.subject.resolve(op, &state, now_ms);
            if given.1.changes {
                given.0.apply(&mut state);
            }
            given
        });
        let given: Vec<Given> = given.collect();
        let changing = given.iter().filter(|(_, expected)| expected.changes);
        self.believe_doubtful(changing.map(|(op, _)| op));
        given
    }

    /// Its caller had no time to hear an answer.
    pub(super) fn doubt(&mut self, (op, expected): Given) {
        if expected.changes {
            self.history.doubt(op);
        }
    }

    /// Settles them one after the other.
    pub(super) fn settle_all(
        &mut self,
        given: Vec<Given>,
        answers: Vec<Result<Answer, Failure>>,
        excused: bool,
    ) -> Result<(), Stop> {
        let last_in_doubt = answers.iter().rposition(
            |answer| matches!(answer, Err(failure) if failure.class == ErrorClass::InDoubt),
        );
        // Where not all callers fit into one batch, one may be durable before the sync of another one
        // fails.
        let log = &self.scenario.log;
        let several_batches = log.batch_bytes > 0 || log.batch_events > 0;
        let last_in_doubt = last_in_doubt.filter(|_| several_batches);
        for ((at, answer), given) in answers.into_iter().enumerate().zip(given) {
            self.say_answer(&answer);
            let before_failure = last_in_doubt.is_some_and(|last| at < last);
            self.settle(given, answer, excused, before_failure)?;
        }
        Ok(())
    }

    /// Holds the answer of one op against what the model expects, and against what the client was
    /// told before. `before_failure` says that its batch was written before the one whose sync failed.
    fn settle(
        &mut self,
        (op, expected): Given,
        answer: Result<Answer, Failure>,
        excused: bool,
        before_failure: bool,
    ) -> Result<(), Stop> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.class == ErrorClass::Unanswered => {
                let expected = format!("{op:?} to be answered");
                let finding =
                    Finding::new(Invariant::Progress, expected, "its caller waits for ever");
                return Err(Stop::Exhausted(finding));
            }
            Err(failure) if !expected.changes && !expected.text.is_empty() => {
                return self.not_refused((op, expected), &failure, excused);
            }
            Err(failure) => return self.failed((op, expected), &failure, excused),
        };
        if answer.text != expected.text {
            let expected = format!("{op:?} to answer {}", said(&expected.text));
            let finding = Finding::new(self.rules(), expected, said(&answer.text));
            return Err(finding.into());
        }
        if let Some(inspected) = self.subject.inspected() {
            let marks = inspected.marks(&op, &answer.text);
            marks.into_iter().for_each(|mark| self.seen.mark(mark));
        }
        if expected.durable {
            self.check_flushed(&op, &answer)?;
        }
        let in_doubt = self.poisoned || self.log_sync_failed() && !before_failure;
        if in_doubt && (expected.changes || expected.durable) {
            let expected = "nothing to be acknowledged until the log is opened again";
            let found = format!("{op:?} was acknowledged");
            return Err(Finding::new(Invariant::Poison, expected, found).into());
        }
        self.acknowledged(op, &expected, &answer)
    }

    /// Invariant 9: an op that makes everything durable says so, and where that ends: at the last op,
    /// or at the beginning of a segment after it that is empty.
    fn check_flushed(&self, op: &AnyOp, answer: &Answer) -> Result<(), Finding> {
        if answer.durability != Durability::Durable {
            let expected = format!("{op:?} to make durable everything that was answered");
            return Err(Finding::new(Invariant::Positions, expected, "some of it"));
        }
        // Where a recovered op stands is known of stores alone whose files the checker can read.
        let known = self.subject.inspected().is_some() || self.history.decided().is_empty();
        let last = self.history.last_position();
        let last = last.or(known.then(Position::default));
        let (Some(last), Some(found)) = (last, answer.position) else {
            return Ok(());
        };
        if found == last || found > last && found.seq == 0 {
            return Ok(());
        }
        let expected = format!("{op:?} to answer with the last position, {last}");
        Err(Finding::new(
            Invariant::Positions,
            expected,
            found.to_string(),
        ))
    }

    fn acknowledged(
        &mut self,
        op: AnyOp,
        expected: &Expected,
        answer: &Answer,
    ) -> Result<(), Stop> {
        if expected.changes {
            let last = self.history.last_position();
            if answer.position.is_some() && answer.position <= last {
                let expected = format!("a position above {}", last.unwrap_or_default());
                let found = answer.position.unwrap_or_default().to_string();
                return Err(Finding::new(Invariant::Positions, expected, found).into());
            }
            let full = std::mem::take(&mut self.met_full_disk);
            self.seen.mark_if(full, Mark::RetriedAfterFull);
            let torn = std::mem::take(&mut self.cut_torn_tail);
            self.seen.mark_if(torn, Mark::TornTailExtended);
            self.history.answer(op, answer.position);
        }
        match answer.durability {
            Durability::Durable => self.promise_all_but(0),
            Durability::AllBut { pending } => self.promise_all_but(pending),
            Durability::NotYet => {}
        }
        Ok(())
    }

    /// Everything that was answered but the last `pending` ops is promised.
    pub(super) fn promise_all_but(&mut self, pending: usize) {
        let call = self.faults.disk().calls();
        for promised in self.history.promise_all_but(pending) {
            self.seen.keep(call, || RunEvent::Acknowledged {
                text: format!("{:?}", promised.op),
                position: promised.position,
            });
        }
    }

    /// The process is gone, and with it what it had not promised.
    pub(super) fn interrupt(&mut self) {
        self.unsynced += self.history.interrupt();
    }

    /// Whether the store under test answers before what it answers is durable.
    pub(super) fn answers_before_sync(&self) -> bool {
        self.scenario.log.sync == SyncSetting::OnRequest
    }

    /// The invariant of ops that do something else than the model says.
    pub(super) fn rules(&self) -> Invariant {
        match self.subject.inspected() {
            Some(_) => Invariant::JobRules,
            None => Invariant::State,
        }
    }

    /// Whether a sync of the log failed in this process. Of files that the checker cannot read
    /// nothing says which of them is the log.
    pub(super) fn log_sync_failed(&self) -> bool {
        self.subject.inspected().is_some() && self.faults.director().segment_sync_failed()
    }

    /// An op that changes nothing failed instead of giving its answer. A refusal by the rules of the
    /// queue needs no log, so nothing excuses that: only a store that is poisoned may say so instead,
    /// and one whose refusals wait for what they rest on.
    /// Another store may have to read before it answers.
    fn not_refused(
        &mut self,
        (op, expected): Given,
        failure: &Failure,
        excused: bool,
    ) -> Result<(), Stop> {
        if failure.class == ErrorClass::Poisoned || excused && self.subject.refusals_wait() {
            return Ok(());
        }
        if self.subject.inspected().is_none() {
            return self.failed((op, expected), failure, excused);
        }
        let expected = format!("{op:?} to answer {}", said(&expected.text));
        let found = format!("failed: {}", failure.text);
        Err(Finding::new(self.rules(), expected, found).into())
    }

    fn failed(
        &mut self,
        (op, expected): Given,
        failure: &Failure,
        excused: bool,
    ) -> Result<(), Stop> {
        let known = self.poisoned && failure.class == ErrorClass::Poisoned;
        if !excused && !known {
            let expected = format!("{op:?} to succeed: no fault was injected");
            let finding = Finding::new(Invariant::Availability, expected, failure.text.clone());
            return Err(finding.into());
        }
        match failure.class {
            ErrorClass::InDoubt => {
                self.seen.mark_if(!self.poisoned, Mark::Poisoned);
                self.poisoned = true;
                self.give_again_later(&Step::Op(op.clone()));
                self.doubt((op, expected));
            }
            ErrorClass::Poisoned => {
                self.seen.mark(Mark::PoisonRefused);
                self.poisoned = true;
            }
            ErrorClass::NotDone => {
                self.seen.mark(Mark::WriteUndone);
                self.met_full_disk |= failure.is_full();
                self.give_again_later(&Step::Op(op));
            }
            ErrorClass::Locked
            | ErrorClass::Corrupt
            | ErrorClass::Invalid
            | ErrorClass::Unanswered => {
                let expected = format!("{op:?} to fail as an op can");
                let finding = Finding::new(Invariant::Availability, expected, failure.text.clone());
                return Err(finding.into());
            }
        }
        Ok(())
    }

    /// Learns what is durable from a store that says so while it is in use. Invariant 9.
    pub(super) fn learn_durable(&mut self) -> Result<(), Stop> {
        let Some(inspected) = self.subject.inspected() else {
            return Ok(());
        };
        let store = self.store.as_mut().expect(OPEN);
        let pending = guarded(|| inspected.check_durable(store.as_any(), &self.history));
        let pending = pending.map_err(Stop::panicked)??;
        if pending < self.history.unpromised() {
            self.promise_all_but(pending);
        }
        Ok(())
    }

    /// The state that the client reads is the fold over what was acknowledged. Every time while it
    /// is small, else now and then. True if the process survived that.
    pub(super) fn check_live_state(&mut self) -> Result<bool, Stop> {
        let size = self.history.state().size() as u64;
        if size > 100 && !self.seen.counts.commands.is_multiple_of(32.max(size / 8)) {
            return Ok(true);
        }
        // What an error has left in memory counts no more: the client is not shown it.
        if self.poisoned && self.subject.inspected().is_none() {
            return Ok(true);
        }
        let excuses = self.faults.director().excuses();
        let store = self.store.as_mut().expect(OPEN);
        let shown = shown_state(&mut **store);
        if self.has_crashed() {
            self.carry_out_crash(Activity::Command)?;
            self.start()?;
            return Ok(false);
        }
        match shown? {
            Ok(state) if state == *self.history.state() => Ok(true),
            Ok(state) => {
                let (expected, found) = self.history.state().difference(&state);
                Err(Finding::new(self.rules(), expected, found).into())
            }
            Err(failure) if self.faults.director().excuses() > excuses => {
                self.poisoned |= failure.class != ErrorClass::NotDone;
                Ok(true)
            }
            Err(failure) => Err(unreadable(&failure).into()),
        }
    }

    /// Runs a piece of the program under test that needs the open store.
    pub(super) fn with_store<T: Unheard>(
        &mut self,
        piece: impl FnOnce(&mut dyn OpenStore) -> T,
    ) -> Result<T, Stop> {
        let store = self.store.as_mut().expect(OPEN);
        let done = guarded(|| piece(&mut **store));
        self.survived(done)
    }

    /// A piece of the program under test begins.
    pub(super) fn begin(&mut self, activity: Activity) -> (u64, u64) {
        let calls = self.faults.disk().calls();
        self.crashes
            .arm(activity, self.history.state().size(), self.faults.disk());
        (calls, self.faults.director().excuses())
    }

    /// A piece of the program under test ended, or its process did.
    pub(super) fn end(&mut self, activity: Activity, calls: u64) -> StepEnd {
        if self.has_crashed() {
            return StepEnd::Crashed;
        }
        let made = self.faults.disk().calls() - calls;
        self.crashes.disarm(activity, made, self.faults.disk());
        StepEnd::Normally
    }

    pub(super) fn say_answer(&mut self, answer: &Result<Answer, Failure>) {
        let text = match answer {
            Ok(answer) => said(&answer.text),
            Err(failure) if failure.class == ErrorClass::Unanswered => failure.text.clone(),
            Err(failure) => format!("failed: {}", failure.text),
        };
        let call = self.faults.disk().calls();
        self.seen.record(call, RunEvent::Answer { text });
    }
}

/// An answer in words.
fn said(text: &str) -> String {
    match text {
        "" => "ok".to_owned(),
        text => text.to_owned(),
    }
}

impl From<Stop> for Finding {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Wrong(finding) | Stop::Exhausted(finding) | Stop::Panicked(finding) => finding,
            Stop::Over => panic!("a run that is over has nothing to report"),
        }
    }
}

/// How a piece of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// It returned.
    Normally,
    /// Its process is gone.
    Crashed,
}
