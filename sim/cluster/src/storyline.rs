//! What happened in a run, for people: a phrase for each observation, consecutive ones of a sort as one,
//! and after each crash what the disks had forgotten.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::entry::{EntryId, EntryKind, NodeId};
use crate::observation::{Observation, ObservedEvent, RecoveredState};

/// How an observation is to be seen on a page and in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// One of many: an entry appended, flushed, committed, applied.
    Routine,
    /// A vote, a snapshot, a truncation.
    Step,
    /// A start, a death, a leader, a change of the membership.
    Landmark,
}

/// One line of the story: what a node did, once or several times in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoryLine {
    /// When it was first done, in nanoseconds of virtual time.
    pub at: u64,
    /// The node.
    pub node: NodeId,
    /// What it did, in words.
    pub text: String,
    /// How much it matters.
    pub weight: Weight,
}

/// The story of a run, in order.
#[must_use]
pub fn storyline(events: &[ObservedEvent]) -> Vec<StoryLine> {
    let mut memory: BTreeMap<NodeId, NodeMemory> = BTreeMap::new();
    let mut lines: Vec<StoryLine> = Vec::new();
    // The last line of each node, so that what it does again joins that.
    let mut open: BTreeMap<NodeId, (usize, Run)> = BTreeMap::new();
    for event in events {
        let node = memory.entry(event.node).or_default();
        let forgotten = match &event.what {
            Observation::Started(found) => node.forgotten(found),
            _ => None,
        };
        node.follow(&event.what);
        if let Some(run) = Run::of(&event.what) {
            if let Some((line, joined)) = open.get_mut(&event.node)
                && joined.join(&run)
            {
                lines[*line].text = joined.text();
                continue;
            }
            open.insert(event.node, (lines.len(), run));
            lines.push(line(event, run.text(), Weight::Routine));
            continue;
        }
        open.remove(&event.node);
        let (mut text, weight) = phrase(&event.what);
        if let Some(forgotten) = forgotten {
            let _ = write!(text, "; forgotten: {forgotten}");
        }
        lines.push(line(event, text, weight));
    }
    lines
}

fn line(event: &ObservedEvent, text: String, weight: Weight) -> StoryLine {
    let (at, node) = (event.at, event.node);
    StoryLine {
        at,
        node,
        text,
        weight,
    }
}

/// What a routine observation does, over a range of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    verb: &'static str,
    first: EntryId,
    last: EntryId,
}

impl Run {
    fn of(what: &Observation) -> Option<Self> {
        let (verb, id) = match what {
            Observation::Appended { entry, .. } => match entry.kind {
                EntryKind::Membership(_) => return None,
                _ => ("appends", entry.id),
            },
            Observation::Applied { entry, .. } => ("applies", entry.id),
            Observation::Flushed { upto } => ("has on disk up to", *upto),
            Observation::Committed { index } => ("knows committed up to", EntryId::new(0, *index)),
            _ => return None,
        };
        Some(Run {
            verb,
            first: id,
            last: id,
        })
    }

    /// Whether `next` goes on with this, and is now part of it.
    fn join(&mut self, next: &Run) -> bool {
        let joins = self.verb == next.verb && self.last <= next.first;
        if joins {
            self.last = next.last;
        }
        joins
    }

    fn text(&self) -> String {
        match self.verb {
            "appends" | "applies" if self.first != self.last => {
                format!("{} {} to {}", self.verb, self.first, self.last)
            }
            "knows committed up to" => format!("{} {}", self.verb, self.last.index),
            _ => format!("{} {}", self.verb, self.last),
        }
    }
}

fn phrase(what: &Observation) -> (String, Weight) {
    match what {
        Observation::Started(found) => (
            format!("starts with {}", found_text(found)),
            Weight::Landmark,
        ),
        Observation::NotStarted { error } => (format!("does not start: {error}"), Weight::Landmark),
        Observation::Stopped { error } => (format!("stops: {error}"), Weight::Landmark),
        Observation::Died { power_cut: true } => ("loses power".to_owned(), Weight::Landmark),
        Observation::Died { power_cut: false } => ("is killed".to_owned(), Weight::Landmark),
        Observation::Wiped => ("loses its disks".to_owned(), Weight::Landmark),
        Observation::Leads { term } => (format!("leads in term {term}"), Weight::Landmark),
        Observation::StepsDown => ("leads no more".to_owned(), Weight::Landmark),
        Observation::VoteSaved { term, voted_for } => (
            format!("has on disk {}", vote_text(*term, *voted_for)),
            Weight::Step,
        ),
        Observation::Truncated { after } => {
            (format!("truncates its log after {after}"), Weight::Step)
        }
        Observation::Purged { upto } => (format!("purges its log up to {upto}"), Weight::Step),
        Observation::SnapshotBuilt { last, .. } => {
            (format!("has a snapshot of its own at {last}"), Weight::Step)
        }
        Observation::SnapshotInstalled { last, .. } => {
            (format!("installs a snapshot at {last}"), Weight::Step)
        }
        Observation::Appended { entry, .. } => {
            let EntryKind::Membership(sets) = &entry.kind else {
                return (format!("appends {}", entry.id), Weight::Routine);
            };
            let sets: Vec<String> = sets.iter().map(|voters| format!("{voters:?}")).collect();
            let sets = sets.join(" and ");
            (
                format!("appends {}: the voters are {sets}", entry.id),
                Weight::Landmark,
            )
        }
        Observation::Applied { .. }
        | Observation::Flushed { .. }
        | Observation::Committed { .. } => (String::new(), Weight::Routine),
    }
}

