//! A segment that is open for reading.

use crate::error::{Error, Result};
use crate::names;
use crate::position::Epoch;
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
}
