//! Finds the line and column of a field in a JSON document.
//!
//! A scenario is checked after it has been turned into values, and values have forgotten where they stood. The way back is
//! a path, `workload.weights.enqueue` or `faults[3].kind`, followed through the text from its start.
//!
//! The document must be valid JSON; in another one the search ends with `None`, never with a panic.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

/// A place in a text file, both numbers counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl TextPosition {
    /// The place of the byte `offset` of `text`; after the end it is the place after the last character.
    #[must_use]
    pub(crate) fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        TextPosition {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    /// The place that `serde_json` names: its columns are bytes, and an error at the end of a line has column 0.
    #[must_use]
    pub(crate) fn of_serde(text: &str, error: &serde_json::Error) -> Self {
        let line = error.line().max(1);
        let bytes = error.column().saturating_sub(1);
        let column = text.lines().nth(line - 1).map_or(1, |content| {
            let before = content.get(..bytes).unwrap_or(content);
            before.chars().count() + 1
        });
        TextPosition { line, column }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The place of the field that `path` names: of its key in an object, of the value in a list.
///
/// Where the path leads beyond what the text has (a field that is missing), the place of the last part that is there.
#[must_use]
pub fn find(text: &str, path: &str) -> Option<TextPosition> {
    let mut value = text.trim_start();
    let mut found = offset_in(text, value);
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let index = part.strip_suffix(']').and_then(|index| index.parse().ok());
        let entered = match index {
            Some(index) => member(value, index),
            None => field(value, part),
        };
        let Some(entered) = entered else { break };
        value = entered;
        let at = offset_in(text, value);
        found = match index {
            Some(_) => at,
            None => key_before(text, at).unwrap_or(at),
        };
    }
    (found < text.len()).then(|| TextPosition::of_offset(text, found))
}

/// Where `part`, which is a part of `text`, begins in it.
fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// The text of the value of `key` in the object `text`.
fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let fields: BTreeMap<String, &'t RawValue> = serde_json::from_str(text).ok()?;
    fields.get(key).map(|value| value.get())
}

/// The text of value number `index` in the list `text`.
fn member(text: &str, index: usize) -> Option<&str> {
    let members: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    members.get(index).map(|value| value.get())
}

/// Where the key of the value at byte `at` begins.
fn key_before(text: &str, at: usize) -> Option<usize> {
    let key = text[..at].trim_end().strip_suffix(':')?.trim_end();
    let mut quotes = key.strip_suffix('"')?.rmatch_indices('"').map(|(at, _)| at);
    quotes.find(|at| !key[..*at].ends_with('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"name\": \"a, \\\"{b\",\n  \"faults\": [\n    {\"kind\": \"eio\"},\n    {\"at\": [1, [2]], \"kind\": \"x\"}\n  ],\n  \"é\": {\"deep\": {\"er\": 1}}\n}\n";

    #[track_caller]
    fn check_place(path: &str, line: usize, column: usize) {
        assert_eq!(
            find(TEXT, path),
            Some(TextPosition { line, column }),
            "{path}"
        );
    }

    #[test]
    fn a_field_is_found_at_its_key() {
        check_place("name", 2, 3);
        check_place("faults", 3, 3);
        check_place("é.deep.er", 7, 18);
    }

    #[test]
    fn a_member_of_a_list_is_found_at_its_value() {
        check_place("faults[0]", 4, 5);
        check_place("faults[1].kind", 5, 22);
        check_place("faults[1].at[1][0]", 5, 17);
    }

    #[test]
    fn a_missing_field_is_found_at_what_should_hold_it() {
        check_place("faults[1].rate", 5, 5);
        check_place("faults[7]", 3, 3);
        check_place("nothing", 1, 1);
        check_place("", 1, 1);
    }

    #[test]
    fn a_text_that_is_not_json_never_panics() {
        for text in [
            "",
            "{",
            "{\"a",
            "{\"a\\",
            "[1,",
            "}",
            "{\"a\" 1}",
            "[[[[",
            "\"é",
        ] {
            for path in ["a", "a.b", "[0]", "a[3].b", "x"] {
                let _ = find(text, path);
            }
        }
    }

    #[test]
    fn columns_of_serde_count_characters() {
        let text = "{\"é\": tru}";
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        assert_eq!(TextPosition::of_serde(text, &error).line, 1);
        assert!(TextPosition::of_serde(text, &error).column <= text.chars().count());
    }
}
