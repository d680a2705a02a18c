//! A hash of everything that a run did: equal runs have equal hashes, on every machine.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A running hash. It takes eight bytes at a time and is no protection against forgery.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fold(u64);

impl Fold {
    /// Takes one number in.
    pub(crate) fn number(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = mixed ^ (mixed >> 31);
    }

    /// Takes a value in.
    pub(crate) fn value(&mut self, value: &impl Hash) {
        value.hash(self);
    }

    /// Takes in what a value looks like when it is printed for people who write programs.
    pub(crate) fn printed(&mut self, value: &impl fmt::Debug) {
        // Taking text in never fails.
        let _ = fmt::write(self, format_args!("{value:?}"));
    }

    /// The hash so far.
    pub(crate) fn hash(self) -> u64 {
        self.0
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Write for Fold {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Hasher::write(self, text.as_bytes());
        Ok(())
    }
}
