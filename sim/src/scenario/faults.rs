//! The kinds of fault that a scenario can switch on, and their rates.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the fault kinds once: name, when it is drawn, and what it does.
macro_rules! fault_kinds {
    ($($kind:ident $name:literal $(($old:literal))? $moment:ident $does:literal;)*) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum FaultKind {
            $(#[doc = $does] #[serde(rename = $name $(, alias = $old)?)] $kind,)*
        }

        impl FaultKind {
            /// All kinds, in the order in which they are listed to people.
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$kind,)*];

            /// The name in files and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name,)* }
            }

            /// What it does, in one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(FaultKind::$kind => $does,)* }
            }

            /// When its rate is drawn.
            #[must_use]
            pub(crate) const fn drawn(self) -> Drawn {
                match self { $(FaultKind::$kind => Drawn::$moment,)* }
            }
        }
    };
}

/// When the rate of a fault kind is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// At every storage call to which it applies.
    Call,
    /// At every storage call, whatever it is.
    AnyCall,
    /// Between two processes, while no process has the directory open.
    Rest,
    /// At every power cut.
    PowerCut,
}

fault_kinds! {
    ReadError "read-error" Call "a read fails with EIO";
    ReadErrorSticky "read-error-sticky" Call "a read fails with EIO, and so does every later one of that file until the process ends";
    OpenError "open-error" Call "opening a file, asking for its length or listing the directory fails with EIO";
    LockError "lock-error" Call "taking the lock fails with EIO";
    WriteError "write-error" Call "a write fails with EIO after a prefix of it";
    CreateError "create-error" Call "a create fails with EIO and has no effect";
    CreateErrorAfterEffect "create-error-after-effect" ("create-error-done") Call "a create fails with EIO and has taken effect all the same";
    RenameError "rename-error" Call "a rename fails with EIO and has no effect";
    RenameErrorAfterEffect "rename-error-after-effect" ("rename-error-done") Call "a rename fails with EIO and has taken effect all the same";
    RemoveError "remove-error" Call "a remove fails with EIO and has no effect";
    RemoveErrorAfterEffect "remove-error-after-effect" ("remove-error-done") Call "a remove fails with EIO and has taken effect all the same";
    SetLenError "set-len-error" Call "a set_len fails with EIO and has no effect";
    SetLenErrorAfterEffect "set-len-error-after-effect" ("set-len-error-done") Call "a set_len fails with EIO and has taken effect all the same";
    AllocateError "allocate-error" Call "an allocate fails because the file system cannot do it";
    SyncDirError "sync-dir-error" Call "a directory sync fails; its names may survive or not";
    SyncMarkClean "sync-mark-clean" Call "a sync fails and its pages count as clean: the next sync says Ok and writes nothing";
    SyncSizeLost "sync-mark-clean-size-lost" Call "as sync-mark-clean, and an append loses its size too";
    SyncUnwritten "sync-mark-clean-unwritten" Call "as sync-mark-clean, and new pages stay lost when they are written and synced again, until the cache drops them";
    SyncRevert "sync-revert" Call "a sync fails and the old content is back at once";
    SyncRetryWorks "sync-retry-works" Call "a sync fails and a second one would write the pages";
    SyncReadOnly "sync-read-only" Call "a sync fails and the file system refuses every change until the crash";
    SyncInterrupted "sync-interrupted" Call "a sync is interrupted, which is a failed sync";
    FullAtWrite "full-at-write" Call "a write or an allocate finds the disk full";
    FullAtSync "full-at-sync" Call "a sync finds the disk full (delayed allocation)";
    FullAtCreate "full-at-create" Call "a create finds the disk full";
    FullAtRename "full-at-rename" Call "a rename finds the disk full";
    FullDisk "full-disk" Call "the disk has no byte left for a while";
    ShortRead "short-read" Call "a read returns fewer bytes than asked for";
    ShortWrite "short-write" Call "a write takes fewer bytes than offered";
    InterruptedRead "interrupted-read" Call "a read is interrupted before it did anything";
    InterruptedWrite "interrupted-write" Call "a write is interrupted before it did anything";
    WrongRead "wrong-read" Call "a read returns a wrong bit, once";
    MisplacedWrite "misplaced-write" Call "a write says Ok and lands at another offset";
    CacheDrop "cache-drop" AnyCall "the cache forgets pages whose sync failed: the bytes on disk are back";
    Writeback "writeback" AnyCall "the system writes back one dirty page or size on its own";
    ReadOnly "read-only" Rest "the file system refuses every change until the process ends";
    BitFlip "bit-flip" Rest "one bit of a file is wrong";
    ZeroedSector "zeroed-sector" Rest "512 bytes of a file are zeros";
    Truncation "truncation" Rest "a file has lost its end";
    OldCopy "old-copy" Rest "a file has the content it had earlier";
    LostLine "lost-line" Rest "a line of a file is gone, its newline too";
    UnknownEvent "unknown-event" Rest "a newer program has appended an event of a type that this one does not know";
    ShornSector "shorn-sector" PowerCut "a sector that was being written is half old and half new";
    LyingSync "lying-sync" PowerCut "a sync said Ok, and the power cut takes one of its pages back";
    UnreadableSector "unreadable-sector" PowerCut "512 bytes of a file cannot be read any more until they are written again";
    StrayFile "stray-file" Rest "a file with a foreign name lies in the directory";
    LeftoverTemporary "leftover-temporary" Rest "a temporary file of an earlier process lies in the directory";
    LockHeld "lock-held" Rest "another process still holds the lock at the first attempt to open";
}

