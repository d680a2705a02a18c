//! Walking the lines of one segment from its start: what is valid, what is damage, where free space
//! begins.
//!
//! The scanner believes a line on one read, because its checksum proves it. Damage, free space and
//! an unterminated end prove nothing: they are looked at again with confirmed reads before they are
//! reported, so that a single wrong read is never taken for the end of the log.

use super::line::{Decoder, Header, Line, LineError, MAX_LINE, Parsed};
use super::sequence::{Sequence, Violation};
use crate::checksum::ChecksumError;
use crate::error::{Error, Result};
use crate::format::VERSION;
use crate::position::{Epoch, Seq};
use crate::storage::StorageFile;
use crate::window::{Reads, Window};

/// Something in a segment that is not a line in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Offset of the first damaged byte.
    pub(crate) offset: u64,
    /// The seq that should have come there.
    pub(crate) expected: Seq,
    pub(crate) reason: Reason,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error(transparent)]
    Line(LineError),
    #[error("the first line is not a valid header")]
    Header,
    #[error("the last line has no newline")]
    Unterminated,
    #[error("a line is longer than the format allows")]
    TooLong,
    #[error("a batch is larger than the format allows")]
    BatchTooLarge,
    #[error("blank bytes with something behind them")]
    Hole,
    #[error(transparent)]
    Violation(Violation),
}

impl Damage {
    /// The typed error that this damage is when it is corruption of `file`.
    pub(crate) fn into_error(self, file: &str) -> Error {
        let (file, offset) = (file.to_owned(), self.offset);
        match self.reason {
            Reason::Line(LineError::Checksum(ChecksumError::Mismatch { expected, found })) => {
                Error::ChecksumMismatch {
                    file,
                    offset,
                    seq: self.expected,
                    expected,
                    found,
                }
            }
            Reason::Violation(Violation::Gap { expected, found }) => Error::SequenceGap {
                file,
                offset,
                expected,
                found,
            },
            reason => Error::Corrupt {
                file,
                offset,
                reason: format!("{reason} (expected seq {})", self.expected),
            },
        }
    }
}

/// What stands next in a segment.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A valid line in its place, and its bytes with the newline.
    Line {
        offset: u64,
        line: Line<'a>,
        bytes: &'a [u8],
    },
    /// Something else; the scanner stays in front of it.
    Damage(Damage),
    /// Nothing but free space from this offset to the end.
    End { offset: u64 },
}

/// Walks one segment.
pub(crate) struct Scanner<'f> {
    window: Window<'f>,
    decoder: Decoder,
    sequence: Sequence,
    header: Option<Header>,
    /// Whether the next line must be the header.
    at_header: bool,
    /// The line that was handed out last and is not stepped over yet, and its length.
    pending: Option<(Parsed, usize)>,
}

/// Lines that were handed on together.
#[derive(Debug)]
pub(crate) struct Taken<'a, X> {
    /// The offset of the first.
    pub(crate) start: u64,
    pub(crate) bytes: &'a [u8],
    /// What the one who took them said to the last.
    pub(crate) result: Result<(), X>,
}

/// What a look at the next bytes shows, without stepping over a line.
enum Look {
    /// A line of so many bytes, newline included.
    Line(Parsed, usize),
    Blank(u64),
    Bad(Reason, u64),
}

impl<'f> Scanner<'f> {
    /// A scanner at the start of the first `limit` bytes of the segment `epoch`.
    pub(crate) fn new(file: &'f dyn StorageFile, name: &'f str, epoch: Epoch, limit: u64) -> Self {
        Scanner {
            window: Window::new(file, name, limit),
            decoder: Decoder::new(epoch),
            sequence: Sequence::default(),
            header: None,
            at_header: true,
            pending: None,
        }
    }

    /// What the lines so far say about the next one.
    pub(crate) fn sequence(&self) -> &Sequence {
        &self.sequence
    }

    /// The header, once it was seen.
    pub(crate) fn header(&self) -> Option<Header> {
        self.header
    }

