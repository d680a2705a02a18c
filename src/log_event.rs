//! What the log asks of an event type.

use std::fmt;

/// An event that can be kept in a log: it turns into one line of JSON and back.
///
/// The log itself never looks inside. [`Event`](crate::Event), the job queue's, is the default;
/// bring your own for another state machine.
pub trait LogEvent: Sized {
    /// Appends the event to `out` as JSON on one line (no raw line break; `append` refuses an event
    /// that has one).
    ///
    /// Must be a pure function of the event: equal events give equal bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads back what [`encode`](LogEvent::encode) wrote.
    ///
    /// # Errors
    /// Says why `json` is not an event: an unknown type, a missing field, a bad value. The log adds
    /// file and position. It is never taken for damage: nothing is skipped or cut because of
    /// it.
    fn decode(json: &[u8]) -> Result<Self, DecodeError>;

    /// What [`kind`](LogEvent::kind) and [`timestamp_ms`](LogEvent::timestamp_ms) say about the
    /// event that `json` is, for inspection, which keeps no event.
    ///
    /// The default decodes the event. A faster one must agree with that on everything, on what is
    /// no event too.
    ///
    /// # Errors
    /// That of [`decode`](LogEvent::decode).
    fn describe(json: &[u8]) -> Result<(&'static str, Option<u64>), DecodeError> {
        Self::decode(json).map(|event| (event.kind(), event.timestamp_ms()))
    }

    /// A name for statistics, the same for all events of a sort.
    fn kind(&self) -> &'static str {
        "event"
    }

    /// When the event happened, in milliseconds since the Unix epoch, where the event knows; for
    /// statistics.
    fn timestamp_ms(&self) -> Option<u64> {
        None
    }
}

/// Why some bytes with a valid checksum are not an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(String);

impl DecodeError {
    /// An error that says `why`.
    #[must_use]
    pub fn new(why: impl fmt::Display) -> Self {
        DecodeError(why.to_string())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}
