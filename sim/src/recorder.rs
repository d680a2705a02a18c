//! Records what was seen on the way: counts, marks, a hash over every command and its answer, and,
//! where it is wanted, everything that happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::marks::Mark;
use crate::result::Counts;
use crate::run_log::{LoggedEvent, RunEvent};

/// What a run has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Counts.
    pub(crate) counts: Counts,
    /// Marks.
    pub(crate) marks: BTreeMap<Mark, u64>,
    /// The command that runs, as text.
    pub(crate) command: String,
    /// The last crash, as text.
    pub(crate) crash_point: Option<String>,
    log: Option<Vec<LoggedEvent>>,
    hash: Fnv,
}

impl Recorder {
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

    /// Keeps every event from now on.
    pub(crate) fn keep_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// Records an event that has a line, after storage call `call`.
    pub(crate) fn record(&mut self, call: u64, event: RunEvent) {
        if let Some(line) = event.line() {
            self.hash_line(call, &line);
        }
        self.keep(call, || event);
    }

    /// Records an event that the hash leaves out or has already. It is made only if it is kept: it
    /// may hold a whole disk.
    pub(crate) fn keep(&mut self, call: u64, event: impl FnOnce() -> RunEvent) {
        if let Some(log) = &mut self.log {
            let event = event();
            log.push(LoggedEvent { call, event });
        }
    }

    /// Takes a line into the hash whose event is recorded later.
    pub(crate) fn hash_line(&mut self, call: u64, line: &str) {
        // Writing to a hash cannot fail.
        let _ = write!(self.hash, "{call} {line}");
    }

    /// Every event that was kept.
    pub(crate) fn log(&self) -> &[LoggedEvent] {
        self.log.as_deref().unwrap_or_default()
    }

    /// Forgets the events after the first `len`: what was tried on a copy, and held.
    pub(crate) fn forget_after(&mut self, len: usize) {
        if let Some(log) = &mut self.log {
            log.truncate(len);
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
