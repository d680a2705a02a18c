//! What makes two failures the same: the invariant, how it broke, and where. Never a number.

use serde_json::Value;

use crate::invariant::Invariant;
use crate::result::{Outcome, Violation};
use crate::scenario::{Script, Step};

/// What a failure is, without anything that depends on the history that led there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Likeness {
    /// The invariant; [`Invariant::Progress`] for a panic, or a run that did not come to an end.
    pub invariant: Invariant,
    /// What the program was doing: `recovery`, `command`, `checkpoint`, `look` or `close`.
    pub activity: &'static str,
    /// What had to be, in the words that stay when ids, numbers and records are taken out.
    pub expected: String,
    /// What was found, likewise.
    pub found: String,
}

impl Likeness {
    /// The likeness of a run that ended so, `recovering` or not; nothing if it held.
    #[must_use]
    pub fn of(outcome: &Outcome, recovering: bool, script: &Script) -> Option<Self> {
        let violation = outcome.failure()?;
        let ids = ids_of(&script.steps);
        Some(Likeness {
            invariant: violation.invariant,
            activity: match recovering {
                true => "recovery",
                false => activity(violation),
            },
            expected: shape(&violation.expected, &ids),
            found: shape(&violation.found, &ids),
        })
    }
}

/// What ran, by the words in which a run names its commands.
fn activity(violation: &Violation) -> &'static str {
    match violation.command.split(' ').next().unwrap_or_default() {
        "checkpoint" => "checkpoint",
        "inspect" | "read" | "a" => "look",
        "close" => "close",
        _ => "command",
    }
}

/// The names in a history: every text in its ops, in the order of their first appearance.
pub(super) fn ids_of(steps: &[Step]) -> Vec<String> {
    fn collect(value: &Value, ids: &mut Vec<String>) {
        match value {
            Value::String(text) if !ids.contains(text) => ids.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, ids)),
            _ => {}
        }
    }
    let mut ids = Vec::new();
    for op in steps.iter().flat_map(Step::ops) {
        let value = op.to_json();
        // An op that is a text alone is its own name.
        if !value.is_string() {
            collect(&value, &mut ids);
        }
    }
    ids
}

/// The first clause of a text, without ids, numbers and words of one letter (which may be an id in
/// one history and not in another); files are what they are for, and all
/// records are alike.
fn shape(text: &str, ids: &[String]) -> String {
    const RECORDS: [&str; 6] = ["enqueue", "dispatch", "ack", "retry", "timeout", "dead"];
    const COMMANDS: [&str; 6] = ["enqueue", "dispatch", "ack", "fail", "tick", "requeue"];
    let first = text.split(' ').next().unwrap_or_default();
    let asked = [" to be ", " to succeed", " to fail ", " was "].iter();
    let asked = asked.filter_map(|words| text.rfind(words)).next();
    if let (true, Some(at)) = (COMMANDS.contains(&first), asked) {
        return format!("a command{}", shape(&text[at..], ids));
    }
    if RECORDS.contains(&first) {
        return "a record".to_owned();
    }
    let clause = text
        .split([';', '{', '[', '(', '"'])
        .next()
        .unwrap_or_default();
    let clause = clause.split(": ").next().unwrap_or_default();
    let words = clause.split_whitespace().filter_map(|word| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        if bare.starts_with("wal-") || bare.starts_with("snapshot-") {
            return Some(file_class(bare));
        }
        let plain = bare
            .chars()
            .all(|letter| letter.is_alphabetic() || letter == '-');
        (plain && bare.len() > 1 && !ids.iter().any(|id| id == bare)).then_some(bare)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn file_class(name: &str) -> &'static str {
    match name {
        _ if name.ends_with(".tmp") => "temporary",
        _ if name.starts_with("snapshot-") => "snapshot",
        _ => "segment",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_numbers_and_files_do_not_count() {
        let ids = ["a".to_owned(), "late".to_owned()];
        for (one, other) in [
            (
                "the history ends too early: 3 shown, 2 missing: ack a",
                "the history ends too early: 1 shown, 1",
            ),
            (
                "wal-0000000001.jsonl at byte 17: damaged",
                "wal-0000000004.jsonl at byte 3: damaged",
            ),
            (
                "enqueue a {\"x\":1} at 5 at 1:2",
                "dispatch late at 7 at 2:1",
            ),
            ("job a: Waiting, attempt 1", "job late: Dead, attempt 2"),
            (
                "dispatch was acknowledged",
                "enqueue a, late was acknowledged",
            ),
        ] {
            assert_eq!(shape(one, &ids), shape(other, &ids), "{one}");
        }
    }

    #[test]
    fn a_segment_is_not_a_snapshot() {
        let (segment, snapshot) = (
            "wal-0000000001.jsonl is damaged",
            "snapshot-0000000001.json is damaged",
        );
        assert_ne!(shape(segment, &[]), shape(snapshot, &[]));
    }
}
