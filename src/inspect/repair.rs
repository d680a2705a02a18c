//! Repair: a new directory with everything that can be saved, and a note of everything that cannot.
//!
//! Surviving events are copied as they stand, so each keeps its position; headers and snapshots are
//! made anew, under a new identity, which the checksum of every line covers. For each missing range a
//! `lost` line stands in its place, which a strict reader accepts and reports. Survivors of a damaged
//! append count as lost: an append is whole or absent. The last segment is sealed and a fresh epoch
//! follows, so that no position is ever used twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::copy::{CopyDirectory, copy_into};
use super::line_ends;
use super::salvage_reader::{SalvageItem, SalvageReader};
use super::segment_copy::SegmentCopy;
use super::{StoreProblem, problem_of};
use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::lineage;
use crate::names::{self, Listing};
use crate::position::{Epoch, Seq};
use crate::snapshot;
use crate::storage::Storage;
use crate::store_id::StoreId;
use crate::wal::line::{self, Header, Line};
use crate::wal::{LostRange, PlacedLine, Segment, TornTail, header};

/// The most missing segments that are made anew; more than that is a misnamed file.
const MAX_MISSING: u64 = 10_000;

/// What a repair saved and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// How many events were saved.
    pub events: u64,
    /// What is missing for good.
    pub lost: Vec<LostRange>,
    /// Segments whose header was made anew from the file name and the neighbours; missing segments
    /// among them.
    pub new_headers: Vec<String>,
    /// Snapshots that were copied.
    pub snapshots: Vec<String>,
    /// An unfinished end, left out.
    pub torn_tail: Option<TornTail>,
    /// Everything that was wrong.
    pub problems: Vec<StoreProblem>,
    /// The fresh epoch, in which the log goes on.
    pub epoch: Epoch,
}

/// Writes what can be saved of `storage` into `out`, which must be empty; the copy is the store `id`.
///
/// # Errors
/// [`Error::Refused`] if there is no segment and no valid snapshot, if too much is missing, or if
/// `out` is not empty; [`Error::BrokenChain`] if files of two stores are in there, or of one before
/// and after a backup was restored: which ones belong together only their owner knows;
/// [`Error::Version`] for a newer format; [`Error::Storage`]. `out` is no store then, and
/// `storage` is never changed.
pub fn repair(
    storage: &Arc<dyn Storage>,
    out: &Arc<dyn Storage>,
    id: StoreId,
) -> Result<RepairReport> {
    let listing = directory::list_store(&**storage)?;
    let mut problems = Vec::new();
    let snapshots = valid_snapshots(&**storage, &listing, &mut problems)?;
    let (first, last) = range(&listing, &snapshots)?;
    lineage::check(&**storage, &listing, last)?;
    if first.0 > 1 && !snapshots.contains_key(&Epoch(first.0 - 1)) {
        let reason = "nothing that is there leads to this segment: a log opens only after what \
                      covers the events before it, and a store does not";
        problems.push(StoreProblem::new(&names::segment(first), 0, reason));
    }
    copy_into(Arc::clone(out), id, |target| {
        let mut repair = Repair {
            storage: &**storage,
            target,
            listing,
            snapshots,
            ends: BTreeMap::new(),
            report: RepairReport {
                problems,
                ..RepairReport::default()
            },
        };
        let mut before = repair.before(first)?;
        for epoch in (first.0..=last.0).map(Epoch) {
            let end = repair.segment(epoch, before, epoch == last)?;
            repair.ends.insert(epoch, end);
            before = Some(end);
        }
        repair.copy_snapshots()?;
        repair.report.epoch = last.next();
        target.segment(last.next(), before, 0)?.finish()?;
        Ok(repair.report)
    })
}

/// What the snapshots cover that can be copied.
fn valid_snapshots(
    storage: &dyn Storage,
    listing: &Listing,
    problems: &mut Vec<StoreProblem>,
) -> Result<BTreeMap<Epoch, Boundary>> {
    let mut valid = BTreeMap::new();
    for epoch in &listing.snapshots {
        match snapshot::read(storage, *epoch)? {
            Ok(snapshot) => {
                valid.insert(*epoch, snapshot.boundary);
            }
            Err(damaged) => {
                let reason = damaged.error.to_string();
                problems.push(StoreProblem::new(&damaged.file, 0, reason));
            }
        }
    }
    Ok(valid)
}

