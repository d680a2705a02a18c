//! Every line of a log, readable.

use std::io;
use std::sync::Arc;

use super::problem_of;
use super::salvage_reader::{SalvageItem, SalvageReader};
use crate::directory;
use crate::error::{Error, Result};
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage};
use crate::wal::line::Line;
use crate::wal::{PlacedLine, Segment};

/// One thing that stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpLine<'a> {
    /// The segment.
    pub file: &'a str,
    /// Where it begins.
    pub offset: u64,
    /// What it is.
    pub what: What<'a>,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// The first line of a segment.
    Header {
        /// The segment's epoch.
        epoch: Epoch,
        /// The position that it seals.
        prev: Option<Position>,
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
    /// Free space to the end of the file, so many bytes.
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
    for epoch in directory::list(&**storage)?.segments {
        let segment = Segment::open(&**storage, epoch, Access::Read)?;
        let mut reader = SalvageReader::new(&segment);
        while let Some(item) = reader.next()? {
            let (offset, what) = match item {
                SalvageItem::Line(PlacedLine { offset, line, .. }) => (offset, what(epoch, line)),
                SalvageItem::Damage(damaged) => {
                    let problem = problem_of(&segment, damaged);
                    (problem.offset, What::Damage(problem.reason))
                }
                SalvageItem::End(offset) if offset == segment.limit => continue,
                SalvageItem::End(offset) => (offset, What::Free(segment.limit - offset)),
            };
            sink(&DumpLine {
                file: &segment.name,
                offset,
                what,
            })
            .map_err(|error| Error::storage("dump", &segment.name, error))?;
        }
    }
    Ok(())
}

fn what(epoch: Epoch, line: Line<'_>) -> What<'_> {
    match line {
        Line::Header(header) => What::Header {
            epoch,
            prev: header.prev,
        },
        Line::Event(envelope, json) => What::Event {
            position: Position {
                epoch,
                seq: envelope.seq,
            },
            batch: envelope.batch,
            more: envelope.more,
            json,
        },
        Line::Marker(synced) => What::Marker(synced),
        Line::Lost(from, to) => What::Lost(from, to),
    }
}
