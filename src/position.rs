//! Positions: where an event stands in a log.
//!
//! A seq alone is not unique, because it starts again at 1 in every epoch. The pair `(epoch, seq)`
//! is: it is totally ordered and never used twice in one store.

use std::fmt;
use std::str::FromStr;

/// Number of a segment file. The first is 1; every rotate adds one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Number of an event inside its epoch: 1, 2, 3 … Zero stands for "before the first event".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Where an event stands: globally unique and totally ordered, epoch first.
///
/// `Position { epoch, seq: 0 }` is the boundary before the first event of `epoch`. The default,
/// `0:0`, lies before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment.
    pub epoch: Epoch,
    /// The event inside it.
    pub seq: Seq,
}

impl Epoch {
    /// The epoch after this one. The last one of all has none and answers with itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Epoch(self.0.saturating_add(1))
    }

    /// The position of event `seq` of this epoch.
    pub(crate) const fn at(self, seq: Seq) -> Position {
        Position { epoch: self, seq }
    }
}

impl Position {
    /// The position of event `seq` of `epoch`.
    #[must_use]
    pub const fn new(epoch: u64, seq: u64) -> Self {
        Position {
            epoch: Epoch(epoch),
            seq: Seq(seq),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// What [`Position::from_str`] could not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a position: write EPOCH:SEQ, for example 8:3141")]
pub struct ParsePositionError(String);

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .split_once(':')
            .and_then(|(e, s)| Some(Position::new(e.parse().ok()?, s.parse().ok()?)));
        parsed.ok_or_else(|| ParsePositionError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_orders_before_seq() {
        assert!(Position::new(1, 9) < Position::new(2, 1));
        assert!(Position::new(2, 1) < Position::new(2, 2));
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        assert_eq!("8:3141".parse(), Ok(Position::new(8, 3141)));
        assert_eq!(Position::new(8, 3141).to_string(), "8:3141");
        for bad in ["", "8", ":", "8:", ":1", "8:-1", "a:b", "8:1:2"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
