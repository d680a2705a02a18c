//! Writing a copy of a store into a new directory.

use crate::directory;
use crate::error::{Error, Result};
use crate::names;
use crate::position::Epoch;
use crate::snapshot;
use crate::storage::{Storage, StorageFile, StorageLock, write_all};

/// How many bytes are gathered before they are written.
const PIECE: usize = 1 << 20;

/// A directory that was empty and is filled with a copy. Locked meanwhile.
#[derive(Debug)]
pub(super) struct CopyDirectory<'s> {
    storage: &'s dyn Storage,
    _lock: Box<dyn StorageLock>,
}

impl<'s> CopyDirectory<'s> {
    /// Takes `storage`, which must be empty: nothing is ever overwritten.
    pub(super) fn new(storage: &'s dyn Storage) -> Result<Self> {
        let lock = storage.lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked,
            _ => Error::storage("lock", ".", error),
        })?;
        let names = storage
            .list()
            .map_err(|error| Error::storage("list", ".", error))?;
        match names.iter().find(|name| *name != names::LOCK) {
            None => Ok(CopyDirectory {
                storage,
                _lock: lock,
            }),
            Some(name) => Err(Error::Refused {
                reason: format!("the directory for the copy is not empty: there is {name}"),
            }),
        }
    }

    /// Starts a file, which gets its name when it is whole.
    pub(super) fn file(&self, name: &str) -> Result<CopiedFile<'_>> {
        let temporary = names::temporary(name);
        let file = self.storage.create(&temporary);
        let file = file.map_err(|error| Error::storage("create", &temporary, error))?;
        let (name, storage) = (name.to_owned(), self.storage);
        Ok(CopiedFile {
            storage,
            name,
            temporary,
            file,
            offset: 0,
            pending: Vec::new(),
        })
    }

    /// Copies a whole snapshot, from the bytes that were verified. Answers with its name.
    pub(super) fn copy_snapshot(&self, from: &dyn Storage, epoch: Epoch) -> Result<String> {
        let snapshot = snapshot::read(from, epoch)?.map_err(|damaged| damaged.error)?;
        let document = snapshot::encode(snapshot.position, |out| {
            out.extend_from_slice(snapshot.state());
        });
        let name = names::snapshot(epoch);
        let mut copy = self.file(&name)?;
        copy.push(&document)?;
        copy.finish()?;
        Ok(name)
    }

    /// Makes the names durable.
    pub(super) fn finish(self) -> Result<()> {
        directory::sync(self.storage)
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
