//! A segment that is open for reading, and what its header must say.

use super::scan::Scanner;
use super::search::Search;
use crate::error::{Error, Result};
use crate::names;
use crate::position::{Epoch, Position};
use crate::storage::{Access, Storage, StorageFile};

/// A segment that is open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) epoch: Epoch,
    pub(crate) name: String,
    pub(crate) file: Box<dyn StorageFile>,
    /// How many of its bytes may be read.
    pub(crate) limit: u64,
}

impl Segment {
    /// Opens the segment `epoch`, all of it.
    pub(crate) fn open(storage: &dyn Storage, epoch: Epoch, access: Access) -> Result<Self> {
        let name = names::segment(epoch);
        let file = storage
            .open(&name, access)
            .map_err(|e| Error::storage("open", &name, e))?;
        let limit = file.len().map_err(|e| Error::storage("len", &name, e))?;
        Ok(Segment {
            epoch,
            name,
            file,
            limit,
        })
    }

    pub(crate) fn scanner(&self) -> Scanner<'_> {
        Scanner::new(&*self.file, &self.name, self.epoch, self.limit)
    }

    pub(crate) fn search(&self, offset: u64) -> Search<'_> {
        Search::new(&*self.file, &self.name, self.epoch, self.limit, offset)
    }
}

/// What the header of a segment must say about the segment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Reading starts in the middle of the log.
    Unknown,
    /// This was the last position before the segment; `None` before epoch 1.
    Known(Option<Position>),
}

impl Seal {
    pub(crate) fn check(self, file: &str, prev: Option<Position>, epoch: Epoch) -> Result<()> {
        let (fits, expected) = match self {
            Seal::Known(expected) => (prev == expected, show(expected)),
            Seal::Unknown => {
                // The first epoch has no other before it, so its header seals nothing.
                let before = prev.map(|prev| prev.epoch.0);
                let expected = epoch.0.checked_sub(1).filter(|before| *before > 0);
                (before == expected, format!("epoch {}", epoch.0 - 1))
            }
        };
        if fits {
            return Ok(());
        }
        let found = show(prev);
        let reason = format!("the header seals {found}, but what lies before it is {expected}");
        Err(Error::Corrupt {
            file: file.to_owned(),
            offset: 0,
            reason,
        })
    }
}

/// A position, or its absence, for a message.
fn show(position: Option<Position>) -> String {
    position.map_or_else(|| "nothing".to_owned(), |position| position.to_string())
}
