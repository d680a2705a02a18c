//! The `Env` of rusty-leveldb on a storage.
//!
//! `Env` has no sync, for files or for directories. `DB::flush` says that it makes sure that everything is "stored on disk", and
//! calls `Write::flush` of a file: see [`Flush`].

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver_storage::{Access, Storage, StorageFile};
use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{Result, Status, StatusCode};

/// What `flush` of a file does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flush {
    /// It syncs the file, and names are made durable where they change: what an `Env` can do at best.
    Syncs,
    /// Nothing: the `PosixDiskEnv` of rusty-leveldb gives out `std::fs::File`, whose `flush` is that.
    DoesNothing,
}

/// A directory of a database.
pub(crate) struct Disk {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) flush: Flush,
}

struct At(Box<dyn StorageFile>);

/// A file that is read or written from a place on.
struct From {
    file: Box<dyn StorageFile>,
    place: u64,
    flush: Flush,
}

impl RandomAccess for At {
    fn read_at(&self, offset: usize, out: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < out.len() {
            match self.0.read_at(&mut out[done..], (offset + done) as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}

impl Read for From {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.place)?;
        self.place += read as u64;
        Ok(read)
    }
}

impl Write for From {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.place)?;
        self.place += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.flush {
            Flush::Syncs => self.file.sync_data(),
            Flush::DoesNothing => Ok(()),
        }
    }
}

fn name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| Status::new(StatusCode::InvalidArgument, "a path without a name"))
}

impl Disk {
    /// For writing, made where it is not there.
    fn open(&self, path: &Path) -> Result<Box<dyn StorageFile>> {
        let name = name(path)?;
        match self.storage.open(name, Access::Write) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let file = self.storage.create(name)?;
                self.names_changed()?;
                Ok(file)
            }
            opened => Ok(opened?),
        }
    }

    fn names_changed(&self) -> Result<()> {
        match self.flush {
            Flush::Syncs => Ok(self.storage.sync_dir()?),
            Flush::DoesNothing => Ok(()),
        }
    }

    fn from(&self, file: Box<dyn StorageFile>, place: u64) -> From {
        let flush = self.flush;
        From { file, place, flush }
    }
}

impl Env for Disk {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        let file = self.storage.open(name(path)?, Access::Read)?;
        Ok(Box::new(self.from(file, 0)))
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        Ok(Box::new(At(self
            .storage
            .open(name(path)?, Access::Read)?)))
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let file = self.open(path)?;
        file.set_len(0)?;
        Ok(Box::new(self.from(file, 0)))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let file = self.open(path)?;
        let place = file.len()?;
        Ok(Box::new(self.from(file, place)))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match self.storage.open(name(path)?, Access::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            opened => Ok(opened.map(|_| true)?),
        }
    }

    fn children(&self, _: &Path) -> Result<Vec<PathBuf>> {
        Ok(self
            .storage
            .list()?
            .into_iter()
            .map(PathBuf::from)
            .collect())
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        let len = self.storage.open(name(path)?, Access::Read)?.len()?;
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn delete(&self, path: &Path) -> Result<()> {
        Ok(self.storage.remove(name(path)?)?)
    }

    fn mkdir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn rmdir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.storage.rename(name(from)?, name(to)?)?;
        self.names_changed()
    }

    /// One process has the database.
    fn lock(&self, _: &Path) -> Result<FileLock> {
        Ok(FileLock { id: String::new() })
    }

    fn unlock(&self, _: FileLock) -> Result<()> {
        Ok(())
    }

    fn new_logger(&self, _: &Path) -> Result<Logger> {
        Ok(Logger::new(Box::new(io::sink())))
    }

    fn micros(&self) -> u64 {
        0
    }

    fn sleep_for(&self, _: u32) {}
}
