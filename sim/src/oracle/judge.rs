//! The judge of one recovery: holds what the store shows against what the client was told.
//!
//! It verifies invariants 1 to 4, 6 and 9. It does not look at files, and it excuses nothing:
//! whether injected damage explains a [`Finding`] is decided in `damage`.

use super::history::{Belief, History, Place};
use super::model::Record;
use super::shown::Shown;
use crate::invariant::Invariant;

/// One entry of the history as the store tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// What happened.
    pub record: Record,
}

/// What a client sees of a store after opening it.
#[derive(Clone, Debug)]
pub struct View {
    /// The state.
    pub state: Shown,
    /// Where the last record stands that the state contains.
    pub applied: Place,
    /// Everything up to here can no longer be replayed: a snapshot stands for it.
    pub after: Place,
    /// Everything behind `after`, replayed.
    pub tail: Vec<Entry>,
    /// Whether the state came out of a snapshot and a tail.
    pub from_snapshot: bool,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant, 1 to 13.
    pub invariant: Invariant,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
}

impl Finding {
    /// Invariant `invariant` wants `expected`, but there is `found`.
    pub fn new(
        invariant: Invariant,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Finding {
            invariant,
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// What a recovery decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many groups in doubt it showed.
    pub groups: usize,
    /// Where their records stand.
    pub places: Vec<Place>,
}

/// Why a recovery is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The store shows the first `kept` decided records and nothing behind them.
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
    #[must_use]
    pub fn finding(self) -> Finding {
        match self {
            Wrong::Shorter { finding, .. } | Wrong::Otherwise(finding) => finding,
        }
    }
}

/// Judges what a recovery shows.
///
/// # Errors
/// What is wrong, by the invariant that it violates.
pub fn judge(history: &History, view: &View) -> Result<Verdict, Wrong> {
    let decided = history.decided();
    let before = decided.iter().take_while(|d| d.place <= view.after).count();
    let verdict = judge_tail(history, view, before)?;
    judge_places(view, before)?;
    let shown = verdict.places.len();
    let mut expected = history.state().clone();
    let in_doubt = history.doubtful().iter().flatten();
    in_doubt
        .take(shown)
        .for_each(|record| expected.apply(record));
    let invariant = if view.from_snapshot {
        Invariant::SnapshotEquivalence
    } else {
        Invariant::State
    };
    view.state
        .compare(&expected)
        .map_err(|(e, f)| Wrong::Otherwise(Finding::new(invariant, e, f)))?;
    Ok(verdict)
}

/// Invariants 1, 2 and 3: the tail is the decided records in order, then whole groups in doubt,
/// then nothing.
fn judge_tail(history: &History, view: &View, before: usize) -> Result<Verdict, Wrong> {
    let decided = &history.decided()[before..];
    for (index, want) in decided.iter().enumerate() {
        let expected = || format!("{} at {}", want.record, want.place);
        let invariant = match want.belief {
            Belief::Acknowledged => Invariant::Durability,
            Belief::Recovered => Invariant::Decided,
        };
        let Some(entry) = view.tail.get(index) else {
            let kept = before + index;
            let missing = decided.len() - index;
            let found = format!(
                "the history ends after {kept} records; {missing} are missing: {}",
                first_records(decided[index..].iter().map(|d| &d.record))
            );
            let finding = Finding::new(invariant, expected(), found);
            return Err(Wrong::Shorter { kept, finding });
        };
        let found = || format!("{} at {}", entry.record, entry.place);
        if entry.record != want.record {
            // A record that is left out shows as its successor; one that was never given is a
            // phantom.
            let left_out = decided[index..].iter().any(|d| d.record == entry.record);
            let invariant = if left_out {
                invariant
            } else {
                Invariant::NoPhantom
            };
            let finding = Finding::new(invariant, expected(), found());
            return Err(Wrong::Otherwise(finding));
        }
        if entry.place != want.place {
            let finding = Finding::new(Invariant::Positions, expected(), found());
            return Err(Wrong::Otherwise(finding));
        }
    }
    judge_doubtful(history.doubtful(), &view.tail[decided.len()..])
}

/// Invariant 2: behind everything decided come the first groups in doubt, each whole.
fn judge_doubtful(doubtful: &[Vec<Record>], extra: &[Entry]) -> Result<Verdict, Wrong> {
    let mut rest = extra;
    let mut groups = 0;
    for group in doubtful {
        if rest.is_empty() {
            break;
        }
        for (index, want) in group.iter().enumerate() {
            let found = match rest.get(index) {
                Some(entry) if entry.record == *want => continue,
                Some(entry) => format!("{} at {}", entry.record, entry.place),
                None => format!("only {index} of the {} records of one append", group.len()),
            };
            return Err(Wrong::Otherwise(Finding::new(
                Invariant::NoPhantom,
                want.to_string(),
                found,
            )));
        }
        rest = &rest[group.len()..];
        groups += 1;
    }
    if let Some(entry) = rest.first() {
        let found = format!("{} at {}", entry.record, entry.place);
        let expected = "no record that nobody asked for";
        return Err(Wrong::Otherwise(Finding::new(
            Invariant::NoPhantom,
            expected,
            found,
        )));
    }
    let places = extra.iter().map(|entry| entry.place).collect();
    Ok(Verdict { groups, places })
}

/// Invariant 9: seqs without a gap inside an epoch, epochs that grow, and a last position that is
/// true.
fn judge_places(view: &View, before: usize) -> Result<(), Wrong> {
    let mut last = view.after;
    for entry in &view.tail {
        let next = Place {
            epoch: last.epoch,
            seq: last.seq + 1,
        };
        let first_of_later = entry.place.epoch > last.epoch && entry.place.seq == 1;
        if entry.place != next && !first_of_later {
            let expected = format!("{next}, or the first of a later epoch");
            let found = entry.place.to_string();
            return Err(Wrong::Otherwise(Finding::new(
                Invariant::Positions,
                expected,
                found,
            )));
        }
        last = entry.place;
    }
    // Where no record was ever stored, or only a snapshot is left, there is nothing to hold the
    // position against.
    if (before > 0 || !view.tail.is_empty()) && view.applied != last {
        let expected = format!("the last applied position to be {last}");
        let found = view.applied.to_string();
        return Err(Wrong::Otherwise(Finding::new(
            Invariant::Positions,
            expected,
            found,
        )));
    }
    Ok(())
}

fn first_records<'a>(records: impl Iterator<Item = &'a Record>) -> String {
    let mut named: Vec<String> = records.take(4).map(ToString::to_string).collect();
    if named.len() == 4 {
        named[3] = "…".to_owned();
    }
    named.join("; ")
}

#[cfg(test)]
mod tests;
