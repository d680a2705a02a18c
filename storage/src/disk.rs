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
//! | one owner | `flock` on the file `LOCK`: it leaves with the process, however that ends |
//! | nothing leaves the directory | names are checked, and symbolic links are not followed |
//!
//! A sync that a signal interrupted is reported as `Interrupted` and, other than in the standard
//! library, not tried again: the error may be the only report of bytes that were not written, and a
//! second call would then return `Ok`.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::name::{LOCK_NAME, check_name};
use super::{Access, Storage, StorageFile, StorageLock};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A directory of real files.
///
/// The trait's promises hold as far as the file system and the device keep theirs: what `fdatasync`
/// and `fsync` reported as written must survive a power cut.
#[derive(Debug)]
pub struct DiskStorage {
    directory: File,
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
        let path = path.as_ref();
        Ok(DiskStorage {
            directory: open_or_make_directory(path)?,
            access: Access::Write,
        })
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
        let path = path.as_ref();
        Ok(DiskStorage {
            directory: open_directory(path)?,
            access: Access::Read,
        })
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(refused("the storage was opened for inspection only")),
        }
    }

    fn is_directory(&self, name: &str) -> io::Result<bool> {
        let stat = sys::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }
}

impl Storage for DiskStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        check_name(name)?;
        self.check_writable()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = open_at(&self.directory, name, flags)?;
        let access = Access::Write;
        Ok(Box::new(DiskFile { file, access }))
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
        let file = open_at(&self.directory, name, flags | OFlags::NONBLOCK)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        if !kind.is_file() {
            let text = format!("{name:?} is not a regular file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Box::new(DiskFile { file, access }))
    }

    /// A symbolic link is listed, although it cannot be opened: a store moved behind links must be
    /// refused, not taken for an empty one. Names that are not UTF-8 are left out: no store ever made
    /// one, and the lossy form of such a name could be the name of another file.
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in sys::Dir::read_from(&self.directory)? {
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
                    let stat = sys::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                kind => kind,
            };
            if matches!(kind, FileType::RegularFile | FileType::Symlink) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.check_writable()?;
        if self.is_directory(from)? {
            return Err(Errno::ISDIR.into());
        }
        sys::renameat(&self.directory, from, &self.directory, to)?;
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.check_writable()?;
        sys::unlinkat(&self.directory, name, AtFlags::empty())?;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.check_writable()?;
        sync_directory(&self.directory)
    }

    /// Makes the file `LOCK` if it is missing and never removes it: removing it would let a third
    /// process lock the new file while a second one still waits for, or holds, the old one.
    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.check_writable()?;
        let file = open_at(&self.directory, LOCK_NAME, OFlags::RDWR | OFlags::CREATE)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DiskLock { file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// One open file. It remembers what it was opened for, so that the refusal of a write has the same
/// kind everywhere.
#[derive(Debug)]
struct DiskFile {
    file: File,
    access: Access,
}

impl DiskFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(refused("the file was opened for reading")),
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
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        if len == 0 {
            return Ok(());
        }
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
        sync_data(&self.file)
    }

    fn drop_cache(&self) -> io::Result<()> {
        drop_cache(&self.file)
    }
}

/// The lock lives as long as this file is open in any process. It is closed on `exec`, so a program
/// that is started does not keep it.
#[derive(Debug)]
struct DiskLock {
    file: File,
}

impl StorageLock for DiskLock {}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // Closing alone would not give it back while a thread starts a process: until its `exec`,
        // that has a copy of the file. If this fails, closing is what remains.
        let _ = self.file.unlock();
    }
}

fn refused(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn open_at(directory: &File, name: &str, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    let file = sys::openat(directory, name, flags, mode)?;
    Ok(File::from(file))
}

fn open_directory(path: &Path) -> io::Result<File> {
    let directory = sys::open(path, DIRECTORY, Mode::empty())?;
    Ok(File::from(directory))
}

/// Opens `path`, or makes it and what is missing above it; see [`DiskStorage::open`] for what is
/// synced.
fn open_or_make_directory(path: &Path) -> io::Result<File> {
    let missing = match open_directory(path) {
        Ok(directory) => {
            sync_in_parent(&directory)?;
            return Ok(directory);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        Err(error) => return Err(error),
    };
    // A path without a last name, like the empty one or `missing/..`, cannot be made.
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(missing);
    };
    let parent = match parent.as_os_str().is_empty() {
        true => open_or_make_directory(Path::new("."))?,
        false => open_or_make_directory(parent)?,
    };
    match sys::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
        // Another process was faster; it may not have synced it yet.
        Ok(()) | Err(Errno::EXIST) => sync_directory(&parent)?,
        Err(error) => return Err(error.into()),
    }
    let directory = sys::openat(&parent, name, DIRECTORY, Mode::empty())?;
    Ok(File::from(directory))
}

/// Makes the name of a directory that is there already durable.
fn sync_in_parent(directory: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let parent = match sys::openat(directory, "..", DIRECTORY, Mode::empty()) {
        Ok(parent) => File::from(parent),
        Err(Errno::ACCESS | Errno::PERM) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if parent.metadata()?.dev() != directory.metadata()?.dev() {
        return Ok(());
    }
    sync_directory(&parent)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_directory(directory: &File) -> io::Result<()> {
    sys::fsync(directory)?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_directory(directory: &File) -> io::Result<()> {
    directory.sync_all()
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
