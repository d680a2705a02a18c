//! What can go wrong while a program runs, as data.
//!
//! A [`Plan`] says which fault strikes at which storage call. It is printable, can be stored in a
//! scenario and shrunk, and needs no random numbers to run. A fault that makes no sense for the
//! call it is planned on (a short write on `list`) does not fire: the call goes through, and the
//! fault is reported among those that never fired.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::crash::Op;
use super::event::Event;

/// Faults by the place where they strike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// By the number of the storage call. Numbers start at 1 and go on through crashes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<u64, Fault>,
    /// By kind of call: the nth `write_at`, say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<NthFault>,
    /// What happens on its own just before a call, whoever makes it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<u64, Vec<Event>>,
    /// How much room there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
}

/// A fault at the nth call of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NthFault {
    /// The kind of call.
    pub op: Op,
    /// Which one, from 1, counted through crashes.
    pub nth: u64,
    /// What happens to it.
    pub fault: Fault,
}

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
        error: Failure,
        /// How far it got. Only calls that change something can have an effect.
        #[serde(default)]
        effect: Effect,
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
        error: Failure,
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
pub enum Failure {
    /// `EIO`.
    #[default]
    Io,
    /// `ENOSPC`.
    StorageFull,
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

impl Failure {
    pub(super) fn error(self) -> io::Error {
        match self {
            // The standard library has no public kind for EIO; the number is the same on every
            // Unix.
            Failure::Io => io::Error::from_raw_os_error(5),
            Failure::StorageFull => io::ErrorKind::StorageFull.into(),
            Failure::Interrupted => io::ErrorKind::Interrupted.into(),
            Failure::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            Failure::PermissionDenied => io::ErrorKind::PermissionDenied.into(),
            Failure::WouldBlock => io::ErrorKind::WouldBlock.into(),
            Failure::Unsupported => io::ErrorKind::Unsupported.into(),
        }
    }
}

/// How far a call got that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing changed.
    #[default]
    Nothing,
    /// All of it happened, only the answer is an error.
    Everything,
    /// Of a write, so many bytes. For other calls: everything.
    Bytes(u64),
}

/// A sync that fails, and what it leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailedSync {
    /// What the caller is told.
    pub error: Failure,
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
    pub const ALL: [Behaviour; 5] = [
        Behaviour::MarkClean,
        Behaviour::MarkCleanSizeLost,
        Behaviour::Revert,
        Behaviour::RetryWorks,
        Behaviour::ReadOnly,
    ];

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::MarkClean => "mark-clean",
            Behaviour::MarkCleanSizeLost => "mark-clean-size-lost",
            Behaviour::Revert => "revert",
            Behaviour::RetryWorks => "retry-works",
            Behaviour::ReadOnly => "read-only",
        }
    }
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

/// The name and the description of every kind of fault and event.
pub const FAULT_KINDS: &[(&str, &str)] = &[
    (
        "error",
        "a call fails without effect (EIO, EINTR, EROFS, …)",
    ),
    (
        "error-with-effect",
        "a call fails although all or part of it happened",
    ),
    (
        "storage-full",
        "a call fails with ENOSPC, by plan or because the room is used up",
    ),
    (
        "failed-sync-mark-clean",
        "a sync fails; the pages count as clean, the length is durable",
    ),
    (
        "failed-sync-mark-clean-size-lost",
        "a sync fails; the pages count as clean, the length is lost",
    ),
    (
        "failed-sync-revert",
        "a sync fails; the cache goes back to what is on disk",
    ),
    (
        "failed-sync-retry-works",
        "a sync fails; a later one may write the pages",
    ),
    (
        "failed-sync-read-only",
        "a sync fails; every later change is refused until restart",
    ),
    (
        "late-sync-error",
        "another handle learns of a sync that failed",
    ),
    (
        "failed-sync-dir",
        "a directory sync fails; some names may be durable",
    ),
    ("short-write", "a write writes fewer bytes than asked for"),
    ("short-read", "a read returns fewer bytes than there are"),
    ("flipped-read", "a read returns one wrong bit, once"),
    ("zeroed-read", "a read returns zeros for one sector, once"),
    ("misdirected-write", "a write lands at another offset"),
    (
        "writeback",
        "a dirty page or a length reaches the disk in the background",
    ),
    (
        "cache-drop",
        "pages of a failed sync fall back to what is on disk",
    ),
    ("flipped-bit", "one bit of a file is wrong, at rest"),
    ("zeroed-sectors", "sectors of a file are zeros, at rest"),
    ("truncated", "a file is shorter, at rest"),
    ("old-copy", "a file has earlier bytes again, at rest"),
    (
        "stray-file",
        "a file that nobody asked for, or a leftover temporary one",
    ),
    ("second-opener", "another process holds the lock"),
    (
        "unreadable-sector",
        "a read meets a sector that cannot be read",
    ),
];

impl Fault {
    /// The name under which the fault is counted when it fires.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Error {
                error: Failure::StorageFull,
                ..
            } => "storage-full",
            Fault::Error {
                effect: Effect::Nothing,
                ..
            } => "error",
            Fault::Error { .. } => "error-with-effect",
            Fault::FailedSync(failed) => failed.kind(),
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
            Fault::Error { effect, .. } => *effect == Effect::Nothing || op.changes_something(),
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
    pub(super) fn kind(&self) -> &'static str {
        match self.behaviour {
            Behaviour::MarkClean => "failed-sync-mark-clean",
            Behaviour::MarkCleanSizeLost => "failed-sync-mark-clean-size-lost",
            Behaviour::Revert => "failed-sync-revert",
            Behaviour::RetryWorks => "failed-sync-retry-works",
            Behaviour::ReadOnly => "failed-sync-read-only",
        }
    }
}
