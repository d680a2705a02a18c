//! Which of the possible histories leads to the state that a store shows: invariants 1 to 4.
//!
//! The possible ones are everything decided and the first k ops in doubt, for each k; any of the ops
//! in doubt, for a store that does not promise their order. If none of them leads there, this looks
//! for what may have gone wrong, from the plainest to the strangest: the end is missing, one op is
//! missing, an op in doubt came back without those before it. Whatever is left is a state that no
//! history leads to.
//!
//! Not checked: what the files say. A store whose state is right and whose log tells another history
//! is caught at the next recovery, or by a checker that reads the log.

use std::fmt::Debug;

use crate::erased::{AnyOp, AnyState};
use crate::invariant::Invariant;

use super::Finding;
use super::history::{Belief, Decided, History};
use super::promises::Promises;

/// How many bytes a state may have as text to be shown whole.
const SHORT: usize = 200;

/// Where order is not promised, every subset of at most this many ops in doubt is tried. A store that
/// leaves more in doubt at once is held against the prefixes of the rest.
const SUBSETS_OF: usize = 12;

/// What a store shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// Everything decided, and this many of the ops in doubt, from the first.
    Prefix(usize),
    /// Everything decided, and this many of a hidden sequence.
    Hidden {
        /// Its number.
        sequence: usize,
        /// How many ops of it, from the first.
        shown: usize,
    },
    /// Some other state that the store has not promised to avoid.
    Other,
}

/// Why what a store shows is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The store shows the first `kept` decided ops and nothing after them.
    Shorter {
        /// How many are left.
        kept: usize,
        /// What it violates unless damage excuses it.
        finding: Finding,
    },
    /// The store cannot say what it shows.
    Unreadable(Finding),
    /// Anything else.
    Otherwise(Finding),
}

impl Wrong {
    /// What it violates.
    pub(crate) fn finding(self) -> Finding {
        match self {
            Wrong::Shorter { finding, .. }
            | Wrong::Unreadable(finding)
            | Wrong::Otherwise(finding) => finding,
        }
    }
}

/// The history that `found` shows.
///
/// # Errors
/// No history that the promises allow leads there.
pub(crate) fn recognise(
    history: &History,
    found: &AnyState,
    promises: Promises,
) -> Result<Recognised, Wrong> {
    let mut possible = Vec::new();
    let mut state = history.decided_state();
    let mut doubtful = history.doubtful().iter();
    loop {
        if state == *found {
            return Ok(Recognised::Prefix(possible.len()));
        }
        possible.push(state.clone());
        let Some(op) = doubtful.next() else { break };
        op.apply(&mut state);
    }
    for (sequence, ops) in history.hidden().iter().enumerate() {
        let mut state = history.decided_state();
        for (before, op) in ops.iter().enumerate() {
            op.apply(&mut state);
            if state == *found {
                let shown = before + 1;
                return Ok(Recognised::Hidden { sequence, shown });
            }
        }
    }
    if !promises.order && some_of_doubtful_lead_to(history, found) {
        return Ok(Recognised::Other);
    }
    if let Some((kept, missing)) = shorter(history, found) {
        return match promises.durability {
            true => Err(too_short(history, kept, missing)),
            false => Ok(Recognised::Other),
        };
    }
    if !promises.atomicity && !history.doubtful().is_empty() {
        return Ok(Recognised::Other);
    }
    Err(Wrong::Otherwise(what_is_wrong(history, found, &possible)))
}

/// Whether some of the ops in doubt, without others before them, lead to `found`.
fn some_of_doubtful_lead_to(history: &History, found: &AnyState) -> bool {
    let doubtful = history.doubtful();
    let doubtful = &doubtful[..doubtful.len().min(SUBSETS_OF)];
    (0..1_u32 << doubtful.len()).any(|mask| {
        let survived = doubtful.iter().enumerate();
        let survived = survived.filter(|(at, _)| mask & (1 << at) != 0);
        leads_to(&history.decided_state(), survived.map(|(_, op)| op), found)
    })
}