/// The first and the last epoch of the copy, without the fresh one. It begins where a snapshot or
/// the log itself does, and reaches at least to the newest snapshot, which needs what follows it.
fn range(listing: &Listing, snapshots: &BTreeMap<Epoch, Boundary>) -> Result<(Epoch, Epoch)> {
    let newest = snapshots.keys().next_back().copied();
    let oldest = listing.segments.first().copied();
    let is_led_to = |first: Epoch| first.0 == 1 || newest.is_some_and(|it| it.next() >= first);
    let first = match (oldest, newest) {
        (Some(first), _) if is_led_to(first) => first,
        (_, Some(newest)) => newest.next(),
        (Some(first), None) => first,
        (None, None) => {
            let reason = "there is nothing to repair".to_owned();
            return Err(Error::Refused { reason });
        }
    };
    let last = listing.segments.last().copied().max(newest);
    let last = last.unwrap_or_default();
    let there = listing.segments.len() as u64;
    let missing = last.next().0.saturating_sub(first.0).saturating_sub(there);
    if missing > MAX_MISSING || last.next() == last {
        let reason = format!("{missing} segments between {first} and {last} are missing");
        return Err(Error::Refused { reason });
    }
    Ok((first, last))
}

struct Repair<'s> {
    storage: &'s dyn Storage,
    target: &'s CopyDirectory,
    listing: Listing,
    /// The valid ones.
    snapshots: BTreeMap<Epoch, Boundary>,
    /// Where the copied epochs end.
    ends: BTreeMap<Epoch, Boundary>,
    report: RepairReport,
}