impl FaultKind {
    /// Whether it may make a command or an open fail. Short and interrupted reads and writes may
    /// not.
    #[must_use]
    pub const fn excuses_error(self) -> bool {
        use FaultKind::{InterruptedRead, InterruptedWrite, LeftoverTemporary};
        use FaultKind::{ShortRead, ShortWrite, StrayFile, Writeback};
        !matches!(
            self,
            ShortRead
                | ShortWrite
                | InterruptedRead
                | InterruptedWrite
                | Writeback
                | StrayFile
                | LeftoverTemporary
        )
    }

    /// Whether it is an error of a call that only looks at what is there.
    #[must_use]
    pub const fn fails_a_read(self) -> bool {
        use FaultKind::{OpenError, ReadError, ReadErrorSticky};
        matches!(self, OpenError | ReadError | ReadErrorSticky)
    }

    /// Whether it is a sync of a file that fails, after which the file system goes on.
    #[must_use]
    pub const fn fails_a_sync(self) -> bool {
        use FaultKind::{SyncMarkClean, SyncRetryWorks, SyncRevert, SyncSizeLost, SyncUnwritten};
        matches!(
            self,
            SyncMarkClean | SyncRetryWorks | SyncRevert | SyncSizeLost | SyncUnwritten
        )
    }

    /// Whether it damages data that was acknowledged, so that invariant 8 excuses a refusal or a
    /// bounded loss.
    #[must_use]
    pub const fn damages(self) -> bool {
        use FaultKind::{
            BitFlip, LostLine, LyingSync, MisplacedWrite, OldCopy, ShornSector, Truncation,
            UnknownEvent, UnreadableSector, ZeroedSector,
        };
        matches!(
            self,
            BitFlip
                | ZeroedSector
                | Truncation
                | OldCopy
                | LostLine
                | UnknownEvent
                | UnreadableSector
                | ShornSector
                | LyingSync
                | MisplacedWrite
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which files a fault may hit, by the role that their names show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// Any file.
    #[default]
    Any,
    /// The segment with the highest number.
    Active,
    /// A segment below the highest.
    Sealed,
    /// The first line of a segment.
    Header,
    /// The newline at the end of a line of the newest segment; for faults at rest only.
    LineEnd,
    /// A marker in the newest segment; for faults at rest only.
    Marker,
    /// A snapshot.
    Snapshot,
    /// A temporary file.
    Temporary,
}

/// During which part of a run a fault may fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// At any time.
    #[default]
    Any,
    /// While commands run.
    Running,
    /// While the store is being opened.
    Recovery,
}

/// A fault kind that is switched on, and how often it fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FaultRate {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Chance in 1,000 each time it is drawn.
    #[serde(alias = "pm")]
    pub per_mille: u32,
    /// How often it may fire in one run; 0 for no limit.
    #[serde(default, alias = "most")]
    pub limit: u32,
    /// Which files it may hit.
    #[serde(default)]
    pub(crate) target: Target,
    /// When it may fire.
    #[serde(default)]
    pub(crate) phase: Phase,
}

impl FaultKind {
    /// Whether it damages what is durable, or puts something beside it: then the checker must read the
    /// files to know what may be lost.
    #[must_use]
    pub fn needs_files(self) -> bool {
        let at_rest = self.drawn() == Drawn::Rest && self != FaultKind::ReadOnly;
        at_rest || self.damages()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_name() {
        for kind in FaultKind::ALL {
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.name()));
            assert_eq!(serde_json::from_str::<FaultKind>(&json).unwrap(), *kind);
        }
    }
}
