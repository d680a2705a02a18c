//! An event that says who wrote it: `{"caller":3,"n":17}`. The state of a log of them is a list.

use beaver::{DecodeError, LogEvent, StateMachine};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) caller: u32,
    /// Counts the caller's events.
    pub(crate) n: u32,
}

impl LogEvent for Note {
    fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("two numbers can always be written");
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }
}

/// How many events of each caller there are. An event out of its caller's order is refused, and
/// one whose `n` is [`Notes::PANICS`] makes `apply` panic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) counts: std::collections::BTreeMap<u32, u32>,
}

impl Notes {
    pub(crate) const PANICS: u32 = u32::MAX;

    pub(crate) fn count(&self, caller: u32) -> u32 {
        self.counts.get(&caller).copied().unwrap_or(0)
    }

    /// The next event of a caller.
    pub(crate) fn next(&self, caller: u32) -> Note {
        let n = self.count(caller);
        Note { caller, n }
    }
}

impl StateMachine for Notes {
    type Event = Note;
    type Error = std::fmt::Error;

    fn apply(&mut self, note: &Note) -> Result<(), std::fmt::Error> {
        assert!(note.n != Notes::PANICS, "a planned panic in `apply`");
        if self.count(note.caller) != note.n {
            return Err(std::fmt::Error);
        }
        self.counts.insert(note.caller, note.n + 1);
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("numbers can always be written");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }

    fn initial() -> Self {
        Notes::default()
    }
}