/// The longest beginning of what is decided that leads to `found`, and the first op after it.
fn shorter<'h>(history: &'h History, found: &AnyState) -> Option<(usize, &'h Decided)> {
    let mut state = history.base().clone();
    let mut longest = None;
    for (kept, next) in history.decided().iter().enumerate() {
        if state == *found {
            longest = Some((kept, next));
        }
        next.op.apply(&mut state);
    }
    longest
}

fn too_short(history: &History, kept: usize, missing: &Decided) -> Wrong {
    let gone = history.decided()[kept..].iter().map(|gone| &gone.op);
    let found = format!(
        "the history ends too early: {kept} shown, {} missing: {}",
        history.decided().len() - kept,
        first_ops(gone)
    );
    Wrong::Shorter {
        kept,
        finding: Finding::new(broken(missing), told(missing), found),
    }
}

fn what_is_wrong(history: &History, found: &AnyState, possible: &[AnyState]) -> Finding {
    for (index, missing) in history.decided().iter().enumerate() {
        let mut state = history.base().clone();
        let others = history.decided().iter().enumerate();
        for (_, other) in others.filter(|(at, _)| *at != index) {
            other.op.apply(&mut state);
        }
        let is_missing = (0..=history.doubtful().len())
            .any(|shown| leads_to(&state, history.doubtful()[..shown].iter(), found));
        if is_missing {
            let found = "the state that all the other ops lead to";
            return Finding::new(broken(missing), told(missing), found);
        }
    }
    for (index, early) in history.doubtful().iter().enumerate().skip(1) {
        if leads_to(&history.decided_state(), [early].into_iter(), found) {
            let expected = format!("{:?} before {early:?}", history.doubtful()[index - 1]);
            return Finding::new(Invariant::NoPhantom, expected, "it came back alone");
        }
    }
    let (expected, found) = match possible {
        [only] => only.difference(found),
        _ => nearest(&possible.iter().collect::<Vec<_>>(), found),
    };
    Finding::new(Invariant::State, expected, found)
}

fn leads_to<'o>(from: &AnyState, ops: impl Iterator<Item = &'o AnyOp>, found: &AnyState) -> bool {
    let mut state = from.clone();
    ops.for_each(|op| op.apply(&mut state));
    state == *found
}

/// The invariant that is broken when `missing` is.
fn broken(missing: &Decided) -> Invariant {
    match missing.belief {
        Belief::Acknowledged => Invariant::Durability,
        Belief::Recovered => Invariant::Decided,
    }
}

/// An op, and where it stands.
fn told(decided: &Decided) -> String {
    match decided.position {
        Some(position) => format!("{:?} at {position}", decided.op),
        None => format!("{:?}", decided.op),
    }
}

fn first_ops<'o>(ops: impl Iterator<Item = &'o AnyOp>) -> String {
    let mut named: Vec<String> = ops.take(4).map(|op| format!("{op:?}")).collect();
    if named.len() == 4 {
        named[3] = "…".to_owned();
    }
    named.join("; ")
}

/// The first difference between `found` and that of `states` which it is like for longest.
pub(crate) fn nearest<T: Debug>(states: &[&T], found: &T) -> (String, String) {
    let [.., longest] = states else {
        return ("a state".to_owned(), format!("{found:?}"));
    };
    let (whole, other) = (format!("{longest:?}"), format!("{found:?}"));
    if whole.len().max(other.len()) <= SHORT {
        let states: Vec<String> = states.iter().map(|state| format!("{state:?}")).collect();
        return (format!("the state {}", states.join(" or ")), other);
    }
    let found = format!("{found:#?}");
    let differences = states.iter().map(|state| {
        let expected = format!("{state:#?}");
        let alike = expected.lines().zip(found.lines());
        let alike = alike.take_while(|(e, f)| e == f).count();
        (alike, line(&expected, alike), line(&found, alike))
    });
    let nearest = differences.max_by_key(|(alike, ..)| *alike);
    let (alike, expected, found) = nearest.unwrap_or_default();
    let at = alike + 1;
    (
        format!("line {at} of the state to be {expected}"),
        format!("line {at} is {found}"),
    )
}

