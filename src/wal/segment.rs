//! A segment that is open for reading.

use crate::error::{Error, Result};
use crate::names;
use crate::position::Epoch;
use crate::storage::{Access, Storage, StorageFile};
use crate::window::read_exact;

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

    /// The bytes from `start` to `end`, by one read of a piece that fits into memory.
    pub(crate) fn read(&self, start: u64, end: u64) -> Result<Vec<u8>> {
        let length =
            usize::try_from(end - start).expect("a few times the limit of a batch at most");
        let mut bytes = vec![0; length];
        read_exact(&*self.file, &self.name, &mut bytes, start)?;
        Ok(bytes)
    }
}
