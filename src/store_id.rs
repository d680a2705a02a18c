//! Whose files these are.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// The identity of a store: drawn when the store is made, and written into each of its segments and
/// snapshots. Shown as 16 hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u64);

impl StoreId {
    /// How many digits it has.
    pub(crate) const DIGITS: usize = 16;

    /// A new identity, from what the operating system gives for the seeds of hash tables.
    #[must_use]
    pub fn random() -> Self {
        StoreId(RandomState::new().hash_one(()))
    }

    /// Reads the digits that [`Display`](fmt::Display) writes, no others.
    pub(crate) fn parse(digits: &[u8]) -> Option<Self> {
        let is_canonical = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let text = std::str::from_utf8(digits).ok()?;
        let whole = digits.len() == Self::DIGITS && digits.iter().all(is_canonical);
        u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| whole)
            .map(StoreId)
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_read_back_and_no_others_do() {
        for id in [
            StoreId(0),
            StoreId(0x6f1d_0c5b_e2a9_4417),
            StoreId(u64::MAX),
        ] {
            assert_eq!(StoreId::parse(id.to_string().as_bytes()), Some(id));
        }
        for bad in [
            "",
            "6f1d0c5be2a9441",
            "6f1d0c5be2a944170",
            "6F1D0C5BE2A94417",
            "+f1d0c5be2a94417",
        ] {
            assert_eq!(StoreId::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn two_stores_have_different_identities() {
        assert_ne!(StoreId::random(), StoreId::random());
    }
}
