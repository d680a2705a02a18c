//! What can go wrong in a storage call, as data: printable, storable and shrinkable.
//!
//! A fault that makes no sense for its call (a short write on `list`) does not strike: the call goes
//! through.

use std::collections::BTreeMap;
use std::io;

use beaver_storage::Op;
use serde::{Deserialize, Serialize};

/// One fault of one storage call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum Fault {
    /// The call fails. On `sync_data` this is a [`FailedSync`] of all pages, `mark-clean`; on
    /// `sync_dir` nothing gets durable.
    Error {
        /// With what.
        error: FailureKind,
        /// How far it got. Only calls that change something can have an effect.
        #[serde(default)]
        effect: CallEffect,
        /// Whether every later call of the same kind fails likewise, without effect, until the
        /// process ends.
        #[serde(default)]
        sticky: bool,
    },
    /// `sync_data` fails.
    FailedSync(FailedSync),
    /// `sync_dir` fails. What it has not made durable stays pending.
    FailedSyncDir {
        /// With what.
        #[serde(default)]
        error: FailureKind,
        /// Which of the pending name records it has made durable. `linux-ordered` takes the longest
        /// prefix among them.
        #[serde(default)]
        durable: Subset,
    },
    /// `write_at` writes fewer bytes than it was given, and says so.
    ShortWrite {
        /// How many; at least one less than asked for.
        bytes: u64,
    },
    /// `read_at` reads fewer bytes than there are, and says so.
    ShortRead {
        /// How many; at least 1 and at least one less than there are.
        bytes: u64,
    },
    /// `read_at` returns one wrong bit, this once.
    FlippedRead {
        /// Which byte of those that are returned.
        byte: u64,
        /// Which bit of it, 0 to 7.
        bit: u8,
    },
    /// `read_at` returns zeros for one sector, this once.
    ZeroedRead {
        /// Which sector of those that are returned, from 0.
        sector: u64,
    },
    /// `write_at` says that it wrote, but at another offset.
    MisdirectedWrite {
        /// Where, in bytes.
        offset: u64,
    },
}

/// What an error looks like to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// `EIO`.
    #[default]
    Io,
    /// `ENOSPC`.
    StorageFull,
    /// `EDQUOT`: the disk has room, the user has none.
    QuotaExceeded,
    /// `EFBIG`: the process, or the file system, does not make files that large.
    FileTooLarge,
    /// `EINTR`.
    Interrupted,
    /// `EROFS`.
    ReadOnly,
    /// `EACCES`.
    PermissionDenied,
    /// `EWOULDBLOCK`: what a lock answers while another process holds it.
    WouldBlock,
    /// `EOPNOTSUPP`: what `allocate` answers on some file systems.
    Unsupported,
}

impl FailureKind {
    /// Whether it says that there is no room.
    #[must_use]
    pub fn is_full(self) -> bool {
        use FailureKind::{FileTooLarge, QuotaExceeded, StorageFull};

        matches!(self, StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// The kind of the error that the caller gets.
    #[must_use]
    pub fn kind(self) -> io::ErrorKind {
        self.error().kind()
    }

    pub(super) fn error(self) -> io::Error {
        match self {
            // The standard library has no public kind for EIO; the number is the same on every
            // Unix.
            FailureKind::Io => io::Error::from_raw_os_error(5),
            FailureKind::StorageFull => io::ErrorKind::StorageFull.into(),
            FailureKind::QuotaExceeded => io::ErrorKind::QuotaExceeded.into(),
            FailureKind::FileTooLarge => io::ErrorKind::FileTooLarge.into(),
            FailureKind::Interrupted => io::ErrorKind::Interrupted.into(),
            FailureKind::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            FailureKind::PermissionDenied => io::ErrorKind::PermissionDenied.into(),
            FailureKind::WouldBlock => io::ErrorKind::WouldBlock.into(),
            FailureKind::Unsupported => io::ErrorKind::Unsupported.into(),
        }
    }
}

/// How much of a call took effect: of one that failed, or of one in which a process was killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallEffect {
    /// Nothing changed.
    #[default]
    Nothing,
    /// All of it happened.
    Everything,
    /// Of a write, this many bytes. Of other calls: everything.
    Bytes(u64),
}

/// A sync that fails, and what it leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailedSync {
    /// What the caller is told.
    pub error: FailureKind,
    /// What the file system makes of it.
    pub behaviour: Behaviour,
    /// Which of the file's dirty pages are not written. The others are.
    pub failed: Subset,
    /// For failed pages: the version that is on disk nevertheless, because background writeback had
    /// put it there. 0, the default, is the durable one, 1 the oldest pending one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<u64, u32>,
}

