//! A half-open range of seeds, written `A..B`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seeds `start`, `start + 1` … up to, but not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = r"^(\d+|0x[0-9a-fA-F]+)\.\.(\d+|0x[0-9a-fA-F]+)$")))]
pub struct Seeds {
    /// The first seed.
    pub start: u64,
    /// The seed after the last.
    pub end: u64,
}

impl Seeds {
    /// The range of one seed.
    #[must_use]
    pub const fn one(seed: u64) -> Self {
        Seeds {
            start: seed,
            end: seed.saturating_add(1),
        }
    }

    /// How many seeds there are.
    ///
    /// # Panics
    /// If `end` is below `start`, where overflow is checked. No range that is read from a text is like
    /// that.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.end - self.start
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Seeds {
            start: 0,
            end: 1000,
        }
    }
}

/// A text that is not a range of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSeedsError(String);

impl fmt::Display for ParseSeedsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a range of seeds: write A..B with A < B (B is left out), for example 0..1000",
            self.0
        )
    }
}

impl std::error::Error for ParseSeedsError {}

impl FromStr for Seeds {
    type Err = ParseSeedsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .split_once("..")
            .and_then(|(a, b)| Some((parse_seed(a)?, parse_seed(b)?)))
            .filter(|(a, b)| a < b);
        match parsed {
            Some((start, end)) => Ok(Seeds { start, end }),
            None => Err(ParseSeedsError(text.to_owned())),
        }
    }
}

/// A seed in decimal, or in hexadecimal after `0x`.
pub(crate) fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

impl TryFrom<String> for Seeds {
    type Error = ParseSeedsError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Seeds> for String {
    fn from(seeds: Seeds) -> String {
        seeds.to_string()
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_excludes_its_end_and_takes_hex() {
        let seeds: Seeds = "0x10..20".parse().unwrap();
        assert_eq!((seeds.start, seeds.end, seeds.count()), (16, 20, 4));
    }

    #[test]
    fn an_empty_or_backward_range_is_refused() {
        for bad in ["", "5", "5..5", "6..5", "a..b", "..9"] {
            assert!(bad.parse::<Seeds>().is_err(), "{bad}");
        }
    }
}
