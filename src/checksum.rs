//! One rule for every checksum.
//!
//! CRC-32/IEEE over one kind byte, the epoch as eight bytes little-endian, in version 2 the store as
//! eight bytes little-endian, and every byte of the line or document except the eight hex digits of
//! the checksum itself (their quotes are covered; the newline is not part of the line):
//!
//! ```text
//! kind │ epoch, 8 bytes LE │ store, 8 bytes LE │ {"seq":1,"event":{…},"crc":" │ 5d0c77aa │ "}
//! └────────────────────────── covered ────────────────────────────────────────┘  not      └─ covered
//! ```
//!
//! So everything that a reader believes is covered, and a line of one segment is never valid in
//! another one.
//!
//! Headers and snapshots say in their own text whose they are, so before theirs there is no store.
//! Nor is there one before any line of version 1, where a client knows everything that is covered:
//! it can choose a payload that holds valid lines, and a page that is torn right after one of them
//! looks as if that line had been written. The store is drawn at random and no client sees it, so in
//! version 2 no payload holds a valid line.

use crate::position::Epoch;
use crate::store_id::StoreId;

/// The kind of line that a checksum is of; the checksum, CRC-32/IEEE, covers it as its first byte.
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

/// The segment that a line is of: what its checksum covers beside the line itself.
///
/// An epoch alone stands for a segment of version 1. It is enough for headers and snapshots too,
/// which say in their own text whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentId {
    /// Its number; of a snapshot, the epoch of the position that it covers.
    pub epoch: Epoch,
    /// Whose it is. Nothing in version 1.
    pub store: Option<StoreId>,
}

