//! What differs between two logs, event by event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use super::dump::{LineContent, dump_segment};
use crate::directory;
use crate::error::Result;
use crate::position::{Epoch, Position, Seq};
use crate::storage::Storage;

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
/// that both have, makes no difference. Takes as much memory as the largest segment of each.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) if something cannot be read,
/// [`Error::Version`](crate::Error::Version) for a newer format.
pub fn compare(first: &Arc<dyn Storage>, second: &Arc<dyn Storage>) -> Result<Vec<Difference>> {
    let listings = [directory::list(&**first)?, directory::list(&**second)?];
    let mut epochs = listings.map(|listing| listing.segments).concat();
    epochs.sort_unstable();
    epochs.dedup();
    let mut differences = Vec::new();
    for epoch in epochs {
        let (mut first, mut second) = (events(&**first, epoch)?, events(&**second, epoch)?);
        let seqs: BTreeSet<Seq> = first.keys().chain(second.keys()).copied().collect();
        for seq in seqs {
            let position = epoch.at(seq);
            let (from, to) = (position, seq);
            // Taken out, because the text of an event that differs is kept.
            let next = match (first.remove(&seq), second.remove(&seq)) {
                (first, second) if first == second => continue,
                (Some(first), Some(second)) => Difference::Content {
                    position,
                    first: String::from_utf8_lossy(&first).into_owned(),
                    second: String::from_utf8_lossy(&second).into_owned(),
                },
                (Some(_), None) => Difference::OnlyInFirst { from, to },
                (None, _) => Difference::OnlyInSecond { from, to },
            };
            add(&mut differences, next);
        }
    }
    Ok(differences)
}

/// The events of one segment as they are stored; none where this log does not have the segment.
fn events(storage: &dyn Storage, epoch: Epoch) -> Result<BTreeMap<Seq, Vec<u8>>> {
    let mut events = BTreeMap::new();
    let dumped = dump_segment(storage, epoch, false, &mut |line| {
        if let LineContent::Event { position, json, .. } = line.content {
            events.insert(position.seq, json.to_vec());
        }
        Ok(())
    });
    match dumped {
        // A segment that one log lacks is a range of events that only the other has.
        Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => Ok(BTreeMap::new()),
        dumped => dumped.map(|()| events),
    }
}

/// Adds a difference; a range that continues the one before it makes that longer.
fn add(differences: &mut Vec<Difference>, next: Difference) {
    use Difference::{OnlyInFirst, OnlyInSecond};
    match (differences.last_mut(), &next) {
        (Some(OnlyInFirst { from: start, to }), OnlyInFirst { from, .. })
        | (Some(OnlyInSecond { from: start, to }), OnlyInSecond { from, .. })
            if start.epoch == from.epoch && to.0 + 1 == from.seq.0 =>
        {
            *to = from.seq;
        }
        _ => differences.push(next),
    }
}
