//! What an op answers, and what it must answer.

use crate::oracle::history::Position;

/// How durable an op is when it has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The op is durable, and so is every op before it.
    #[default]
    Durable,
    /// All ops are durable but the last `pending`, this one included: a prefix, never a hole.
    AllBut {
        /// How many are not.
        pending: usize,
    },
    /// Nothing more is durable than before.
    NotYet,
}

/// What an op answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Everything that it returned, as text; empty where it only says that it is done.
    pub text: String,
    /// How durable it is now.
    pub durability: Durability,
    /// Where it stands in the store's log, for a store that numbers what it logs.
    pub position: Option<Position>,
}

impl From<Durability> for Answer {
    fn from(durability: Durability) -> Self {
        Answer {
            durability,
            ..Answer::default()
        }
    }
}

/// What an op must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The text of its answer.
    pub text: String,
    /// Whether it changes the state: what changes nothing (a read, an op that is refused) is no part of the history.
    pub changes: bool,
    /// Whether it must answer that it, and everything before it, is durable.
    pub durable: bool,
}

impl Default for Expected {
    fn default() -> Self {
        Expected {
            text: String::new(),
            changes: true,
            durable: false,
        }
    }
}
