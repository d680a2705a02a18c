//! A call that changes the disk, as data: what a crash can interrupt.

use serde::{Deserialize, Serialize};

use super::names::InodeId;

/// A call that changes the disk, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum Change {
    /// Make a file.
    Create {
        /// The directory.
        dir: InodeId,
        /// Its name.
        name: String,
    },
    /// Make a directory.
    CreateDir {
        /// The directory that it is in.
        dir: InodeId,
        /// Its name.
        name: String,
    },
    /// Make a symbolic link.
    Symlink {
        /// The directory.
        dir: InodeId,
        /// Its name.
        name: String,
        /// The path that it leads to.
        target: String,
    },
    /// Give a file one name more.
    Link {
        /// The file.
        inode: InodeId,
        /// The directory.
        dir: InodeId,
        /// The name.
        name: String,
    },
    /// Rename a file or a directory.
    Rename {
        /// The directory of the old name.
        from_dir: InodeId,
        /// The old name.
        from: String,
        /// The directory of the new name.
        to_dir: InodeId,
        /// The new name.
        to: String,
    },
    /// Remove the name of a file.
    Remove {
        /// The directory.
        dir: InodeId,
        /// The name.
        name: String,
    },
    /// Remove an empty directory.
    RemoveDir {
        /// The directory that it is in.
        dir: InodeId,
        /// Its name.
        name: String,
    },
    /// Write bytes.
    Write {
        /// The file.
        inode: InodeId,
        /// The byte offset.
        offset: u64,
        /// The bytes. As text it has none: a recording keeps them elsewhere.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Change the length.
    SetLen {
        /// The file.
        inode: InodeId,
        /// The new length in bytes.
        len: u64,
    },
    /// Grow the file to at least a length.
    Allocate {
        /// The file.
        inode: InodeId,
        /// The length in bytes.
        len: u64,
    },
    /// Sync a file: its bytes, and what is needed to find them (`fdatasync`).
    SyncData {
        /// The file.
        inode: InodeId,
    },
    /// Sync a file and everything about it (`fsync`). It differs from `SyncData` only in what
    /// `linux-ordered` drags along.
    SyncAll {
        /// The file.
        inode: InodeId,
    },
    /// Let the cache forget the clean pages of a file.
    DropCache {
        /// The file.
        inode: InodeId,
    },
    /// Sync a directory.
    SyncDir {
        /// The directory.
        dir: InodeId,
    },
}

impl Change {
    /// The file whose bytes the change is about.
    #[must_use]
    pub fn inode(&self) -> Option<InodeId> {
        match self {
            Change::Write { inode, .. }
            | Change::SetLen { inode, .. }
            | Change::Allocate { inode, .. }
            | Change::SyncData { inode }
            | Change::SyncAll { inode }
            | Change::DropCache { inode } => Some(*inode),
            Change::Create { .. }
            | Change::CreateDir { .. }
            | Change::Symlink { .. }
            | Change::Link { .. }
            | Change::Rename { .. }
            | Change::Remove { .. }
            | Change::RemoveDir { .. }
            | Change::SyncDir { .. } => None,
        }
    }

    /// The file that the change syncs.
    #[must_use]
    pub fn synced_file(&self) -> Option<InodeId> {
        match self {
            Change::SyncData { inode } | Change::SyncAll { inode } => Some(*inode),
            _ => None,
        }
    }

    /// Whether the change makes durable what is pending: until it returns, that stays pending.
    #[must_use]
    pub fn is_sync(&self) -> bool {
        matches!(self, Change::SyncDir { .. }) || self.synced_file().is_some()
    }
}