impl From<Epoch> for SegmentId {
    fn from(epoch: Epoch) -> Self {
        let store = None;
        SegmentId { epoch, store }
    }
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
/// newline), in `segment` (or in the snapshot of its epoch).
///
/// # Errors
/// [`ChecksumError::Missing`] if the line does not end that way.
pub fn calculate_checksum(
    kind: ChecksumKind,
    segment: impl Into<SegmentId>,
    line: &[u8],
) -> Result<u32, ChecksumError> {
    split(line).map(|(covered, _)| ChecksumSeed::new(kind, segment.into()).over(covered))
}

/// Checks that `line` carries its own checksum.
///
/// # Errors
/// Says what is missing or which checksum was expected and found.
pub fn verify_checksum(
    kind: ChecksumKind,
    segment: impl Into<SegmentId>,
    line: &[u8],
) -> Result<(), ChecksumError> {
    ChecksumSeed::new(kind, segment.into()).verify(line)
}

/// The checksum over a kind and a segment, with which that of every such line begins. A reader
/// or writer of many lines computes it once.
#[derive(Clone, Debug)]
pub(crate) struct ChecksumSeed(crc32fast::Hasher);

impl ChecksumSeed {
    pub(crate) fn new(kind: ChecksumKind, segment: SegmentId) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[kind as u8]);
        hasher.update(&segment.epoch.0.to_le_bytes());
        if let (ChecksumKind::Event | ChecksumKind::Marker | ChecksumKind::Lost, Some(store)) =
            (kind, segment.store)
        {
            hasher.update(&store.0.to_le_bytes());
        }
        ChecksumSeed(hasher)
    }

    /// A hasher that has seen the kind and the segment.
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

    /// Appends `,"crc":"xxxxxxxx"}` to the line that starts at `out[start..]`. Answers with the checksum.
    #[inline]
    pub(crate) fn seal(&self, out: &mut Vec<u8>, start: usize) -> u32 {
        out.extend_from_slice(BEFORE_DIGITS);
        let crc = self.over(&out[start..]);
        out.extend_from_slice(&digits_of(crc));
        out.extend_from_slice(AFTER_DIGITS);
        crc
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

/// A store for which `line` is a valid line in `epoch`, whatever its digits are. There is always one,
/// so it proves nothing until it fits another line too. It is hardly the true one, but the same lines
/// are valid with both: a checksum keeps 32 bits of what it has covered so far, and so no more of the
/// store. Its lower half alone can make these any 32 bits.
pub(crate) fn fitting_store(kind: ChecksumKind, epoch: Epoch, line: &[u8]) -> Option<StoreId> {
    let (covered, digits) = split(line).ok()?;
    let back = |crc: u32, byte: &u8| {
        let step = STEP_WITH_TOP[usize::from(crc.to_be_bytes()[0])];
        (crc ^ STEPS[usize::from(step)]) << 8 | u32::from(step ^ byte)
    };
    let bytes = covered.iter().chain(AFTER_DIGITS).rev();
    let after_store = bytes.fold(!parse_digits(digits)?, back);
    // The upper half is zero. Four bytes act on the state before them as if it were the state xor
    // these bytes, and they were zeros.
    let with_lower_half = [0; 8].iter().fold(after_store, back);
    let without = !ChecksumSeed::new(kind, epoch.into()).hasher().finalize();
    Some(StoreId(u64::from(with_lower_half ^ without)))
}

/// Which of the [`STEPS`] has this highest byte: each has another one.
const STEP_WITH_TOP: [u8; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        steps[(STEPS[byte] >> 24) as usize] = byte.to_le_bytes()[0];
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
pub(crate) fn seal(
    kind: ChecksumKind,
    segment: impl Into<SegmentId>,
    out: &mut Vec<u8>,
    start: usize,
) {
    ChecksumSeed::new(kind, segment.into()).seal(out, start);
}

/// Appends `line`, which was made or verified and ends in its newline, with the checksum that it has
/// in `segment`.
pub(crate) fn reseal(kind: ChecksumKind, segment: SegmentId, out: &mut Vec<u8>, line: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&line[..line.len() - TRAILER - 1]);
    seal(kind, segment, out, start);
    out.push(b'\n');
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
    fn a_line_of_another_store_does_not_verify_but_headers_and_snapshots_do() {
        let store = |store| SegmentId {
            store: Some(StoreId(store)),
            ..Epoch(1).into()
        };
        for kind in [
            ChecksumKind::Event,
            ChecksumKind::Marker,
            ChecksumKind::Lost,
            ChecksumKind::Header,
            ChecksumKind::Snapshot,
        ] {
            let mut line = b"{\"a\":1".to_vec();
            seal(kind, store(1 << 63), &mut line, 0);
            let covers_no_store = matches!(kind, ChecksumKind::Header | ChecksumKind::Snapshot);
            assert!(verify_checksum(kind, store(1 << 63), &line).is_ok());
            for other in [Epoch(1).into(), store(1), store(0)] {
                let verified = verify_checksum(kind, other, &line);
                assert_eq!(verified.is_ok(), covers_no_store, "{kind:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_store_that_fits_a_line_fits_all_lines_of_the_same_store() {
        let epoch = Epoch(7);
        let store = Some(StoreId(0x6f1d_0c5b_e2a9_4417));
        let sealed = |kind, text: &str| {
            let mut line = text.as_bytes().to_vec();
            seal(kind, SegmentId { epoch, store }, &mut line, 0);
            (kind, line)
        };
        let lines = [
            sealed(ChecksumKind::Event, "{\"seq\":1,\"event\":1"),
            sealed(ChecksumKind::Event, "{\"seq\":2,\"event\":[0,1,2,3]"),
            sealed(ChecksumKind::Marker, "{\"synced\":2"),
            sealed(ChecksumKind::Lost, "{\"lost\":[3,4]"),
        ];
        let fitting = lines.each_ref().map(|(kind, line)| {
            let store = fitting_store(*kind, epoch, line);
            let segment = SegmentId { epoch, store };
            for (kind, line) in &lines {
                assert_eq!(verify_checksum(*kind, segment, line), Ok(()));
            }
            store
        });
        assert_eq!(fitting, [fitting[0]; 4]);
        let damaged = b"{\"synced\":3,\"crc\":\"00000000\"}";
        let other = fitting_store(ChecksumKind::Marker, epoch, damaged);
        assert!(other.is_some() && other != fitting[0]);
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
