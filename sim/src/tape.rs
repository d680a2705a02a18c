//! What a run showed, in order: commands and their answers, crashes with the disk as it was and
//! what was left of it, and attempts to open. Kept only of a run that somebody wants explained.
//!
//! The text lines of a trace say the same for people; this is what the explanation reads.

use beaver_disk::{Choice, Crash, Image};

use crate::scenario::CrashKind;
use crate::subject::Position;

/// One thing that happened, and the number of the last storage call before it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the last storage call that was made before.
    pub call: u64,
    /// What happened.
    pub what: Happening,
}

/// What can happen in a run beside storage calls.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The client gave a command.
    Command {
        /// Its number, from 1.
        number: u64,
        /// What it was.
        words: String,
    },
    /// The client got an answer.
    Answered {
        /// `ok`, `refused: …`, `failed: …`.
        words: String,
    },
    /// The client was told that records are durable.
    Acknowledged {
        /// The command, which may be one of several in a group.
        words: String,
        /// Where it stands, in the log of a store that says so.
        position: Option<Position>,
    },
    /// The process died, or the power failed.
    Crashed(Box<Crashed>),
    /// The store is about to be opened.
    Opening {
        /// What is on the disk.
        found: Image,
    },
    /// The store opened.
    Opened {
        /// The last applied position, of a store that says so.
        position: Option<Position>,
    },
    /// The store did not open.
    Refused {
        /// Why.
        text: String,
    },
}

/// A crash, with the disk before and after it.
#[derive(Clone, Debug)]
pub struct Crashed {
    /// How the process ended.
    pub kind: CrashKind,
    /// Where, in words.
    pub words: String,
    /// The disk, and the call that was under way.
    pub crash: Crash,
    /// What survived; none if the process was killed and the system went on.
    pub choice: Option<Choice>,
    /// What is on the disk now.
    pub left: Image,
}

/// Everything that happened, if it is kept.
#[derive(Debug, Default)]
pub(crate) struct Tape(Option<Vec<Entry>>);

impl Tape {
    /// Keeps what happens from now on.
    pub(crate) fn start(&mut self) {
        self.0 = Some(Vec::new());
    }

    /// Writes down what happened after storage call `call`.
    pub(crate) fn write(&mut self, call: u64, what: impl FnOnce() -> Happening) {
        if let Some(entries) = &mut self.0 {
            let what = what();
            entries.push(Entry { call, what });
        }
    }

    /// How many entries there are: what [`rewind`](Tape::rewind) goes back to.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }

    /// Forgets what was written since there were `len` entries: what was tried on a copy, and held.
    pub(crate) fn rewind(&mut self, len: usize) {
        if let Some(entries) = &mut self.0 {
            entries.truncate(len);
        }
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.0.as_deref().unwrap_or_default()
    }
}
