//! A store that a recovery has opened goes on: it takes one more op and makes it durable, and its
//! process dies at each call of that, and after it.

use std::sync::Arc;

use beaver_disk::{Crash, CrashPoint, Moment, SimDisk};

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::scenario::Step;
use crate::subject::{Answer, AnyOp, Durability, Expected, Failure, OpenStore};
use crate::world::examine::{let_go, panicked, panicked_at_end, shown_state, unreadable};

use super::beliefs::BeliefId;
use super::search::{CrashSearch, CrashState, OpenedStore};
use super::trail::{TrailStep, Wrong};

/// What is believed of an op that was answered and is not durable yet: while it is made durable, and
/// after that.
struct Unflushed {
    doubtful: BeliefId,
    after: BeliefId,
}

impl CrashSearch<'_> {
    /// The store goes on. What is wrong is remembered with the way to it.
    pub(super) fn go_on(&mut self, mut opened: OpenedStore<'_>, decided: BeliefId) {
        let Some(op) = self.one_more(decided) else {
            return;
        };
        let first_wrong = self.wrong.len();
        self.show_step(&op);
        match self.take_one_more(&mut opened, decided, &op) {
            Ok(None) => {
                let ended = let_go(opened.store);
                self.wrong.extend(ended.err().map(Wrong::new));
            }
            Ok(Some(answered)) => self.make_durable(opened, &answered),
            Err(finding) => self.wrong.push(Wrong::new(finding)),
        }
        self.hide_step();
        self.add_step(first_wrong, &Step::Op(op));
    }

    /// Says that a step is taken, for somebody who looks on.
    fn show_step(&self, op: &AnyOp) {
        if let Some(watched) = self.target.watched {
            watched.push(TrailStep::Step(Step::Op(op.clone())));
        }
    }

    fn hide_step(&self) {
        if let Some(watched) = self.target.watched {
            watched.pop();
        }
    }

    /// The way to what was found wrong since `first_wrong` begins with this step.
    fn add_step(&mut self, first_wrong: usize, step: &Step) {
        for wrong in &mut self.wrong[first_wrong..] {
            wrong.trail.push(TrailStep::Step(step.clone()));
        }
    }

    fn resolve(&self, op: &AnyOp, belief: BeliefId) -> (AnyOp, Expected) {
        let state = self.beliefs.history(belief).state();
        let now_ms = beaver::Clock::now_ms(&*self.clock);
        self.target.subject.resolve(op, state, now_ms)
    }

    /// The first op that changes something: one that does not asks nothing of the store.
    fn one_more(&self, decided: BeliefId) -> Option<AnyOp> {
        let ops = self
            .target
            .subject
            .ops(self.beliefs.history(decided).state());
        let mut ops = ops.into_iter();
        ops.find(|op| self.resolve(op, decided).1.changes)
    }

    /// What makes durable what was answered: an op that must say so, or else a clean close.
    fn flush(&self, after: BeliefId) -> Step {
        let ops = self.target.subject.ops(self.beliefs.history(after).state());
        let mut ops = ops.into_iter();
        let flush = ops.find(|op| {
            let (_, expected) = self.resolve(op, after);
            expected.durable && !expected.changes
        });
        flush.map_or(Step::Reopen, Step::Op)
    }

    /// The store takes the op. Nothing: that made it durable.
    fn take_one_more(
        &mut self,
        opened: &mut OpenedStore<'_>,
        decided: BeliefId,
        op: &AnyOp,
    ) -> Result<Option<Unflushed>, Finding> {
        let before = Arc::clone(self.beliefs.history(decided));
        let (op, expected) = self.resolve(op, decided);
        let calls = opened.sim.calls();
        let (answer, crashes) = recorded(opened.sim, || opened.store.run(&op))?;
        let answer = as_expected(answer, &expected)?;
        let last = before.last_position();
        if answer.position.is_some() && answer.position <= last {
            let expected = format!("a position above {}", last.unwrap_or_default());
            let found = answer.position.unwrap_or_default().to_string();
            return Err(Finding::new(Invariant::Positions, expected, found));
        }
        let (doubtful, after) = self.beliefs.append(decided, op, answer.position);
        let state = shown_state(&mut *opened.store)?.map_err(|failure| unreadable(&failure))?;
        let wanted = self.beliefs.history(after).state();
        if state != *wanted {
            let (expected, found) = wanted.difference(&state);
            return Err(Finding::new(Invariant::JobRules, expected, found));
        }
        let is_durable = is_durable(&answer);
        self.die_at_each(&crashes, calls, doubtful);
        let end = opened.sim.crash_between_calls();
        let at = in_step(&end, calls);
        self.die(&end, at, if is_durable { after } else { doubtful });
        Ok((!is_durable).then_some(Unflushed { doubtful, after }))
    }

    /// The store makes durable what it has answered.
    fn make_durable(&mut self, opened: OpenedStore<'_>, answered: &Unflushed) {
        let first_wrong = self.wrong.len();
        let flush = self.flush(answered.after);
        if let Err(finding) = self.carry_out_flush(opened, &flush, answered) {
            self.wrong.push(Wrong::new(finding));
        }
        self.add_step(first_wrong, &flush);
    }

    fn carry_out_flush(
        &mut self,
        opened: OpenedStore<'_>,
        flush: &Step,
        answered: &Unflushed,
    ) -> Result<(), Finding> {
        let OpenedStore { sim, mut store, .. } = opened;
        let calls = sim.calls();
        let (crashes, end, at) = match flush {
            Step::Op(op) => {
                let (op, expected) = self.resolve(op, answered.after);
                let crashes = flush_by_op(sim, &mut *store, &op, &expected)?;
                let end = sim.crash_between_calls();
                let at = in_step(&end, calls);
                let_go(store)?;
                (crashes, end, at)
            }
            _ => {
                sim.record_crash_points(true);
                let closed = guarded(|| store.close()).map_err(panicked_at_end)?;
                let crashes = sim.take_crash_points();
                sim.record_crash_points(false);
                closed.map_err(|failure| refused_to_go_on(failure.text))?;
                // The first call of the step after those of the close is one of the next process.
                let at = CrashPoint {
                    call: sim.calls() - calls + 1,
                    moment: Moment::Before,
                };
                (crashes, sim.crash_between_calls(), at)
            }
        };
        self.die_at_each(&crashes, calls, answered.doubtful);
        self.die(&end, at, answered.after);
        Ok(())
    }

    /// The process dies at each of these calls, counted from the one after `calls`.
    fn die_at_each(&mut self, crashes: &[Crash], calls: u64, belief: BeliefId) {
        for crash in crashes {
            self.die(crash, in_step(crash, calls), belief);
        }
    }

    fn die(&mut self, crash: &Crash, at: CrashPoint, belief: BeliefId) {
        self.crash(&CrashState {
            crash,
            at,
            belief,
            is_start: false,
            depth: 1,
            shown: false,
        });
    }
}

