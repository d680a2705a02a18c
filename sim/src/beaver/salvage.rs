//! Lenient replay of damaged data: what it returns is true, in order and whole by groups, and what
//! it leaves out it says.

use super::engine::{LogEntry, SkippedRange};
use super::reader::ToldRecord;
use crate::invariant::Invariant;
use crate::oracle::Finding;

/// Whether what was reported as left out covers a record.
fn covers(skip: &SkippedRange, want: &ToldRecord<'_>) -> bool {
    let (epoch, seq) = (want.position.epoch, want.position.seq);
    epoch == skip.epoch && seq >= skip.from && skip.to.is_none_or(|to| seq <= to)
}

/// Judges a lenient replay of a damaged copy against the history that the undamaged log tells.
///
/// `unfinished_end` says that it reported an unfinished end of the last segment, which may be what
/// damage made of it.
///
/// # Errors
/// What it made up, changed, tore apart or left out in silence.
pub(super) fn judge(
    history: &[ToldRecord<'_>],
    entries: &[LogEntry],
    skipped: &[SkippedRange],
    unfinished_end: bool,
) -> Result<(), Finding> {
    let mut rest = history.iter();
    let mut missing: Vec<&ToldRecord<'_>> = Vec::new();
    for entry in entries {
        let known = loop {
            match rest.next() {
                Some(want) if want.position == entry.position => break want,
                Some(want) => missing.push(want),
                None => {
                    let found = format!("{} at {}", entry.record, entry.position);
                    return Err(Finding::new(
                        Invariant::Honesty,
                        "only events of the history, in order",
                        found,
                    ));
                }
            }
        };
        if *known.record != entry.record {
            let expected = format!("{} at {}", known.record, known.position);
            return Err(Finding::new(
                Invariant::Honesty,
                expected,
                entry.record.to_string(),
            ));
        }
        if let Some(torn) = missing.iter().find(|gone| gone.op == known.op) {
            let expected = format!(
                "the append of {} and {} whole or not at all",
                torn.position, known.position
            );
            return Err(Finding::new(
                Invariant::Honesty,
                expected,
                format!("{} alone", known.position),
            ));
        }
    }
    let at_end = missing.len();
    missing.extend(rest);
    for (index, gone) in missing.iter().enumerate() {
        let reported = skipped.iter().any(|skip| covers(skip, gone));
        let cut = unfinished_end && index >= at_end;
        if !reported && !cut {
            let expected = format!("{} to be returned or reported as left out", gone.position);
            return Err(Finding::new(
                Invariant::Honesty,
                expected,
                format!("reported: {skipped:?}"),
            ));
        }
    }
    let last = entries.last();
    let last = last.and_then(|last| history.iter().find(|want| want.position == last.position));
    let torn = last.and_then(|last| missing.iter().find(|gone| gone.op == last.op));
    match torn {
        Some(gone) => {
            let expected = format!("the append of {} whole or not at all", gone.position);
            Err(Finding::new(Invariant::Honesty, expected, "a part of it"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::history::{Belief, Place};
    use crate::oracle::model::{Record, What};

    fn history() -> Vec<Decided> {
        let groups = [1, 2, 2, 3];
        let decided = groups.iter().zip(1..).map(|(group, seq)| Decided {
            record: Record {
                id: format!("j{seq}"),
                at_ms: seq,
                what: What::Acked,
            },
            place: Place { epoch: 1, seq },
            belief: Belief::Acknowledged,
            group: *group,
        });
        decided.collect()
    }

    fn check(
        kept: &[usize],
        skipped: &[SkippedRange],
        unfinished_end: bool,
    ) -> Result<(), Finding> {
        let history = history();
        let entries: Vec<Entry> = kept
            .iter()
            .map(|index| Entry {
                place: history[*index].place,
                record: history[*index].record.clone(),
            })
            .collect();
        judge(&history, &entries, skipped, unfinished_end)
    }

    fn skip(from: u64, to: Option<u64>) -> SkippedRange {
        SkippedRange { epoch: 1, from, to }
    }

    #[test]
    fn what_is_left_out_and_reported_is_accepted() {
        assert_eq!(check(&[0, 1, 2, 3], &[], false), Ok(()));
        assert_eq!(check(&[0, 3], &[skip(2, Some(3))], false), Ok(()));
        assert_eq!(check(&[0], &[skip(2, None)], false), Ok(()));
        assert_eq!(check(&[0, 1, 2], &[], true), Ok(()));
    }

    #[test]
    fn silence_halves_and_inventions_are_not() {
        assert!(check(&[0, 3], &[], false).is_err());
        assert!(check(&[0, 1, 2], &[], false).is_err());
        assert!(check(&[1, 2, 3], &[], true).is_err());
        assert!(check(&[0, 2, 3], &[skip(2, Some(2))], false).is_err());
        assert!(check(&[0, 1], &[skip(3, None)], false).is_err());
        assert!(check(&[1, 0], &[skip(1, None)], false).is_err());
    }
}
