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

/// Of how many ops in doubt every subset is tried where their order is not promised. A store that
/// leaves more in doubt at once is held against the prefixes of the rest.
const SUBSETS_OF: usize = 12;

/// What a store shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// Everything decided, and the first so many ops in doubt.
    Prefix(usize),
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
    /// Anything else.
    Otherwise(Finding),
}

impl Wrong {
    /// What it violates.
    pub(crate) fn finding(self) -> Finding {
        match self {
            Wrong::Shorter { finding, .. } | Wrong::Otherwise(finding) => finding,
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
        "the history ends after {kept} ops; {} are missing: {}",
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
        _ => nearest(&possible.iter().collect::<Vec<_>>(), &found),
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

fn line(text: &str, index: usize) -> String {
    let line = text.lines().nth(index);
    line.map_or("nothing".to_owned(), |line| format!("`{}`", line.trim()))
}
