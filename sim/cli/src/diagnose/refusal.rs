//! What `serde` says when it refuses a document, taken apart again.
//!
//! The names that it would have accepted stand in its message and nowhere else: they depend on the type that was being
//! read. So a type of the scenario never has to list its fields a second time for the sake of its error messages.

use super::old_words::is_old;
use super::suggest::did_you_mean;

/// Above this many accepted names a message points to a list instead of holding it.
const MOST_NAMES: usize = 32;

/// A refusal of a name that does not exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownName<'m> {
    /// `field` or `variant`.
    what: &'m str,
    /// The name in the document.
    pub(super) typed: &'m str,
    /// The names that would have been accepted.
    known: Vec<&'m str>,
}

impl<'m> UnknownName<'m> {
    /// Reads ``unknown field `x`, expected one of `a`, `b` ``; `None` for any other message.
    pub(super) fn read(message: &'m str) -> Option<Self> {
        let rest = message.strip_prefix("unknown ")?;
        let (what, rest) = rest.split_once(" `")?;
        let (typed, rest) = rest.split_once('`')?;
        let names = rest.split('`').skip(1).step_by(2);
        Some(UnknownName {
            what,
            typed,
            known: names.filter(|name| !is_old(name)).collect(),
        })
    }

    /// The message for people; `inside` is the path of the object that holds the name.
    pub(super) fn message(&self, inside: &str) -> String {
        let what = match self.what {
            "variant" => "value",
            other => other,
        };
        let place = match inside {
            "" => String::new(),
            path => format!(" in `{path}`"),
        };
        let meant = did_you_mean(self.typed, self.known.iter().copied());
        format!(
            "unknown {what} `{}`{place}{meant}{}",
            self.typed,
            self.known_names()
        )
    }

    fn known_names(&self) -> String {
        let names = &self.known;
        match names.len() {
            0 => String::new(),
            1..=MOST_NAMES => format!("; known: {}", names.join(", ")),
            _ => "; `beaver schema` and `beaver faults` list what is known".to_owned(),
        }
    }
}

/// The message without the place that `serde_json` adds at its end.
pub(super) fn without_place(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |at| &message[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_taken_apart() {
        let unknown =
            UnknownName::read("unknown field `comands`, expected one of `commands`, `jobs`");
        assert_eq!(
            unknown.unwrap().message("workload"),
            "unknown field `comands` in `workload` (did you mean `commands`?); known: commands, jobs"
        );
    }

    #[test]
    fn an_unknown_value_of_one_is_taken_apart() {
        let unknown = UnknownName::read("unknown variant `x`, expected `posix`").unwrap();
        assert_eq!(unknown.message(""), "unknown value `x`; known: posix");
    }

    #[test]
    fn other_messages_are_left_alone() {
        assert_eq!(UnknownName::read("missing field `claim`"), None);
        assert_eq!(
            without_place("missing field `claim` at line 3 column 1"),
            "missing field `claim`"
        );
    }
}
