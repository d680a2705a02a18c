//! A store that puts what is in flight back into the queue whenever it opens: what it shows then is one op
//! more than its history, and which op that is depends on where the history ends.

use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::history::History;
use crate::oracle::recognise::Wrong;
use crate::subject::{AnyOp, AnySubject};

use super::examine::Examined;

/// The op that such a store adds.
pub(super) struct Requeue<'s> {
    pub(super) subject: &'s AnySubject,
    pub(super) op: AnyOp,
    pub(super) now_ms: u64,
}

impl Requeue<'_> {
    /// Holds a store that has opened against each of the histories that are possible, the longest first, with
    /// the op after it: the history that it shows, and what `examine` says of it.
    ///
    /// # Errors
    /// What is wrong with the longest. Where only decided ops are missing, and `may_lose`, that.
    pub(super) fn examine(
        &self,
        history: &History,
        may_lose: bool,
        examine: &mut dyn FnMut(&History) -> Result<Examined, Wrong>,
    ) -> Result<(History, Examined), Wrong> {
        let mut longest = None;
        for kept in (0..=history.doubtful().len()).rev() {
            let mut possible = history.clone();
            possible.forget_doubtful_after(kept);
            let possible = self.after(possible);
            match examine(&possible) {
                Ok(examined) if shows_all(&possible, &examined) => return Ok((possible, examined)),
                Ok(_) => longest = longest.or_else(|| Some(Wrong::Otherwise(left_in_flight()))),
                Err(wrong) => longest = longest.or(Some(wrong)),
            }
        }
        let longest = longest.unwrap_or_else(|| Wrong::Otherwise(left_in_flight()));
        let decided = history.decided().len();
        for kept in (0..decided).rev().filter(|_| may_lose) {
            let mut shorter = history.clone();
            shorter.lose_after(kept);
            let shorter = self.after(shorter);
            let examined = examine(&shorter);
            if examined.is_ok_and(|examined| shows_all(&shorter, &examined)) {
                let finding = longest.finding();
                return Err(Wrong::Shorter { kept, finding });
            }
        }
        Err(longest)
    }

    /// The history with the op after it.
    fn after(&self, mut history: History) -> History {
        let mut state = history.decided_state();
        history
            .doubtful()
            .iter()
            .for_each(|op| op.apply(&mut state));
        let (op, expected) = self.subject.resolve(&self.op, &state, self.now_ms);
        if expected.changes {
            history.doubt(op);
        }
        history
    }
}

fn shows_all(history: &History, examined: &Examined) -> bool {
    matches!(examined, Examined::Prefix { shown, .. } if *shown == history.doubtful().len())
}

fn left_in_flight() -> Finding {
    let expected = "what was in flight to be back in the queue when the store is open";
    Finding::new(Invariant::JobRules, expected, "it is still in flight")
}
