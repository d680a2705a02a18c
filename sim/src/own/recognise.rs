//! Which of the possible histories leads to the state that a store shows.
//!
//! The possible ones are everything decided and the first k commands in doubt, for each k. If none
//! of them leads there, the oracle looks for what may have gone wrong, from the plainest to the
//! strangest: the end is missing, one command is missing, a command in doubt came back without those
//! before it. Whatever is left is a state that no history leads to.

use std::fmt::Debug;

use super::OwnStore;
use super::process::{number, place};
use crate::invariant::Invariant;
use crate::oracle::history::{Belief, Decided, History};
use crate::oracle::judge::{Entry, Finding, View};
use crate::oracle::model::{Model, Record};
use crate::oracle::shown::Shown;

/// How many bytes a state may have in words to be shown whole.
const SHORT: usize = 200;

/// The state after these commands.
pub(super) fn fold<S: OwnStore>(numbers: &[u64]) -> S::State {
    let mut state = S::State::default();
    for number in numbers {
        S::apply(&mut state, &S::command(*number));
    }
    state
}

/// The history that `found` shows: a possible one, or a beginning of what is decided.
///
/// # Errors
/// No such history leads there.
pub(super) fn recognise<S: OwnStore>(
    history: &History,
    found: &S::State,
) -> Result<Vec<Record>, Finding> {
    let decided: Vec<Record> = history.decided().iter().map(|d| d.record.clone()).collect();
    let doubtful: Vec<Record> = history.doubtful().iter().flatten().cloned().collect();
    let with_doubtful = |count: usize| [&decided[..], &doubtful[..count]].concat();
    let possible = (0..=doubtful.len()).map(with_doubtful);
    let shorter = (0..decided.len())
        .rev()
        .map(|kept| decided[..kept].to_vec());
    let mut histories = possible.clone().chain(shorter);
    if let Some(shown) = histories.find(|records| leads_to::<S>(records, found)) {
        return Ok(shown);
    }
    for (index, missing) in history.decided().iter().enumerate() {
        let mut possible = possible.clone();
        let is_missing = possible.any(|mut records| {
            records.remove(index);
            leads_to::<S>(&records, found)
        });
        if is_missing {
            return Err(one_is_missing(missing));
        }
    }
    for (index, early) in doubtful.iter().enumerate().skip(1) {
        let records = [&decided[..], std::slice::from_ref(early)].concat();
        if leads_to::<S>(&records, found) {
            let expected = format!("{} before {early}", doubtful[index - 1]);
            return Err(Finding::new(
                Invariant::NoPhantom,
                expected,
                "it came back alone",
            ));
        }
    }
    let states: Vec<S::State> = possible.map(|records| state_after::<S>(&records)).collect();
    let (expected, found) = nearest(&states, found);
    Err(Finding::new(Invariant::State, expected, found))
}

fn state_after<S: OwnStore>(records: &[Record]) -> S::State {
    let numbers: Vec<u64> = records.iter().filter_map(|r| number(&r.id)).collect();
    fold::<S>(&numbers)
}

fn leads_to<S: OwnStore>(records: &[Record], found: &S::State) -> bool {
    state_after::<S>(records) == *found
}

fn one_is_missing(missing: &Decided) -> Finding {
    let invariant = match missing.belief {
        Belief::Acknowledged => Invariant::Durability,
        Belief::Recovered => Invariant::Decided,
    };
    let expected = missing.record.to_string();
    Finding::new(
        invariant,
        expected,
        "the state that all the other commands lead to",
    )
}

/// What a client sees of a store that shows these records.
pub(super) fn view(records: Vec<Record>) -> View {
    let state = Shown::from(&Model::fold(&records));
    let applied = place(records.len());
    let entries = records.into_iter().zip(1..);
    let tail = entries.map(|(record, count)| Entry {
        place: place(count),
        record,
    });
    View {
        state,
        applied,
        after: place(0),
        tail: tail.collect(),
        from_snapshot: false,
    }
}

/// Holds two states against each other.
///
/// # Errors
/// The first line of what they look like that differs.
pub(super) fn compare<T: PartialEq + Debug>(
    expected: &T,
    found: &T,
) -> Result<(), (String, String)> {
    match expected == found {
        true => Ok(()),
        false => Err(nearest(std::slice::from_ref(expected), found)),
    }
}

/// The first difference between `found` and that of `states` which it is like for longest.
fn nearest<T: Debug>(states: &[T], found: &T) -> (String, String) {
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
