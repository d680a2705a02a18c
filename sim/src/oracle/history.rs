//! What the client was told, in order: the history that every recovery is held against.
//!
//! An atomic command is one group of records. A group is *acknowledged* when the command returned
//! `Ok`; it is *in doubt* when the command failed without saying whether it took effect, or had no
//! time to answer. Groups in doubt lie behind all others, in the order in which they were given: a
//! log is a prefix, so the possible histories are the decided groups and the first k of those in
//! doubt, for each k. The first recovery that ends decides k, and from then on it is fixed.
//!
//! A log that syncs on request answers before it promises: a group is *answered* until a sync
//! covers it. Then it is acknowledged; if the process ends before, it is in doubt, before the groups
//! whose commands had no answer.

use std::collections::VecDeque;

use super::model::{Model, Record};

/// Where a record stands: epoch, then seq. The client reads it off the store and knows only that it
/// grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the segment.
    pub epoch: u64,
    /// Number inside the segment, from 1; 0 is the boundary before the first.
    pub seq: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// How the client came to believe that a record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Its command returned `Ok`.
    Acknowledged,
    /// A recovery showed it.
    Recovered,
}

/// A record that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What happened.
    pub record: Record,
    /// Where it stands.
    pub place: Place,
    /// Why it must be there.
    pub belief: Belief,
    /// Which atomic append it belongs to, counted over the whole history.
    pub group: u64,
}

/// A group whose command returned `Ok` without a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answered {
    records: Vec<Record>,
    /// Where the last of them stands.
    last: Place,
}

/// The history so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    decided: Vec<Decided>,
    /// Behind everything decided, and only while the process lives that answered.
    answered: VecDeque<Answered>,
    doubtful: Vec<Vec<Record>>,
    /// The fold over `decided` and `answered`.
    state: Model,
    /// How many atomic appends there were.
    groups: u64,
}

impl History {
    /// What must be there, in order.
    #[must_use]
    pub fn decided(&self) -> &[Decided] {
        &self.decided
    }

    /// What may be there or not, group by group.
    #[must_use]
    pub fn doubtful(&self) -> &[Vec<Record>] {
        &self.doubtful
    }

    /// The state that everything decided leads to, and what was answered since.
    #[must_use]
    pub fn state(&self) -> &Model {
        &self.state
    }

    /// Where the last record stands that is decided or was answered.
    #[must_use]
    pub fn last_place(&self) -> Place {
        let answered = self.answered.back().map(|group| group.last);
        let decided = self.decided.last().map(|decided| decided.place);
        answered.or(decided).unwrap_or_default()
    }

    /// A command returned `Ok` and its last record stands at `last`.
    pub fn acknowledge(&mut self, records: Vec<Record>, last: Place) {
        records.iter().for_each(|record| self.state.apply(record));
        self.push(records, last);
    }

    /// Decides a group that the state contains.
    fn push(&mut self, records: Vec<Record>, last: Place) {
        let count = records.len() as u64;
        self.groups += 1;
        for (record, index) in records.into_iter().zip(1..) {
            self.decided.push(Decided {
                record,
                place: Place {
                    epoch: last.epoch,
                    seq: (last.seq + index).saturating_sub(count),
                },
                belief: Belief::Acknowledged,
                group: self.groups,
            });
        }
    }

    /// A command returned `Ok`, its last record stands at `last`, and nothing is promised yet.
    pub fn answer(&mut self, records: Vec<Record>, last: Place) {
        records.iter().for_each(|record| self.state.apply(record));
        if !records.is_empty() {
            self.answered.push_back(Answered { records, last });
        }
    }

    /// Whether `place` lies inside a group that was answered.
    #[must_use]
    pub fn splits(&self, place: Place) -> bool {
        self.answered.iter().any(|group| {
            let before = group.last.seq.saturating_sub(group.records.len() as u64);
            place.epoch == group.last.epoch && place.seq > before && place < group.last
        })
    }

