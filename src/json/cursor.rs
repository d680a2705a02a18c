//! Reading the one spelling that the library writes.

use std::borrow::Cow;

use super::scan::{self, Fault, read_u64, string_end};

/// A place in a text of JSON. Every method reads one thing and moves behind it; on error it stays.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first byte of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    /// A fault at this place.
    pub(crate) fn fault(&self, expected: &'static str) -> Fault {
        Fault {
            at: self.at,
            expected,
        }
    }

    /// Moves over `literal` if it is next, and says whether it was.
    pub(crate) fn take(&mut self, literal: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    /// Moves over `literal`, which must be next.
    pub(crate) fn expect(&mut self, literal: &'static str) -> Result<(), Fault> {
        if self.take(literal) {
            return Ok(());
        }
        Err(self.fault(literal))
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.text.as_bytes().get(self.at) != Some(&b'"') {
            return Err(self.fault("a string"));
        }
        let end = string_end(self.text.as_bytes(), self.at)?;
        let inside = &self.text[self.at + 1..end - 1];
        let value = if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
            Cow::Borrowed(inside)
        } else {
            let unescaped = serde_json::from_str(&self.text[self.at..end]);
            Cow::Owned(unescaped.map_err(|_| self.fault("a string of whole characters"))?)
        };
        self.at = end;
        Ok(value)
    }

    /// Reads a number without sign, fraction, exponent and leading zeros.
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let digits = &self.text.as_bytes()[self.at..];
        let (value, length) = read_u64(digits)
            .ok_or_else(|| self.fault("a number below 2^64 without leading zeros"))?;
        self.at += length;
        Ok(value)
    }

    /// Reads any valid value and returns its bytes as they are.
    pub(crate) fn value(&mut self) -> Result<&'a str, Fault> {
        let end = scan::value_end(self.text.as_bytes(), self.at)?;
        let value = &self.text[self.at..end];
        self.at = end;
        Ok(value)
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(self.fault("the end"))
    }
}
