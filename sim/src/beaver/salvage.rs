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
    use crate::beaver::model::{Record, What};
    use crate::oracle::history::Belief;
    use crate::subject::Position;

    /// Four records of three ops; the second op wrote two of them down.
    fn records() -> [Record; 4] {
        [1, 2, 3, 4].map(|seq| Record {
            id: format!("j{seq}"),
            at_ms: seq,
            what: What::Acked { attempt: 1 },
        })
    }

    fn history(records: &[Record; 4]) -> Vec<ToldRecord<'_>> {
        let told = records.iter().zip([0, 1, 1, 2]).zip(1..);
        let told = told.map(|((record, op), seq)| ToldRecord {
            record,
            position: Position { epoch: 1, seq },
            belief: Belief::Acknowledged,
            op,
        });
        told.collect()
    }

    fn check(
        kept: &[usize],
        skipped: &[SkippedRange],
        unfinished_end: bool,
    ) -> Result<(), Finding> {
        let records = records();
        let history = history(&records);
        let entries = kept.iter().map(|index| LogEntry {
            position: history[*index].position,
            record: records[*index].clone(),
        });
        let entries: Vec<LogEntry> = entries.collect();
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

    #[test]
    fn a_record_that_was_changed_is_not_accepted() {
        let records = records();
        let history = history(&records);
        let mut entries = history.iter().map(|told| LogEntry {
            position: told.position,
            record: told.record.clone(),
        });
        let mut changed = entries.next().expect("there are four");
        changed.record.at_ms += 1;
        let entries: Vec<LogEntry> = std::iter::once(changed).chain(entries).collect();
        let finding = judge(&history, &entries, &[], false).unwrap_err();
        assert_eq!(finding.invariant, Invariant::Honesty);
    }
}
