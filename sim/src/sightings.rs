//! What was seen on the way: counts, marks, and a hash over every command and its answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::marks::Mark;
use crate::result::Counts;
use crate::tape::Tape;

/// What a run has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// Counts.
    pub(crate) counts: Counts,
    /// Marks.
    pub(crate) marks: BTreeMap<Mark, u64>,
    /// Lines about commands, crashes and recoveries, each with the number of the storage call
    /// before it; only if wanted.
    pub(crate) lines: Option<Vec<(u64, String)>>,
    /// The same as data, only if wanted.
    pub(crate) tape: Tape,
    /// The command that runs, in words.
    pub(crate) command: String,
    /// The last crash, in words.
    pub(crate) crash_point: Option<String>,
    hash: Fnv,
}

impl Sightings {
    /// Counts a mark.
    pub(crate) fn mark(&mut self, mark: Mark) {
        *self.marks.entry(mark).or_insert(0) += 1;
    }

    /// Counts a mark if it is true.
    pub(crate) fn mark_if(&mut self, is_so: bool, mark: Mark) {
        if is_so {
            self.mark(mark);
        }
    }

    /// Writes down that something happened after storage call `call`.
    pub(crate) fn line(&mut self, call: u64, line: std::fmt::Arguments<'_>) {
        let _ = write!(self.hash, "{call} {line}");
        if let Some(lines) = &mut self.lines {
            lines.push((call, line.to_string()));
        }
    }

    /// The hash over all lines.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.0
    }
}

/// FNV-1a: small, fixed for ever, and good enough to tell two traces apart.
#[derive(Debug)]
pub(crate) struct Fnv(pub(crate) u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Takes more bytes in.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl std::fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}
