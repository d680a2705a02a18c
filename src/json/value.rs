//! Finding the end of a JSON value, and that it is one.
//!
//! The grammar is that of RFC 8259 with two limits: no raw line break, and at most [`MAX_DEPTH`]
//! objects and arrays inside each other. It is the grammar that `serde_json` accepts for a
//! `RawValue` (a test holds both together), so a `\u` escape needs four hex digits and a number may
//! be of any size; neither is turned into a value here.

use std::fmt;

use super::plain::plain_end;

/// How deep objects and arrays may nest.
///
/// `serde_json` reads 127 levels by default. The difference leaves room for the lines and documents
/// that a payload is put into, so that a reader of plain JSON
/// can read those.
pub(crate) const MAX_DEPTH: u32 = 100;

/// Why some bytes are not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// Byte offset of the first byte that does not fit.
    pub(crate) at: usize,
    /// What would have fitted.
    pub(crate) expected: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

#[cold]
fn expected(at: usize, expected: &'static str) -> JsonError {
    JsonError { at, expected }
}

/// The open objects and arrays, one bit each: the innermost is the lowest, 1 for an object.
#[derive(Default)]
struct Nesting {
    kinds: u128,
    depth: u32,
}

impl Nesting {
    fn push(&mut self, object: bool, at: usize) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(expected(at, "at most 100 levels of nesting"));
        }
        self.depth += 1;
        self.kinds = self.kinds << 1 | u128::from(object);
        Ok(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.kinds >>= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

/// The offset after the JSON value that starts at `start`, without white space around it.
///
/// # Errors
/// There is no valid value, or it has a raw line break, or it nests too deep.
pub(crate) fn value_end(json: &[u8], start: usize) -> Result<usize, JsonError> {
    // A loop and not a recursion: bytes from a disk never decide how deep the stack gets.
    let mut nesting = Nesting::default();
    let mut at = start;
    loop {
        at = match json.get(at) {
            Some(b'{') => {
                nesting.push(true, at)?;
                let inside = skip_spaces(json, at + 1);
                if json.get(inside) != Some(&b'}') {
                    at = key_end(json, inside)?;
                    continue;
                }
                nesting.pop();
                inside + 1
            }
            Some(b'[') => {
                nesting.push(false, at)?;
                let inside = skip_spaces(json, at + 1);
                if json.get(inside) != Some(&b']') {
                    at = inside;
                    continue;
                }
                nesting.pop();
                inside + 1
            }
            Some(b'"') => string_end(json, at)?,
            Some(b't') => literal_end(json, at, b"true")?,
            Some(b'f') => literal_end(json, at, b"false")?,
            Some(b'n') => literal_end(json, at, b"null")?,
            _ => number_end(json, at)?,
        };
        match close(json, at, &mut nesting)? {
            Next::Value(next) => at = next,
            Next::End(end) => return Ok(end),
        }
    }
}

/// What follows a complete value: another one, or nothing more.
enum Next {
    Value(usize),
    End(usize),
}

/// Goes on after a complete value: over closing brackets, and over a comma (and a key) to the
/// value after it.
#[inline]
fn close(json: &[u8], mut at: usize, nesting: &mut Nesting) -> Result<Next, JsonError> {
    while nesting.depth > 0 {
        at = skip_spaces(json, at);
        match json.get(at) {
            Some(b',') => {
                let inside = skip_spaces(json, at + 1);
                let in_object = nesting.in_object();
                let next = if in_object {
                    key_end(json, inside)?
                } else {
                    inside
                };
                return Ok(Next::Value(next));
            }
            Some(b'}') if nesting.in_object() => nesting.pop(),
            Some(b']') if !nesting.in_object() => nesting.pop(),
            _ => {
                return Err(expected(at, "a comma or the closing bracket"));
            }
        }
        at += 1;
    }
    Ok(Next::End(at))
}

/// The offset of the value after the key that starts at `at`.
fn key_end(json: &[u8], at: usize) -> Result<usize, JsonError> {
    if json.get(at) != Some(&b'"') {
        return Err(expected(at, "a key in quotes"));
    }
    let colon = skip_spaces(json, string_end(json, at)?);
    if json.get(colon) != Some(&b':') {
        return Err(expected(colon, "a colon"));
    }
    Ok(skip_spaces(json, colon + 1))
}

#[inline]
fn skip_spaces(json: &[u8], mut at: usize) -> usize {
    // Line breaks are no space here: an event is one line.
    while let Some(b' ' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

/// The offset after the string whose opening quote is at `at`.
#[inline]
pub(super) fn string_end(json: &[u8], at: usize) -> Result<usize, JsonError> {
    let end = plain_end(json, at + 1);
    if json.get(end) == Some(&b'"') {
        return Ok(end + 1);
    }
    escaped_string_end(json, end)
}

/// As [`string_end`], from the first byte on that does not stand for itself.
fn escaped_string_end(json: &[u8], mut at: usize) -> Result<usize, JsonError> {
    loop {
        match json.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = plain_end(json, escape_end(json, at)?),
            Some(_) => {
                return Err(expected(at, "no raw control character in a string"));
            }
            None => {
                return Err(expected(at, "a closing quote"));
            }
        }
    }
}

fn escape_end(json: &[u8], at: usize) -> Result<usize, JsonError> {
    match json.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let digits = json.get(at + 2..at + 6).unwrap_or_default();
            if digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit) {
                return Ok(at + 6);
            }
            Err(expected(at, "four hex digits"))
        }
        _ => Err(expected(at, "a known escape")),
    }
}

