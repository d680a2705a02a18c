//! The record of every storage call: what was asked, what was answered, and what struck.
//!
//! A trace holds no addresses and no times, so two runs of the same program on the same plan have
//! equal traces, and the running hash over all of them tells at once.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::mixing::{hash64, scramble};
use super::names::InodeId;
use beaver_storage::Op;

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceMode {
    /// Nothing.
    Off,
    /// The running hash.
    #[default]
    Hash,
    /// The hash and every call.
    Records,
}

/// One storage call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Its number.
    pub call: u64,
    /// Its kind.
    pub op: Op,
    /// The file as the caller named it; `.` is the directory.
    pub file: Arc<str>,
    /// The new name of a rename.
    pub to: Option<Arc<str>>,
    /// The file, whatever its name is: none for the directory, and where there is no such file.
    /// The hash leaves it out: a caller cannot see it.
    pub inode: Option<InodeId>,
    /// The byte offset of a read or write, the length of `set_len` and `allocate`.
    pub offset: u64,
    /// How many bytes were to be read or written.
    pub len: u64,
    /// A hash of the bytes that were to be written, or that were read.
    pub data: u64,
    /// The answer: a count, a length, or the kind of the error.
    pub answer: Result<u64, io::ErrorKind>,
    /// The word for the fault that struck.
    pub fault: Option<&'static str>,
}

impl TraceRecord {
    /// A call that is about to begin.
    pub(super) fn of(op: Op, file: Arc<str>, inode: Option<InodeId>) -> Self {
        TraceRecord {
            call: 0,
            op,
            file,
            to: None,
            inode,
            offset: 0,
            len: 0,
            data: 0,
            answer: Ok(0),
            fault: None,
        }
    }

    /// A hash of all of it but `inode`.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let answer = match self.answer {
            Ok(value) => value,
            Err(kind) => !hash64(format!("{kind:?}").as_bytes()),
        };
        let words = [
            self.op as u64,
            hash64(self.file.as_bytes()),
            self.to.as_ref().map_or(0, |to| hash64(to.as_bytes())),
            self.offset,
            self.len,
            self.data,
            answer,
            self.fault.map_or(0, |kind| hash64(kind.as_bytes())),
        ];
        let seed = scramble(self.call);
        words.iter().fold(seed, |hash, word| scramble(hash ^ word))
    }
}

impl fmt::Display for TraceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} {} {}", self.call, self.op, self.file)?;
        match self.op {
            Op::Rename => write!(f, " {}", self.to.as_deref().unwrap_or("?"))?,
            Op::Link => self.to.iter().try_for_each(|to| write!(f, " {to}"))?,
            Op::ReadAt | Op::WriteAt => {
                write!(f, " {}+{} [{:016x}]", self.offset, self.len, self.data)?;
            }
            Op::SetLen | Op::Allocate => write!(f, " {}", self.offset)?,
            _ => {}
        }
        match self.answer {
            Ok(value) => match self.op {
                Op::List | Op::Len | Op::ReadAt | Op::WriteAt => write!(f, " = {value}")?,
                _ => f.write_str(" = ok")?,
            },
            Err(kind) => write!(f, " = {kind:?}")?,
        }
        match self.fault {
            Some(kind) => write!(f, " ({kind})"),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    pub(super) mode: TraceMode,
    pub(super) records: Vec<TraceRecord>,
    pub(super) hash: u64,
}

impl Trace {
    /// Takes note of a call. The record is made only if somebody wants it.
    pub(super) fn push(&mut self, record: impl FnOnce() -> TraceRecord) {
        if self.mode == TraceMode::Off {
            return;
        }
        let record = record();
        self.hash = scramble(self.hash ^ record.hash());
        if self.mode == TraceMode::Records {
            self.records.push(record);
        }
    }

    /// Takes note of something that is not a call.
    pub(super) fn note(&mut self, what: &str, number: u64) {
        if self.mode != TraceMode::Off {
            self.hash = scramble(self.hash ^ hash64(what.as_bytes()) ^ scramble(number));
        }
    }
}