/// What a file system does with pages whose sync failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// They count as clean: the cache shows the new bytes, the next sync says `Ok` and writes
    /// nothing. The length is durable. ext4.
    #[default]
    MarkClean,
    /// As `mark-clean`, and the length is not durable either. XFS, Btrfs.
    MarkCleanSizeLost,
    /// As `mark-clean`; and of failed pages for which the disk had no block, the new blocks stay
    /// unwritten: whatever is written to them and synced later is lost though every sync says `Ok`,
    /// until the cache drops the page, or it is cut away whole. A page that is all zeros on disk counts as one without a
    /// block. ext4 as it is mounted by default.
    MarkCleanUnwritten,
    /// The cache goes back to what is on disk at once. Btrfs in Rebello et al. 2020.
    Revert,
    /// They stay dirty: the next sync writes them. A power cut before it finds the old bytes and
    /// the old length. FreeBSD.
    RetryWorks,
    /// From then on every change is refused until the machine is started again. ext4 with
    /// `data=journal`.
    ReadOnly,
}

impl Behaviour {
    /// All behaviours.
    pub const ALL: [Behaviour; 6] = [
        Behaviour::MarkClean,
        Behaviour::MarkCleanSizeLost,
        Behaviour::MarkCleanUnwritten,
        Behaviour::Revert,
        Behaviour::RetryWorks,
        Behaviour::ReadOnly,
    ];
}

/// Some of a list of things that is not known yet when the plan is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subset {
    /// All of them.
    #[default]
    All,
    /// None of them.
    Nothing,
    /// Those whose place in the list has its bit set; places from 64 on use the bits again from 0.
    Mask(u64),
    /// Those with these numbers (of pages, or of records).
    Only(Vec<u64>),
}

impl Subset {
    pub(super) fn contains(&self, place: usize, number: u64) -> bool {
        match self {
            Subset::All => true,
            Subset::Nothing => false,
            Subset::Mask(mask) => mask >> (place % 64) & 1 == 1,
            Subset::Only(numbers) => numbers.contains(&number),
        }
    }
}

/// How much room the disk has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// The bytes that all files may have together, by their lengths.
    pub capacity: u64,
    /// When the program learns of it.
    #[serde(default)]
    pub noticed: Noticed,
    /// What it is told.
    #[serde(default = "storage_full", skip_serializing_if = "is_storage_full")]
    pub error: FailureKind,
}

impl Space {
    /// A disk of `capacity` bytes, whose end a program learns of at a write, as `ENOSPC`.
    #[must_use]
    pub fn of(capacity: u64) -> Self {
        Space {
            capacity,
            noticed: Noticed::default(),
            error: storage_full(),
        }
    }
}

fn storage_full() -> FailureKind {
    FailureKind::StorageFull
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_storage_full(error: &FailureKind) -> bool {
    *error == storage_full()
}

/// When a program learns that the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noticed {
    /// A write that does not fit is short, the next one fails; `set_len` and `allocate` fail.
    /// `create` fails when nothing is left.
    #[default]
    OnWrite,
    /// Space is allocated late: writes succeed and the sync fails, for the pages that are new.
    OnSync,
}

impl Fault {
    /// The word for it in a trace.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Error { error, .. } if error.is_full() => "storage-full",
            Fault::Error {
                effect: CallEffect::Nothing,
                ..
            } => "error",
            Fault::Error { .. } => "error-with-effect",
            Fault::FailedSync(failed) => failed.word(),
            Fault::FailedSyncDir { .. } => "failed-sync-dir",
            Fault::ShortWrite { .. } => "short-write",
            Fault::ShortRead { .. } => "short-read",
            Fault::FlippedRead { .. } => "flipped-read",
            Fault::ZeroedRead { .. } => "zeroed-read",
            Fault::MisdirectedWrite { .. } => "misdirected-write",
        }
    }

    /// Whether a call of this kind can meet the fault. Whether it then fires may depend on the
    /// call: a read of one byte is never short.
    #[must_use]
    pub fn applies_to(&self, op: Op) -> bool {
        match self {
            Fault::Error { effect, .. } => *effect == CallEffect::Nothing || op.changes_something(),
            Fault::FailedSync(_) => op == Op::SyncData,
            Fault::FailedSyncDir { .. } => op == Op::SyncDir,
            Fault::ShortWrite { .. } | Fault::MisdirectedWrite { .. } => op == Op::WriteAt,
            Fault::ShortRead { .. } | Fault::FlippedRead { .. } | Fault::ZeroedRead { .. } => {
                op == Op::ReadAt
            }
        }
    }
}

impl FailedSync {
    pub(super) fn word(&self) -> &'static str {
        match self.behaviour {
            Behaviour::MarkClean => "failed-sync-mark-clean",
            Behaviour::MarkCleanSizeLost => "failed-sync-mark-clean-size-lost",
            Behaviour::MarkCleanUnwritten => "failed-sync-mark-clean-unwritten",
            Behaviour::Revert => "failed-sync-revert",
            Behaviour::RetryWorks => "failed-sync-retry-works",
            Behaviour::ReadOnly => "failed-sync-read-only",
        }
    }
}
