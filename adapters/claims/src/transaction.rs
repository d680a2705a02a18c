//! Transactions over a few keys, for every engine that keeps values under keys.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A value: one byte, repeated. So each byte of it can be told from those of every value near it, and from zeros.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The byte; 0 stands for bytes that are not equal, or zeros: no transaction puts it.
    pub byte: u8,
    /// How often.
    pub len: usize,
}

/// What a store holds.
pub type Entries = BTreeMap<u64, Value>;

/// What each key is to have, nothing where it is to be removed: all of it or nothing.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Transaction(pub Vec<(u64, Option<Value>)>);

impl Value {
    /// The value as an engine is given it.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        vec![self.byte; self.len]
    }

    /// The value that an engine returned.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let first = bytes.first().copied().unwrap_or(0);
        let whole = bytes.iter().all(|byte| *byte == first);
        Value {
            byte: if whole { first } else { 0 },
            len: bytes.len(),
        }
    }
}

impl Transaction {
    /// What it should do.
    pub fn apply(&self, entries: &mut Entries) {
        for (key, value) in &self.0 {
            match value {
                Some(value) => drop(entries.insert(*key, *value)),
                None => drop(entries.remove(key)),
            }
        }
    }

    /// What is worth trying: a small value, two keys at once with one value of `large` bytes, a key removed with another one
    /// overwritten.
    #[must_use]
    pub fn worth_trying(entries: &Entries, large: usize) -> Vec<Self> {
        let newest = entries.values().map(|value| value.byte).max().unwrap_or(0);
        // After 254 values the bytes begin again: then only those of the next state have to differ.
        let byte = newest % u8::MAX + 1;
        let put = |key, len| (key, Some(Value { byte, len }));
        vec![
            Transaction(vec![put(1, 20)]),
            Transaction(vec![put(2, large), put(3, 30)]),
            Transaction(vec![(1, None), put(2, 20)]),
        ]
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {:#04x}", self.len, self.byte)
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (key, value)) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            match value {
                Some(value) => write!(f, "put {key} = {value:?}")?,
                None => write!(f, "remove {key}")?,
            }
        }
        Ok(())
    }
}