fn found_text(found: &RecoveredState) -> String {
    let log = match (found.log.first(), found.log.last()) {
        (Some(first), Some(last)) => format!("the log from {} to {}", first.id, last.id),
        _ if found.purged.index > 0 => format!("an empty log after {}", found.purged),
        _ => "an empty log".to_owned(),
    };
    format!("{}, {log}", vote_text(found.term, found.voted_for))
}

fn vote_text(term: u64, voted_for: Option<NodeId>) -> String {
    match voted_for {
        Some(node) => format!("term {term} and its vote for {node}"),
        None => format!("term {term} and no vote"),
    }
}

/// What a node has said of its term, vote and log.
#[derive(Debug, Default)]
struct NodeMemory {
    vote: (u64, Option<NodeId>),
    last: EntryId,
}

impl NodeMemory {
    fn follow(&mut self, what: &Observation) {
        match what {
            Observation::Started(found) => {
                self.vote = (found.term, found.voted_for);
                self.last = last_of(found);
            }
            Observation::VoteSaved { term, voted_for } => self.vote = (*term, *voted_for),
            Observation::Appended { entry, .. } => self.last = entry.id,
            Observation::Truncated { after } => self.last.index = self.last.index.min(*after),
            Observation::SnapshotInstalled { last, .. } => self.last = self.last.max(*last),
            Observation::Wiped => *self = NodeMemory::default(),
            _ => {}
        }
    }

    /// What it had before its last death that is not in `found`.
    fn forgotten(&self, found: &RecoveredState) -> Option<String> {
        let mut parts = Vec::new();
        if (found.term, found.voted_for) != self.vote && found.term <= self.vote.0 {
            parts.push(vote_text(self.vote.0, self.vote.1));
        }
        let last = last_of(found);
        if last.index < self.last.index {
            let from = last.index + 1;
            parts.push(match from == self.last.index {
                true => format!("entry {}", self.last),
                false => format!("entries {from} to {}", self.last),
            });
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn last_of(found: &RecoveredState) -> EntryId {
    found.log.last().map_or(found.purged, |entry| entry.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::ObservedEntry;

    fn entry(term: u64, index: u64) -> ObservedEntry {
        let kind = EntryKind::Blank;
        ObservedEntry {
            id: EntryId::new(term, index),
            kind,
        }
    }

    fn appended(index: u64) -> Observation {
        Observation::Appended {
            previous: EntryId::new(1, index - 1),
            entry: entry(1, index),
        }
    }

    fn story(whats: Vec<(NodeId, Observation)>) -> Vec<String> {
        let events = whats
            .into_iter()
            .zip(0..)
            .map(|((node, what), at)| ObservedEvent {
                at,
                node,
                process: 1,
                what,
            });
        let lines = storyline(&events.collect::<Vec<_>>());
        lines
            .into_iter()
            .map(|line| format!("{} {}", line.node, line.text))
            .collect()
    }

    #[test]
    fn what_a_node_does_again_joins_its_line_while_others_do_other_things() {
        let lines = story(vec![
            (1, appended(1)),
            (2, appended(1)),
            (1, appended(2)),
            (1, appended(3)),
            (
                1,
                Observation::Flushed {
                    upto: EntryId::new(1, 3),
                },
            ),
        ]);
        assert_eq!(
            lines,
            [
                "1 appends 1.1 to 1.3",
                "2 appends 1.1",
                "1 has on disk up to 1.3"
            ]
        );
    }

    #[test]
    fn a_start_says_what_its_disks_forgot() {
        let died = Observation::Died { power_cut: true };
        let found = RecoveredState {
            term: 1,
            log: vec![entry(1, 1)],
            ..RecoveredState::default()
        };
        let saved = Observation::VoteSaved {
            term: 2,
            voted_for: Some(3),
        };
        let started = Observation::Started(found);
        let lines = story(vec![
            (1, appended(1)),
            (1, saved),
            (1, appended(2)),
            (1, appended(3)),
            (1, died),
            (1, started),
        ]);
        let last = lines.last().unwrap();
        assert!(
            last.ends_with("forgotten: term 2 and its vote for 3; entries 2 to 1.3"),
            "{last}"
        );
    }

    #[test]
    fn a_start_that_forgot_nothing_says_so_by_silence() {
        let died = Observation::Died { power_cut: true };
        let found = RecoveredState {
            log: vec![entry(1, 1)],
            ..RecoveredState::default()
        };
        let lines = story(vec![
            (1, appended(1)),
            (1, died),
            (1, Observation::Started(found)),
        ]);
        assert!(!lines.last().unwrap().contains("forgotten"), "{lines:?}");
    }
}
