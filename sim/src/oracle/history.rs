//! What the client was told, in order: the history that every recovery is held against.
//!
//! An op is *acknowledged* when it answered that it is durable; it is *in doubt* when it failed
//! without saying whether it took effect, or had no time to answer. Ops in doubt come after all
//! others, in the order in which they were given: a store is a prefix, so the possible histories are
//! the decided ops and the first k of those in doubt, for each k. The first recovery that ends
//! decides k, and from then on it is fixed.
//!
//! A store may answer before it promises: an op is *answered* until a later answer says that it is
//! durable. If the process ends before, the op is in doubt, before the ops that had no answer.

use std::collections::VecDeque;
use std::fmt;

use crate::erased::{AnyOp, AnyState};

/// Where an op stands in the log of a store: epoch, then seq. The client knows only that it grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment.
    pub epoch: u64,
    /// Number inside the segment, from 1; 0 is the boundary before the first.
    pub seq: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// How the client came to believe that an op is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It answered that it is durable.
    Acknowledged,
    /// A recovery showed it.
    Recovered,
}

/// An op that must be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The op, as it was when it was given.
    pub op: AnyOp,
    /// Where it stands in the log of a store that says so.
    pub position: Option<Position>,
    /// Why it must be there.
    pub belief: Belief,
}

/// An op that answered without a promise.
#[derive(Clone, Debug, PartialEq)]
struct Answered {
    op: AnyOp,
    position: Option<Position>,
}

/// The history so far.
#[derive(Clone, Debug)]
pub struct History {
    /// The state before the first op.
    base: AnyState,
    decided: Vec<Decided>,
    /// After everything decided, and only while the process lives that answered.
    answered: VecDeque<Answered>,
    doubtful: Vec<AnyOp>,
    /// How many of those in doubt the last recovery showed, of a store that does not promise that the
    /// next one shows them too.
    shown: usize,
    /// Whether no op was given since.
    undecided: bool,
    /// The fold over `decided` and `answered`, and what is shown.
    state: AnyState,
}

impl History {
    /// The history of a store to which no op was given.
    #[must_use]
    pub fn new(base: AnyState) -> Self {
        History {
            state: base.clone(),
            base,
            decided: Vec::new(),
            answered: VecDeque::new(),
            doubtful: Vec::new(),
            shown: 0,
            undecided: false,
        }
    }

    /// The state before the first op.
    #[must_use]
    pub fn base(&self) -> &AnyState {
        &self.base
    }

    /// What must be there, in order.
    #[must_use]
    pub fn decided(&self) -> &[Decided] {
        &self.decided
    }

    /// What may be there or not, in order.
    #[must_use]
    pub fn doubtful(&self) -> &[AnyOp] {
        &self.doubtful
    }

    /// The state that everything decided leads to, and what was answered since.
    #[must_use]
    pub fn state(&self) -> &AnyState {
        &self.state
    }

    /// How many ops were answered without a promise.
    #[must_use]
    pub fn unpromised(&self) -> usize {
        self.answered.len()
    }

    /// How many ops were answered without a promise and stand after `position`.
    #[must_use]
    pub fn unpromised_after(&self, position: Position) -> usize {
        let answered = self.answered.iter().rev();
        let after = answered.take_while(|answered| answered.position > Some(position));
        after.count()
    }

    /// Where the last op stands that is decided or was answered.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        let answered = self.answered.back().map(|answered| answered.position);
        let decided = self.decided.last().map(|decided| decided.position);
        answered.or(decided).flatten()
    }

    /// The state that everything decided leads to, without what a recovery has shown and the store
    /// may still lose.
    #[must_use]
    pub fn decided_state(&self) -> AnyState {
        match self.shown {
            0 => self.state.clone(),
            _ => self.folded(),
        }
    }

    /// An op answered that it is durable, and so is everything before it.
    pub fn acknowledge(&mut self, op: AnyOp, position: Option<Position>) {
        self.answer(op, position);
        self.promise_all_but(0);
    }

    /// An op answered, and nothing is promised yet.
    pub fn answer(&mut self, op: AnyOp, position: Option<Position>) {
        if self.undecided {
            // What was not shown is not built upon, and gone.
            self.doubtful.truncate(self.shown);
            self.undecided = false;
        }
        op.apply(&mut self.state);
        self.answered.push_back(Answered { op, position });
    }

    /// Everything that was answered but the last `pending` ops is promised now: the ops, and where
    /// they stand.
    pub fn promise_all_but(&mut self, pending: usize) -> &[Decided] {
        let first = self.decided.len();
        let promised = self.answered.len().saturating_sub(pending);
        if promised > 0 || pending == 0 {
            // An op that is durable makes durable what it was built on.
            let shown = std::mem::take(&mut self.shown);
            let shown = self.doubtful.drain(..shown).map(|op| Decided {
                op,
                position: None,
                belief: Belief::Recovered,
            });
            self.decided.extend(shown);
        }
        let promised = self.answered.drain(..promised).map(|answered| Decided {
            op: answered.op,
            position: answered.position,
            belief: Belief::Acknowledged,
        });
        self.decided.extend(promised);
        &self.decided[first..]
    }

    /// The process that answered is gone: what it did not promise is in doubt. How many ops.
    pub fn interrupt(&mut self) -> usize {
        let answered = std::mem::take(&mut self.answered);
        let count = answered.len();
        if count > 0 {
            let answered = answered.into_iter().map(|answered| answered.op);
            self.doubtful.splice(self.shown..self.shown, answered);
            self.fold();
        }
        count
    }

    /// It is unknown whether an op took effect.
    pub fn doubt(&mut self, op: AnyOp) {
        self.doubtful.push(op);
    }

    /// A recovery showed the first `shown` ops in doubt, at these positions where it tells them, and
    /// no more.
    pub fn decide(&mut self, shown: usize, positions: &[Position]) {
        let mut positions = positions.iter().copied();
        for op in self.doubtful.drain(..).take(shown) {
            op.apply(&mut self.state);
            self.decided.push(Decided {
                op,
                position: positions.next(),
                belief: Belief::Recovered,
            });
        }
    }

    /// A recovery showed the first `shown` ops in doubt, and the store does not promise that the next
    /// one does: that is decided by the next op that is durable.
    pub fn show(&mut self, shown: usize) {
        self.fold();
        self.doubtful[..shown]
            .iter()
            .for_each(|op| op.apply(&mut self.state));
        self.shown = shown;
        self.undecided = true;
    }

    /// Everything after the first `kept` ops is gone, and that is excused.
    pub fn lose_after(&mut self, kept: usize) {
        self.decided.truncate(kept);
        self.doubtful.clear();
        self.fold();
    }

    /// The store shows a state that no history leads to, and that is excused: the history begins
    /// anew from there.
    pub fn begin_from(&mut self, state: AnyState) {
        *self = History::new(state);
    }

    /// Computes the state again from everything decided.
    fn fold(&mut self) {
        self.state = self.folded();
        self.shown = 0;
    }

    fn folded(&self) -> AnyState {
        let mut state = self.base.clone();
        for decided in &self.decided {
            decided.op.apply(&mut state);
        }
        state
    }
}
