//! What may be believed about a disk, and which belief a recovery leads to.
//!
//! Equal beliefs get one number, however they were reached, so nothing is judged twice under the same belief.

use std::sync::Arc;

use crate::oracle::history::History;
use crate::subject::{AnyOp, AnySubject, Position};
use crate::world::examine::{Examined, decide};

/// The number of a belief.
pub(super) type BeliefId = usize;

/// What may be believed about a disk.
struct DiskBelief {
    history: Arc<History>,
    /// The beliefs that recoveries lead to from here: how many ops in doubt they showed, and where those
    /// stand.
    decided: Vec<((usize, Vec<Position>), BeliefId)>,
}

/// All beliefs of one search.
#[derive(Default)]
pub(super) struct DiskBeliefs(Vec<DiskBelief>);

impl DiskBeliefs {
    /// The number of the belief in `history`, which is known by its address.
    pub(super) fn of(&mut self, history: &Arc<History>) -> BeliefId {
        let known = self
            .0
            .iter()
            .position(|belief| Arc::ptr_eq(&belief.history, history));
        known.unwrap_or_else(|| self.add(Arc::clone(history)))
    }

    fn add(&mut self, history: Arc<History>) -> BeliefId {
        self.0.push(DiskBelief {
            history,
            decided: Vec::new(),
        });
        self.0.len() - 1
    }

    /// What is believed.
    pub(super) fn history(&self, belief: BeliefId) -> &Arc<History> {
        &self.0[belief].history
    }

    /// The beliefs while `op` is being made durable after `before`, and when it is, at `position`.
    pub(super) fn append(
        &mut self,
        before: BeliefId,
        op: AnyOp,
        position: Option<Position>,
    ) -> (BeliefId, BeliefId) {
        let mut doubtful = (*self.0[before].history).clone();
        let mut after = doubtful.clone();
        doubtful.doubt(op.clone());
        after.acknowledge(op, position);
        let after = self.add(Arc::new(after));
        let doubtful = self.add(Arc::new(doubtful));
        // A recovery that shows nothing of it leads back, also where that decides nothing: the recovery read all that was
        // on the disk, and nothing was pending.
        self.0[doubtful].decided = vec![((0, Vec::new()), before)];
        (doubtful, after)
    }

    /// The belief after a recovery under `belief` has shown this.
    pub(super) fn decide(
        &mut self,
        subject: &AnySubject,
        belief: BeliefId,
        examined: Examined,
    ) -> BeliefId {
        let key = match &examined {
            Examined::Prefix { .. } if self.0[belief].history.doubtful().is_empty() => {
                return belief;
            }
            Examined::Prefix { shown, positions } => Some((*shown, positions.clone())),
            Examined::Hidden { .. } | Examined::Other(_) => None,
        };
        let mut known = self.0[belief].decided.iter();
        if let Some((_, decided)) = known.find(|(known, _)| Some(known) == key.as_ref()) {
            return *decided;
        }
        let mut history = (*self.0[belief].history).clone();
        decide(subject, &mut history, examined);
        if history == *self.0[belief].history {
            return belief;
        }
        let decided = self.add(Arc::new(history));
        self.0[belief].decided.extend(key.map(|key| (key, decided)));
        decided
    }
}
