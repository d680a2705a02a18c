//! One rule for every checksum.
//!
//! CRC-32/IEEE over one kind byte, the epoch as eight bytes little-endian, and every byte of the
//! line or document except the eight hex digits of the checksum itself (their quotes are covered;
//! the newline is not part of the line):
//!
//! ```text
//! kind │ epoch, 8 bytes LE │ {"seq":1,"event":{…},"crc":" │ 5d0c77aa │ "}
//! └──────────────── covered ──────────────────────────────┘  not      └─ covered
//! ```
//!
//! So everything that a reader believes is covered, and a line of one segment is never valid in
//! another one.

use crate::position::Epoch;

/// What a checksum stands on; part of what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChecksumKind {
    /// The first line of a segment.
    Header = b'H',
    /// An event.
    Event = b'E',
    /// A marker: everything up to its seq was durable.
    Marker = b'M',
    /// A range of events that repair could not save.
    Lost = b'L',
    /// A snapshot.
    Snapshot = b'S',
}

/// How a checked line or document ends: eight hex digits between these.
pub(crate) const BEFORE_DIGITS: &[u8] = b",\"crc\":\"";
pub(crate) const AFTER_DIGITS: &[u8] = b"\"}";
pub(crate) const DIGITS: usize = 8;
/// Bytes of `,"crc":"xxxxxxxx"}`.
pub(crate) const TRAILER: usize = BEFORE_DIGITS.len() + DIGITS + AFTER_DIGITS.len();

/// A line whose checksum does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// The line does not end in `,"crc":"` eight lower-case hex digits `"}`.
    #[error("no checksum at the end of the line")]
    Missing,
    /// The digits are not the checksum of the bytes.
    #[error("checksum mismatch: expected {expected:08x}, found {found:08x}")]
    Mismatch {
        /// Computed over the bytes.
        expected: u32,
        /// Written in the line.
        found: u32,
    },
}

/// The checksum of `line`, which ends in `,"crc":"xxxxxxxx"}` (whatever the eight digits are; no
/// newline), in the segment (or snapshot) of `epoch`.
///
/// # Errors
/// [`ChecksumError::Missing`] if the line does not end that way.
pub fn calculate_checksum(
    kind: ChecksumKind,
    epoch: Epoch,
    line: &[u8],
) -> Result<u32, ChecksumError> {
    split(line).map(|(covered, _)| ChecksumSeed::new(kind, epoch).over(covered))
}

/// Checks that `line` carries its own checksum.
///
/// # Errors
/// Says what is missing or which checksum was expected and found.
pub fn verify_checksum(kind: ChecksumKind, epoch: Epoch, line: &[u8]) -> Result<(), ChecksumError> {
    ChecksumSeed::new(kind, epoch).verify(line)
}

/// The checksum over a kind and an epoch, with which that of every such line begins. A reader
/// or writer of many lines computes it once.
#[derive(Clone, Debug)]
pub(crate) struct ChecksumSeed(crc32fast::Hasher);

impl ChecksumSeed {
    pub(crate) fn new(kind: ChecksumKind, epoch: Epoch) -> Self {
        let mut prefix = [kind as u8; 9];
        prefix[1..].copy_from_slice(&epoch.0.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&prefix);
        ChecksumSeed(hasher)
    }

    /// A hasher that has seen the kind and the epoch.
    #[inline]
    pub(crate) fn hasher(&self) -> crc32fast::Hasher {
        self.0.clone()
    }

    /// Checks that `line` carries its own checksum.
    #[inline]
    pub(crate) fn verify(&self, line: &[u8]) -> Result<(), ChecksumError> {
        let (covered, digits) = split(line)?;
        let expected = self.over(covered);
        // To write the digits takes less than to read them.
        if *digits == digits_of(expected) {
            return Ok(());
        }
        Err(mismatch(expected, digits))
    }

    /// The checksum of a line that has `covered` before its digits.
    #[inline]
    fn over(&self, covered: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        hasher.update(covered);
        over_end(hasher.finalize())
    }

    /// Appends `,"crc":"xxxxxxxx"}` to the line that starts at `out[start..]`.
    #[inline]
    pub(crate) fn seal(&self, out: &mut Vec<u8>, start: usize) {
        out.extend_from_slice(BEFORE_DIGITS);
        let crc = self.over(&out[start..]);
        out.extend_from_slice(&digits_of(crc));
        out.extend_from_slice(AFTER_DIGITS);
    }
}

/// The checksum `crc` continued over what stands after the digits: two steps of the common
/// table-driven way, which is the fastest one for two bytes.
#[inline]
fn over_end(crc: u32) -> u32 {
    let step = |crc: u32, byte: &u8| STEPS[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
    !AFTER_DIGITS.iter().fold(!crc, step)
}

/// What each value of the lowest byte does to the rest of a CRC-32/IEEE.
const STEPS: [u32; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
            bit += 1;
        }
        steps[byte as usize] = crc;
        byte += 1;
    }
    steps
};

