//! What the client was told, in order: the history that every recovery is held against.
//!
//! An atomic command is one group of records. A group is *acknowledged* when the command returned
//! `Ok`; it is *in doubt* when the command failed without saying whether it took effect, or had no
//! time to answer. Groups in doubt lie behind all others, in the order in which they were given: a
//! log is a prefix, so the possible histories are the decided groups and the first k of those in
//! doubt, for each k. The first recovery that ends decides k, and from then on it is fixed.

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

/// The history so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    decided: Vec<Decided>,
    doubtful: Vec<Vec<Record>>,
    /// The fold over `decided`.
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

    /// The state that everything decided leads to.
    #[must_use]
    pub fn state(&self) -> &Model {
        &self.state
    }

    /// Where the last decided record stands.
    #[must_use]
    pub fn last_place(&self) -> Place {
        self.decided.last().map_or(Place::default(), |d| d.place)
    }

    /// A command returned `Ok` and its last record stands at `last`.
    pub fn acknowledge(&mut self, records: Vec<Record>, last: Place) {
        let count = records.len() as u64;
        self.groups += 1;
        for (record, index) in records.into_iter().zip(1..) {
            self.state.apply(&record);
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
