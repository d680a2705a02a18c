//! The kinds of storage calls.

use std::fmt;

/// A kind of storage call: a method of the storage traits, or a call on trees of directories, which
/// those leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the call of that name")]
pub enum Op {
    Create,
    Open,
    List,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Len,
    ReadAt,
    WriteAt,
    SetLen,
    Allocate,
    SyncData,
    DropCache,
    CreateDir,
    RemoveDir,
    Link,
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