    /// Hands on one line after another, with its offset and its bytes, for as long as the window
    /// holds it whole, it is valid and it stands in its place. Whatever is next then is left to
    /// [`next`](Self::next). This decides nothing and is only faster: between two lines nothing is
    /// read, kept or moved. Answers with all lines that were handed on, and with the error of
    /// `take`; the line it was given then is the last of them.
    #[inline]
    pub(crate) fn lines<X>(
        &mut self,
        mut take: impl FnMut(u64, Line<'_>, &[u8]) -> Result<(), X>,
    ) -> Taken<'_, X> {
        self.step_over_pending();
        let start = self.window.position();
        let shown = match self.at_header {
            true => &[],
            false => self.window.shown(),
        };
        let mut taken = 0;
        let mut result = Ok(());
        while result.is_ok()
            && let rest = &shown[taken..]
            && let Some(newline) = memchr::memchr(b'\n', rest)
            && let Ok(line) = self.decoder.decode(&rest[..newline])
            && self.sequence.accept(&line).is_ok()
        {
            result = take(start + taken as u64, line, &rest[..=newline]);
            taken += newline + 1;
        }
        self.window.consume(taken);
        Taken {
            start,
            bytes: self.window.consumed(taken),
            result,
        }
    }

    fn step_over_pending(&mut self) {
        if let Some((_, length)) = self.pending.take() {
            self.window.consume(length);
        }
    }

    /// The next line, damage or the end. After damage or the end it stays where it is.
    pub(crate) fn next(&mut self) -> Result<Found<'_>> {
        self.step_over_pending();
        let offset = self.window.position();
        let mut look = self.look()?;
        if !matches!(look, Look::Line(..)) && self.window.reads() == Reads::Plain {
            self.window.restart(offset, Reads::Confirmed);
            look = self.look()?;
        }
        match look {
            Look::Line(parsed, length) => {
                self.pending = Some((parsed, length));
                let (offset, line, bytes) = self.current();
                Ok(Found::Line {
                    offset,
                    line,
                    bytes,
                })
            }
            Look::Blank(offset) => Ok(Found::End { offset }),
            Look::Bad(reason, offset) => {
                let expected = self.sequence.expected();
                Ok(Found::Damage(Damage {
                    offset,
                    expected,
                    reason,
                }))
            }
        }
    }

    /// The line that was handed out last, again.
    pub(crate) fn current(&self) -> (u64, Line<'_>, &[u8]) {
        let (parsed, length) = self.pending.expect("a line was handed out");
        let bytes = &self.window.shown()[..length];
        (
            self.window.position(),
            parsed.with(&bytes[..length - 1]),
            bytes,
        )
    }

    /// Goes on at the valid line at `offset` after damage, as if `sequence` came before it.
    pub(crate) fn resume(&mut self, offset: u64, sequence: Sequence) {
        self.pending = None;
        self.at_header = false;
        self.sequence = sequence;
        self.window.restart(offset, Reads::Plain);
    }

    fn look(&mut self) -> Result<Look> {
        let offset = self.window.position();
        match self.window.peek()? {
            None => return self.end(offset),
            Some(b'\n' | 0) => return self.look_blank(offset),
            Some(_) => {}
        }
        let length = match self.find_newline()? {
            Ok(length) => length,
            Err(reason) => return Ok(Look::Bad(reason, offset)),
        };
        let bytes = &self.window.shown()[..length - 1];
        let line = match self.decoder.decode(bytes) {
            Ok(line) => line,
            Err(LineError::Version(found)) => {
                let file = self.window.name().to_owned();
                return Err(Error::Version {
                    file,
                    found,
                    supported: VERSION,
                });
            }
            Err(error) if self.at_header => {
                return Ok(Look::Bad(header_reason(error), offset));
            }
            Err(error) => return Ok(Look::Bad(Reason::Line(error), offset)),
        };
        let parsed = line.parsed();
        if self.at_header {
            let Line::Header(header) = line else {
                return Ok(Look::Bad(Reason::Header, offset));
            };
            self.header = Some(header);
            self.at_header = false;
        } else if let Err(violation) = self.sequence.accept(&line) {
            return Ok(Look::Bad(Reason::Violation(violation), offset));
        }
        Ok(Look::Line(parsed, length))
    }

    /// The end of the segment; a segment without a header has none.
    fn end(&self, offset: u64) -> Result<Look> {
        Ok(if self.at_header {
            Look::Bad(Reason::Header, 0)
        } else {
            Look::Blank(offset)
        })
    }

    /// Steps over blank bytes: free space reaches to the end of the file, anything else is a hole.
    fn look_blank(&mut self, offset: u64) -> Result<Look> {
        if self.at_header {
            return Ok(Look::Bad(Reason::Header, offset));
        }
        loop {
            let shown = self.window.shown();
            let blank = shown
                .iter()
                .take_while(|byte| matches!(byte, b'\n' | 0))
                .count();
            if blank < shown.len() {
                return Ok(Look::Bad(Reason::Hole, offset));
            }
            self.window.consume(blank);
            if !self.window.extend()? {
                return Ok(Look::Blank(offset));
            }
        }
    }

    /// The length of the line in front of the window, newline included.
    fn find_newline(&mut self) -> Result<Result<usize, Reason>> {
        let mut searched = 0;
        loop {
            let shown = self.window.shown();
            if let Some(at) = memchr::memchr(b'\n', &shown[searched..]) {
                let length = searched + at + 1;
                return Ok(if length > MAX_LINE {
                    Err(Reason::TooLong)
                } else {
                    Ok(length)
                });
            }
            searched = shown.len();
            if searched > MAX_LINE {
                return Ok(Err(Reason::TooLong));
            }
            if !self.window.extend()? {
                return Ok(Err(Reason::Unterminated));
            }
        }
    }
}

