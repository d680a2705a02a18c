//! The directory of a store, locked: where opening begins.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::names::Listing;
use crate::storage::{Storage, StorageLock};

/// A locked directory and what is in it.
#[derive(Debug)]
pub(crate) struct LockedDirectory {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) lock: Box<dyn StorageLock>,
    pub(crate) listing: Listing,
}

impl LockedDirectory {
    /// Locks the directory of a store, or of one that is to be made.
    ///
    /// # Errors
    /// [`Error::Locked`], and as [`list_store`].
    pub(crate) fn lock_store(storage: Arc<dyn Storage>) -> Result<Self> {
        let directory = Self::lock(storage)?;
        directory.listing.check_finished()?;
        Ok(directory)
    }

    /// Takes the lock, then looks at the names: no other process changes them any more.
    pub(crate) fn lock(storage: Arc<dyn Storage>) -> Result<Self> {
        let lock = storage.lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked,
            _ => Error::storage("lock", ".", error),
        })?;
        let listing = list(&*storage)?;
        Ok(LockedDirectory {
            storage,
            lock,
            listing,
        })
    }
}

/// The names of a store, which another process may own.
///
/// # Errors
/// [`Error::Storage`]; [`Error::Refused`] for a copy that was not finished.
pub(crate) fn list_store(storage: &dyn Storage) -> Result<Listing> {
    let listing = list(storage)?;
    listing.check_finished()?;
    Ok(listing)
}

/// The names in a directory, which another process may own.
pub(crate) fn list(storage: &dyn Storage) -> Result<Listing> {
    storage
        .list()
        .map(Listing::of)
        .map_err(|error| Error::storage("list", ".", error))
}

/// Removes a name; that it is not there is as good.
pub(crate) fn remove(storage: &dyn Storage, name: &str) -> Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::storage("remove", name, error))
        }
        _ => Ok(()),
    }
}

/// Makes the names of the directory durable.
pub(crate) fn sync(storage: &dyn Storage) -> Result<()> {
    storage
        .sync_dir()
        .map_err(|error| Error::storage("sync_dir", ".", error))
}
