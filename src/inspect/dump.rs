//! Every line of a log, readable.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::salvage_reader::{SalvageItem, SalvageReader};
use super::{problem_of, while_in_use};
use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage};
use crate::store_id::StoreId;
use crate::wal::line::Line;
use crate::wal::{PlacedLine, Segment};

/// One thing that stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpLine<'a> {
    /// The segment.
    pub file: &'a str,
    /// Byte offset at which it begins.
    pub offset: u64,
    /// What it says.
    pub content: LineContent<'a>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineContent<'a> {
    /// The first line of a segment.
    Header {
        /// The format version.
        version: u64,
        /// Whose segment it is; version 1 does not say it.
        store: Option<StoreId>,
        /// The segment's epoch.
        epoch: Epoch,
        /// The end of the epoch before, which it seals.
        prev: Option<Boundary>,
    },
    /// An event.
    Event {
        /// Its position.
        position: Position,
        /// The first seq that was written with the same sync.
        batch: Seq,
        /// Whether the next event belongs to the same atomic append.
        more: bool,
        /// The event as it is stored.
        json: &'a [u8],
    },
    /// Everything through this seq was durable.
    Marker(Seq),
    /// Events that a repair could not save.
    Lost(Seq, Seq),
    /// Something that is not a line in its place, and what is wrong with it.
    Damage(String),
    /// An unfinished end, torn or in flight, and what is not whole about it. No damage: nothing of it was acknowledged.
    TornTail(String),
    /// Free space to the end of the file, in bytes.
    Free(u64),
}

/// Hands everything that stands in the segments of `storage` to `sink`, in order, damage included.
///
/// # Errors
/// [`Error::Storage`] if something cannot be read, [`Error::Version`] for a newer format, and the
/// error of `sink` as the storage error of the operation `dump`.
pub fn dump(
    storage: &Arc<dyn Storage>,
    sink: &mut dyn FnMut(&DumpLine<'_>) -> io::Result<()>,
) -> Result<()> {
    let segments = directory::list(&**storage)?.segments;
    for epoch in &segments {
        let is_active = segments.last() == Some(epoch);
        dump_settled(&**storage, *epoch, is_active, sink)?;
    }
    Ok(())
}

/// As [`dump_segment`], of a segment that its owner may cut or remove meanwhile.
fn dump_settled(
    storage: &dyn Storage,
    epoch: Epoch,
    is_active: bool,
    sink: &mut dyn FnMut(&DumpLine<'_>) -> io::Result<()>,
) -> Result<()> {
    let mut from = 0;
    let mut is_refused = false;
    let dumped = while_in_use(|| {
        let done = dump_segment(storage, epoch, is_active, &mut |line| {
            if line.offset < from {
                return Ok(());
            }
            from = line.offset + 1;
            sink(line).inspect_err(|_| is_refused = true)
        });
        // What the sink says is no matter of reading again.
        if is_refused { Ok(done) } else { done.map(Ok) }
    });
    let dumped = dumped.and_then(|done| done);
    match dumped.as_ref().err().and_then(Error::io_kind) {
        Some(ErrorKind::NotFound) if !directory::list(storage)?.segments.contains(&epoch) => Ok(()),
        _ => dumped,
    }
}

/// As [`dump`], of one segment. Only the active one has a torn tail.
pub(super) fn dump_segment(
    storage: &dyn Storage,
    epoch: Epoch,
    is_active: bool,
    sink: &mut dyn FnMut(&DumpLine<'_>) -> io::Result<()>,
) -> Result<()> {
    let segment = Segment::open(storage, epoch, Access::Read)?;
    let mut reader = SalvageReader::new(storage, &segment);
    let mut is_damaged = false;
    while let Some(item) = reader.next()? {
        let (offset, content) = match item {
            SalvageItem::Line(PlacedLine { offset, line, .. }) => (offset, content(epoch, line)),
            SalvageItem::Damage(damaged) => {
                let is_first = !std::mem::replace(&mut is_damaged, true);
                let damaged = match is_active && is_first {
                    true => reader.judge(damaged)?,
                    false => damaged,
                };
                let offset = damaged.damage.offset;
                match damaged.torn_tail(&segment, offset).filter(|_| is_active) {
                    Some(_) => (
                        offset,
                        LineContent::TornTail(damaged.damage.reason.to_string()),
                    ),
                    None => (
                        offset,
                        LineContent::Damage(problem_of(&segment, damaged).reason),
                    ),
                }
            }
            SalvageItem::End(offset) if offset == segment.limit => continue,
            SalvageItem::End(offset) => (offset, LineContent::Free(segment.limit - offset)),
        };
        let file = &segment.name;
        sink(&DumpLine {
            file,
            offset,
            content,
        })
        .map_err(|error| Error::storage("dump", file, error))?;
    }
    Ok(())
}

fn content(epoch: Epoch, line: Line<'_>) -> LineContent<'_> {
    match line {
        Line::Header(header) => LineContent::Header {
            version: header.version(),
            store: header.store,
            epoch,
            prev: header.prev,
        },
        Line::Event(envelope, json) => LineContent::Event {
            position: epoch.at(envelope.seq),
            batch: envelope.batch,
            more: envelope.more,
            json,
        },
        Line::Marker(synced) => LineContent::Marker(synced),
        Line::Lost(from, to) => LineContent::Lost(from, to),
    }
}
