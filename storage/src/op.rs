//! The kinds of storage calls.

use std::fmt;

/// A kind of storage call: of [`Storage`](crate::Storage) and its files, or of a
/// [`Tree`](crate::Tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A new file.
    Create,
    /// An existing file is opened.
    Open,
    /// The names in a directory.
    List,
    /// Another name for a file or directory.
    Rename,
    /// A name is removed.
    Remove,
    /// The sync of a directory.
    SyncDir,
    /// The lock of the directory, or of a file.
    Lock,
    /// The length of a file, and all that `stat` says.
    Len,
    /// A read.
    ReadAt,
    /// A write, at an offset or at the end (`append`).
    WriteAt,
    /// A file is cut or grown.
    SetLen,
    /// Space is reserved.
    Allocate,
    /// The sync of a file, `sync_data` or `sync_all`.
    SyncData,
    /// Clean pages are forgotten.
    DropCache,
    /// A new directory.
    CreateDir,
    /// An empty directory is removed.
    RemoveDir,
    /// A second name for a file.
    Link,
    /// A symbolic link.
    Symlink,
}

impl Op {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Op::Create => "create",
            Op::Open => "open",
            Op::List => "list",
            Op::Rename => "rename",
            Op::Remove => "remove",
            Op::SyncDir => "sync_dir",
            Op::Lock => "lock",
            Op::Len => "len",
            Op::ReadAt => "read_at",
            Op::WriteAt => "write_at",
            Op::SetLen => "set_len",
            Op::Allocate => "allocate",
            Op::SyncData => "sync_data",
            Op::DropCache => "drop_cache",
            Op::CreateDir => "create_dir",
            Op::RemoveDir => "remove_dir",
            Op::Link => "link",
            Op::Symlink => "symlink",
        }
    }

    /// Whether a call of this kind changes the disk or what a reader sees of it, so that it can fail
    /// half-way. `drop_cache` makes nothing durable, and yet a reader may see other bytes after it: a
    /// process that dies before it leaves another cache than one that dies after it.
    #[must_use]
    pub fn changes_something(self) -> bool {
        !matches!(self, Op::Open | Op::List | Op::Lock | Op::Len | Op::ReadAt)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
