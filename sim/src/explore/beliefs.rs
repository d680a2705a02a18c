//! What may be believed about a disk, and which belief a recovery leads to.
//!
//! Beliefs are numbered, so that equal ones met on different ways are the same number and what was judged under one of them
//! is not judged again.

use std::sync::Arc;

use crate::oracle::history::{History, Place};
use crate::oracle::model::Record;

/// The number of a belief.
pub(super) type BeliefId = usize;

/// What may be believed about a disk.
struct Belief {
    history: Arc<History>,
    /// The beliefs that recoveries lead to from here: where the records in doubt stand that they showed.
    decided: Vec<(Vec<Place>, BeliefId)>,
}

/// All beliefs of one search.
#[derive(Default)]
pub(super) struct Beliefs(Vec<Belief>);

impl Beliefs {
    /// The number of the belief in `history`, which is known by its address.
    pub(super) fn of(&mut self, history: &Arc<History>) -> BeliefId {
        let known = self
            .0
            .iter()
            .position(|belief| Arc::ptr_eq(&belief.history, history));
        known.unwrap_or_else(|| self.add(Arc::clone(history)))
    }

    fn add(&mut self, history: Arc<History>) -> BeliefId {
        self.0.push(Belief {
            history,
            decided: Vec::new(),
        });
        self.0.len() - 1
    }

    /// What is believed.
    pub(super) fn history(&self, belief: BeliefId) -> &Arc<History> {
        &self.0[belief].history
    }

    /// The beliefs while `records` are being made durable behind `before`, and when they are, with the last one at `last`.
    pub(super) fn append(
        &mut self,
        before: BeliefId,
        records: Vec<Record>,
        last: Place,
    ) -> (BeliefId, BeliefId) {
        let mut doubtful = (*self.0[before].history).clone();
        let mut after = doubtful.clone();
        doubtful.doubt(records.clone());
        after.acknowledge(records, last);
        let after = self.add(Arc::new(after));
        let doubtful = self.add(Arc::new(doubtful));
        // A recovery that shows none of it leads back.
        self.0[doubtful].decided = vec![(Vec::new(), before)];
        (doubtful, after)
    }

    /// The belief after a recovery under `belief` has shown the first `groups` groups in doubt at `places`.
    pub(super) fn decide(
        &mut self,
        belief: BeliefId,
        groups: usize,
        places: Vec<Place>,
    ) -> BeliefId {
        let history = &self.0[belief].history;
        if history.doubtful().is_empty() {
            return belief;
        }
        let known = self.0[belief]
            .decided
            .iter()
            .find(|(known, _)| *known == places);
        if let Some((_, decided)) = known {
            return *decided;
        }
        let mut history = (**history).clone();
        history.decide(groups, &places);
        let decided = self.add(Arc::new(history));
        self.0[belief].decided.push((places, decided));
        decided
    }
}
