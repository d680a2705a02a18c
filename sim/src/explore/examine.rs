//! What is asked of a store that a recovery has opened: everything that a run asks.

use std::sync::Arc;

use beaver::Storage;
use beaver_disk::SimDisk;

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::InjectedDamage;
use crate::subject::{Damaged, Failure, Machine, OpenStore, Recovered};
use crate::world::examine::{
    check_tidy, examine, panicked, shown_state, unreadable, without_newest_snapshot,
};

use super::beliefs::BeliefId;
use super::search::{CrashSearch, OpenedStore};

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
}
