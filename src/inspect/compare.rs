//! What differs between two logs, event by event.

use std::fmt;
use std::sync::Arc;

use super::salvage_reader::{SalvageItem, SalvageReader};
use crate::directory;
use crate::error::Result;
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage};
use crate::wal::line::Line;
use crate::wal::{PlacedLine, Segment};

/// A difference between the first log and the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only the first log has these events.
    OnlyInFirst {
        /// The first of them.
        from: Position,
        /// The last of them, of the same epoch.
        to: Seq,
    },
    /// Only the second log has these events.
    OnlyInSecond {
        /// The first of them.
        from: Position,
        /// The last of them, of the same epoch.
        to: Seq,
    },
    /// Both have the event, with different content.
    Content {
        /// Its position.
        position: Position,
        /// As the first log has it.
        first: String,
        /// As the second log has it.
        second: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::OnlyInFirst { from, to } => write!(f, "only in the first: {from} to {to}"),
            Difference::OnlyInSecond { from, to } => {
                write!(f, "only in the second: {from} to {to}")
            }
            Difference::Content {
                position,
                first,
                second,
            } => {
                write!(f, "{position} differs: {first} | {second}")
            }
        }
    }
}

/// All differences between the events of two logs. How they were batched, and damage between events
/// that both have, makes no difference.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) if something cannot be read,
/// [`Error::Version`](crate::Error::Version) for a newer format.
pub fn compare(first: &Arc<dyn Storage>, second: &Arc<dyn Storage>) -> Result<Vec<Difference>> {
    let mut epochs = directory::list(&**first)?.segments;
    epochs.extend(directory::list(&**second)?.segments);
    epochs.sort_unstable();
    epochs.dedup();
    let mut differences = Vec::new();
    for epoch in epochs {
        compare_epoch(&**first, &**second, epoch, &mut differences)?;
    }
    Ok(differences)
}

fn compare_epoch(
    first: &dyn Storage,
    second: &dyn Storage,
    epoch: Epoch,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let (first, second) = (open(first, epoch)?, open(second, epoch)?);
    let (mut first, mut second) = (Events::new(&first), Events::new(&second));
    first.advance()?;
    second.advance()?;
    loop {
        match (first.seq, second.seq) {
            (None, None) => return Ok(()),
            (Some(a), Some(b)) if a == b => {
                if first.body != second.body {
                    differences.push(Difference::Content {
                        position: Position { epoch, seq: a },
                        first: first.text(),
                        second: second.text(),
                    });
                }
                first.advance()?;
                second.advance()?;
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                add(differences, Position { epoch, seq: a }, true);
                first.advance()?;
            }
            (_, Some(b)) => {
                add(differences, Position { epoch, seq: b }, false);
                second.advance()?;
            }
            (Some(_), None) => unreachable!("the arm above takes what only the first log has"),
        }
    }
}

/// Adds an event that one log alone has, to the range before it if it follows directly.
fn add(differences: &mut Vec<Difference>, position: Position, in_first: bool) {
    match differences.last_mut() {
        Some(Difference::OnlyInFirst { from, to })
            if in_first && from.epoch == position.epoch && to.0 + 1 == position.seq.0 =>
        {
            *to = position.seq;
        }
        Some(Difference::OnlyInSecond { from, to })
            if !in_first && from.epoch == position.epoch && to.0 + 1 == position.seq.0 =>
        {
            *to = position.seq;
        }
        _ if in_first => {
            differences.push(Difference::OnlyInFirst {
                from: position,
                to: position.seq,
            });
        }
        _ => differences.push(Difference::OnlyInSecond {
            from: position,
            to: position.seq,
        }),
    }
}

/// The segment, if this log has it.
fn open(storage: &dyn Storage, epoch: Epoch) -> Result<Option<Segment>> {
    match Segment::open(storage, epoch, Access::Read) {
        Ok(segment) => Ok(Some(segment)),
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The events of one segment, one at a time.
struct Events<'s> {
    reader: Option<SalvageReader<'s>>,
    seq: Option<Seq>,
    body: Vec<u8>,
}

impl<'s> Events<'s> {
    fn new(segment: &'s Option<Segment>) -> Self {
        Events {
            reader: segment.as_ref().map(SalvageReader::new),
            seq: None,
            body: Vec::new(),
        }
    }

    fn advance(&mut self) -> Result<()> {
        self.seq = None;
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        while let Some(item) = reader.next()? {
            if let SalvageItem::Line(PlacedLine {
                line: Line::Event(envelope, body),
                ..
            }) = item
            {
                self.seq = Some(envelope.seq);
                self.body.clear();
                self.body.extend_from_slice(body);
                return Ok(());
            }
        }
        Ok(())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
