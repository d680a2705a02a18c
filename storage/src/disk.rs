//! A [`Storage`] on real files.
//!
//! Every call goes through one handle of the directory (`openat` and its kin), taken when the
//! storage is opened: a later change of the working directory, or of the directory's own path,
//! changes nothing.
//!
//! | promise | how |
//! | --- | --- |
//! | content is durable | `fdatasync` |
//! | names are durable | `fsync` of the directory |
//! | the directory is durable | each one that is made is synced in its parent before it is used |
//! | one owner | `flock` on the directory and on the file `LOCK`: it leaves with the process, however that ends, and a lock that is lost is noticed before the next answer |
//! | nothing leaves the directory | names are checked, and symbolic links are not followed |
//!
//! A sync that a signal interrupted is reported as `Interrupted` and, other than in the standard
//! library, not tried again: the error may be the only report of bytes that were not written, and a
//! second call would then return `Ok`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self as sys, AtFlags, FileType, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::descriptor::{open_directory, open_file};
use super::directory;
use super::name::{LOCK_NAME, check_name};
use super::owned_directory::OwnedDirectory;
use super::{Access, Storage, StorageFile, StorageLock};

/// A directory of real files.
///
/// The trait's promises hold as far as the file system and the device keep theirs: what `fdatasync`
/// and `fsync` reported as written must survive a power cut.
#[derive(Debug)]
pub struct DiskStorage {
    directory: Arc<OwnedDirectory>,
    access: Access,
}

impl DiskStorage {
    /// Opens the directory `path` for reading and writing, and makes it where it is missing, with
    /// its missing parents.
    ///
    /// Every directory that is made is synced in its parent before the next one is made inside it.
    /// The parent of the deepest one that is there already is synced too, because a process that
    /// was killed may have made it and not synced it. So, when this returns `Ok`, a power cut
    /// cannot take the directory away. Two cases are left out, in which it was there before and
    /// its durability is not ours to ensure: its parent lies on another file system (it is a mount point),
    /// or its parent may not be read.
    ///
    /// No file is made or changed, and no lock is taken.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotADirectory`, `PermissionDenied`, `ReadOnlyFilesystem`,
    /// `StorageFull` …
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory::open_or_make(path.as_ref())?;
        Ok(DiskStorage::new(directory, Access::Write))
    }

    /// Opens the directory `path` for inspection: reading only. Never makes or changes anything,
    /// and needs no permission to write.
    ///
    /// Every call that would change something (`create`, `rename`, `remove`, `sync_dir`, `lock`,
    /// and `open` for writing) is refused with `PermissionDenied`. A store that another process
    /// owns may be inspected.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such directory, `NotADirectory`, `PermissionDenied` and others of
    /// the operating system.
    pub fn open_existing(path: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory::open(path.as_ref())?;
        Ok(DiskStorage::new(directory, Access::Read))
    }

    fn new(directory: File, access: Access) -> Self {
        let directory = Arc::new(OwnedDirectory::new(directory));
        DiskStorage { directory, access }
    }

    fn check_opened_for_writing(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(refused("the storage was opened for inspection only")),
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        self.check_opened_for_writing()?;
        self.directory.check()
    }

    fn file(&self, file: File, access: Access) -> Box<dyn StorageFile> {
        let directory = Arc::clone(&self.directory);
        Box::new(DiskFile {
            file,
            access,
            directory,
        })
    }

    fn is_directory(&self, name: &str) -> io::Result<bool> {
        let directory = self.directory.file();
        let stat = sys::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }
}

