//! Reading the one spelling that the library writes.

use std::borrow::Cow;

use super::scan::{self, Fault, read_u64, scan_string};

/// A place in a text of JSON. Every method reads one thing and moves behind it; on error it stays.
///
/// Bytes are compared, and only what is handed out as text is checked to be UTF-8.
pub(crate) struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first byte of `json`.
    pub(crate) fn new(json: &'a [u8]) -> Self {
        Cursor { json, at: 0 }
    }

    /// A fault at this place.
    pub(crate) fn fault(&self, expected: &'static str) -> Fault {
        Fault {
            at: self.at,
            expected,
        }
    }

    /// Moves over `literal` if it is next, and says whether it was. Inlined, because the comparison
    /// with a text that is known ahead takes a few instructions.
    #[inline]
    pub(crate) fn take(&mut self, literal: &str) -> bool {
        let found = self.json[self.at..].starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    /// Moves over `literal`, which must be next.
    #[inline]
    pub(crate) fn expect(&mut self, literal: &'static str) -> Result<(), Fault> {
        if self.take(literal) {
            return Ok(());
        }
        Err(self.fault(literal))
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.json.get(self.at) != Some(&b'"') {
            return Err(self.fault("a string"));
        }
        let (end, is_plain) = scan_string(self.json, self.at)?;
        let value = if is_plain {
            Cow::Borrowed(self.text(self.at + 1, end - 1)?)
        } else {
            let unescaped = serde_json::from_slice(&self.json[self.at..end]);
            Cow::Owned(unescaped.map_err(|_| self.fault("a string of whole characters"))?)
        };
        self.at = end;
        Ok(value)
    }

    /// Reads a number without sign, fraction, exponent and leading zeros.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let (value, length) = read_u64(&self.json[self.at..])
            .ok_or_else(|| self.fault("a number below 2^64 without leading zeros"))?;
        self.at += length;
        Ok(value)
    }

    /// Reads any valid value and returns its bytes as they are.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<&'a str, Fault> {
        let end = scan::value_end(self.json, self.at)?;
        let value = self.text(self.at, end)?;
        self.at = end;
        Ok(value)
    }

    /// Nothing may follow.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.at == self.json.len() {
            return Ok(());
        }
        Err(self.fault("the end"))
    }

    #[inline]
    fn text(&self, start: usize, end: usize) -> Result<&'a str, Fault> {
        let text = std::str::from_utf8(&self.json[start..end]);
        text.map_err(|_| self.fault("text in UTF-8"))
    }
}
