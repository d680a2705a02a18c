//! Finds the line and column of a field in a JSON document.
//!
//! A scenario is checked after it has been turned into values, and values have forgotten where they stood. The way back is
//! a path, `workload.weights.enqueue` or `faults[3].kind`, followed through the text from its start.
//!
//! The document must be valid JSON; in another one the search ends with `None`, never with a panic.

use std::fmt;

/// A place in a text file, both numbers counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of the byte `offset` of `text`; behind the end it is the place after the last character.
    #[must_use]
    pub fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    /// The place that `serde_json` names: its columns are bytes, and an error at the end of a line has column 0.
    #[must_use]
    pub fn of_serde(text: &str, error: &serde_json::Error) -> Self {
        let line = error.line().max(1);
        let bytes = error.column().saturating_sub(1);
        let column = text.lines().nth(line - 1).map_or(1, |content| {
            let before = content.get(..bytes).unwrap_or(content);
            before.chars().count() + 1
        });
        Place { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The place of the field that `path` names: of its key in an object, of the value in a list.
///
/// Where the path leads beyond what the text has (a field that is missing), the place of the last part that is there.
#[must_use]
pub fn find(text: &str, path: &str) -> Option<Place> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_blank();
    let mut found = cursor.at;
    for step in steps(path) {
        let entered = match step {
            Step::Key(key) => cursor.enter_key(key),
            Step::Index(index) => cursor.enter_index(index),
        };
        let Some(at) = entered else { break };
        found = at;
    }
    (found < text.len()).then(|| Place::of_offset(text, found))
}

/// One part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

/// Splits `a.b[2].c` into its parts.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_suffix(']') {
            Some(index) => index.parse().map_or(Step::Key(part), Step::Index),
            None => Step::Key(part),
        })
}

/// A reading position in a JSON text.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Steps over `byte` and the blank space behind it, if it is there.
    fn accept(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
            self.skip_blank();
        }
        here
    }

    /// Moves to the value of `key` in the object that starts here; answers where the key starts.
    fn enter_key(&mut self, key: &str) -> Option<usize> {
        let object = self.at;
        if self.accept(b'{') {
            while self.peek() == Some(b'"') {
                let start = self.at;
                let name = self.take_string()?;
                self.skip_blank();
                self.accept(b':');
                if name == key {
                    return Some(start);
                }
                self.skip_value();
                self.accept(b',');
            }
        }
        self.at = object;
        None
    }

    /// Moves to the value number `index` of the list that starts here; answers where it starts.
    fn enter_index(&mut self, index: usize) -> Option<usize> {
        let list = self.at;
        if self.accept(b'[') {
            for _ in 0..index {
                self.skip_value();
                if !self.accept(b',') {
                    self.at = list;
                    return None;
                }
            }
            if self.peek().is_some_and(|byte| byte != b']') {
                return Some(self.at);
            }
        }
        self.at = list;
        None
    }

    /// Reads the string that starts here and returns it without its escapes.
    fn take_string(&mut self) -> Option<String> {
        let start = self.at;
        self.skip_string();
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
    }

    /// Steps over one value and the blank space behind it.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.skip_blank();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"name\": \"a, \\\"{b\",\n  \"faults\": [\n    {\"kind\": \"eio\"},\n    {\"at\": [1, [2]], \"kind\": \"x\"}\n  ],\n  \"é\": {\"deep\": {\"er\": 1}}\n}\n";

    #[track_caller]
    fn check_place(path: &str, line: usize, column: usize) {
        assert_eq!(find(TEXT, path), Some(Place { line, column }), "{path}");
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
        assert_eq!(Place::of_serde(text, &error).line, 1);
        assert!(Place::of_serde(text, &error).column <= text.chars().count());
    }
}