/// A header that fails its checksum says so; any other first line is no header.
fn header_reason(error: LineError) -> Reason {
    match error {
        LineError::Checksum(ChecksumError::Mismatch { .. }) => Reason::Line(error),
        _ => Reason::Header,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wal::line::{Envelope, encode_event, encode_header, encode_marker};
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    const EPOCH: Epoch = Epoch(1);

    /// A header, `batches` of up to three events each, a marker, and blank bytes.
    fn segment(batches: &[u64], blank: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let header = Header {
            epoch: EPOCH,
            prev: None,
            created_ms: 0,
        };
        encode_header(&mut out, &header);
        let mut last = 0;
        for length in batches {
            let batch = Seq(last + 1);
            for place in 1..=*length {
                last += 1;
                let envelope = Envelope {
                    seq: Seq(last),
                    batch,
                    more: place < *length,
                };
                encode_event(&mut out, EPOCH, envelope, b"{\"a\":1}");
            }
        }
        encode_marker(&mut out, EPOCH, Seq(last));
        out.resize(out.len() + blank, b'\n');
        out
    }

    /// Everything up to the end or the first damage, line by line, and what stands there.
    fn walk(bytes: &[u8], many_at_once: bool) -> (Vec<(u64, Parsed)>, String) {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let file = disk.storage().create("a").unwrap();
        file.write_at(bytes, 0).unwrap();
        let mut scanner = Scanner::new(&*file, "a", EPOCH, bytes.len() as u64);
        let mut lines = Vec::new();
        loop {
            if many_at_once {
                let taken = scanner.lines(|offset, line, _| {
                    lines.push((offset, line.parsed()));
                    Ok::<(), std::convert::Infallible>(())
                });
                let start = usize::try_from(taken.start).unwrap();
                assert_eq!(taken.bytes, &bytes[start..start + taken.bytes.len()]);
            }
            match scanner.next() {
                Ok(Found::Line { offset, line, .. }) => lines.push((offset, line.parsed())),
                end => return (lines, format!("{end:?}")),
            }
        }
    }

    proptest! {
        #[test]
        fn many_lines_at_once_are_the_lines_one_by_one(
            batches in prop::collection::vec(1..=3_u64, 0..9),
            blank in 0..9_usize,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut bytes = segment(&batches, blank);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert_eq!(walk(&bytes, true), walk(&bytes, false));
        }
    }
}
