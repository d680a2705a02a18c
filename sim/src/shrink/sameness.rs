//! What makes two failures one after they were shrunk: the same invariant, broken in the same place
//! by the same history.
//!
//! Before that only their [likeness](super::Likeness) can be compared, and two runs of one bug may
//! be unlike: what is found depends on what else was done.

use crate::invariant::Invariant;
use crate::scenario::{LogSettings, Profile, Scenario};
use crate::subject::Subject;

use super::Likeness;
use super::likeness::ids_of;
use super::words::words;

/// A shrunk failure without its names: what jobs are called, and the numbers of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sameness {
    invariant: Invariant,
    activity: &'static str,
    profile: Profile,
    settings: LogSettings,
    history: Vec<String>,
}

impl Sameness {
    /// That of a failure of `subject` that was shrunk.
    #[must_use]
    pub fn of(subject: &Subject, shrunk: &Scenario, likeness: &Likeness) -> Self {
        let steps = shrunk.script.as_ref().map(|script| &script.steps[..]);
        let ids = ids_of(steps.unwrap_or_default());
        let lines = words(subject, shrunk);
        Sameness {
            invariant: likeness.invariant,
            activity: likeness.activity,
            profile: shrunk.profile,
            settings: shrunk.log.clone(),
            history: lines.iter().map(|line| without_ids(line, &ids)).collect(),
        }
    }
}

/// A line in which each job is called by the number of its first appearance in the history.
fn without_ids(line: &str, ids: &[String]) -> String {
    let words = line.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ';', ')']);
        let end = &word[bare.len()..];
        match ids.iter().position(|id| id == bare) {
            Some(number) => format!("{number}{end}"),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_count_by_their_order_and_not_by_their_names() {
        let (one, other) = (
            ["x".to_owned(), "a".to_owned()],
            ["b".to_owned(), "z".to_owned()],
        );
        assert_eq!(
            without_ids("enqueue x, a", &one),
            without_ids("enqueue b, z", &other)
        );
        assert_ne!(without_ids("ack x", &one), without_ids("ack z", &other));
    }
}
