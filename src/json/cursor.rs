//! Reading the one spelling that the library writes.

use std::borrow::Cow;

use super::scan::{Fault, plain_end, read_u64, string_end, value_end};

/// A place in a text of JSON. Every method reads one thing and moves behind it; on error it stays.
///
/// Bytes are compared, and only what is handed out as text is checked to be UTF-8.
pub(crate) struct Cursor<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// How much there was.
    length: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first byte of `json`.
    #[inline]
    pub(crate) fn new(json: &'a [u8]) -> Self {
        Cursor {
            rest: json,
            length: json.len(),
        }
    }

    /// A fault at this place.
    #[cold]
    pub(crate) fn fault(&self, expected: &'static str) -> Fault {
        Fault {
            at: self.length - self.rest.len(),
            expected,
        }
    }

    /// The same fault in the whole text.
    #[cold]
    fn in_whole(&self, fault: Fault) -> Fault {
        let Fault { at, expected } = fault;
        Fault {
            at: self.length - self.rest.len() + at,
            expected,
        }
    }

    /// Moves over `literal` if it is next, and says whether it was. Inlined, because the comparison
    /// with a text that is known ahead takes a few instructions.
    #[inline]
    pub(crate) fn take(&mut self, literal: &str) -> bool {
        let rest = self.rest.strip_prefix(literal.as_bytes());
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
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
        match self.plain_string() {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => self.any_string().map(Cow::Owned),
        }
    }

    /// Reads a string in which every byte stands for itself.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<&'a str> {
        let inside = self.rest.strip_prefix(b"\"")?;
        let (value, rest) = inside.split_at(plain_end(inside, 0));
        let rest = rest.strip_prefix(b"\"")?;
        let value = std::str::from_utf8(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Reads a string with escapes, or says what is wrong with it.
    #[cold]
    pub(crate) fn any_string(&mut self) -> Result<String, Fault> {
        if self.rest.first() != Some(&b'"') {
            return Err(self.fault("a string"));
        }
        let end = string_end(self.rest, 0).map_err(|fault| self.in_whole(fault))?;
        let value = serde_json::from_slice(&self.rest[..end])
            .map_err(|_| self.fault("a string of whole characters"))?;
        self.rest = &self.rest[end..];
        Ok(value)
    }

    /// Reads a number without sign, fraction, exponent and leading zeros.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        match read_u64(self.rest) {
            Some((value, length)) => {
                self.rest = &self.rest[length..];
                Ok(value)
            }
            None => Err(self.fault("a number below 2^64 without leading zeros")),
        }
    }

    /// Reads any valid value and returns its bytes as they are.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<&'a str, Fault> {
        let end = value_end(self.rest, 0).map_err(|fault| self.in_whole(fault))?;
        let (value, rest) = self.rest.split_at(end);
        let value = std::str::from_utf8(value).map_err(|_| self.fault("text in UTF-8"))?;
        self.rest = rest;
        Ok(value)
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may follow.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.fault("the end"))
    }
}
