//! Who may change the files of a directory: the process that opened it, as long as the lock that it
//! took is still the lock of the directory.
//!
//! Two things are locked, each with `flock`, which leaves with the process:
//!
//! | locked | why |
//! | --- | --- |
//! | the directory itself | no name leads to it that somebody could remove or replace: a second opener is refused whatever became of `LOCK`, and through a bind mount too |
//! | the file `LOCK` in it | versions of this library before this one know no other lock |
//!
//! `LOCK` can be removed, and then such an older version gets in. So every call that changes
//! something looks first, and every sync looks before it answers, whether the name still leads to
//! the file that was locked. If it does not, the call is refused, and so is every later one: what
//! this process writes could meet what another one writes.
//!
//! A descriptor that `fork` has duplicated is the same open file, and a lock belongs to the open
//! file. So a child that drops its copy of a store would give back its parent's lock. The number of
//! the process tells them apart: only the process that took a lock gives it back, and a process that
//! did not open the directory changes nothing in it. It is asked for on each call: a system call
//! that does nothing is lost beside one that writes, and what else there is (a handler at `fork`, a
//! page that is wiped) needs code that the compiler does not check.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::fs::{self as sys, AtFlags, OFlags, Stat};
use rustix::io::Errno;

use super::StorageLock;
use super::descriptor;
use super::name::LOCK_NAME;

/// An open directory, the process that opened it, and the lock that it holds.
#[derive(Debug)]
pub(super) struct OwnedDirectory {
    directory: File,
    process: u32,
    /// What `LOCK` was when it was locked; nothing while this handle holds no lock.
    locked: RwLock<Option<Stat>>,
}

impl OwnedDirectory {
    pub(super) fn new(directory: File) -> Self {
        OwnedDirectory {
            directory,
            process: std::process::id(),
            locked: RwLock::new(None),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.directory
    }

    /// Refuses in a process that did not open the directory, and when the lock is no longer that of
    /// the directory.
    pub(super) fn check(&self) -> io::Result<()> {
        self.check_process()?;
        let locked = self.locked.read().unwrap_or_else(PoisonError::into_inner);
        match &*locked {
            Some(locked) if !self.is_lock_file(locked)? => {
                let text = "the file LOCK was removed or replaced since it was locked: another \
                            process may own the directory";
                Err(io::Error::new(ErrorKind::ResourceBusy, text))
            }
            _ => Ok(()),
        }
    }

    fn is_own_process(&self) -> bool {
        self.process == std::process::id()
    }

    fn check_process(&self) -> io::Result<()> {
        if self.is_own_process() {
            return Ok(());
        }
        let text = "the directory was opened by the process that this one was forked from; open it \
                    again";
        Err(io::Error::new(ErrorKind::PermissionDenied, text))
    }

    fn is_lock_file(&self, file: &Stat) -> io::Result<bool> {
        match sys::statat(&self.directory, LOCK_NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(found.st_ino == file.st_ino && found.st_dev == file.st_dev),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the lock. Makes the file `LOCK` if it is missing and never removes it: removing it
    /// would let a third process lock the new file while a second one still waits for, or holds,
    /// the old one.
    pub(super) fn lock(self: &Arc<Self>) -> io::Result<DirectoryLock> {
        self.check_process()?;
        // A descriptor of its own, because a lock belongs to the open file and this one is shared.
        let directory = descriptor::open_directory(&self.directory, ".")?;
        let of_directory = match try_lock(&directory) {
            Ok(()) => Some(directory),
            Err(error) if has_no_directory_locks(&error) => None,
            Err(error) => return Err(error),
        };
        let flags = OFlags::RDWR | OFlags::CREATE;
        let file = descriptor::open_file(&self.directory, LOCK_NAME, flags)?;
        try_lock(&file)?;
        let locked = sys::fstat(&file)?;
        if !self.is_lock_file(&locked)? {
            // Somebody has replaced it between the two calls, and may hold the new one.
            return Err(ErrorKind::WouldBlock.into());
        }
        *self.locked.write().unwrap_or_else(PoisonError::into_inner) = Some(locked);
        Ok(DirectoryLock {
            owner: Arc::clone(self),
            files: [Some(file), of_directory],
        })
    }
}

fn try_lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })
}

/// Network file systems that keep `flock` as a lock for writing cannot keep one of a directory.
/// There the file alone is locked.
fn has_no_directory_locks(error: &io::Error) -> bool {
    let number = Errno::from_io_error(error);
    matches!(
        number,
        Some(Errno::BADF | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)
    )
}

/// The locks live as long as their files are open in any process. These are closed on `exec`, so a
/// program that is started does not keep them.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    owner: Arc<OwnedDirectory>,
    files: [Option<File>; 2],
}

impl StorageLock for DirectoryLock {}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // In a fork these are the parent's locks, and closing its copies takes nothing away.
        if !self.owner.is_own_process() {
            return;
        }
        let mut locked = self
            .owner
            .locked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *locked = None;
        for file in self.files.iter().flatten() {
            // Closing alone would not give it back while a thread starts a process: until its
            // `exec`, that has a copy of the file. If this fails, closing is what remains.
            let _ = file.unlock();
        }
    }
}
