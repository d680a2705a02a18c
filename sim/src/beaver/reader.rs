//! Holds what a log says against what the client was told: invariants 1, 2, 3 and 9.
//!
//! It looks at the entries that a reader returns, not at files, and it excuses nothing. What it does
//! not check is the state: that is held against the fold of the history for every store.

use super::engine::LogEntry;
use super::model::Record;
use super::op::QueueOp;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::history::{Belief, Decided, History};
use crate::subject::{AnyOp, Position};

/// What a reader of the log sees of a store after opening it.
#[derive(Clone, Debug)]
pub(crate) struct LogView {
    /// Where the last record stands that the state contains.
    pub applied: Position,
    /// Everything up to here can no longer be replayed: a snapshot stands for it.
    pub after: Position,
    /// Everything after that, replayed.
    pub tail: Vec<LogEntry>,
}

/// A record that the log must tell, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToldRecord<'h> {
    pub(super) record: &'h Record,
    pub(super) position: Position,
    pub(super) belief: Belief,
    /// Which op it belongs to.
    pub(super) op: usize,
}

/// The records of decided ops, each where it stands: the last one of an op at the op's position.
pub(super) fn told(decided: &[Decided]) -> Vec<ToldRecord<'_>> {
    let ops = decided.iter().enumerate();
    let records = ops.flat_map(|(at, decided)| {
        let records = records(&decided.op);
        let last = decided.position.unwrap_or_default();
        let before = last.seq.saturating_sub(records.len() as u64);
        let records = records.iter().zip(1..);
        records.map(move |(record, index)| ToldRecord {
            record,
            position: Position {
                epoch: last.epoch,
                seq: before + index,
            },
            belief: decided.belief,
            op: at,
        })
    });
    records.collect()
}

/// What an op writes down.
pub(super) fn records(op: &AnyOp) -> &[Record] {
    op.get::<QueueOp>().records()
}

/// Judges what a log tells after a recovery: where the ops in doubt stand that it tells.
///
/// # Errors
/// What is wrong, by the invariant that it violates.
pub(crate) fn judge(history: &History, view: &LogView) -> Result<Vec<Position>, Finding> {
    let told = told(history.decided());
    let before = told.partition_point(|told| told.position <= view.after);
    let positions = judge_tail(history, &told, view, before)?;
    judge_positions(view, before)?;
    Ok(positions)
}

/// Invariants 1, 2 and 3: the tail is the decided records in order, then whole ops in doubt, then
/// nothing.
fn judge_tail(
    history: &History,
    told: &[ToldRecord<'_>],
    view: &LogView,
    before: usize,
) -> Result<Vec<Position>, Finding> {
    let told = &told[before..];
    for (index, want) in told.iter().enumerate() {
        let expected = || format!("{} at {}", want.record, want.position);
        let invariant = match want.belief {
            Belief::Acknowledged => Invariant::Durability,
            Belief::Recovered => Invariant::Decided,
        };
        let Some(entry) = view.tail.get(index) else {
            let found = format!(
                "the history ends too early: {} shown, {} missing: {}",
                before + index,
                told.len() - index,
                first_records(&told[index..])
            );
            return Err(Finding::new(invariant, expected(), found));
        };
        if entry.record != *want.record {
            // A record that is left out shows as its successor; one that was never given is a
            // phantom.
            let left_out = told[index..]
                .iter()
                .any(|told| *told.record == entry.record);
            let invariant = if left_out {
                invariant
            } else {
                Invariant::NoPhantom
            };
            return Err(Finding::new(invariant, expected(), said(entry)));
        }
        if entry.position != want.position {
            return Err(Finding::new(Invariant::Positions, expected(), said(entry)));
        }
    }
    judge_doubtful(history.doubtful(), &view.tail[told.len()..])
}

fn first_records(told: &[ToldRecord<'_>]) -> String {
    let named = told.iter().take(4).map(|told| told.record.to_string());
    let mut named: Vec<String> = named.collect();
    if named.len() == 4 {
        named[3] = "…".to_owned();
    }
    named.join("; ")
}

/// Invariant 2: after everything decided come the first ops in doubt, each whole.
fn judge_doubtful(doubtful: &[AnyOp], extra: &[LogEntry]) -> Result<Vec<Position>, Finding> {
    let mut rest = extra;
    let mut positions = Vec::new();
    for op in doubtful {
        if rest.is_empty() {
            break;
        }
        let records = records(op);
        for (index, want) in records.iter().enumerate() {
            let found = match rest.get(index) {
                Some(entry) if entry.record == *want => continue,
                Some(entry) => said(entry),
                None => format!(
                    "only {index} of the {} records of one append",
                    records.len()
                ),
            };
            return Err(Finding::new(Invariant::NoPhantom, want.to_string(), found));
        }
        positions.extend(records.len().checked_sub(1).map(|last| rest[last].position));
        rest = &rest[records.len()..];
    }
    match rest.first() {
        Some(entry) => {
            let expected = "no record that was never asked for";
            Err(Finding::new(Invariant::NoPhantom, expected, said(entry)))
        }
        None => Ok(positions),
    }
}

/// Invariant 9: seqs without a gap inside an epoch, epochs that grow, and a last position that is
/// true.
fn judge_positions(view: &LogView, before: usize) -> Result<(), Finding> {
    let mut last = view.after;
    for entry in &view.tail {
        let next = Position {
            epoch: last.epoch,
            seq: last.seq + 1,
        };
        let first_of_later = entry.position.epoch > last.epoch && entry.position.seq == 1;
        if entry.position != next && !first_of_later {
            let expected = format!("{next}, or the first of a later epoch");
            let found = entry.position.to_string();
            return Err(Finding::new(Invariant::Positions, expected, found));
        }
        last = entry.position;
    }
    // Where no record was ever stored, or only a snapshot is left, there is nothing to hold the
    // position against.
    if (before > 0 || !view.tail.is_empty()) && view.applied != last {
        let expected = format!("the last applied position to be {last}");
        let found = view.applied.to_string();
        return Err(Finding::new(Invariant::Positions, expected, found));
    }
    Ok(())
}

/// What a reader of a log in use sees is everything that the log still holds of what is decided, and
/// after it only what `may_show` allows: what is in doubt.
///
/// # Errors
/// The first difference.
pub(super) fn judge_reading(
    told: &[ToldRecord<'_>],
    entries: &[LogEntry],
    may_show: bool,
) -> Result<(), Finding> {
    for (index, want) in told.iter().enumerate() {
        let expected = format!("{} at {}", want.record, want.position);
        let found = match entries.get(index) {
            Some(entry) if entry.record == *want.record && entry.position == want.position => {
                continue;
            }
            Some(entry) => said(entry),
            None => format!("only {index} records"),
        };
        return Err(Finding::new(Invariant::Idempotence, expected, found));
    }
    match entries.get(told.len()) {
        Some(entry) if !may_show => {
            let expected = "nothing after what was acknowledged";
            Err(Finding::new(Invariant::NoPhantom, expected, said(entry)))
        }
        _ => Ok(()),
    }
}

fn said(entry: &LogEntry) -> String {
    format!("{} at {}", entry.record, entry.position)
}

#[cfg(test)]
mod tests;
