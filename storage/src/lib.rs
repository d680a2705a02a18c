//! The seam between the library and the disk.
//!
//! A [`Storage`] is one flat directory of files. The library reaches the disk through this trait
//! alone, so that the very same code runs on real files ([`DiskStorage`]) and on an in-memory disk
//! that loses, tears and refuses (the package `beaver-disk`). The traits are object-safe, and held
//! as `Arc<dyn Storage>` and `Box<dyn StorageFile>`: a call through a vtable is nothing beside a
//! system call, and no public type has to carry a storage parameter. A storage that has directories in
//! it is a [`Tree`] too, by paths.
//!
//! What becomes durable, and when:
//!
//! | call | makes durable |
//! | --- | --- |
//! | `write_at`, `append`, `set_len`, `allocate`, `create`, `rename`, `remove` | nothing |
//! | [`StorageFile::sync_data`], [`sync_all`](StorageFile::sync_all) | the content and length of that file; **not** its name |
//! | [`Storage::sync_dir`] | the names of the directory; **not** the content of any file |
//! | [`StorageFile::drop_cache`] | nothing; it lets reads see the disk in place of the cache |
//!
//! Errors are `std::io::Error` with their real kinds (`NotFound`, `AlreadyExists`, `StorageFull`,
//! `Interrupted`, `ReadOnlyFilesystem`, `WouldBlock` …), because what a caller may do next depends
//! on them.

#[cfg(not(unix))]
compile_error!(
    "beaver needs the file semantics of Unix: positioned I/O, directory sync, replacing rename"
);

pub mod contract;
mod descriptor;
mod directory;
mod disk;
mod interposed;
mod interposer;
mod name;
mod op;
mod owned_directory;
mod tree;
mod whole;

pub use disk::DiskStorage;
pub use interposed::interpose;
pub use interposer::{InterposedFile, Interposer};
pub use name::{LOCK_NAME, check_name};
pub use op::Op;
pub use tree::{FileKind, Stat, Tree};
pub use whole::{read_all, write_all};

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only: inspection of a store that another process may own, or that lies on a
    /// read-only mount. The handle refuses `write_at`, `append`, `set_len` and `allocate` with
    /// `PermissionDenied`.
    Read,
    /// Reading and writing.
    Write,
}

/// One flat directory of files.
///
/// Names are plain file names: no separators, no NUL, not empty, not `.` or `..`; anything else is
/// refused with `InvalidInput`, so that nothing leaves the directory ([`check_name`]).
/// [`LOCK_NAME`] is refused too: the lock is not one of the files, and [`list`](Storage::list)
/// leaves it out. All methods take `&self`; callers synchronise what must not interleave.
///
/// # Errors
/// Those of the system call, with their real kinds; a method names those that a caller has to tell
/// apart.
pub trait Storage: Debug + Send + Sync {
    /// Makes a new, empty file and opens it for reading and writing. Fails with `AlreadyExists` if
    /// the name is taken.
    ///
    /// Does not make the name durable: see [`sync_dir`](Storage::sync_dir). After an error the file
    /// may exist or not.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens an existing file. Fails with `NotFound` if there is none. Never creates.
    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>>;

    /// The names of all files, in bytewise order. Subdirectories are not files and are left out.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Gives the file `from` the name `to`, replacing what had that name. Readers see the old file
    /// or the new one. Handles stay with their file. Onto its own name it does nothing.
    ///
    /// Fails with `NotFound` if `from` does not exist. Does not make the change durable, and does
    /// not sync the content: a power cut may leave the old name, the new one, or (POSIX permits it)
    /// both. After an error either may be true.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name. Fails with `NotFound` if there is none. Handles that are open stay usable.
    ///
    /// Does not make the removal durable: a power cut may bring the file back. After an error
    /// either may be true.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every create, rename and remove so far durable. Says nothing about the content of any
    /// file.
    ///
    /// After an error none, some or all of them may be durable; they stay pending and a later call
    /// may succeed.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the exclusive lock of the directory and holds it until the guard is dropped. The lock
    /// belongs to the process and leaves with it. Fails with `WouldBlock` at once if another holder
    /// exists, in this process or another.
    ///
    /// Where a lock can be lost while it is held (its file is removed, say), the storage notices:
    /// from then on every call of this storage and its files that changes something fails with
    /// `ResourceBusy` and without effect, and so does every sync, until the guard is dropped. What
    /// a lost lock was held for is never answered with `Ok`.
    fn lock(&self) -> io::Result<Box<dyn StorageLock>>;

