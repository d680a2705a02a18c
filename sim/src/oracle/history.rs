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
pub(crate) enum Belief {
    /// It answered that it is durable.
    Acknowledged,
    /// A recovery showed it.
    Recovered,
}

/// An op that must be there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decided {
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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History {
    /// The state before the first op.
    base: AnyState,
    decided: Vec<Decided>,
    /// After everything decided, and only while the process lives that answered.
    answered: VecDeque<Answered>,
    doubtful: Vec<AnyOp>,
    /// Other sequences in doubt: a recovery did not show the end of one, and ops were given after it. A
    /// store that does not promise that what is gone stays gone may show them until an op is durable.
    hidden: Vec<Vec<AnyOp>>,
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
    pub(crate) fn new(base: AnyState) -> Self {
        History {
            state: base.clone(),
            base,
            decided: Vec::new(),
            answered: VecDeque::new(),
            doubtful: Vec::new(),
            hidden: Vec::new(),
            shown: 0,
            undecided: false,
        }
    }

    /// The state before the first op.
    #[must_use]
    pub(crate) fn base(&self) -> &AnyState {
        &self.base
    }

    /// What must be there, in order.
    #[must_use]
    pub(crate) fn decided(&self) -> &[Decided] {
        &self.decided
    }

    /// What may be there or not, in order.
    #[must_use]
    pub(crate) fn doubtful(&self) -> &[AnyOp] {
        &self.doubtful
    }

    /// Other sequences that may be there instead.
    #[must_use]
    pub(crate) fn hidden(&self) -> &[Vec<AnyOp>] {
        &self.hidden
    }

    /// The state that everything decided leads to, and what was answered since.
    #[must_use]
    pub(crate) fn state(&self) -> &AnyState {
        &self.state
    }

    /// How many ops were answered without a promise.
    #[must_use]
    pub(crate) fn unpromised(&self) -> usize {
        self.answered.len()
    }

    /// The ops that were answered without a promise, and where they stand.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (&AnyOp, Option<Position>)> {
        let answered = self.answered.iter();
        answered.map(|answered| (&answered.op, answered.position))
    }

    /// How many ops were answered without a promise and stand after `position`.
    #[must_use]
    pub(crate) fn unpromised_after(&self, position: Position) -> usize {
        let answered = self.answered.iter().rev();
        let after = answered.take_while(|answered| answered.position > Some(position));
        after.count()
    }

    /// Where the last op stands that is decided or was answered.
    #[must_use]
    pub(crate) fn last_position(&self) -> Option<Position> {
        let answered = self.answered.back().map(|answered| answered.position);
        let decided = self.decided.last().map(|decided| decided.position);
        answered.or(decided).flatten()
    }

    /// The state that everything decided leads to, without what a recovery has shown and the store
    /// may still lose.
    #[must_use]
    pub(crate) fn decided_state(&self) -> AnyState {
        match self.shown {
            0 => self.state.clone(),
            _ => self.folded(),
        }
    }

    /// An op answered that it is durable, and so is everything before it.
    pub(crate) fn acknowledge(&mut self, op: AnyOp, position: Option<Position>) {
        self.answer(op, position);
        self.promise_all_but(0);
    }

    /// An op answered, and nothing is promised yet.
    pub(crate) fn answer(&mut self, op: AnyOp, position: Option<Position>) {
        self.build_on_shown();
        op.apply(&mut self.state);
        self.answered.push_back(Answered { op, position });
    }

    /// Everything that was answered but the last `pending` ops is promised now: the ops, and where
    /// they stand.
    pub(crate) fn promise_all_but(&mut self, pending: usize) -> &[Decided] {
        let first = self.decided.len();
        let promised = self.answered.len().saturating_sub(pending);
        if promised > 0 {
            // An op that is durable makes durable what it was built on; a close alone does not.
            let shown = std::mem::take(&mut self.shown);
            let shown = self.doubtful.drain(..shown).map(|op| Decided {
                op,
                position: None,
                belief: Belief::Recovered,
            });
            self.decided.extend(shown);
            self.hidden.clear();
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
    pub(crate) fn interrupt(&mut self) -> usize {
        let answered = std::mem::take(&mut self.answered);
        let count = answered.len();
        if count > 0 {
            let answered = answered.into_iter().map(|answered| answered.op);
            self.doubtful.splice(self.shown..self.shown, answered);
            self.fold();
        }
        count
    }

    /// Of the ops in doubt all but the first `kept` did not take effect.
    pub(crate) fn forget_doubtful_after(&mut self, kept: usize) {
        self.doubtful.truncate(kept);
    }

    /// It is unknown whether an op took effect.
    pub(crate) fn doubt(&mut self, op: AnyOp) {
        self.build_on_shown();
        self.doubtful.push(op);
    }

    /// An op is given after a recovery: what that did not show is not built upon, and gone when it is
    /// durable.
    fn build_on_shown(&mut self) {
        if std::mem::take(&mut self.undecided) && self.shown < self.doubtful.len() {
            let built_on = self.doubtful[..self.shown].to_vec();
            self.hidden
                .push(std::mem::replace(&mut self.doubtful, built_on));
        }
    }

    /// A recovery showed a beginning of a hidden sequence: it and what is in doubt change places.
    pub(crate) fn bring_back(&mut self, hidden: usize) {
        std::mem::swap(&mut self.doubtful, &mut self.hidden[hidden]);
    }

    /// A recovery showed the first `shown` ops in doubt, at these positions where it tells them, and
    /// no more.
    pub(crate) fn decide(&mut self, shown: usize, positions: &[Position]) {
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
    pub(crate) fn show(&mut self, shown: usize) {
        self.fold();
        self.doubtful[..shown]
            .iter()
            .for_each(|op| op.apply(&mut self.state));
        self.shown = shown;
        self.undecided = true;
    }

    /// Everything after the first `kept` ops is gone, and that is excused.
    pub(crate) fn lose_after(&mut self, kept: usize) {
        self.decided.truncate(kept);
        self.doubtful.clear();
        self.hidden.clear();
        self.fold();
    }

    /// The store shows a state that no history leads to, and that is excused: the history begins
    /// anew from there.
    pub(crate) fn begin_from(&mut self, state: AnyState) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::numbers::{list, push};

    fn position(seq: u64) -> Position {
        Position { epoch: 1, seq }
    }

    /// One op is acknowledged, and two were answered since.
    fn answered() -> History {
        let mut history = History::new(list(&[]));
        history.acknowledge(push(1), Some(position(1)));
        history.answer(push(2), Some(position(2)));
        history.answer(push(3), Some(position(4)));
        history
    }

    /// One op is acknowledged, and two are in doubt.
    fn in_doubt() -> History {
        let mut history = History::new(list(&[]));
        history.acknowledge(push(1), Some(position(1)));
        history.doubt(push(2));
        history.doubt(push(3));
        history
    }

    #[track_caller]
    fn check_numbers(history: &History, decided: &[u64], doubtful: &[u64]) {
        let numbers = |ops: Vec<&AnyOp>| -> Vec<u64> { ops.iter().map(|op| *op.get()).collect() };
        let ops = history.decided().iter().map(|decided| &decided.op);
        assert_eq!(numbers(ops.collect()), decided, "decided");
        let doubt = history.doubtful().iter();
        assert_eq!(numbers(doubt.collect()), doubtful, "in doubt");
    }

    #[test]
    fn what_is_answered_counts_and_need_not_be_there() {
        let history = answered();
        assert_eq!(*history.state(), list(&[1, 2, 3]));
        check_numbers(&history, &[1], &[]);
        assert_eq!(history.unpromised(), 2);
        assert_eq!(history.last_position(), Some(position(4)));
        assert_eq!(history.unpromised_after(position(1)), 2);
        assert_eq!(history.unpromised_after(position(2)), 1);
        assert_eq!(history.unpromised_after(position(4)), 0);
    }

    #[test]
    fn an_op_that_is_durable_makes_durable_what_was_answered_before_it() {
        let mut history = answered();
        history.acknowledge(push(4), Some(position(5)));
        check_numbers(&history, &[1, 2, 3, 4], &[]);
        assert_eq!(history.unpromised(), 0);
        assert_eq!(history.interrupt(), 0);
    }

    #[test]
    fn a_promise_covers_all_but_the_last_ops_at_their_positions() {
        let mut history = answered();
        assert_eq!(history.promise_all_but(1).len(), 1);
        assert_eq!(history.promise_all_but(1).len(), 0);
        assert_eq!(history.promise_all_but(7).len(), 0, "more than there are");
        assert_eq!(history.promise_all_but(0).len(), 1);
        let decided = history.decided().iter();
        let positions: Vec<_> = decided.map(|decided| decided.position).collect();
        let expected = [1, 2, 4].map(|seq| Some(position(seq)));
        assert_eq!(positions, expected);
        let mut beliefs = history.decided().iter().map(|decided| decided.belief);
        assert!(beliefs.all(|belief| belief == Belief::Acknowledged));
        assert_eq!(*history.state(), list(&[1, 2, 3]));
        assert_eq!(history.interrupt(), 0);
    }

    #[test]
    fn what_was_not_promised_is_in_doubt_before_what_was_not_answered() {
        let mut history = answered();
        history.doubt(push(4));
        assert_eq!(history.interrupt(), 2);
        check_numbers(&history, &[1], &[2, 3, 4]);
        assert_eq!(*history.state(), list(&[1]));
        assert_eq!(history.last_position(), Some(position(1)));
        history.decide(1, &[position(2)]);
        assert_eq!(*history.state(), list(&[1, 2]));
    }

    #[test]
    fn a_recovery_decides_what_was_in_doubt() {
        let mut history = in_doubt();
        history.decide(1, &[position(2)]);
        check_numbers(&history, &[1, 2], &[]);
        assert_eq!(*history.state(), list(&[1, 2]));
        let last = &history.decided()[1];
        assert_eq!(last.belief, Belief::Recovered);
        assert_eq!(last.position, Some(position(2)));
        history.decide(0, &[]);
        check_numbers(&history, &[1, 2], &[]);
    }

    #[test]
    fn what_is_shown_without_a_promise_stays_in_doubt() {
        let mut history = in_doubt();
        history.show(2);
        check_numbers(&history, &[1], &[2, 3]);
        assert_eq!(*history.state(), list(&[1, 2, 3]));
        assert_eq!(history.decided_state(), list(&[1]));
        // The next recovery may show less of it.
        history.show(1);
        check_numbers(&history, &[1], &[2, 3]);
        assert_eq!(*history.state(), list(&[1, 2]));
        assert_eq!(history.decided_state(), list(&[1]));
    }

    #[test]
    fn a_clean_close_decides_nothing_that_was_only_shown() {
        let mut history = in_doubt();
        history.show(2);
        assert_eq!(history.promise_all_but(0).len(), 0);
        check_numbers(&history, &[1], &[2, 3]);
        history.answer(push(4), None);
        assert_eq!(history.promise_all_but(0).len(), 3);
    }

    #[test]
    fn a_durable_op_decides_what_it_is_built_on_and_what_was_not_shown_is_gone() {
        let mut history = in_doubt();
        history.show(1);
        history.acknowledge(push(4), None);
        check_numbers(&history, &[1, 2, 4], &[]);
        assert_eq!(*history.state(), list(&[1, 2, 4]));
        assert_eq!(history.decided_state(), list(&[1, 2, 4]));
        assert_eq!(history.decided()[1].belief, Belief::Recovered);
        assert_eq!(history.decided()[2].belief, Belief::Acknowledged);
    }

    #[test]
    fn an_op_in_doubt_is_built_on_what_is_shown() {
        let mut history = in_doubt();
        history.show(1);
        history.doubt(push(4));
        check_numbers(&history, &[1], &[2, 4]);
        history.doubt(push(5));
        check_numbers(&history, &[1], &[2, 4, 5]);
        assert_eq!(history.decided_state(), list(&[1]));
    }

    #[test]
    fn what_was_not_shown_may_come_back_until_an_op_is_durable() {
        let mut history = in_doubt();
        history.show(1);
        history.doubt(push(4));
        assert_eq!(history.hidden(), [[push(2), push(3)]]);
        history.bring_back(0);
        history.show(2);
        assert_eq!(*history.state(), list(&[1, 2, 3]));
        assert_eq!(history.hidden(), [[push(2), push(4)]]);
        history.acknowledge(push(5), None);
        check_numbers(&history, &[1, 2, 3, 5], &[]);
        assert!(history.hidden().is_empty());
    }

    #[test]
    fn an_answer_after_what_is_shown_is_in_doubt_after_it() {
        let mut history = in_doubt();
        history.show(1);
        history.answer(push(4), None);
        assert_eq!(*history.state(), list(&[1, 2, 4]));
        assert_eq!(history.promise_all_but(1).len(), 0);
        history.doubt(push(5));
        assert_eq!(history.interrupt(), 1);
        check_numbers(&history, &[1], &[2, 4, 5]);
        assert_eq!(*history.state(), list(&[1]));
    }

    #[test]
    fn what_is_lost_and_excused_is_forgotten() {
        let mut history = in_doubt();
        history.acknowledge(push(4), None);
        history.lose_after(1);
        check_numbers(&history, &[1], &[]);
        assert_eq!(*history.state(), list(&[1]));
        history.lose_after(7);
        check_numbers(&history, &[1], &[]);
        history.begin_from(list(&[9]));
        check_numbers(&history, &[], &[]);
        assert_eq!(*history.base(), list(&[9]));
        assert_eq!(*history.state(), list(&[9]));
    }
}
