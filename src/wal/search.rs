//! Finding valid lines behind damage, and the proof that decides whether damage is a torn tail or
//! corruption.
//!
//! Damage may have eaten a newline, so a line can begin at *every* offset that shows `{"`, not only
//! after a newline. All candidates of one stretch end at the same newline; their checksums are
//! derived from one pass over it (the CRC of a suffix follows from that of the whole and that of
//! the prefix), so that hostile bytes cannot make the search quadratic.

use memchr::memmem;

use super::line::{self, Decoder, Framed, Line, MAX_LINE};
use crate::checksum::{self, AFTER_DIGITS, BEFORE_DIGITS, Start, TRAILER};
use crate::error::Result;
use crate::position::{Epoch, Seq};
use crate::storage::StorageFile;
use crate::window::{Reads, Window};

/// A search for valid lines, forward from some offset, on confirmed reads.
pub(crate) struct Search<'f> {
    window: Window<'f>,
    epoch: Epoch,
    /// Where the last byte that is not free space ends.
    data_end: u64,
}

impl<'f> Search<'f> {
    /// A search of the first `limit` bytes of the segment `epoch` from `offset` on.
    pub(crate) fn new(
        file: &'f dyn StorageFile,
        name: &'f str,
        epoch: Epoch,
        limit: u64,
        offset: u64,
    ) -> Self {
        let mut window = Window::new(file, name, limit);
        window.restart(offset, Reads::Confirmed);
        Search {
            window,
            epoch,
            data_end: offset,
        }
    }

    /// Where the last byte before the search's position that is not free space ends.
    pub(crate) fn data_end(&self) -> u64 {
        self.data_end
    }

    /// Steps over the next valid line and hands it out with its offset.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Line<'_>)>> {
        loop {
            let Some(length) = self.next_stretch()? else {
                return Ok(None);
            };
            let start = self.window.position();
            self.note_data(length);
            let stretch = &self.window.shown()[..length];
            let has_newline = stretch.last() == Some(&b'\n');
            let hit = if has_newline {
                find_line(self.epoch, &stretch[..length - 1])
            } else {
                None
            };
            self.window.consume(length);
            if let Some(at) = hit {
                // The bytes are still in the buffer, just behind the window's edge.
                let bytes = &self.window.consumed(length)[at..length - 1];
                let line = Decoder::new(self.epoch).decode(bytes);
                let line = line.expect("the checksum was just compared");
                return Ok(Some((start + at as u64, line)));
            }
        }
    }

    /// Remembers the last byte of the next `length` ones that is not free space.
    fn note_data(&mut self, length: usize) {
        let bytes = &self.window.shown()[..length];
        if let Some(last) = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | 0)) {
            self.data_end = self.window.position() + last as u64 + 1;
        }
    }

    /// The length of the bytes up to the next newline, newline included, or to the end. Bytes too
    /// far from the next newline to belong to a line are stepped over. `None` at the end of the
    /// file.
    fn next_stretch(&mut self) -> Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let shown = self.window.shown();
            if let Some(at) = memchr::memchr(b'\n', &shown[searched..]) {
                return Ok(Some(searched + at + 1));
            }
            searched = shown.len();
            if searched > MAX_LINE {
                let excess = searched - MAX_LINE;
                self.note_data(excess);
                self.window.consume(excess);
                searched = MAX_LINE;
            }
            if !self.window.extend()? {
                return Ok((searched > 0).then_some(searched));
            }
        }
    }
}

/// Where the first valid line in `stretch` begins that ends with it. The newline is not part of
/// `stretch`.
fn find_line(epoch: Epoch, stretch: &[u8]) -> Option<usize> {
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
        let Ok((kind, Framed::Line(_))) = line::frame(epoch, &stretch[at..]) else {
            continue;
        };
        let whole = *whole.get_or_insert_with(|| crc32fast::hash(&stretch[..digits_at]));
        prefix.update(&stretch[hashed..at]);
        hashed = at;
        let length = (digits_at - at) as u64;
        let suffix = whole ^ shifted(prefix.clone().finalize(), length);
        let mut crc = Start::new(kind, epoch).hasher();
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

/// Looks behind the damage for a line that could only be written after the event `expected` was
/// durable; where it stands.
///
/// Without such a proof the damage lies in the last batch, which was never acknowledged.
pub(crate) fn find_proof(search: &mut Search<'_>, expected: Seq) -> Result<Option<u64>> {
    while let Some((offset, line)) = search.next()? {
        let proves = match line {
            // A batch is written only after the one before it was synced.
            Line::Event(envelope, _) => envelope.batch > expected || envelope.batch == envelope.seq,
            Line::Marker(_) => true,
            Line::Header(_) | Line::Lost(..) => false,
        };
        if proves {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Envelope, encode_event};
    use super::*;

    fn event(seq: u64, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let envelope = Envelope {
            seq: Seq(seq),
            batch: Seq(seq),
            more: false,
        };
        encode_event(&mut out, Epoch(3), envelope, body);
        out.pop();
        out
    }

    #[test]
    fn a_line_is_found_behind_bytes_that_ate_its_newline() {
        for junk in [
            "",
            "x",
            "{\"seq\":1,\"event\":",
            "{\"{\"{\"",
            "{\"seq\":9,\"event\":{\"seq\":9,\"event\":",
        ] {
            let mut stretch = junk.as_bytes().to_vec();
            stretch.extend(event(7, b"{\"a\":[1,2,3]}"));
            assert_eq!(find_line(Epoch(3), &stretch), Some(junk.len()), "{junk}");
            assert_eq!(find_line(Epoch(4), &stretch), None, "{junk}");
        }
    }

    #[test]
    fn a_line_inside_a_payload_is_not_a_line() {
        let inner = event(9, b"1");
        let mut body = b"{\"payload\":".to_vec();
        body.extend(&inner);
        body.push(b'}');
        let mut outer = event(7, &body);
        assert_eq!(find_line(Epoch(3), &outer), Some(0));
        outer[3] ^= 1;
        assert_eq!(find_line(Epoch(3), &outer), None);
    }

    #[test]
    fn hostile_nesting_is_searched_in_little_time() {
        let mut stretch = b"{\"seq\":1,\"event\":".repeat(20_000);
        stretch.extend_from_slice(b",\"crc\":\"00000000\"}");
        assert_eq!(find_line(Epoch(3), &stretch), None);
    }
}