    /// The same directory as a tree, with the directories in it; none where a storage is flat.
    fn tree(&self) -> Option<Arc<dyn Tree>> {
        None
    }
}

/// One open file. Dropping it closes it; closing makes nothing durable.
///
/// # Errors
/// As those of [`Storage`].
#[expect(
    clippy::len_without_is_empty,
    reason = "asking for the length can fail, and no caller asks whether a file is empty"
)]
pub trait StorageFile: Debug + Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads at most `buf.len()` bytes at `offset`. May be short anywhere; `Ok(0)` means the end
    /// (or an empty `buf`).
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at most `buf.len()` bytes at `offset` and says how many. May be short. A gap before
    /// `offset` reads as zeros. An empty `buf` does nothing: the file does not grow.
    ///
    /// Makes nothing durable. After an error any prefix of `buf` may have been written.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// Writes at most `buf.len()` bytes at the end of the file, wherever that is by then, and says
    /// where and how many (a write with `O_APPEND`). Otherwise as [`write_at`](Self::write_at).
    ///
    /// Fails with `Unsupported` where there is no such call; that is also what a storage answers that
    /// does not implement it.
    fn append(&self, buf: &[u8]) -> io::Result<(u64, usize)> {
        let _ = buf;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Cuts the file, or grows it with zeros, also where it had other bytes before it was cut.
    /// Makes nothing durable. After an error the length may be the old or the new.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Reserves space so that the file is at least `len` bytes long; what is new reads as zeros,
    /// what was there stays.
    ///
    /// Makes nothing durable. Fails with `StorageFull` when there is no room, or with
    /// `Unsupported`. After an error the file may be longer than it was, by zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Makes all content written so far and the length durable, though not the file's name.
    ///
    /// After an error it is unknown which of the bytes are durable, and **a second call proves
    /// nothing**: on Linux it returns `Ok` without writing (Rebello et al., "Can Applications
    /// Recover from fsync Failures?", USENIX ATC 2020).
    fn sync_data(&self) -> io::Result<()>;

    /// As [`sync_data`](Self::sync_data), and everything else that the file system keeps of the file
    /// (fsync(2)): its times, say.
    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    /// Locks the file for this handle (flock(2)), exclusively or `shared` with others; a lock that the
    /// handle holds already changes its kind. Closing the handle gives it back. Fails with
    /// `WouldBlock` at once if another handle holds one that excludes it, in this process or another.
    ///
    /// Fails with `Unsupported` where there is no such call; that is also what a storage answers that
    /// does not implement it.
    fn lock(&self, shared: bool) -> io::Result<()> {
        let _ = shared;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the lock of the file back, if this handle holds one. `Unsupported` as for
    /// [`lock`](Self::lock).
    fn unlock(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Asks the operating system to forget the clean pages of the file, so that what is read
    /// afterwards comes from the disk. To be called after a sync: pages that are not written yet stay.
    ///
    /// Best effort: `Ok` does not prove that every page is gone. Fails with `Unsupported` where there
    /// is no such call; that is also what a storage answers that does not implement it.
    fn drop_cache(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The exclusive lock of a directory; dropping it gives the lock back.
pub trait StorageLock: Debug + Send + Sync {}

/// The README's example is run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct StorageReadme;
