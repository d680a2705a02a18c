//! Reading the one spelling that the library writes.

use std::borrow::Cow;

use super::plain::{plain_end, read_u64};
use super::value::{JsonError, string_end, value_end};

/// A place in a text of JSON. Every method reads one thing and moves past it; on error it stays.
///
/// Bytes are compared, and only what is handed out as text is checked to be UTF-8.
pub(crate) struct JsonReader<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// How much there was.
    length: usize,
}

impl<'a> JsonReader<'a> {
    /// A cursor before the first byte of `json`.
    #[inline]
    pub(crate) fn new(json: &'a [u8]) -> Self {
        JsonReader {
            rest: json,
            length: json.len(),
        }
    }

    /// The error that `expected` is not at this place.
    #[cold]
    pub(crate) fn error(&self, expected: &'static str) -> JsonError {
        JsonError {
            at: self.length - self.rest.len(),
            expected,
        }
    }

    /// The same error with its place in the whole text.
    #[cold]
    fn in_whole(&self, error: JsonError) -> JsonError {
        let JsonError { at, expected } = error;
        JsonError {
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
    pub(crate) fn expect(&mut self, literal: &'static str) -> Result<(), JsonError> {
        if self.take(literal) {
            return Ok(());
        }
        Err(self.error(literal))
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
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
    pub(crate) fn any_string(&mut self) -> Result<String, JsonError> {
        if self.rest.first() != Some(&b'"') {
            return Err(self.error("a string"));
        }
        let end = string_end(self.rest, 0).map_err(|error| self.in_whole(error))?;
        let value = serde_json::from_slice(&self.rest[..end])
            .map_err(|_| self.error("a string of whole characters"))?;
        self.rest = &self.rest[end..];
        Ok(value)
    }

    /// Reads a number without sign, fraction, exponent and leading zeros.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<u64, JsonError> {
        match read_u64(self.rest) {
            Some((value, length)) => {
                self.rest = &self.rest[length..];
                Ok(value)
            }
            None => Err(self.error("a number below 2^64 without leading zeros")),
        }
    }

    /// Reads any valid value and returns its bytes as they are.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<&'a str, JsonError> {
        let end = value_end(self.rest, 0).map_err(|error| self.in_whole(error))?;
        let (value, rest) = self.rest.split_at(end);
        let value = std::str::from_utf8(value).map_err(|_| self.error("text in UTF-8"))?;
        self.rest = rest;
        Ok(value)
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may follow.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), JsonError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.error("the end"))
    }
}
