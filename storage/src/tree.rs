//! A tree of directories, reached by paths: what a program has that keeps its files in more than one
//! directory.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::{Access, Storage, StorageFile};

/// What an inode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A file of bytes.
    #[default]
    File,
    /// A directory. It has no bytes; its entries are names.
    Directory,
    /// A symbolic link. Its bytes are the path that it leads to, there with it from the beginning.
    Symlink,
}

/// What a file or directory says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The length in bytes; of a directory 0, of a symbolic link that of its target.
    pub len: u64,
}

/// A directory and everything below it, by paths from there.
///
/// A path is names separated by `/`, and the empty one is the directory itself. Each name may be any
/// that a file can have; `.` and `..` are none. Symbolic links are not followed: a caller that follows
/// them does so before, with [`find`](Tree::find) and [`read_link`](Tree::read_link), which are what
/// the system does on the way of any call and no storage calls of their own.
///
/// What becomes durable and when is as in [`Storage`], directory by directory: the name of a file by a
/// sync of the directory that it stands in ([`open_dir`](Tree::open_dir), then
/// [`sync_dir`](Storage::sync_dir)).
pub trait Tree: Debug + Send + Sync {
    /// What a path leads to. Fails with `NotFound`, and with `NotADirectory` where a file stands on
    /// the way.
    fn find(&self, path: &str) -> io::Result<FileKind>;

    /// Where a symbolic link leads. Fails with `InvalidInput` for anything else.
    fn read_link(&self, path: &str) -> io::Result<String>;

    /// Asks what there is (lstat(2)). It counts as a call of [`len`](StorageFile::len).
    fn stat(&self, path: &str) -> io::Result<Stat>;

    /// Everything in a directory, in bytewise order of the names.
    fn entries(&self, path: &str) -> io::Result<Vec<(String, FileKind)>>;

    /// Makes a new, empty file and opens it, as [`Storage::create`] does.
    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file, as [`Storage::open`] does. Fails with `IsADirectory`, and with `InvalidInput` for
    /// a symbolic link.
    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a directory, which stays the same one wherever it is renamed to.
    fn open_dir(&self, path: &str) -> io::Result<Arc<dyn Storage>>;

    /// Gives a file or directory another path (rename(2)).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes the name of a file or link (unlink(2)).
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes a directory (mkdir(2)).
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Removes an empty directory (rmdir(2)).
    fn remove_dir(&self, path: &str) -> io::Result<()>;

    /// Gives a file one name more (link(2)).
    fn link(&self, existing: &str, path: &str) -> io::Result<()>;

    /// Makes a symbolic link (symlink(2)).
    fn symlink(&self, target: &str, path: &str) -> io::Result<()>;
}
