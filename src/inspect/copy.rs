//! Writing a copy of a store into a new directory.

use std::sync::Arc;

use crate::directory::{self, LockedDirectory};
use crate::error::{Error, Result};
use crate::names;
use crate::position::Epoch;
use crate::snapshot;
use crate::storage::{Storage, StorageFile, write_all};

/// How many bytes are gathered before they are written.
const PIECE: usize = 1 << 20;

/// A directory that was empty and is filled with a copy. Locked meanwhile.
#[derive(Debug)]
pub(super) struct CopyDirectory(LockedDirectory);

impl CopyDirectory {
    /// Takes `storage`, which must be empty: nothing is ever overwritten.
    pub(super) fn new(storage: Arc<dyn Storage>) -> Result<Self> {
        let directory = LockedDirectory::lock(storage)?;
        let listing = &directory.listing;
        let snapshots = listing.snapshots.iter().copied().map(names::snapshot);
        let segments = listing.segments.iter().copied().map(names::segment);
        let others = listing.temporaries.iter().chain(&listing.strays).cloned();
        match snapshots.chain(segments).chain(others).next() {
            None => Ok(CopyDirectory(directory)),
            Some(name) => Err(Error::Refused {
                reason: format!("the directory for the copy is not empty: there is {name}"),
            }),
        }
    }

    /// Starts a file, which gets its name when it is whole.
    pub(super) fn file(&self, name: &str) -> Result<CopiedFile<'_>> {
        let storage = &*self.0.storage;
        let temporary = names::temporary(name);
        let file = storage.create(&temporary);
        let file = file.map_err(|error| Error::storage("create", &temporary, error))?;
        Ok(CopiedFile {
            storage,
            name: name.to_owned(),
            temporary,
            file,
            offset: 0,
            pending: Vec::new(),
        })
    }

    /// Copies a whole snapshot, from the bytes that were verified. Returns its name.
    pub(super) fn copy_snapshot(&self, from: &dyn Storage, epoch: Epoch) -> Result<String> {
        // Encoded anew from what was verified, never copied by a second read.
        let snapshot = snapshot::read(from, epoch)?.map_err(|damaged| damaged.error)?;
        let document = snapshot::encode(snapshot.position, |out| {
            out.extend_from_slice(snapshot.state());
        });
        snapshot::write(&*self.0.storage, snapshot.position, &document)?;
        Ok(names::snapshot(epoch))
    }

    /// Makes the names durable.
    pub(super) fn finish(self) -> Result<()> {
        directory::sync(&*self.0.storage)
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct CopiedFile<'s> {
    storage: &'s dyn Storage,
    name: String,
    temporary: String,
    file: Box<dyn StorageFile>,
    offset: u64,
    pending: Vec<u8>,
}

impl CopiedFile<'_> {
    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        // One call for many lines: a copy is synced once, at its end.
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PIECE {
            Ok(())
        } else {
            self.write()
        }
    }

    fn write(&mut self) -> Result<()> {
        write_all(&*self.file, &self.pending, self.offset)
            .map_err(|error| Error::storage("write_at", &self.temporary, error))?;
        self.offset += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Content before name.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write()?;
        self.file
            .sync_data()
            .map_err(|error| Error::storage("sync_data", &self.temporary, error))?;
        self.storage
            .rename(&self.temporary, &self.name)
            .map_err(|error| Error::storage("rename", &self.name, error))
    }
}
