//! What a replay did, and what it met on its way.

use crate::position::{Position, Seq};

/// An unfinished end of the active segment: bytes of a batch that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Offset of the first byte that is not part of the log.
    pub offset: u64,
    /// How many bytes that is; free space at the end is not counted.
    pub bytes: u64,
}

impl TornTail {
    /// Says that it was cut.
    pub(crate) fn announce(&self) {
        tracing::warn!(
            file = self.file,
            offset = self.offset,
            bytes = self.bytes,
            "torn tail cut"
        );
    }
}

/// Events that a repair could not save, as the log itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// The first missing event.
    pub from: Position,
    /// The last missing seq, of the same epoch.
    pub to: Seq,
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// How many events were handed to the handler.
    pub applied: u64,
    /// The first of them.
    pub first: Option<Position>,
    /// The last of them.
    pub last: Option<Position>,
    /// Events that an earlier repair could not save.
    pub lost: Vec<LostRange>,
    /// An unfinished end; in a log that is being written it may be an append in flight.
    pub torn_tail: Option<TornTail>,
}