fn literal_end(json: &[u8], at: usize, literal: &[u8]) -> Result<usize, JsonError> {
    if json[at..].starts_with(literal) {
        return Ok(at + literal.len());
    }
    Err(expected(at, "a JSON value"))
}

fn number_end(json: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start;
    if json.get(at) == Some(&b'-') {
        at += 1;
    }
    // After a leading zero no further digit may follow; the caller meets it as a stray byte.
    at = match json.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits_end(json, at),
        _ => {
            return Err(expected(start, "a JSON value"));
        }
    };
    if json.get(at) == Some(&b'.') {
        at = some_digits_end(json, at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = json.get(at) {
            at += 1;
        }
        at = some_digits_end(json, at)?;
    }
    Ok(at)
}

fn digits_end(json: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = json.get(at) {
        at += 1;
    }
    at
}

fn some_digits_end(json: &[u8], at: usize) -> Result<usize, JsonError> {
    let end = digits_end(json, at);
    if end == at {
        return Err(expected(at, "a digit"));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::event::tests::json_text;

    fn accepts(json: &str) -> bool {
        value_end(json.as_bytes(), 0) == Ok(json.len())
    }

    /// `RawValue` has no limit of depth and takes line breaks and spaces around the value.
    fn serde_json_accepts(json: &str) -> bool {
        let surrounded = json.starts_with([' ', '\t']) || json.ends_with([' ', '\t']);
        let valid = serde_json::from_str::<&RawValue>(json).is_ok();
        valid && !surrounded && !json.contains(['\n', '\r'])
    }

    proptest! {
        #[test]
        fn valid_values_are_accepted(json in json_text()) {
            prop_assert!(serde_json_accepts(&json), "{}", json);
            prop_assert!(accepts(&json), "{}", json);
        }

        #[test]
        fn altered_values_are_judged_as_serde_json_judges_them(
            json in json_text(),
            at in any::<prop::sample::Index>(),
            cut in 0..3_usize,
            put in "[\\[\\]{},:\"\\\\0-9eE+.tfnu a\t\n-]{0,2}",
        ) {
            let mut chars: Vec<char> = json.chars().collect();
            let at = at.index(chars.len());
            let end = chars.len().min(at + cut);
            chars.splice(at..end, put.chars());
            let json: String = chars.into_iter().collect();
            prop_assert_eq!(accepts(&json), serde_json_accepts(&json), "{}", json);
        }

        #[test]
        fn any_text_is_judged_as_serde_json_judges_it(json in "[\\[\\]{},:\"\\\\0-9eE+.a -]{0,12}") {
            prop_assert_eq!(accepts(&json), serde_json_accepts(&json), "{}", json);
        }
    }

    #[test]
    fn end_of_the_first_value_is_found() {
        for (json, end) in [
            ("1,2", 1),
            ("{}}", 2),
            ("[ ]x", 3),
            ("\"a\\\"\" ", 5),
            ("nulll", 4),
        ] {
            assert_eq!(value_end(json.as_bytes(), 0), Ok(end), "{json}");
        }
        assert_eq!(value_end(b"{\"payload\":[1,{}]}", 11), Ok(17));
    }

    #[test]
    fn error_says_where_and_what() {
        let error = value_end(b"[1,\"\x01\"]", 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected no raw control character in a string at byte 4"
        );
        for (json, at) in [
            ("", 0),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("[", 1),
            ("\"\\x\"", 1),
            ("1.", 2),
        ] {
            assert_eq!(value_end(json.as_bytes(), 0).unwrap_err().at, at, "{json}");
        }
    }
}
