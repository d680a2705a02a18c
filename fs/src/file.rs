//! An open file or directory.

use std::fs::{FileTimes, Permissions, TryLockError};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::description::Description;
use crate::errors::{unsupported, would_wait};
use crate::metadata::Metadata;

/// [`std::fs::File`]: `Read`, `Write` and `Seek` for it and for `&File`, and
/// [`std::os::unix::fs::FileExt`].
///
/// On a simulated disk each method is one storage call, unless it says otherwise. It has no file
/// descriptor: what needs one (a memory map, `fadvise`) does not compile.
#[derive(Debug)]
pub struct File(pub(crate) FileHandle);

#[derive(Debug)]
pub(crate) enum FileHandle {
    Real(std::fs::File),
    Simulated(Arc<Description>),
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        File(FileHandle::Real(file))
    }
}

impl File {
    pub(crate) fn simulated(description: Description) -> Self {
        File(FileHandle::Simulated(Arc::new(description)))
    }

    /// [`std::fs::File::sync_all`]. Of a directory it is a sync of its names.
    ///
    /// # Errors
    ///
    /// Those of fsync(2).
    pub fn sync_all(&self) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.sync_all(),
            FileHandle::Simulated(file) => file.sync_all(),
        }
    }

    /// [`std::fs::File::sync_data`]. Of a directory it is a sync of its names.
    ///
    /// # Errors
    ///
    /// Those of fdatasync(2).
    pub fn sync_data(&self) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.sync_data(),
            FileHandle::Simulated(file) => file.sync_data(),
        }
    }

    /// [`std::fs::File::set_len`].
    ///
    /// # Errors
    ///
    /// Those of ftruncate(2).
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.set_len(size),
            FileHandle::Simulated(file) => file.set_len(size),
        }
    }

    /// [`std::fs::File::metadata`]. Of a directory it is no storage call.
    ///
    /// # Errors
    ///
    /// Those of fstat(2).
    pub fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            FileHandle::Real(file) => file.metadata().map(Metadata::from),
            FileHandle::Simulated(file) => file.stat().map(Metadata::from),
        }
    }

    /// [`std::fs::File::try_clone`]: both have one place where they read and write. No storage call.
    ///
    /// # Errors
    ///
    /// Those of dup(2).
    pub fn try_clone(&self) -> io::Result<File> {
        match &self.0 {
            FileHandle::Real(file) => file.try_clone().map(File::from),
            FileHandle::Simulated(file) => {
                file.mount.check()?;
                Ok(File(FileHandle::Simulated(Arc::clone(file))))
            }
        }
    }

    /// [`std::fs::File::set_permissions`]. On a simulated disk no modes are kept.
    ///
    /// # Errors
    ///
    /// Those of fchmod(2); `Unsupported` on a simulated disk if the file may not be written any more.
    pub fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.set_permissions(perm),
            FileHandle::Simulated(file) => file.mount.check().and_then(|()| check_mode(&perm)),
        }
    }

    /// [`std::fs::File::set_times`].
    ///
    /// # Errors
    ///
    /// Those of futimens(2); `Unsupported` on a simulated disk.
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.set_times(times),
            FileHandle::Simulated(_) => Err(unsupported("File::set_times")),
        }
    }

    /// [`std::fs::File::set_modified`].
    ///
    /// # Errors
    ///
    /// Those of futimens(2); `Unsupported` on a simulated disk.
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.set_modified(time),
            FileHandle::Simulated(_) => Err(unsupported("File::set_modified")),
        }
    }
}

/// Locks, as [`std::fs::File`] has them: for the open file, given back when its last clone is dropped.
/// [`unlock`](File::unlock) is no storage call.
impl File {
    /// [`std::fs::File::lock`].
    ///
    /// # Errors
    ///
    /// Those of flock(2). On a simulated disk it never waits: it fails with `Deadlock` where it would.
    pub fn lock(&self) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.lock(),
            FileHandle::Simulated(file) => file.lock(false).map_err(instead_of_waiting),
        }
    }

    /// [`std::fs::File::lock_shared`].
    ///
    /// # Errors
    ///
    /// As [`lock`](File::lock).
    pub fn lock_shared(&self) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.lock_shared(),
            FileHandle::Simulated(file) => file.lock(true).map_err(instead_of_waiting),
        }
    }

    /// [`std::fs::File::try_lock`].
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another holds a lock of the file.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        match &self.0 {
            FileHandle::Real(file) => file.try_lock(),
            FileHandle::Simulated(file) => file.lock(false).map_err(not_locked),
        }
    }

    /// [`std::fs::File::try_lock_shared`].
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another holds the exclusive lock of the file.
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        match &self.0 {
            FileHandle::Real(file) => file.try_lock_shared(),
            FileHandle::Simulated(file) => file.lock(true).map_err(not_locked),
        }
    }

    /// [`std::fs::File::unlock`].
    ///
    /// # Errors
    ///
    /// Those of flock(2).
    pub fn unlock(&self) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => file.unlock(),
            FileHandle::Simulated(file) => file.unlock(),
        }
    }
}

/// What the `FileExt` of the crates `fs2` and `fs4` adds to a file, as methods of its own: those traits
/// know no files but the real ones.
impl File {
    /// `FileExt::lock_exclusive`: [`lock`](File::lock).
    ///
    /// # Errors
    ///
    /// As [`lock`](File::lock).
    pub fn lock_exclusive(&self) -> io::Result<()> {
        self.lock()
    }

    /// `FileExt::try_lock_exclusive`: [`try_lock`](File::try_lock), with an error of `std::io`.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](File::try_lock).
    pub fn try_lock_exclusive(&self) -> io::Result<()> {
        self.try_lock().map_err(io::Error::from)
    }

    /// `FileExt::allocate`: reserves room, so that the file is at least `len` bytes long.
    ///
    /// # Errors
    ///
    /// Those of fallocate(2); `Unsupported` on systems other than Linux.
    pub fn allocate(&self, len: u64) -> io::Result<()> {
        match &self.0 {
            FileHandle::Real(file) => allocate(file, len),
            FileHandle::Simulated(file) => file.allocate(len),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &std::fs::File, len: u64) -> io::Result<()> {
    let flags = rustix::fs::FallocateFlags::empty();
    Ok(rustix::fs::fallocate(file, flags, 0, len)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_file: &std::fs::File, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fails for a mode that a simulated disk would have to keep: one that forbids something.
pub(crate) fn check_mode(perm: &Permissions) -> io::Result<()> {
    match perm.readonly() {
        true => Err(unsupported("set_permissions to read-only")),
        false => Ok(()),
    }
}

fn instead_of_waiting(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => would_wait(),
        _ => error,
    }
}

fn not_locked(error: io::Error) -> TryLockError {
    match error.kind() {
        io::ErrorKind::WouldBlock => TryLockError::WouldBlock,
        _ => TryLockError::Error(error),
    }
}