/// A line, with the next one where it ends with an open bracket.
fn line(text: &str, index: usize) -> String {
    let mut lines = text.lines().skip(index).map(str::trim);
    let Some(line) = lines.next() else {
        return "nothing".to_owned();
    };
    match lines.next().filter(|_| line.ends_with(['[', '{', '('])) {
        Some(inner) => format!("`{line} {inner} …`"),
        None => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::history::Position;
    use crate::oracle::numbers::{list, push};

    /// Three ops are decided, the last of them because a recovery showed it, and two in doubt.
    fn history() -> History {
        let mut history = History::new(list(&[]));
        for number in 1..=2 {
            let position = Position {
                epoch: 1,
                seq: number,
            };
            history.acknowledge(push(number), Some(position));
        }
        history.doubt(push(3));
        history.decide(1, &[]);
        history.doubt(push(4));
        history.doubt(push(5));
        history
    }

    fn recognised(promises: Promises, found: &[u64]) -> Result<Recognised, Wrong> {
        recognise(&history(), &list(found), promises)
    }

    /// Requires that a store that gives all promises is told which one it breaks.
    #[track_caller]
    fn check_wrong(found: &[u64], invariant: Invariant, expected: &str, said: &str) {
        let wrong = recognised(Promises::ALL, found).expect_err("it is wrong");
        let expected = Finding::new(invariant, expected, said);
        assert_eq!(wrong.finding(), expected);
    }

    /// All promises but one.
    fn without(change: fn(&mut Promises)) -> Promises {
        let mut promises = Promises::ALL;
        change(&mut promises);
        promises
    }

    #[test]
    fn everything_decided_and_the_first_ops_in_doubt_are_right() {
        let possible: [&[u64]; 3] = [&[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3, 4, 5]];
        for (shown, found) in possible.iter().enumerate() {
            let recognised = recognised(Promises::ALL, found);
            assert_eq!(recognised, Ok(Recognised::Prefix(shown)));
        }
    }

    #[test]
    fn what_a_recovery_has_shown_without_a_promise_may_be_there_or_not() {
        let mut history = history();
        history.show(1);
        for (shown, found) in [(0, &[1, 2, 3][..]), (1, &[1, 2, 3, 4])] {
            let recognised = recognise(&history, &list(found), Promises::ALL);
            assert_eq!(recognised, Ok(Recognised::Prefix(shown)));
        }
    }

    #[test]
    fn a_shorter_history_breaks_the_promise_of_its_first_missing_op() {
        let two = "the history ends too early: 1 shown, 2 missing: 2; 3";
        check_wrong(&[1], Invariant::Durability, "2 at 1:2", two);
        let last = "the history ends too early: 2 shown, 1 missing: 3";
        check_wrong(&[1, 2], Invariant::Decided, "3", last);
        let Err(Wrong::Shorter { kept, .. }) = recognised(Promises::ALL, &[1]) else {
            panic!("damage may excuse a shorter history");
        };
        assert_eq!(kept, 1);
    }

    #[test]
    fn of_several_shorter_histories_it_is_the_longest() {
        let mut history = History::new(list(&[]));
        let nothing = crate::erased::OpModel {
            apply: |_: &mut Vec<u64>, _: &u64| {},
            takes_ms: |_| 0,
        };
        history.acknowledge(AnyOp::typed(7_u64, nothing), None);
        history.acknowledge(push(1), None);
        let wrong = recognise(&history, &list(&[]), Promises::ALL).unwrap_err();
        assert!(matches!(wrong, Wrong::Shorter { kept: 1, .. }), "{wrong:?}");
    }

    #[test]
    fn one_op_that_is_missing_is_named() {
        let others = "the state that all the other ops lead to";
        check_wrong(&[1, 3], Invariant::Durability, "2 at 1:2", others);
        check_wrong(&[2, 3, 4], Invariant::Durability, "1 at 1:1", others);
        check_wrong(&[1, 2, 4, 5], Invariant::Decided, "3", others);
    }

    #[test]
    fn an_op_in_doubt_that_comes_back_alone_is_a_phantom() {
        let alone = "it came back alone";
        check_wrong(&[1, 2, 3, 5], Invariant::NoPhantom, "4 before 5", alone);
    }

    #[test]
    fn any_other_state_is_one_that_no_history_leads_to() {
        let expected = "the state [1, 2, 3] or [1, 2, 3, 4] or [1, 2, 3, 4, 5]";
        check_wrong(&[1, 2, 3, 3], Invariant::State, expected, "[1, 2, 3, 3]");
        check_wrong(&[2, 1, 3], Invariant::State, expected, "[2, 1, 3]");
    }

    #[test]
    fn without_order_any_of_the_ops_in_doubt_may_survive() {
        let unordered = without(|promises| promises.order = false);
        let recognised = |found: &[u64]| recognised(unordered, found).map_err(Wrong::finding);
        assert_eq!(recognised(&[1, 2, 3, 4]), Ok(Recognised::Prefix(1)));
        assert_eq!(recognised(&[1, 2, 3, 5]), Ok(Recognised::Other));
        // What was acknowledged must be there all the same.
        let missing = recognised(&[1, 3, 5]).unwrap_err();
        assert_eq!(missing.invariant, Invariant::State);
        let missing = recognised(&[1, 3]).unwrap_err();
        assert_eq!(missing.invariant, Invariant::Durability);
    }

    #[test]
    fn without_durability_the_end_may_be_missing_and_nothing_before_it() {
        let forgetful = without(|promises| promises.durability = false);
        assert_eq!(recognised(forgetful, &[1]), Ok(Recognised::Other));
        assert_eq!(recognised(forgetful, &[]), Ok(Recognised::Other));
        let missing = recognised(forgetful, &[1, 3]).unwrap_err().finding();
        assert_eq!(missing.invariant, Invariant::Durability);
    }

    #[test]
    fn without_atomicity_anything_may_be_left_while_an_op_is_in_doubt() {
        let torn = without(|promises| promises.atomicity = false);
        assert_eq!(recognised(torn, &[1, 2, 3, 40]), Ok(Recognised::Other));
        assert!(recognised(torn, &[1, 2]).is_err(), "the end is missing");
        let mut settled = history();
        settled.decide(0, &[]);
        let wrong = recognise(&settled, &list(&[1, 2, 3, 40]), torn).unwrap_err();
        assert_eq!(wrong.finding().invariant, Invariant::State);
    }

    #[test]
    fn promises_of_opening_change_nothing_about_states() {
        let shut = without(|promises| {
            promises.opens = false;
            promises.opens_after_creation = false;
            promises.decided = false;
        });
        let states: [&[u64]; 5] = [&[1, 2, 3], &[1, 2], &[1, 3], &[1, 2, 3, 5], &[9]];
        for found in states {
            assert_eq!(recognised(shut, found), recognised(Promises::ALL, found));
        }
    }

    #[test]
    fn of_a_large_state_the_first_line_that_differs_is_shown() {
        let numbers: Vec<u64> = (0..100).collect();
        let mut other = numbers.clone();
        other[41] = 7;
        let (expected, found) = list(&numbers).difference(&list(&other));
        assert_eq!(expected, "line 43 of the state to be `41,`");
        assert_eq!(found, "line 43 is `7,`");
        let longer = [&numbers[..], &[100]].concat();
        let (expected, found) = nearest(&[&other, &numbers], &longer);
        assert_eq!(expected, "line 102 of the state to be `]`");
        assert_eq!(found, "line 102 is `100,`");
        let (expected, found) = nearest(&[&numbers], &Vec::new());
        assert_eq!(expected, "line 1 of the state to be `[ 0, …`");
        assert_eq!(found, "line 1 is `[]`");
    }
}
