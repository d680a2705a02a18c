//! Finding a valid line that may begin anywhere: damage may have eaten the newline before it.
//!
//! All candidates of one stretch end at the same newline; their checksums are derived from one pass
//! over it (the CRC of a suffix follows from that of the whole and that of the prefix), so that
//! hostile bytes cannot make the search quadratic.

use memchr::memmem;

use super::decode::{Framed, frame};
use crate::checksum::{self, AFTER_DIGITS, BEFORE_DIGITS, ChecksumSeed, SegmentId, TRAILER};

/// Where the first valid line of `segment` in `stretch` begins that ends with it. The newline is not part of
/// `stretch`. Every `{"` is a candidate, not only the first byte after a newline.
pub(crate) fn find_line(segment: SegmentId, stretch: &[u8]) -> Option<usize> {
    let trailer_at = stretch.len().checked_sub(TRAILER)?;
    let digits_at = trailer_at + BEFORE_DIGITS.len();
    let digits_end = stretch.len() - AFTER_DIGITS.len();
    if !stretch[trailer_at..].starts_with(BEFORE_DIGITS) || !stretch.ends_with(AFTER_DIGITS) {
        return None;
    }
    let written = checksum::parse_digits(&stretch[digits_at..digits_end])?;
    let mut whole = None;
    let (mut prefix, mut hashed) = (crc32fast::Hasher::new(), 0);
    for at in memmem::find_iter(stretch, b"{\"") {
        let Ok((kind, Framed::Line(_))) = frame(segment.epoch, &stretch[at..]) else {
            continue;
        };
        // Hashing each candidate from its own start would cost the square of the stretch's length.
        let whole = *whole.get_or_insert_with(|| crc32fast::hash(&stretch[..digits_at]));
        prefix.update(&stretch[hashed..at]);
        hashed = at;
        let length = (digits_at - at) as u64;
        let suffix = whole ^ shifted(prefix.clone().finalize(), length);
        let mut crc = ChecksumSeed::new(kind, segment).hasher();
        crc.combine(&crc32fast::Hasher::new_with_initial_len(suffix, length));
        crc.update(AFTER_DIGITS);
        if crc.finalize() == written {
            return Some(at);
        }
    }
    None
}

/// What `crc`, of some bytes, contributes to the CRC of those bytes followed by `length` others.
fn shifted(crc: u32, length: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(crc);
    hasher.combine(&crc32fast::Hasher::new_with_initial_len(0, length));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::super::{Envelope, encode_event};
    use super::*;
    use crate::position::{Epoch, Seq};
    use crate::store_id::StoreId;

    const SEGMENT: SegmentId = SegmentId {
        epoch: Epoch(3),
        store: Some(StoreId(7)),
    };

    fn event(seq: u64, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let envelope = Envelope {
            seq: Seq(seq),
            batch: Seq(seq),
            more: false,
        };
        encode_event(&mut out, SEGMENT, envelope, body);
        out.pop();
        out
    }

    #[test]
    fn a_line_is_found_after_bytes_that_ate_its_newline() {
        for junk in [
            "",
            "x",
            "{\"seq\":1,\"event\":",
            "{\"{\"{\"",
            "{\"seq\":9,\"event\":{\"seq\":9,\"event\":",
        ] {
            let mut stretch = junk.as_bytes().to_vec();
            stretch.extend(event(7, b"{\"a\":[1,2,3]}"));
            assert_eq!(find_line(SEGMENT, &stretch), Some(junk.len()), "{junk}");
            for other in [
                SegmentId {
                    epoch: Epoch(4),
                    ..SEGMENT
                },
                SegmentId {
                    store: Some(StoreId(8)),
                    ..SEGMENT
                },
                SEGMENT.epoch.into(),
            ] {
                assert_eq!(find_line(other, &stretch), None, "{junk}");
            }
        }
    }

    #[test]
    fn a_line_inside_a_payload_is_not_a_line() {
        let inner = event(9, b"1");
        let mut body = b"{\"payload\":".to_vec();
        body.extend(&inner);
        body.push(b'}');
        let mut outer = event(7, &body);
        assert_eq!(find_line(SEGMENT, &outer), Some(0));
        outer[3] ^= 1;
        assert_eq!(find_line(SEGMENT, &outer), None);
    }

    #[test]
    fn hostile_nesting_is_searched_in_little_time() {
        let mut stretch = b"{\"seq\":1,\"event\":".repeat(20_000);
        stretch.extend_from_slice(b",\"crc\":\"00000000\"}");
        assert_eq!(find_line(SEGMENT, &stretch), None);
    }
}
