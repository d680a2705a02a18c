//! A copy of a store that ends at a position.

use std::sync::Arc;

use super::copy::CopyDirectory;
use crate::directory;
use crate::error::{Error, Result};
use crate::position::{Epoch, Position};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::wal::line::Line;
use crate::wal::{
    DamageReason, PlacedLine, PrevLink, Scanner, Segment, SegmentDamage, Upcoming,
    oldest_without_gap,
};

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
    let oldest = oldest_without_gap(&listing.segments, position.epoch);
    let can_start = oldest.0 == 1 || snapshots.iter().any(|epoch| epoch.next() >= oldest);
    if !listing.segments.contains(&position.epoch) || !can_start {
        let reason = format!("nothing in the store leads to {position}");
        return Err(Error::Refused { reason });
    }
    let range = (oldest.0..=position.epoch.0).map(Epoch);
    let segments = range.map(|epoch| Segment::open(&**storage, epoch, Access::Read));
    let segments = segments.collect::<Result<Vec<Segment>>>()?;
    // Everything is looked at before anything is written, so that a refusal writes nothing.
    let mut link = PrevLink::Unknown;
    for segment in &segments {
        link = walk(segment, link, position, |_| Ok(()))?;
    }
    let target = CopyDirectory::new(Arc::clone(out))?;
    let mut report = TruncateReport::default();
    let mut link = PrevLink::Unknown;
    for segment in &segments {
        let mut copy = target.file(&segment.name)?;
        link = walk(segment, link, position, |placed| {
            report.events += u64::from(matches!(placed.line, Line::Event(..)));
            copy.push(placed.bytes)
        })?;
        copy.finish()?;
        report.segments.push(segment.name.clone());
    }
    for epoch in snapshots {
        let name = target.copy_snapshot(&**storage, epoch)?;
        report.snapshots.push(name);
    }
    target.finish()?;
    Ok(report)
}

/// Hands on the lines of a segment up to `position`, which must be whole and follow the segment
/// before it. Returns what the next one must seal.
fn walk(
    segment: &Segment,
    link: PrevLink,
    position: Position,
    mut line: impl FnMut(&PlacedLine<'_>) -> Result<()>,
) -> Result<PrevLink> {
    let mut scanner = Scanner::new(segment);
    let is_last = segment.epoch == position.epoch;
    let mut prev = None;
    while !has_reached(&scanner, segment, position) {
        match scanner.peek()? {
            Upcoming::Line(length) => {
                let placed = scanner.take(length);
                line(&placed)?;
                if let Line::Header(header) = placed.line {
                    prev = header.prev;
                }
            }
            Upcoming::Damage(SegmentDamage {
                reason: DamageReason::UnfinishedAppend(_),
                ..
            }) if is_last => break,
            Upcoming::Damage(damage) => return Err(damage.into_error(&segment.name)),
            Upcoming::End(_) => break,
        }
    }
    link.check(&segment.name, prev, segment.epoch)?;
    let sequence = scanner.sequence();
    if is_last && (sequence.last() != position.seq || sequence.in_group()) {
        let inside = match sequence.in_group() {
            true => "lies inside an atomic append",
            false => "is not there",
        };
        let reason = format!("event {position} {inside}");
        return Err(Error::Refused { reason });
    }
    Ok(PrevLink::Known(Some(segment.epoch.at(sequence.last()))))
}

/// Whether nothing after what was seen belongs to the copy.
fn has_reached(scanner: &Scanner<'_>, segment: &Segment, position: Position) -> bool {
    let sequence = scanner.sequence();
    segment.epoch == position.epoch && !sequence.is_at_start() && sequence.last() >= position.seq
}
