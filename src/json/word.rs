//! Eight bytes looked at as one number: most of what is read is plain text and long numbers, and
//! this finds the end of both several times faster than byte after byte.
//!
//! In a word that was read little-endian the first byte is the lowest. A borrow runs upwards, so
//! the lowest mark that [`special_bytes`] sets is always right; one above it may be wrong.

/// The eight bytes from `at` on, which is at most at the end; after the end stand zeros.
#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word_at(bytes, at),
    }
}

/// As [`word_at`], where fewer than eight bytes are left.
#[inline(never)]
fn last_word_at(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match bytes.last_chunk() {
        Some(last) => {
            // The first bytes of the last word stand before `at`; all eight of them at the end, and
            // a word is not shifted by its whole length at once.
            let half = 4 * (8 - rest.len());
            u64::from_le_bytes(*last) >> half >> half
        }
        None => {
            let bytes = rest.iter().rev();
            bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// A byte in all eight places.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const ONES: u64 = all(1);
const HIGH_BITS: u64 = all(0x80);

/// The high bit of every byte that is a quote, a backslash or below 0x20. Only the lowest bit that
/// is set may be believed; no bit is set if there is no such byte.
#[inline]
pub(super) const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ const { all(b'"') };
    let backslash = word ^ const { all(b'\\') };
    let zero_in_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_in_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(const { all(0x20) }) & !word;
    (zero_in_quote | zero_in_backslash | control) & HIGH_BITS
}

/// The place of the byte that holds the lowest bit of `marks`, which is not 0.
#[inline]
pub(super) const fn first_byte(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// The offset of the first byte from `at` on that does not stand for itself in a string: a quote, a
/// backslash or a control character. The length of `json` if there is none.
#[inline]
pub(super) fn plain_end(json: &[u8], mut at: usize) -> usize {
    loop {
        // After the end stand zeros, which are control characters.
        let special = special_bytes(word_at(json, at));
        if special != 0 {
            return at + first_byte(special);
        }
        at += size_of::<u64>();
    }
}

/// What a number is multiplied by when this many digits follow it.
pub(super) const POWERS_OF_TEN: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// The number that the digits at the start of the word make, and how many there are.
#[inline]
pub(super) const fn leading_digits(word: u64) -> (u64, usize) {
    let values = word ^ const { all(b'0') };
    // Above 9 the sum reaches the high bit, and what has that bit is no digit either.
    let marks = (values.wrapping_add(const { all(0x7f - 9) }) | values) & HIGH_BITS;
    if marks == 0 {
        return (eight_digits(values), 8);
    }
    let count = first_byte(marks);
    if count == 0 {
        return (0, 0);
    }
    // Zeros in front, which say nothing, instead of what comes after the digits.
    (eight_digits(values << (64 - 8 * count)), count)
}

/// The number that these eight digits make, the first one lowest.
#[inline]
const fn eight_digits(values: u64) -> u64 {
    // Pairs of digits, then of those, then of those again: what a step has added up stands above
    // what it still carries along.
    let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// The eight digits of a number below 10^8, the first one lowest, and how many of them are zeros in
/// front (of 0 itself one digit stays).
#[inline]
pub(super) const fn digits_of(number: u64) -> (u64, usize) {
    // Halves of four digits, then of two, then of one: the quotient below, the rest above it. Each
    // product stays in its own lane.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | (pairs - tens * 10) << 8;
    let zeros = first_byte(digits | 1 << 56);
    (digits | const { all(b'0') }, zeros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn after_the_end_stand_zeros(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            for at in 0..=bytes.len() {
                let mut word = [0; 8];
                let rest = &bytes[at..];
                let length = rest.len().min(8);
                word[..length].copy_from_slice(&rest[..length]);
                prop_assert_eq!(word_at(&bytes, at).to_le_bytes(), word);
            }
        }

        #[test]
        fn the_first_special_byte_is_found(
            bytes in any::<[u8; 8]>(),
            some in "[ -~\"\\\\\u{0}-\u{1f}]{8}",
        ) {
            for word in [bytes, *some.as_bytes().first_chunk().unwrap()] {
                let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
                let marks = special_bytes(u64::from_le_bytes(word));
                let found = (marks != 0).then(|| first_byte(marks));
                prop_assert_eq!(found, word.iter().position(is_special), "{:?}", word);
            }
        }

        #[test]
        fn digits_are_those_of_the_standard_library(number in 0..100_000_000_u64) {
            for number in [number, number % 10_000, number % 100, number % 10] {
                let (digits, zeros) = digits_of(number);
                let text = String::from_utf8(digits.to_le_bytes()[zeros..].to_vec()).unwrap();
                prop_assert_eq!(text, number.to_string());
            }
        }

        #[test]
        fn leading_digits_are_read_as_the_standard_library_reads_them(
            text in "[0-9]{0,8}",
            rest in any::<[u8; 8]>(),
        ) {
            let mut bytes = text.into_bytes();
            bytes.extend_from_slice(&rest);
            let word = u64::from_le_bytes(*bytes.first_chunk().unwrap());
            let count = bytes[..8].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = std::str::from_utf8(&bytes[..count]).unwrap();
            let value = digits.parse().unwrap_or(0);
            prop_assert_eq!(leading_digits(word), (value, count), "{:?}", bytes);
        }
    }
}
