//! Plain strings and plain decimals: writing them, and finding their end.
//!
//! There is one spelling for each value, that of `serde_json` and of the standard library. Eight
//! bytes are looked at as one number: most of what is written and read is plain text and long
//! numbers, and this is several times faster than byte after byte. In a word that was read
//! little-endian the first byte is the lowest. A borrow runs upwards, so the lowest mark that
//! [`special_bytes`] sets is always right; one above it may be wrong.

use std::ops::BitOr;

/// Appends `text` as a JSON string, with quotes.
///
/// Escaped are the quote, the backslash and the control characters below 0x20, and nothing else:
/// the spelling of `serde_json`.
#[inline]
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaped(out, text.as_bytes());
    }
    out.push(b'"');
}

/// Whether every byte stands for itself.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // What is left after the whole words is looked at together with bytes before it, once more.
    let Some(last) = text.last_chunk() else {
        return plain_end(text, 0) == text.len();
    };
    let (words, _) = text.as_chunks();
    let marks = words
        .iter()
        .map(|word| special_bytes(u64::from_le_bytes(*word)));
    marks.fold(special_bytes(u64::from_le_bytes(*last)), BitOr::bitor) == 0
}

fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut at = 0;
    loop {
        let end = plain_end(text, at);
        out.extend_from_slice(&text[at..end]);
        let Some(byte) = text.get(end) else {
            break;
        };
        write_escape(out, *byte);
        at = end + 1;
    }
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x0d => out.extend_from_slice(b"\\r"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble)]
}

/// Appends `number` in decimal.
#[inline]
pub(crate) fn write_u64(out: &mut Vec<u8>, number: u64) {
    const EIGHT: u64 = 100_000_000;
    match number {
        0..EIGHT => write_leading(out, number),
        EIGHT.. => {
            match number / EIGHT {
                above @ 0..EIGHT => write_leading(out, above),
                above => {
                    write_leading(out, above / EIGHT);
                    write_eight(out, above % EIGHT);
                }
            }
            write_eight(out, number % EIGHT);
        }
    }
}

/// Appends up to eight digits, without zeros in front.
#[inline]
fn write_leading(out: &mut Vec<u8>, below_ten_to_the_eighth: u64) {
    let (digits, zeros) = digits_of(below_ten_to_the_eighth);
    // A copy of a fixed length takes one instruction; what is too much of it goes again.
    out.extend_from_slice(&(digits >> (8 * zeros)).to_le_bytes());
    out.truncate(out.len() - zeros);
}

/// Appends eight digits.
#[inline]
fn write_eight(out: &mut Vec<u8>, below_ten_to_the_eighth: u64) {
    let (digits, _) = digits_of(below_ten_to_the_eighth);
    out.extend_from_slice(&digits.to_le_bytes());
}

/// Reads the plain decimal that `json` starts with (no sign, no leading zero) and says how many
/// digits it has. `None` if there is none, or if it does not fit.
#[inline(always)]
pub(crate) fn read_u64(json: &[u8]) -> Option<(u64, usize)> {
    let (number, digits) = leading_digits(word_at(json, 0));
    if digits < 8 {
        return canonical(json, number, digits);
    }
    read_long(json, number)
}

/// As [`read_u64`], for what begins with the eight digits of `number`.
fn read_long(json: &[u8], number: u64) -> Option<(u64, usize)> {
    // A number of up to 15 digits fits for certain, and few are longer.
    let (value, count) = leading_digits(word_at(json, 8));
    if count < 8 {
        return canonical(json, number * POWERS_OF_TEN[count] + value, 8 + count);
    }
    read_digits(json)
}

/// As [`read_u64`], digit by digit.
fn read_digits(json: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut digits) = (0, 0);
    while let Some(digit) = json.get(digits).map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        number = u64::checked_mul(number, 10)?.checked_add(u64::from(digit))?;
        digits += 1;
    }
    canonical(json, number, digits)
}

/// The number, unless it has no digits or a leading zero.
#[inline]
fn canonical(json: &[u8], number: u64, digits: usize) -> Option<(u64, usize)> {
    let is_canonical = digits == 1 || (digits > 1 && json.first() != Some(&b'0'));
    is_canonical.then_some((number, digits))
}

/// The eight bytes from `at` on, which is at most at the end; after the end stand zeros.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
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
const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ const { all(b'"') };
    let backslash = word ^ const { all(b'\\') };
    let zero_in_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_in_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(const { all(0x20) }) & !word;
    (zero_in_quote | zero_in_backslash | control) & HIGH_BITS
}

/// The place of the byte that holds the lowest bit of `marks`, which is not 0.
#[inline]
const fn first_byte(marks: u64) -> usize {
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
const POWERS_OF_TEN: [u64; 9] = [
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
const fn leading_digits(word: u64) -> (u64, usize) {
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
const fn digits_of(number: u64) -> (u64, usize) {
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
        fn strings_are_spelled_as_serde_json_spells_them(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn numbers_are_spelled_as_the_standard_library_spells_them(
            number in any::<u64>(),
            shift in 0..64_u32,
        ) {
            let number = number >> shift;
            let mut out = Vec::new();
            write_u64(&mut out, number);
            prop_assert_eq!(out, number.to_string().into_bytes());
        }
    }

    #[test]
    fn every_control_character_is_escaped() {
        for code in 0..=0x7f_u8 {
            let text = char::from(code).to_string();
            let mut out = Vec::new();
            write_string(&mut out, &text);
            assert_eq!(out, serde_json::to_vec(&text).unwrap(), "{code:#x}");
        }
    }

    #[test]
    fn the_smallest_and_largest_number_are_written() {
        let mut out = Vec::new();
        write_u64(&mut out, 0);
        write_u64(&mut out, u64::MAX);
        assert_eq!(out, b"018446744073709551615");
    }

    #[test]
    fn numbers_around_every_power_of_ten_are_written() {
        for power in (0..20).map(|exponent| 10_u64.pow(exponent)) {
            for number in [power - 1, power, power + 1] {
                let mut out = Vec::new();
                write_u64(&mut out, number);
                assert_eq!(out, number.to_string().into_bytes());
            }
        }
    }

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
