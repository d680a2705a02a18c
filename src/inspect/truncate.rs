//! A copy of a store that ends at a position.

use std::sync::Arc;

use super::copy::{Target, TargetFile};
use crate::directory;
use crate::error::{Error, Result};
use crate::names;
use crate::position::{Epoch, Position, Seq};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::wal::line::Line;
use crate::wal::scan::Found;
use crate::wal::{Segment, chain};

/// What a truncated copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TruncateReport {
    /// How many events were copied.
    pub events: u64,
    /// The segments that were copied, whole or in part.
    pub segments: Vec<String>,
    /// The snapshots that were copied.
    pub snapshots: Vec<String>,
}

/// Copies everything up to and including `position` from `storage` into `out`, which must be empty.
/// A seq of 0 ends the copy before the first event of that epoch.
///
/// # Errors
/// [`Error::Refused`] if the position is not in the log, lies inside an atomic append or before
/// everything that can still be recovered, or if `out` is not empty; every error of damaged data up
/// to the position. `storage` is never changed.
pub fn truncate(
    storage: &Arc<dyn Storage>,
    position: Position,
    out: &Arc<dyn Storage>,
) -> Result<TruncateReport> {
    let listing = directory::list(&**storage)?;
    // A snapshot needs the segment after it, so that of the last epoch is of no use.
    let mut snapshots = Vec::new();
    for epoch in listing
        .snapshots
        .iter()
        .filter(|epoch| **epoch < position.epoch)
    {
        if snapshot::read(&**storage, *epoch)?.is_ok() {
            snapshots.push(*epoch);
        }
    }
    let oldest = listing.segments.first().copied().unwrap_or_default();
    let can_start = oldest.0 == 1 || snapshots.iter().any(|epoch| epoch.next() >= oldest);
    if !listing.segments.contains(&position.epoch) || !can_start {
        let reason = format!("nothing in the store leads to {position}");
        return Err(Error::Refused { reason });
    }
    let start = Position {
        epoch: Epoch(oldest.0 - 1),
        seq: Seq(0),
    };
    let target = Target::new(&**out)?;
    let mut report = TruncateReport::default();
    for epoch in chain(&listing.segments, Some(start))?
        .into_iter()
        .filter(|e| *e <= position.epoch)
    {
        let segment = Segment::open(&**storage, epoch, Access::Read)?;
        let last = (epoch == position.epoch).then_some(position.seq);
        report.events += copy_segment(&segment, target.file(&segment.name)?, last)?;
        report.segments.push(segment.name);
    }
    for epoch in snapshots {
        target.copy_snapshot(&**storage, epoch)?;
        report.snapshots.push(names::snapshot(epoch));
    }
    target.finish()?;
    Ok(report)
}

/// Copies the lines of a segment, up to the seq `last` if there is one. Answers with the number of
/// events.
fn copy_segment(segment: &Segment, mut copy: TargetFile<'_>, last: Option<Seq>) -> Result<u64> {
    let mut scanner = segment.scanner();
    let mut events = 0;
    loop {
        let reached = scanner.header().is_some()
            && last.is_some_and(|last| scanner.sequence().last() >= last);
        if reached {
            break;
        }
        match scanner.next()? {
            Found::Line { line, bytes, .. } => {
                events += u64::from(matches!(line, Line::Event(..)));
                copy.push(bytes)?;
            }
            Found::Damage(damage) => return Err(damage.into_error(&segment.name)),
            Found::End { .. } => break,
        }
    }
    let sequence = scanner.sequence();
    if let Some(last) = last.filter(|last| sequence.last() != *last || sequence.in_group()) {
        let inside = if sequence.in_group() {
            "lies inside an atomic append"
        } else {
            "is not there"
        };
        let reason = format!("{}: event {last} {inside}", segment.name);
        return Err(Error::Refused { reason });
    }
    copy.finish()?;
    Ok(events)
}
