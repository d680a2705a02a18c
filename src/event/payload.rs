//! What a job carries: JSON, kept byte for byte.
//!
//! The log never takes a payload apart. A number of forty digits, a duplicate key, spaces between
//! tokens and the choice of escapes all come back as they went in. What cannot come back so is
//! refused here, before it reaches the log:
//!
//! * white space before or after the value: inside a log line nothing says to which side of the
//!   value it belongs;
//! * a raw line break: an event is one line;
//! * more bytes than always fit in a line, and deeper nesting than a reader with a limit can
//!   follow.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

use super::text::keep;
use crate::json;

/// One JSON value, kept byte for byte. Up to 23 bytes take no memory of their own; clones of a
/// longer one share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(SmolStr);

/// Why a text is not a [`Payload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPayload {
    /// It has more than [`Payload::MAX_BYTES`] bytes.
    #[error("a payload of {bytes} bytes is too long: the limit is 16773120")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has a raw line break. Inside a string write `\n`; between tokens use spaces.
    #[error("a payload must be on one line: there is a raw line break at byte {at}")]
    LineBreak {
        /// Byte offset of the line break.
        at: usize,
    },
    /// White space stands before or after the value, and would be lost.
    #[error("a payload must not begin or end with white space")]
    Surrounded,
    /// It is not one valid JSON value, or nests deeper than [`Payload::MAX_DEPTH`].
    #[error("a payload must be a JSON value: expected {expected} at byte {at}")]
    NotJson {
        /// Byte offset of the first byte that does not fit.
        at: usize,
        /// What would have fitted.
        expected: &'static str,
    },
}

impl Payload {
    /// The longest payload in bytes: 16 MiB less 4 KiB, so that every event fits into a log line of
    /// at most 16 MiB.
    pub const MAX_BYTES: usize = (16 << 20) - (4 << 10);

    /// How deep objects and arrays may nest: 100 levels. `serde_json` reads 127 levels by default; the
    /// rest is for the line around a payload.
    pub const MAX_DEPTH: u32 = json::MAX_DEPTH;

    /// Checks that `json` is one JSON value that can be kept byte for byte.
    ///
    /// # Errors
    /// See [`InvalidPayload`].
    pub fn new(json: impl AsRef<str>) -> Result<Self, InvalidPayload> {
        let json = json.as_ref();
        check(json)?;
        Ok(Self::of_checked(json))
    }

    /// Keeps `json`, which a scan has found to be a value.
    pub(crate) fn of_scanned(json: &str) -> Result<Self, InvalidPayload> {
        check_length(json)?;
        Ok(Self::of_checked(json))
    }

    /// The payload `json`, which was checked.
    #[inline]
    pub(super) fn of_checked(json: &str) -> Self {
        Payload(match json {
            "{}" => SmolStr::new_static("{}"),
            _ => keep(json),
        })
    }

    /// The JSON text as the caller gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `json` is short enough.
#[inline]
pub(super) fn check_length(json: &str) -> Result<(), InvalidPayload> {
    if json.len() > Payload::MAX_BYTES {
        let bytes = json.len();
        return Err(InvalidPayload::TooLong { bytes });
    }
    Ok(())
}

fn check(text: &str) -> Result<(), InvalidPayload> {
    check_length(text)?;
    let bytes = text.as_bytes();
    if let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) {
        return Err(InvalidPayload::LineBreak { at });
    }
    if let (Some(b' ' | b'\t'), _) | (_, Some(b' ' | b'\t')) = (bytes.first(), bytes.last()) {
        return Err(InvalidPayload::Surrounded);
    }
    let end = json::value_end(bytes, 0).map_err(|fault| InvalidPayload::NotJson {
        at: fault.at,
        expected: fault.expected,
    })?;
    if end < bytes.len() {
        let expected = "nothing after the value";
        return Err(InvalidPayload::NotJson { at: end, expected });
    }
    Ok(())
}

impl FromStr for Payload {
    type Err = InvalidPayload;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        Payload::new(json)
    }
}

impl AsRef<str> for Payload {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