impl Repair<'_> {
    fn problem(&mut self, file: &str, offset: u64, reason: impl Into<String>) {
        let problem = StoreProblem::new(file, offset, reason);
        self.report.problems.push(problem);
    }

    fn copy_snapshots(&mut self) -> Result<()> {
        for epoch in self.snapshots.keys() {
            let end = self.ends.get(epoch).copied();
            let name = self.target.copy_snapshot(self.storage, *epoch, end)?;
            self.report.snapshots.push(name);
        }
        Ok(())
    }

    /// What lies before the segment `first`: a snapshot, or what the segment itself says.
    fn before(&self, first: Epoch) -> Result<Option<Boundary>> {
        let before = Epoch(first.0 - 1);
        if before.0 == 0 {
            return Ok(None);
        }
        let sealed = self.sealed(before)?;
        let sealed = sealed.unwrap_or_else(|| before.at(Seq(0)).into());
        Ok(Some(self.target.adopted(sealed)))
    }

    /// The end of `epoch`, if a snapshot or the header after it says where that is.
    fn sealed(&self, epoch: Epoch) -> Result<Option<Boundary>> {
        let next = epoch.next();
        let mut end = self.snapshots.get(&epoch).copied();
        if end.is_none() && self.listing.segments.contains(&next) {
            let (segment, _) = line_ends::open(self.storage, next)?;
            let prev = valid_header(&segment)?.and_then(|header| header.prev);
            end = prev.filter(|prev| prev.position.epoch == epoch);
        }
        Ok(end)
    }

    /// Copies one segment. Answers with its end.
    fn segment(
        &mut self,
        epoch: Epoch,
        before: Option<Boundary>,
        is_last: bool,
    ) -> Result<Boundary> {
        let name = names::segment(epoch);
        let sealed = self.sealed(epoch)?;
        let mut source = None;
        if self.listing.segments.contains(&epoch) {
            let (segment, is_converted) = line_ends::open(self.storage, epoch)?;
            if is_converted {
                self.problem(&name, 0, line_ends::CONVERTED);
            }
            source = Some(segment);
        } else {
            self.problem(&name, 0, "the segment is missing");
        }
        let found = source.as_ref().map(valid_header).transpose()?.flatten();
        let position = |boundary: Option<Boundary>| boundary.map(|it| it.position);
        let fits = |header: &Header| position(header.prev) == position(before);
        let kept = found.filter(fits);
        if kept.is_none() {
            // A damaged header is reported with the other damage.
            if let Some(Header { prev, .. }) = found {
                let show = |boundary| position(boundary).unwrap_or_default();
                let (found, before) = (show(prev), show(before));
                let reason = format!("the header seals {found}, but before it lies {before}");
                self.problem(&name, 0, reason);
            }
            self.report.new_headers.push(name);
        }
        let created_ms = kept.map_or(0, |header| header.created_ms);
        let file = self.target.segment(epoch, before, created_ms)?;
        let mut copy = SegmentCopy::new(file, epoch);
        if let Some(segment) = &source {
            let is_active = is_last && sealed.is_none();
            self.lines(segment, &mut copy, is_active)?;
        }
        let sealed_at = sealed.map(|sealed| sealed.position.seq.min(line::MAX_SEQ));
        if let Some(sealed_at) = sealed_at.filter(|sealed_at| *sealed_at > copy.last()) {
            copy.lose_through(sealed_at)?;
        }
        self.report.events += copy.events;
        self.report.lost.extend(&copy.lost);
        copy.finish(self.target)
    }

    /// Copies the surviving lines, no further than to a snapshot of the epoch.
    fn lines(
        &mut self,
        segment: &Segment,
        copy: &mut SegmentCopy<'_>,
        is_active: bool,
    ) -> Result<()> {
        // An event that is there is believed, whatever the next segment says it seals: its header
        // is made anew. Only a snapshot cannot be, and recovery goes on where it ends.
        let snapshot = self.snapshots.get(&segment.epoch);
        let limit = snapshot.map_or(line::MAX_SEQ, |snapshot| snapshot.position.seq);
        let mut reader = SalvageReader::new(self.storage, segment);
        let mut doubtful = false;
        while let Some(item) = reader.next()? {
            match item {
                SalvageItem::Line(PlacedLine {
                    line: Line::Header(_),
                    ..
                })
                | SalvageItem::End(_) => {}
                SalvageItem::Line(PlacedLine {
                    offset,
                    line: Line::Event(envelope, _),
                    ..
                }) if envelope.seq > limit => {
                    let seq = envelope.seq;
                    let reason = format!("event {seq} is past the snapshot at {limit}");
                    self.problem(&segment.name, offset, reason);
                }
                // It may be the rest of a damaged append: as in lenient replay.
                SalvageItem::Line(PlacedLine {
                    line: Line::Event(envelope, _),
                    ..
                }) if doubtful && envelope.batch != envelope.seq => {
                    doubtful = envelope.more;
                }
                SalvageItem::Line(PlacedLine {
                    line: Line::Event(envelope, _),
                    bytes,
                    ..
                }) => {
                    doubtful = false;
                    copy.event(envelope, bytes)?;
                }
                SalvageItem::Line(PlacedLine { line, bytes, .. }) => {
                    doubtful = false;
                    copy.note(line, bytes)?;
                }
                SalvageItem::Damage(damaged) => {
                    let damaged = match is_active {
                        true => reader.judge(damaged)?,
                        false => damaged,
                    };
                    let from = damaged.damage.offset;
                    let torn = damaged.torn_tail(segment, from).filter(|_| is_active);
                    doubtful = copy.give_up_append() || damaged.takes_events();
                    // Nothing of an unfinished end was acknowledged.
                    if torn.is_some() {
                        self.report.torn_tail = torn;
                        continue;
                    }
                    self.report.problems.push(problem_of(segment, damaged));
                }
            }
        }
        Ok(())
    }
}

/// The header of a segment; nothing if it is damaged.
fn valid_header(segment: &Segment) -> Result<Option<Header>> {
    match header(segment) {
        Ok(header) => Ok(Some(header)),
        Err(Error::Corrupt { .. } | Error::ChecksumMismatch { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
