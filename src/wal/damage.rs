//! What is wrong with a segment where it is not whole.

use super::line::LineError;
use super::sequence::SequenceError;
use crate::checksum::ChecksumError;
use crate::error::Error;
use crate::position::{Epoch, Seq};

/// Something in a segment that is not a line in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentDamage {
    /// Offset of the first damaged byte.
    pub(crate) offset: u64,
    /// The seq that should have come there.
    pub(crate) expected: Seq,
    pub(crate) reason: DamageReason,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DamageReason {
    #[error(transparent)]
    Line(LineError),
    #[error("the first line is not a valid header")]
    Header,
    #[error(
        "the header is valid, but it is of epoch {0}: the file has the name of another segment"
    )]
    OtherEpoch(Epoch),
    #[error(
        "the lines end with CR LF, not with LF: something has converted the file as a text; \
         `beaver wal repair` saves it"
    )]
    Converted,
    #[error(
        "the first line is not a valid header, and nothing else says which store the segment belongs to: \
         without that its lines cannot be checked"
    )]
    StoreUnknown,
    #[error("the last line has no newline")]
    Unterminated,
    #[error("a line is longer than the format allows")]
    TooLong,
    #[error("a batch is larger than the format allows")]
    BatchTooLarge,
    #[error("blank bytes followed by data")]
    Hole,
    #[error("the atomic append before event {0} has no end")]
    UnfinishedAppend(Seq),
    #[error(transparent)]
    Sequence(SequenceError),
}

impl SegmentDamage {
    /// The typed error that this damage is when it is corruption of `file`.
    pub(crate) fn into_error(self, file: &str) -> Error {
        let (file, offset) = (file.to_owned(), self.offset);
        match self.reason {
            DamageReason::Line(LineError::Checksum(ChecksumError::Mismatch {
                expected,
                found,
            })) => Error::ChecksumMismatch {
                file,
                offset,
                seq: self.expected,
                expected,
                found,
            },
            DamageReason::Sequence(SequenceError::Gap { expected, found }) => Error::SequenceGap {
                file,
                offset,
                expected,
                found,
            },
            reason => Error::Corrupt {
                file,
                offset,
                reason: format!("{reason} (expected seq {})", self.expected),
            },
        }
    }
}
