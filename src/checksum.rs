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
const DIGITS: usize = 8;
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
    split(line).map(|(covered, _)| Start::new(kind, epoch).over(covered))
}

/// Checks that `line` carries its own checksum.
///
/// # Errors
/// Says what is missing or which checksum was expected and found.
pub fn verify_checksum(kind: ChecksumKind, epoch: Epoch, line: &[u8]) -> Result<(), ChecksumError> {
    Start::new(kind, epoch).verify(line)
}

/// The checksum over a kind and an epoch, with which that of every such line begins. Who checks
/// or seals many lines computes it once.
#[derive(Clone, Debug)]
pub(crate) struct Start(crc32fast::Hasher);

impl Start {
    pub(crate) fn new(kind: ChecksumKind, epoch: Epoch) -> Self {
        let mut prefix = [kind as u8; 9];
        prefix[1..].copy_from_slice(&epoch.0.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&prefix);
        Start(hasher)
    }

    /// A hasher that has seen the kind and the epoch.
    #[inline]
    pub(crate) fn hasher(&self) -> crc32fast::Hasher {
        self.0.clone()
    }

    /// Checks that `line` carries its own checksum.
    #[inline]
    pub(crate) fn verify(&self, line: &[u8]) -> Result<(), ChecksumError> {
        let (covered, found) = split(line)?;
        let found = found.ok_or(ChecksumError::Missing)?;
        let expected = self.over(covered);
        if expected == found {
            Ok(())
        } else {
            Err(ChecksumError::Mismatch { expected, found })
        }
    }

    /// The checksum of a line of which `covered` is what stands before the digits.
    #[inline]
    fn over(&self, covered: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        hasher.update(covered);
        hasher.update(AFTER_DIGITS);
        hasher.finalize()
    }

    /// Appends `,"crc":"xxxxxxxx"}` to the line that starts at `out[start..]`.
    pub(crate) fn seal(&self, out: &mut Vec<u8>, start: usize) {
        // What is covered stands together for a moment, so that one pass does.
        out.extend_from_slice(b",\"crc\":\"\"}");
        let mut hasher = self.hasher();
        hasher.update(&out[start..]);
        let crc = hasher.finalize();
        let mut end = *b"xxxxxxxx\"}";
        for (digit, shift) in end.iter_mut().zip((0..DIGITS).rev()) {
            *digit = b"0123456789abcdef"[(crc >> (shift * 4) & 0xf) as usize];
        }
        out.truncate(out.len() - AFTER_DIGITS.len());
        out.extend_from_slice(&end);
    }
}

/// Appends `,"crc":"xxxxxxxx"}` to the line that starts at `out[start..]`.
pub(crate) fn seal(kind: ChecksumKind, epoch: Epoch, out: &mut Vec<u8>, start: usize) {
    Start::new(kind, epoch).seal(out, start);
}

/// What the checksum covers before its digits, and the digits, where they are eight lower-case hex
/// digits.
#[inline]
fn split(line: &[u8]) -> Result<(&[u8], Option<u32>), ChecksumError> {
    let at = line
        .len()
        .checked_sub(TRAILER)
        .ok_or(ChecksumError::Missing)?;
    let (digits_at, end) = (at + BEFORE_DIGITS.len(), line.len() - AFTER_DIGITS.len());
    if !line[at..].starts_with(BEFORE_DIGITS) || &line[end..] != AFTER_DIGITS {
        return Err(ChecksumError::Missing);
    }
    Ok((&line[..digits_at], parse_digits(&line[digits_at..end])))
}

/// What each byte is worth as a lower-case hex digit; [`NO_DIGIT`] if it is none.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let digits = b"0123456789abcdef";
    let mut nibble = 0_u8;
    while nibble < 16 {
        nibbles[digits[nibble as usize] as usize] = nibble;
        nibble += 1;
    }
    nibbles
};
const NO_DIGIT: u8 = 0x10;

/// The number in eight lower-case hex digits.
#[inline]
pub(crate) fn parse_digits(digits: &[u8]) -> Option<u32> {
    let (mut number, mut seen) = (0, 0);
    for digit in digits {
        let nibble = NIBBLES[usize::from(*digit)];
        number = number << 4 | u32::from(nibble);
        seen |= nibble;
    }
    (seen & NO_DIGIT == 0).then_some(number)
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
    fn upper_case_digits_are_not_a_checksum() {
        let line = br#"{"synced":2,"crc":"9DC04CF6"}"#;
        assert_eq!(
            verify_checksum(ChecksumKind::Marker, Epoch(1), line),
            Err(ChecksumError::Missing)
        );
    }
}
