//! Seeds as they are typed: decimal or `0x…`, and ranges `A..B` that exclude `B`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// One seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.trim().replace('_', "");
        let parsed = match plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
            // A sign would be accepted by `from_str_radix`.
            Some(hex) if hex.starts_with(['+', '-']) => None,
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None if plain.starts_with('+') => None,
            None => plain.parse().ok(),
        };
        parsed.map(Seed).ok_or_else(|| {
            format!("`{text}` is not a seed: write a number from 0 to 2^64-1, decimal or 0x…")
        })
    }
}

/// The seeds from `start` up to, without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeedRange {
    /// The first seed.
    pub(crate) start: u64,
    /// The first seed that is not in the range.
    pub(crate) end: u64,
}

impl SeedRange {
    /// The range as the engine wants it.
    pub(crate) fn range(self) -> Range<u64> {
        self.start..self.end
    }

    /// How many seeds.
    pub(crate) fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is not a range of seeds: write A..B, B excluded"))?;
        if end.starts_with('=') {
            return Err(format!("`{text}`: write A..B, B excluded, without `=`"));
        }
        let (Seed(start), Seed(end)) = (start.parse()?, end.parse()?);
        if end <= start {
            return Err(format!("`{text}` has no seed in it: B is excluded and must be above A"));
        }
        Ok(SeedRange { start, end })
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_decimal_or_hex() {
        assert_eq!("7".parse(), Ok(Seed(7)));
        assert_eq!("0x7f".parse(), Ok(Seed(127)));
        assert_eq!("0XFFFF_FFFF_FFFF_FFFF".parse(), Ok(Seed(u64::MAX)));
        assert_eq!("18446744073709551615".parse(), Ok(Seed(u64::MAX)));
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for bad in ["", "x", "-1", "+1", "0x", "0x-1", "0x+1", "1.5", "18446744073709551616", "7f"] {
            assert!(bad.parse::<Seed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_excludes_its_end() {
        let range: SeedRange = "3..0x10".parse().unwrap();
        assert_eq!((range.start, range.end, range.len()), (3, 16, 13));
        assert_eq!(range.to_string(), "3..16");
        assert_eq!(range.range().count(), 13);
    }

    #[test]
    fn an_empty_or_broken_range_is_refused() {
        for bad in ["", "3", "3..3", "4..3", "..3", "3..", "3..=4", "a..b", "1...4"] {
            assert!(bad.parse::<SeedRange>().is_err(), "{bad}");
        }
    }
}
