//! The one error type: a variant for each thing that a caller can do about it, with place and
//! cause.

use std::io;
use std::sync::Arc;

use crate::log_event::DecodeError;
use crate::position::{Epoch, Position, Seq};

/// What the library answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Cheap to clone, because one failed sync answers many callers.
///
/// A torn tail is not here: it is an expected outcome of a crash and is reported as a value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line or document is whole but its bytes do not match its checksum. Nothing was changed on
    /// disk.
    #[error(
        "{file}: checksum mismatch at byte {offset} (seq {seq}): expected {expected:08x}, found {found:08x}"
    )]
    ChecksumMismatch {
        /// The damaged file.
        file: String,
        /// Byte offset of the damaged line.
        offset: u64,
        /// The seq that was expected there (of a snapshot: the seq it claims to cover).
        seq: Seq,
        /// The checksum computed over the bytes.
        expected: u32,
        /// The checksum written in the line.
        found: u32,
    },

    /// Something else about the bytes of acknowledged data is wrong. Nothing was changed on disk.
    #[error("{file}: corrupt at byte {offset}: {reason}")]
    Corrupt {
        /// The damaged file.
        file: String,
        /// Byte offset of the first damaged byte.
        offset: u64,
        /// What was expected and what was found.
        reason: String,
    },

    /// A valid line carries another seq than the one that must come next, so events are missing or
    /// doubled.
    #[error("{file}: sequence gap at byte {offset}: expected seq {expected}, found {found}")]
    SequenceGap {
        /// The damaged file.
        file: String,
        /// Byte offset of the line.
        offset: u64,
        /// The seq that must come next.
        expected: Seq,
        /// The seq of the line.
        found: Seq,
    },

    /// A segment that recovery needs is not there, or names it before or after are not the ones
    /// they must be.
    #[error("the chain of segments is broken: {reason}")]
    BrokenChain {
        /// The epoch that is missing or unexpected.
        epoch: Epoch,
        /// What was expected and what is there.
        reason: String,
    },

    /// No snapshot can be loaded and the log alone does not reach back to the start.
    #[error("no usable snapshot: {reason}")]
    NoSnapshot {
        /// Which snapshots were tried, and why each was refused.
        reason: String,
    },

    /// The file was written by a newer format. Use a newer version of the library; nothing was
    /// changed.
    #[error("{file}: format version {found}, but this library reads version {supported}")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
        /// The newest version that can be read.
        supported: u64,
    },

    /// An event with a valid checksum cannot be understood (an unknown type, say). Never skipped,
    /// never cut.
    #[error("{file}: event {position} at byte {offset} cannot be decoded: {source}")]
    UnknownEvent {
        /// The file.
        file: String,
        /// Byte offset of the line.
        offset: u64,
        /// Its position.
        position: Position,
        /// Why.
        source: DecodeError,
    },

    /// The state machine refused an event that is in the log.
    #[error("event {position} is illegal in the state before it: {source}")]
    IllegalEvent {
        /// Its position.
        position: Position,
        /// The state machine's reason.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },

    /// A snapshot with a valid checksum holds a state that the state machine does not accept. Never
    /// passed over.
    #[error("{file}: the state cannot be restored: {source}")]
    InvalidState {
        /// The snapshot.
        file: String,
        /// The state machine's reason.
        source: DecodeError,
    },

    /// Two reads of the same bytes differed. Nothing was changed; opening again may succeed.
    #[error("{file}: reads of byte {offset} keep changing; try again")]
    UnstableRead {
        /// The file.
        file: String,
        /// Byte offset at which the reads began.
        offset: u64,
    },

    /// There is no store, and none was made: one must be there
    /// ([`must_exist`](crate::WalOptions::must_exist)), or something in the directory looks like a
    /// file of a store whose name was changed. Look whether this is the right directory.
    #[error("there is no store here: {reason}")]
    NoStore {
        /// Why none was made.
        reason: String,
    },

    /// The operating system has no memory or no thread to give. Nothing was changed.
    #[error("the operating system refuses {what}: {source}")]
    OutOfResources {
        /// What was asked for.
        what: &'static str,
        /// Its answer.
        source: Arc<io::Error>,
    },

    /// Another process (or another handle in this one) owns the directory.
    #[error("the store is in use by another process or handle")]
    Locked,

    /// The log refuses every change since a sync failed; open it again to find out what is durable.
    /// What this call wanted to write was **not** written.
    #[error("the log is poisoned by an earlier failure ({cause}); open it again")]
    Poisoned {
        /// What poisoned it.
        cause: Arc<Error>,
    },

    /// The log or writer was closed. What this call wanted to write was not written.
    #[error("closed")]
    Closed,

    /// The write may be durable or not: the next open decides, once and for all. The log is
    /// poisoned.
    #[error("it is unknown whether this was stored: {cause}")]
    Indeterminate {
        /// The storage error that caused it.
        cause: Arc<Error>,
    },

    /// The append is larger than the format allows. Nothing was written and no seq was used.
    #[error("too large: {what} of {size} bytes, the limit is {limit}")]
    TooLarge {
        /// `line`, `append` …
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// The event cannot be stored as one line of JSON. Nothing was written.
    #[error("invalid event: {reason}")]
    InvalidEvent {
        /// What is wrong with it.
        reason: String,
    },

    /// The request makes no sense here. Nothing was done.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },

    /// The epoch has used its largest seq. Nothing was written; rotate, then append again.
    #[error("epoch {epoch} has used its last seq: rotate first")]
    RotateFirst {
        /// The full epoch.
        epoch: Epoch,
    },

    /// A storage call failed and had no effect that matters: what this operation wanted is not in
    /// the log, and the log goes on.
    #[error("{operation} {file}: {source}")]
    Storage {
        /// The storage call, in the words of [`Storage`](crate::Storage).
        operation: &'static str,
        /// The file, or `.` for the directory.
        file: String,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
}

impl Error {
    /// Wraps the refusal of a thread or of memory.
    pub(crate) fn out_of(what: &'static str, source: io::Error) -> Self {
        let source = Arc::new(source);
        Error::OutOfResources { what, source }
    }

    /// Wraps the error of the storage call `operation` on `file`.
    pub(crate) fn storage(operation: &'static str, file: &str, source: io::Error) -> Self {
        Error::Storage {
            operation,
            file: file.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Whether the failed operation may nevertheless have taken effect; opening again decides.
    #[must_use]
    pub fn is_indeterminate(&self) -> bool {
        matches!(self, Error::Indeterminate { .. })
    }

    /// Whether a storage call failed for want of room: on the disk, in a quota, or because of a
    /// limit for the size of a file. Each of them may be met in the place of another.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.io_kind().is_some_and(is_full)
    }

    /// The kind of the error of the operating system that caused this one, if there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Error::Storage { source, .. } | Error::OutOfResources { source, .. } => {
                Some(source.kind())
            }
            Error::Poisoned { cause } | Error::Indeterminate { cause } => cause.io_kind(),
            _ => None,
        }
    }
}

/// Whether a call failed for want of room: `ENOSPC`, `EDQUOT` or `EFBIG`.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}