/// The number in eight lower-case hex digits.
#[inline]
fn digits_of(crc: u32) -> [u8; DIGITS] {
    const fn all(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    // The highest digit comes first, so it goes to the lowest byte: the bytes in turned order, then
    // their halves apart.
    let bytes = u64::from(crc.swap_bytes());
    let fours = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
    let pairs = (fours | fours << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (pairs >> 4 | pairs << 8) & const { all(0x0f) };
    // Six more lift what is above 9 over the edge of its half byte.
    let letters = (nibbles + const { all(6) }) >> 4 & const { all(1) };
    let digits = nibbles + const { all(b'0') } + letters * u64::from(b'a' - b'0' - 10);
    digits.to_le_bytes()
}

/// The checksum that a line carries, newline included; only of lines that were made or verified.
pub(crate) fn of_line(line: &[u8]) -> u32 {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let digits = split(line)
        .ok()
        .and_then(|(_, digits)| parse_digits(digits));
    digits.expect("a line that was made or verified ends in its checksum")
}

/// Appends `,"crc":"xxxxxxxx"}` to the line that starts at `out[start..]`.
pub(crate) fn seal(kind: ChecksumKind, epoch: Epoch, out: &mut Vec<u8>, start: usize) {
    ChecksumSeed::new(kind, epoch).seal(out, start);
}

/// What the checksum covers before its digits, and the place of its digits, whatever they are.
#[inline]
fn split(line: &[u8]) -> Result<(&[u8], &[u8; DIGITS]), ChecksumError> {
    let digits = line.strip_suffix(AFTER_DIGITS).and_then(|line| {
        let (covered, digits) = line.split_last_chunk()?;
        covered
            .ends_with(BEFORE_DIGITS)
            .then_some((covered, digits))
    });
    digits.ok_or(ChecksumError::Missing)
}

/// What is wrong with `digits` where those of `expected` should stand.
#[cold]
fn mismatch(expected: u32, digits: &[u8; DIGITS]) -> ChecksumError {
    match parse_digits(digits) {
        Some(found) => ChecksumError::Mismatch { expected, found },
        None => ChecksumError::Missing,
    }
}

/// The number in eight lower-case hex digits.
pub(crate) fn parse_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test lines of the format, epoch 1.
    const LINES: [(ChecksumKind, &str); 5] = [
        (
            ChecksumKind::Header,
            r#"{"wal":"beaver","version":1,"epoch":1,"prev":null,"created_ms":0,"crc":"4b6da27c"}"#,
        ),
        (
            ChecksumKind::Event,
            r#"{"seq":1,"more":true,"event":{"type":"ACK","job_id":"j","timestamp":1},"crc":"46043b64"}"#,
        ),
        (
            ChecksumKind::Event,
            r#"{"seq":2,"batch":1,"event":{"type":"ACK","job_id":"j","timestamp":1},"crc":"bf33c91a"}"#,
        ),
        (ChecksumKind::Marker, r#"{"synced":2,"crc":"9dc04cf6"}"#),
        (ChecksumKind::Lost, r#"{"lost":[3,4],"crc":"09dbe54f"}"#),
    ];

    #[test]
    fn the_lines_of_the_format_verify() {
        for (kind, line) in LINES {
            assert_eq!(
                verify_checksum(kind, Epoch(1), line.as_bytes()),
                Ok(()),
                "{line}"
            );
        }
    }

    #[test]
    fn another_epoch_or_kind_does_not_verify() {
        for (kind, line) in LINES {
            assert!(
                verify_checksum(kind, Epoch(2), line.as_bytes()).is_err(),
                "{line}"
            );
            assert!(verify_checksum(ChecksumKind::Snapshot, Epoch(1), line.as_bytes()).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for (kind, line) in LINES {
            for bit in 0..line.len() * 8 {
                let mut damaged = line.as_bytes().to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    verify_checksum(kind, Epoch(1), &damaged).is_err(),
                    "{line} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn sealing_makes_the_lines_of_the_format() {
        for (kind, line) in LINES {
            let mut out = line.as_bytes()[..line.len() - TRAILER].to_vec();
            seal(kind, Epoch(1), &mut out, 0);
            assert_eq!(String::from_utf8(out).unwrap(), line);
        }
    }

    #[test]
    fn digits_are_those_of_the_standard_library_and_read_back() {
        let words =
            (0..=u32::from(u16::MAX)).map(|half| half << 16 | half.wrapping_mul(0x9e37) & 0xffff);
        for crc in words {
            assert_eq!(&digits_of(crc), format!("{crc:08x}").as_bytes());
            assert_eq!(parse_digits(&digits_of(crc)), Some(crc));
        }
    }

    #[test]
    fn upper_case_digits_are_not_a_checksum() {
        let line = br#"{"synced":2,"crc":"9DC04CF6"}"#;
        assert_eq!(
            verify_checksum(ChecksumKind::Marker, Epoch(1), line),
            Err(ChecksumError::Missing)
        );
    }
}