    /// Everything that was answered and stands at `place` or before it is promised now: how many
    /// groups.
    pub fn promise_through(&mut self, place: Place) -> usize {
        let mut promised = 0;
        while self
            .answered
            .front()
            .is_some_and(|group| group.last <= place)
        {
            let group = self.answered.pop_front();
            group
                .into_iter()
                .for_each(|group| self.push(group.records, group.last));
            promised += 1;
        }
        promised
    }

    /// The process that answered is gone: what it did not promise is in doubt. How many groups.
    pub fn interrupt(&mut self) -> usize {
        let answered = std::mem::take(&mut self.answered);
        let groups = answered.len();
        if groups > 0 {
            let answered = answered.into_iter().map(|group| group.records);
            self.doubtful.splice(0..0, answered);
            self.state = Model::fold(self.decided.iter().map(|d| &d.record));
        }
        groups
    }

    /// It is unknown whether a command took effect.
    pub fn doubt(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.doubtful.push(records);
        }
    }

    /// A recovery showed the first `groups` groups in doubt, at these places, and no more.
    pub fn decide(&mut self, groups: usize, places: &[Place]) {
        let mut places = places.iter();
        for group in self.doubtful.drain(..).take(groups) {
            self.groups += 1;
            for (record, place) in group.into_iter().zip(&mut places) {
                self.state.apply(&record);
                self.decided.push(Decided {
                    record,
                    place: *place,
                    belief: Belief::Recovered,
                    group: self.groups,
                });
            }
        }
    }

    /// Damage took everything behind the first `kept` records, and nothing could have saved it.
    pub fn lose_behind(&mut self, kept: usize) {
        self.decided.truncate(kept);
        self.doubtful.clear();
        self.state = Model::fold(self.decided.iter().map(|d| &d.record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::model::What;

    fn record(id: &str) -> Record {
        Record {
            id: id.to_owned(),
            at_ms: 1,
            what: What::Enqueued {
                payload: "1".to_owned(),
                max_attempts: 1,
                timeout_ms: 1,
            },
        }
    }

    fn place(seq: u64) -> Place {
        Place { epoch: 1, seq }
    }

    /// Two appends were answered, one of one record and one of two.
    fn answered() -> History {
        let mut history = History::default();
        history.acknowledge(vec![record("a")], place(1));
        history.answer(vec![record("b")], place(2));
        history.answer(vec![record("c"), record("d")], place(4));
        history
    }

    #[test]
    fn what_is_answered_counts_and_must_not_be_there() {
        let history = answered();
        assert_eq!(history.state().len(), 4);
        assert_eq!(history.decided().len(), 1);
        assert_eq!(history.last_place(), place(4));
    }

    #[test]
    fn a_sync_promises_what_it_covers_at_its_places() {
        let mut history = answered();
        assert!(history.splits(place(3)));
        assert!(!history.splits(place(2)) && !history.splits(place(4)));
        assert_eq!(history.promise_through(place(2)), 1);
        assert_eq!(history.promise_through(place(2)), 0);
        assert_eq!(history.promise_through(place(4)), 1);
        let places: Vec<u64> = history.decided().iter().map(|d| d.place.seq).collect();
        assert_eq!(places, [1, 2, 3, 4]);
        assert_eq!(history.state().len(), 4);
        assert_eq!(history.interrupt(), 0);
    }

    #[test]
    fn what_was_not_promised_is_in_doubt_before_what_was_not_answered() {
        let mut history = answered();
        history.doubt(vec![record("e")]);
        assert_eq!(history.interrupt(), 2);
        let doubtful: Vec<usize> = history.doubtful().iter().map(Vec::len).collect();
        assert_eq!(doubtful, [1, 2, 1]);
        assert_eq!(history.state().len(), 1);
        assert_eq!(history.last_place(), place(1));
        history.decide(1, &[place(2)]);
        assert_eq!(history.state().len(), 2);
    }
}