/// Runs a piece of the program under test: what came of it, and where it could have died.
fn recorded<T>(sim: &SimDisk, piece: impl FnOnce() -> T) -> Result<(T, Vec<Crash>), Finding> {
    sim.record_crash_points(true);
    let done = guarded(piece).map_err(panicked)?;
    let crashes = sim.take_crash_points();
    sim.record_crash_points(false);
    Ok((done, crashes))
}

/// Where a process dies in a step that begins after `calls` calls.
fn in_step(crash: &Crash, calls: u64) -> CrashPoint {
    let at = crash.point();
    CrashPoint {
        call: at.call - calls,
        ..at
    }
}

fn as_expected(answer: Result<Answer, Failure>, expected: &Expected) -> Result<Answer, Finding> {
    match answer {
        Ok(answer) if answer.text == expected.text => Ok(answer),
        Ok(answer) => Err(refused_to_go_on(answer.text)),
        Err(failure) => Err(refused_to_go_on(failure.text)),
    }
}

fn refused_to_go_on(found: String) -> Finding {
    let expected = "the store to take another op after recovery";
    Finding::new(Invariant::Availability, expected, found)
}

fn is_durable(answer: &Answer) -> bool {
    match answer.durability {
        Durability::Durable => true,
        Durability::AllBut { pending } => pending == 0,
        Durability::NotYet => false,
    }
}

/// An op makes durable what was answered: where its process could have died.
fn flush_by_op(
    sim: &SimDisk,
    store: &mut dyn OpenStore,
    op: &AnyOp,
    expected: &Expected,
) -> Result<Vec<Crash>, Finding> {
    let (answer, crashes) = recorded(sim, || store.run(op))?;
    let answer = as_expected(answer, expected)?;
    if is_durable(&answer) {
        return Ok(crashes);
    }
    let expected = format!("{op:?} to make durable everything that was answered");
    Err(Finding::new(Invariant::Positions, expected, "some of it"))
}
