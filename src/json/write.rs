//! Writing strings and numbers: one spelling for each value.

use std::ops::BitOr;

use super::word::{digits_of, plain_end, special_bytes};

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
}
