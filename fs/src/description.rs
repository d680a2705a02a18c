//! An open file of a simulated disk: what the system calls an open file description, which clones of a
//! `File` share.

use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver_storage::{FileKind, Stat, Storage, StorageFile, StorageLock};

use crate::errors::{not_opened_for_this, numbered, plain, unsupported};
use crate::mount::Mount;

#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) mount: Arc<Mount>,
    pub(crate) node: OpenedNode,
    pub(crate) flags: Flags,
    /// Where the next read or write is. It is held during a call, as the system does: of two writers one
    /// comes after the other.
    pub(crate) offset: Mutex<u64>,
}

/// What was opened.
#[derive(Debug)]
pub(crate) enum OpenedNode {
    File(Box<dyn StorageFile>),
    Directory {
        directory: Arc<dyn Storage>,
        /// Held by this description.
        lock: Mutex<Option<Box<dyn StorageLock>>>,
    },
}

impl OpenedNode {
    pub(crate) fn directory(directory: Arc<dyn Storage>) -> Self {
        let lock = Mutex::new(None);
        OpenedNode::Directory { directory, lock }
    }
}

/// What it was opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) append: bool,
    pub(crate) synced: Option<SyncedWrites>,
}

/// What every write is followed by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SyncedWrites {
    /// `O_DSYNC`.
    Data,
    /// `O_SYNC`.
    All,
}

impl Description {
    fn file(&self) -> io::Result<&dyn StorageFile> {
        self.mount.check()?;
        match &self.node {
            OpenedNode::File(file) => Ok(&**file),
            OpenedNode::Directory { .. } => Err(plain(io::ErrorKind::IsADirectory)),
        }
    }

    fn readable(&self) -> io::Result<&dyn StorageFile> {
        match self.flags.read {
            true => self.file(),
            false => Err(not_opened_for_this()),
        }
    }

    fn writable(&self) -> io::Result<&dyn StorageFile> {
        match self.flags.write {
            true => self.file(),
            false => Err(not_opened_for_this()),
        }
    }

    pub(crate) fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        check_offset(offset)?;
        self.readable()?.read_at(buf, offset).map_err(numbered)
    }

    /// In append mode the bytes go to the end, whatever the offset: so does Linux.
    pub(crate) fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        check_offset(offset)?;
        self.put(buf, offset).map(|(_, count)| count)
    }

    /// Writes, and says where.
    fn put(&self, buf: &[u8], offset: u64) -> io::Result<(u64, usize)> {
        let file = self.writable()?;
        let written = match self.flags.append {
            true => file.append(buf),
            false => file.write_at(buf, offset).map(|count| (offset, count)),
        };
        let (start, count) = written.map_err(numbered)?;
        let synced = match self.flags.synced.filter(|_| count > 0) {
            None => Ok(()),
            Some(SyncedWrites::Data) => file.sync_data(),
            Some(SyncedWrites::All) => file.sync_all(),
        };
        synced.map_err(numbered)?;
        Ok((start, count))
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        // Std refuses it: no call of the system fails.
        i64::try_from(len).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match self.flags.write {
            true => self.file()?.set_len(len).map_err(numbered),
            // Other than of a write, EINVAL.
            false => Err(plain(io::ErrorKind::InvalidInput)),
        }
    }

    pub(crate) fn allocate(&self, len: u64) -> io::Result<()> {
        self.writable()?.allocate(len).map_err(numbered)
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.sync(|file| file.sync_data())
    }

    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.sync(|file| file.sync_all())
    }

    fn sync(&self, sync: impl FnOnce(&dyn StorageFile) -> io::Result<()>) -> io::Result<()> {
        self.mount.check()?;
        let synced = match &self.node {
            OpenedNode::File(file) => sync(&**file),
            OpenedNode::Directory { directory, .. } => directory.sync_dir(),
        };
        synced.map_err(numbered)
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        self.mount.check()?;
        match &self.node {
            OpenedNode::File(file) => Ok(Stat {
                kind: FileKind::File,
                len: file.len().map_err(numbered)?,
            }),
            OpenedNode::Directory { .. } => Ok(Stat {
                kind: FileKind::Directory,
                len: 0,
            }),
        }
    }

    /// Locks the file, or fails with `WouldBlock`.
    pub(crate) fn lock(&self, shared: bool) -> io::Result<()> {
        self.mount.check()?;
        match &self.node {
            OpenedNode::File(file) => file.lock(shared).map_err(numbered),
            OpenedNode::Directory { .. } if shared => {
                Err(unsupported("a shared lock of a directory"))
            }
            OpenedNode::Directory { directory, lock } => {
                let mut lock = locked(lock);
                if lock.is_none() {
                    *lock = Some(directory.lock().map_err(numbered)?);
                }
                Ok(())
            }
        }
    }

    pub(crate) fn unlock(&self) -> io::Result<()> {
        self.mount.check()?;
        match &self.node {
            OpenedNode::File(file) => file.unlock().map_err(numbered),
            OpenedNode::Directory { lock, .. } => {
                *locked(lock) = None;
                Ok(())
            }
        }
    }
}

impl Read for &Description {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut offset = locked(&self.offset);
        let count = self.readable()?.read_at(buf, *offset);
        let count = count.map_err(numbered)?;
        *offset += count as u64;
        Ok(count)
    }
}

impl Write for &Description {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut offset = locked(&self.offset);
        let (start, count) = self.put(buf, *offset)?;
        // Nothing written moves nothing, wherever the end is.
        if count > 0 {
            *offset = start + count as u64;
        }
        Ok(count)
    }

    /// One call, as writev(2) is: what it writes is in the file in one piece.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes = bufs.iter().flat_map(|buf| buf.iter().copied());
        self.write(&bytes.collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &Description {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let file = self.file()?;
        let mut offset = locked(&self.offset);
        let sought = match to {
            SeekFrom::Start(start) => Some(start),
            SeekFrom::Current(by) => offset.checked_add_signed(by),
            SeekFrom::End(by) => file.len().map_err(numbered)?.checked_add_signed(by),
        };
        let sought = sought.ok_or_else(|| plain(io::ErrorKind::InvalidInput))?;
        check_offset(sought)?;
        *offset = sought;
        Ok(sought)
    }
}

/// What is held is whole whatever happened meanwhile.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails where an offset is more than a signed number can say: the system would take it for negative.
fn check_offset(offset: u64) -> io::Result<()> {
    match i64::try_from(offset) {
        Ok(_) => Ok(()),
        Err(_) => Err(plain(io::ErrorKind::InvalidInput)),
    }
}
