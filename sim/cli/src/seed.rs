//! A seed as it is typed: decimal or `0x…`.

use std::str::FromStr;

/// One seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None => (text, 10),
        };
        // `from_str_radix` would take a sign.
        let parsed = match digits.starts_with(['+', '-']) {
            true => None,
            false => u64::from_str_radix(digits, radix).ok(),
        };
        // The largest number is left out: a range that ends after it could not be written.
        parsed
            .filter(|seed| *seed < u64::MAX)
            .map(Seed)
            .ok_or_else(|| {
                format!("`{text}` is not a seed: write a number from 0 to 2^64-2, decimal or 0x…")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_decimal_or_hex() {
        assert_eq!("7".parse(), Ok(Seed(7)));
        assert_eq!("0x7f".parse(), Ok(Seed(127)));
        assert_eq!("0XFFFFFFFFFFFFFFFE".parse(), Ok(Seed(u64::MAX - 1)));
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for bad in [
            "",
            "x",
            "-1",
            "+1",
            "0x",
            "0x-1",
            "0x+1",
            "1.5",
            "18446744073709551615",
            "18446744073709551616",
            "7f",
        ] {
            assert!(bad.parse::<Seed>().is_err(), "{bad}");
        }
    }
}
