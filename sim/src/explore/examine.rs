//! What is asked of a store that a recovery has opened: everything that a run asks, and that it goes
//! on.

use std::sync::Arc;

use beaver::Storage;
use beaver_disk::SimDisk;

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::InjectedDamage;
use crate::scenario::Step;
use crate::subject::{Damaged, Durability, Failure, Machine, OpenStore, Recovered};
use crate::world::examine::{
    check_tidy, examine, panicked, shown_state, unreadable, without_newest_snapshot,
};

use super::beliefs::BeliefId;
use super::search::{CrashSearch, CrashState, OpenedStore};
use super::trail::{TrailStep, Wrong};

/// No damage.
static WHOLE: InjectedDamage = InjectedDamage::NONE;

impl CrashSearch<'_> {
    /// Asks everything. Answers with what is believed from now on.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn examine(&mut self, opened: &mut OpenedStore<'_>) -> Result<BeliefId, Finding> {
        let subject = self.target.subject;
        let files = opened.sim.live();
        let history = Arc::clone(self.beliefs.history(opened.belief));
        let mut recovered = Recovered {
            store: &mut *opened.store,
            disk: opened.sim,
            files: &files,
            report: &opened.report,
            history: &history,
            damaged: Damaged {
                damage: &WHOLE,
                unreadable: false,
            },
        };
        let examined =
            examine(subject, &mut recovered).map_err(crate::oracle::recognise::Wrong::finding)?;
        let decided = self.beliefs.decide(subject, opened.belief, examined);
        if let Some(older) = without_newest_snapshot(subject, &recovered, self.profile) {
            self.judge_older(&older, decided)?;
        }
        check_tidy(subject, &recovered, &self.target.scenario.log)?;
        Ok(decided)
    }

    /// Invariant 6: without the snapshot that was used the state is the same.
    fn judge_older(&self, older: &SimDisk, decided: BeliefId) -> Result<(), Finding> {
        let opened = self.open(older.storage())?;
        let mut store = opened.map_err(|failure| {
            let expected = "to open once more";
            Finding::new(Invariant::SnapshotEquivalence, expected, failure.text)
        })?;
        let state = shown_state(&mut *store)?.map_err(|failure| unreadable(&failure))?;
        let expected = self.beliefs.history(decided).state();
        if state != *expected {
            let (expected, found) = expected.difference(&state);
            return Err(Finding::new(
                Invariant::SnapshotEquivalence,
                expected,
                found,
            ));
        }
        Ok(())
    }

    /// A process opens the store.
    ///
    /// # Errors
    /// It panicked.
    pub(super) fn open(
        &self,
        storage: Arc<dyn Storage>,
    ) -> Result<Result<Box<dyn OpenStore>, Failure>, Finding> {
        let machine = Machine {
            storage,
            clock: self.clock.clone(),
            log: self.target.scenario.log.clone(),
        };
        guarded(|| self.target.subject.open(machine)).map_err(panicked)
    }

    /// The store takes one more op, and its process dies at each call of it, and after it. What is
    /// wrong is remembered with the way to it.
    pub(super) fn go_on(&mut self, opened: &mut OpenedStore<'_>, decided: BeliefId) {
        let state = self.beliefs.history(decided).state();
        let Some(op) = self.target.subject.ops(state).into_iter().next() else {
            return;
        };
        let first_wrong = self.wrong.len();
        if let Err(finding) = self.take_one_more(opened, decided, &op) {
            self.wrong.push(Wrong::new(finding));
        }
        for wrong in &mut self.wrong[first_wrong..] {
            wrong.trail.push(TrailStep::Step(Step::Op(op.clone())));
        }
    }

    fn take_one_more(
        &mut self,
        opened: &mut OpenedStore<'_>,
        decided: BeliefId,
        op: &crate::subject::AnyOp,
    ) -> Result<(), Finding> {
        let before = Arc::clone(self.beliefs.history(decided));
        let now_ms = beaver::Clock::now_ms(&*self.clock);
        let (op, expected) = self.target.subject.resolve(op, before.state(), now_ms);
        if !expected.changes {
            return Ok(());
        }
        let calls = opened.sim.calls();
        opened.sim.record_crash_points(true);
        let answer = guarded(|| opened.store.run(&op)).map_err(panicked)?;
        let crashes = opened.sim.take_crash_points();
        opened.sim.record_crash_points(false);
        let answer = match answer {
            Ok(answer) if answer.text == expected.text => answer,
            other => {
                let expected = "the store to take another op after recovery";
                let found = match other {
                    Ok(answer) => answer.text,
                    Err(failure) => failure.text,
                };
                return Err(Finding::new(Invariant::Availability, expected, found));
            }
        };
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
        let end = opened.sim.crash_between_calls();
        let after = match answer.durability {
            Durability::Durable => after,
            Durability::AllBut { .. } | Durability::NotYet => doubtful,
        };
        let crashes = crashes.iter().map(|crash| (crash, doubtful));
        for (crash, belief) in crashes.chain([(&end, after)]) {
            let mut at = crash.point();
            at.call -= calls;
            self.crash(&CrashState {
                crash,
                at,
                belief,
                is_start: false,
                depth: 1,
                shown: false,
            });
        }
        Ok(())
    }
}
