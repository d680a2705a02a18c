//! The `Env` of rusty-leveldb on a storage.
//!
//! `Env` has no sync, for files or for directories. `DB::flush` is said to make everything be "stored on disk" and calls
//! `Write::flush` of a file, so that is where a file is synced here; names are made durable where they change.

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver_storage::{Access, Storage, StorageFile};
use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{Result, Status, StatusCode};

/// A directory of a database; `flush` syncs.
pub struct Disk(pub Arc<dyn Storage>);

struct At(Box<dyn StorageFile>);

/// A file that is read or written from a place on.
struct From {
    file: Box<dyn StorageFile>,
    place: u64,
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
        self.file.sync_data()
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
        match self.0.open(name, Access::Write) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let file = self.0.create(name)?;
                self.0.sync_dir()?;
                Ok(file)
            }
            opened => Ok(opened?),
        }
    }
}

impl Env for Disk {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        let file = self.0.open(name(path)?, Access::Read)?;
        Ok(Box::new(From { file, place: 0 }))
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        Ok(Box::new(At(self.0.open(name(path)?, Access::Read)?)))
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let file = self.open(path)?;
        file.set_len(0)?;
        Ok(Box::new(From { file, place: 0 }))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        let file = self.open(path)?;
        let place = file.len()?;
        Ok(Box::new(From { file, place }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match self.0.open(name(path)?, Access::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            opened => Ok(opened.map(|_| true)?),
        }
    }

    fn children(&self, _: &Path) -> Result<Vec<PathBuf>> {
        Ok(self.0.list()?.into_iter().map(PathBuf::from).collect())
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        let len = self.0.open(name(path)?, Access::Read)?.len()?;
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn delete(&self, path: &Path) -> Result<()> {
        Ok(self.0.remove(name(path)?)?)
    }

    fn mkdir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn rmdir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.rename(name(from)?, name(to)?)?;
        Ok(self.0.sync_dir()?)
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
