//! A copy of a store that ends at a position.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::copy::{CopyDirectory, copy_into};
use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::lineage;
use crate::position::{Epoch, Position, Seq};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::store_id::StoreId;
use crate::wal::line::{Header, Line};
use crate::wal::{
    DamageReason, PlacedLine, PrevLink, Scanner, Segment, SegmentDamage, Tail, Upcoming, header,
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
/// A seq of 0 ends the copy before the first event of that epoch. The copy is the store `id`: what it
/// goes on with is another history.
///
/// # Errors
/// [`Error::Refused`] if the position is not in the log, lies inside an atomic append or before
/// everything that can still be recovered, or if `out` is not empty; every error of damaged data up
/// to the position. `out` is no store then, and `storage` is never changed.
pub fn truncate(
    storage: &Arc<dyn Storage>,
    position: Position,
    out: &Arc<dyn Storage>,
    id: StoreId,
) -> Result<TruncateReport> {
    let listing = directory::list_store(&**storage)?;
    let before = Epoch(position.epoch.0.saturating_sub(1));
    lineage::check(&**storage, &listing, before)?;
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
    copy_into(Arc::clone(out), id, |target| {
        let mut report = TruncateReport::default();
        let mut ends = BTreeMap::new();
        for segment in &segments {
            let end = copy_segment(target, segment, position, &ends, &mut report)?;
            ends.insert(segment.epoch, end);
        }
        for epoch in snapshots {
            let end = ends.get(&epoch).copied();
            let name = target.copy_snapshot(&**storage, epoch, end)?;
            report.snapshots.push(name);
        }
        Ok(report)
    })
}

/// Copies a segment up to `position`, after those that end at `ends`. Answers with its end.
fn copy_segment(
    target: &CopyDirectory,
    segment: &Segment,
    position: Position,
    ends: &BTreeMap<Epoch, Boundary>,
    report: &mut TruncateReport,
) -> Result<Boundary> {
    let Header {
        prev, created_ms, ..
    } = header(segment)?;
    let before = ends.get(&Epoch(segment.epoch.0 - 1)).copied();
    let before = before.or(prev.map(|prev| target.adopted(prev)));
    let mut copy = target.segment(segment.epoch, before, created_ms)?;
    let mut last = Seq(0);
    walk(segment, PrevLink::Unknown, position, |placed| {
        match placed.line {
            Line::Header(_) => return Ok(()),
            Line::Marker(_) => {}
            Line::Event(envelope, _) => {
                report.events += 1;
                last = envelope.seq;
            }
            Line::Lost(_, to) => last = to,
        }
        copy.copy(&placed.line, placed.bytes)
    })?;
    let end = copy.boundary(last, target);
    copy.finish()?;
    report.segments.push(segment.name.clone());
    Ok(end)
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
    let mut tail = Tail::default();
    while !has_reached(&scanner, segment, position) {
        match scanner.peek()? {
            Upcoming::Line(length) => {
                let placed = scanner.take(length);
                line(&placed)?;
                if let Line::Header(header) = placed.line {
                    link.check(&segment.name, &header)?;
                }
                let noted = tail.note(placed.offset, &placed.line, placed.bytes.len());
                noted.map_err(|()| Error::Corrupt {
                    file: segment.name.clone(),
                    offset: placed.offset,
                    reason: DamageReason::BatchTooLarge.to_string(),
                })?;
                tail.keep(placed.offset, placed.bytes);
            }
            Upcoming::Damage(SegmentDamage {
                reason: DamageReason::UnfinishedAppend(_),
                ..
            }) if is_last => break,
            Upcoming::Damage(damage) => return Err(damage.into_error(&segment.name)),
            Upcoming::End(_) => break,
        }
    }
    let sequence = scanner.sequence();
    if is_last && (sequence.last() != position.seq || sequence.in_group()) {
        let inside = match sequence.in_group() {
            true => "lies inside an atomic append",
            false => "is not there",
        };
        let reason = format!("event {position} {inside}");
        return Err(Error::Refused { reason });
    }
    Ok(PrevLink::Segment(tail.boundary(segment.epoch)))
}

/// Whether nothing after what was seen belongs to the copy.
fn has_reached(scanner: &Scanner<'_>, segment: &Segment, position: Position) -> bool {
    let sequence = scanner.sequence();
    segment.epoch == position.epoch && !sequence.is_at_start() && sequence.last() >= position.seq
}
