//! An open file as SQLite's own `os_unix.c` has it, each call the storage calls that its system calls would be.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use beaver_storage::{Access, Storage, StorageFile, write_all};
use rusqlite::ffi;

use crate::vfs::seed_randomness;

/// What the device is said to do: `SQLITE_IOCAP_…`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device(pub i32);

impl Device {
    /// What `os_unix.c` says of every disk.
    pub const UNIX: Device = Device(ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE);

    /// The same, and one thing more.
    #[must_use]
    pub const fn and(self, flag: i32) -> Self {
        Device(self.0 | flag)
    }
}

/// The disk that a VFS leads to.
#[derive(Debug)]
pub(crate) struct Disk {
    storage: Arc<dyn Storage>,
    device: Device,
    /// A hash of everything that was read. SQLite's random numbers come from it: they are the same when a run is repeated, and
    /// others when a database is opened once more, because what tells an old log from a new one is a random number.
    read: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct File {
    disk: Arc<Disk>,
    name: String,
    file: Box<dyn StorageFile>,
    /// A journal that may be new: its first sync makes its name durable too.
    syncs_directory: bool,
    is_removed_when_closed: bool,
}

/// A result code of SQLite.
type Code = i32;

/// A full disk has a code of its own; any other error has the one that says what failed.
fn code(result: io::Result<()>, failed: Code) -> Code {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) if error.kind() == ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => failed,
    }
}

impl Disk {
    pub(crate) fn new(storage: Arc<dyn Storage>, device: Device) -> Self {
        let disk = Disk {
            storage,
            device,
            read: AtomicU64::new(0),
        };
        disk.have_read(&[]);
        disk
    }

    fn have_read(&self, bytes: &[u8]) {
        let mut hash = self.read.load(Ordering::Relaxed) + 1;
        for word in bytes.chunks(8) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(whole))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        // Room for the one that is added.
        self.read.store(hash >> 1, Ordering::Relaxed);
        seed_randomness((hash >> 33) as i32 | 1);
    }

    pub(crate) fn open(self: &Arc<Self>, name: &str, flags: i32) -> Result<File, Code> {
        let access = match flags & ffi::SQLITE_OPEN_READWRITE {
            0 => Access::Read,
            _ => Access::Write,
        };
        let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
        let file = match self.storage.open(name, access) {
            Err(error) if creates && error.kind() == ErrorKind::NotFound => {
                self.storage.create(name)
            }
            opened => opened,
        };
        let journals =
            ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        Ok(File {
            disk: self.clone(),
            name: name.to_owned(),
            file: file.map_err(|_| ffi::SQLITE_CANTOPEN)?,
            syncs_directory: creates && flags & journals != 0,
            is_removed_when_closed: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
        })
    }

    pub(crate) fn remove(&self, name: &str, syncs_directory: bool) -> Code {
        match self.storage.remove(name) {
            Ok(()) if syncs_directory => code(self.storage.sync_dir(), ffi::SQLITE_IOERR_DIR_FSYNC),
            Ok(()) => ffi::SQLITE_OK,
            Err(error) if error.kind() == ErrorKind::NotFound => ffi::SQLITE_IOERR_DELETE_NOENT,
            Err(_) => ffi::SQLITE_IOERR_DELETE,
        }
    }

    /// Whether there is such a file; an empty one is none where that is asked.
    pub(crate) fn has(&self, name: &str, even_if_empty: bool) -> Result<bool, Code> {
        let len = self.storage.open(name, Access::Read);
        match len.and_then(|file| file.len()) {
            Ok(len) => Ok(even_if_empty || len > 0),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(_) => Err(ffi::SQLITE_IOERR_ACCESS),
        }
    }
}

impl File {
    /// What is after the end reads as zeros, and the code says so.
    pub(crate) fn read(&self, out: &mut [u8], at: u64) -> Code {
        let code = self.read_whole(out, at);
        self.disk.have_read(out);
        code
    }

    fn read_whole(&self, out: &mut [u8], at: u64) -> Code {
        let mut done = 0;
        while done < out.len() {
            match self.file.read_at(&mut out[done..], at + done as u64) {
                Ok(0) => {
                    out[done..].fill(0);
                    return ffi::SQLITE_IOERR_SHORT_READ;
                }
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return ffi::SQLITE_IOERR_READ,
            }
        }
        ffi::SQLITE_OK
    }

    pub(crate) fn write(&self, bytes: &[u8], at: u64) -> Code {
        code(write_all(&*self.file, bytes, at), ffi::SQLITE_IOERR_WRITE)
    }

    pub(crate) fn truncate(&self, len: u64) -> Code {
        code(self.file.set_len(len), ffi::SQLITE_IOERR_TRUNCATE)
    }

    pub(crate) fn sync(&mut self) -> Code {
        if self.file.sync_data().is_err() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        if self.syncs_directory {
            if self.disk.storage.sync_dir().is_err() {
                return ffi::SQLITE_IOERR_DIR_FSYNC;
            }
            self.syncs_directory = false;
        }
        ffi::SQLITE_OK
    }

    pub(crate) fn size(&self) -> Result<u64, Code> {
        self.file.len().map_err(|_| ffi::SQLITE_IOERR_FSTAT)
    }

    pub(crate) fn device(&self) -> Device {
        self.disk.device
    }

    pub(crate) fn close(self) -> Code {
        if self.is_removed_when_closed {
            // As after `close` on Unix: nobody is told.
            let _ = self.disk.storage.remove(&self.name);
        }
        ffi::SQLITE_OK
    }
}
