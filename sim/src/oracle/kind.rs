//! What makes two findings one kind: the invariant, and what is left of the texts without the values
//! of the history that led there.
//!
//! A search keeps the first finding of each kind and counts the others. Findings that its user knows
//! are kinds of their own: one of them never stands for one that she does not know.

use crate::invariant::Invariant;

use super::Finding;

/// A finding that is known, and no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The promise that it breaks.
    pub(crate) invariant: Invariant,
    /// A part of what was expected or found.
    pub(crate) text: String,
}

impl Allowed {
    fn takes(&self, finding: &Finding) -> bool {
        let said = |text: &str| text.contains(&self.text);
        finding.invariant == self.invariant && (said(&finding.expected) || said(&finding.found))
    }
}

/// What a search keeps of the findings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptKinds<'a> {
    /// Those that are no failures.
    pub(crate) allowed: &'a [Allowed],
    /// How many kinds of failures are enough.
    pub(crate) most: usize,
}

/// A kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FindingKind {
    /// The place of the first entry of those that are allowed which takes it.
    pub(crate) allowed: Option<usize>,
    invariant: Invariant,
    expected: String,
    found: String,
}

impl FindingKind {
    /// The kind of a finding, where these are known.
    pub(crate) fn of(finding: &Finding, allowed: &[Allowed]) -> Self {
        FindingKind {
            allowed: allowed.iter().position(|known| known.takes(finding)),
            invariant: finding.invariant,
            expected: without_values(&finding.expected),
            found: without_values(&finding.found),
        }
    }
}

/// A text without what is in quotes or brackets, and without digits. The place of a panic stays: two
/// lines that say the same are two bugs.
fn without_values(text: &str) -> String {
    let (place, text) = match text.split_once('\n') {
        Some((place, rest)) if place.starts_with("panicked at ") => (place, rest),
        _ => ("", text),
    };
    let mut kept = String::from(place);
    let mut open: Vec<char> = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, open.last()) {
            ('\\', Some('"')) => drop(letters.next()),
            ('"', Some('"')) => drop(open.pop()),
            (_, Some('"')) => {}
            ('"', _) => open.push('"'),
            ('(', _) => open.push(')'),
            ('[', _) => open.push(']'),
            ('{', _) => open.push('}'),
            (_, Some(end)) if *end == letter => drop(open.pop()),
            (_, Some(_)) => {}
            _ if letter.is_ascii_digit() => {}
            // What stands between values goes with them: a list may be longer or shorter.
            (',' | ';' | '…', _) => {}
            _ => kept.push(letter),
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(found: &str) -> FindingKind {
        let finding = Finding::new(Invariant::State, "the state [1]", found);
        let known = Allowed {
            invariant: Invariant::State,
            text: "[7]".to_owned(),
        };
        FindingKind::of(&finding, &[known])
    }

    #[test]
    fn values_make_no_kind() {
        for (one, other) in [
            ("{2: 1}, after a power cut", "{}, after a power cut"),
            (r#"job "a \" 7": gone"#, r#"job "": gone"#),
            (
                "wal-0000000012.log at byte 3",
                "wal-0000000001.log at byte 99",
            ),
            ("[1, (2, [3])] too  many", "[] too many"),
            ("2 missing: (1, 2); (3, 4); …", "1 missing: (1, 2)"),
        ] {
            assert_eq!(kind(one), kind(other), "{one}");
        }
        assert_ne!(kind("gone"), kind("there twice"));
    }

    #[test]
    fn panics_at_two_places_are_two_kinds() {
        let panicked = |line: u32| kind(&format!("panicked at src/a.rs:{line}:5:\nseven is 7"));
        assert_ne!(panicked(3), panicked(4));
        assert_eq!(panicked(3), panicked(3));
    }

    #[test]
    fn what_is_allowed_stands_for_nothing_else() {
        let allowed = kind("[7] is there");
        assert_eq!(allowed.allowed, Some(0));
        assert_ne!(allowed, kind("[8] is there"));
    }
}
