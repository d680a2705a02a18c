//! A call that changes the disk, as data: what a crash can interrupt.

use super::names::InodeId;

/// A call that changes the disk, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make a file.
    Create {
        /// Its name.
        name: String,
    },
    /// Rename a file.
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// Remove a name.
    Remove {
        /// The name.
        name: String,
    },
    /// Write bytes.
    Write {
        /// The file.
        inode: InodeId,
        /// Where.
        offset: u64,
        /// What.
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
    /// Sync the directory.
    SyncDir,
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
            | Change::Rename { .. }
            | Change::Remove { .. }
            | Change::SyncDir => None,
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
        *self == Change::SyncDir || self.synced_file().is_some()
    }
}
