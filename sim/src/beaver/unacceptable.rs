//! Requests that no store can take, for their size or for what they hold: each is refused for its own
//! reason, and changes nothing.

use beaver::{JobId, Payload};
use serde::{Deserialize, Serialize};

/// A request that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unacceptable {
    /// A job without an id.
    EmptyId,
    /// A job with an id that is one byte too long.
    LongId,
    /// A payload that is no JSON.
    BrokenPayload,
    /// A payload that would not stay on one line.
    PayloadOfTwoLines,
    /// A payload that is one byte too long for a line of the log.
    LongPayload,
    /// Jobs that fit into lines, and not together into one append.
    LongAppend,
}

impl Unacceptable {
    /// All of them, those first that cost least.
    pub const ALL: [Unacceptable; 6] = [
        Unacceptable::EmptyId,
        Unacceptable::LongId,
        Unacceptable::BrokenPayload,
        Unacceptable::PayloadOfTwoLines,
        Unacceptable::LongPayload,
        Unacceptable::LongAppend,
    ];

    /// The jobs that it asks for, as far as ids and payloads like these exist.
    pub(super) fn jobs(self) -> Vec<(String, String)> {
        let job = |id: String, payload: String| vec![(id, payload)];
        let largest = || format!("\"{}\"", "x".repeat(Payload::MAX_BYTES - 2));
        match self {
            Self::EmptyId => job(String::new(), "1".to_owned()),
            Self::LongId => job("x".repeat(JobId::MAX_BYTES + 1), "1".to_owned()),
            Self::BrokenPayload => job("refused".to_owned(), "{\"a\":".to_owned()),
            Self::PayloadOfTwoLines => job("refused".to_owned(), "[1,\n2]".to_owned()),
            Self::LongPayload => job("refused".to_owned(), format!("{} ", largest())),
            Self::LongAppend => {
                let payload = largest();
                let ids = (0..5).map(|number| format!("refused-{number}"));
                ids.map(|id| (id, payload.clone())).collect()
            }
        }
    }
}
