//! Looking at a store without owning it: statistics, validation, dump, repair, truncation,
//! comparison.
//!
//! Nothing here takes the lock or changes what it looks at; what changes anything writes a copy.
//! The log may be in use: then an unfinished end may be an append in flight rather than a torn
//! tail.

mod compare;
mod copy;
mod dump;
mod line_ends;
mod repair;
mod salvage;
mod salvage_reader;
mod segment_copy;
mod stats;
mod truncate;
mod whose;

use std::fmt;
use std::io::ErrorKind;

pub use compare::{Difference, compare};
pub use dump::{DumpLine, LineContent, dump};
pub use repair::{RepairReport, repair};
pub use salvage::{SalvageReport, Skipped, salvage, salvage_state};
pub use stats::{Stats, stats, validate};
pub use truncate::{TruncateReport, truncate};

use crate::error::{Error, Result};
use crate::position::Seq;
use crate::wal::Segment;
use salvage_reader::{SteppedOver, Then};

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreProblem {
    /// The file.
    pub file: String,
    /// Byte offset of what is wrong.
    pub offset: u64,
    /// What is wrong, with what was expected and found.
    pub reason: String,
}

impl fmt::Display for StoreProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: byte {}: {}", self.file, self.offset, self.reason)
    }
}

impl StoreProblem {
    fn new(file: &str, offset: u64, reason: impl Into<String>) -> Self {
        StoreProblem {
            file: file.to_owned(),
            offset,
            reason: reason.into(),
        }
    }
}

/// How often a segment is read that its owner changes meanwhile.
const READS: usize = 20;

/// Reads a segment, and again where a read ended early, because the owner has sealed and cut it, or
/// was overtaken by a write. A sealed segment does not change any more, so that reading ends even
/// where the owner seals one segment after the other; reading the whole log again, whose last segment
/// is another one by then, need not end.
fn while_in_use<T>(mut read: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..READS {
        match read() {
            Err(Error::UnstableRead { .. }) => {}
            Err(error) if error.io_kind() == Some(ErrorKind::UnexpectedEof) => {}
            done => return done,
        }
    }
    read()
}

/// Damage in words.
fn problem_of(segment: &Segment, damaged: SteppedOver) -> StoreProblem {
    let damage = damaged.damage;
    let expected = damage.expected;
    let missing = match damaged.then {
        Then::GoesOn {
            next: Seq(next), ..
        } if next > expected.0 => match next - 1 {
            last if last == expected.0 => format!("; event {expected} is missing"),
            last => format!("; events {expected} to {last} are missing"),
        },
        Then::GoesOn { .. } => String::new(),
        Then::Nothing { .. } => format!("; everything from event {expected} on is missing"),
    };
    StoreProblem::new(
        &segment.name,
        damage.offset,
        format!("{}{missing}", damage.reason),
    )
}