impl Storage for DiskStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        check_name(name)?;
        self.check_writable()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = open_file(self.directory.file(), name, flags)?;
        Ok(self.file(file, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        check_name(name)?;
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        if access == Access::Write {
            self.check_writable()?;
        }
        // Without NONBLOCK, opening a named pipe would wait for its other end. On regular files it
        // means nothing.
        let file = open_file(self.directory.file(), name, flags | OFlags::NONBLOCK)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        if !kind.is_file() {
            let text = format!("{name:?} is not a regular file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self.file(file, access))
    }

    /// A symbolic link is listed, although it cannot be opened: a store whose files became links must be
    /// refused, not taken for an empty one. Names that are not UTF-8 are left out: no store ever made
    /// one, and the lossy form of such a name could be the name of another file.
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        // A descriptor of its own: the place in a directory belongs to the open file.
        let directory = open_directory(self.directory.file(), ".")?;
        for entry in sys::Dir::new(directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | ".." | LOCK_NAME) {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not say it in the directory.
                FileType::Unknown => {
                    let directory = self.directory.file();
                    let stat = sys::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                kind => kind,
            };
            if matches!(kind, FileType::RegularFile | FileType::Symlink) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        // ext4 with `fast_commit` can list a name twice after a crash.
        names.dedup();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.check_writable()?;
        if self.is_directory(from)? {
            return Err(Errno::ISDIR.into());
        }
        sys::renameat(self.directory.file(), from, self.directory.file(), to)?;
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.check_writable()?;
        sys::unlinkat(self.directory.file(), name, AtFlags::empty())?;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.check_opened_for_writing()?;
        directory::sync(self.directory.file())?;
        // Before the answer: it vouches for names that another process may have changed.
        self.directory.check()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.check_opened_for_writing()?;
        Ok(Box::new(self.directory.lock()?))
    }
}

/// One open file. It remembers what it was opened for, so that the refusal of a write has the same
/// kind everywhere.
#[derive(Debug)]
struct DiskFile {
    file: File,
    access: Access,
    directory: Arc<OwnedDirectory>,
}

impl DiskFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => self.directory.check(),
            Access::Read => Err(refused("the file was opened for reading")),
        }
    }

    /// Cutting a file that is larger than files may be is allowed.
    fn check_may_grow(&self, len: u64) -> io::Result<()> {
        match check_size_limit(len) {
            Err(_) if self.len()? >= len => Ok(()),
            checked => checked,
        }
    }
}

impl StorageFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        if !buf.is_empty() {
            check_size_limit(offset.saturating_add(1))?;
        }
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.check_may_grow(len)?;
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        if len == 0 {
            return Ok(());
        }
        self.check_may_grow(len)?;
        let before = self.len()?;
        let result = allocate(&self.file, len);
        // ext4 keeps what it could reserve before it ran out of room: the whole rest of the disk,
        // which nothing else could use then. If giving it back fails too, the first error matters.
        if result.is_err() && self.len().is_ok_and(|after| after > before) {
            let _ = self.set_len(before);
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        sync_data(&self.file)?;
        // Before the answer: it vouches for bytes that another process may have overwritten.
        self.directory.check()
    }

    fn drop_cache(&self) -> io::Result<()> {
        drop_cache(&self.file)
    }
}

/// Refuses a file of `len` bytes that is larger than the process may make one (`RLIMIT_FSIZE`). The
/// system would refuse it too, and send `SIGXFSZ`, which ends the process where it is not handled.
fn check_size_limit(len: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Fsize).current;
    match limit.is_some_and(|limit| len > limit) {
        true => Err(Errno::FBIG.into()),
        false => Ok(()),
    }
}

fn refused(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_data(file: &File) -> io::Result<()> {
    sys::fdatasync(file)?;
    Ok(())
}

/// The standard library knows what a system without a plain `fdatasync` needs (on macOS,
/// `F_FULLFSYNC`).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn drop_cache(file: &File) -> io::Result<()> {
    sys::fadvise(file, 0, None, sys::Advice::DontNeed)?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn drop_cache(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    let flags = sys::FallocateFlags::empty();
    // Reserving the same range again is harmless, so an interrupted call may be repeated.
    match rustix::io::retry_on_intr(|| sys::fallocate(file, flags, 0, len)) {
        Ok(()) => Ok(()),
        // A file system without preallocation, or a kernel without the call.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_file: &File, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
