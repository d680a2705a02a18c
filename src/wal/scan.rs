//! The one walk over the bytes of a segment: which lines are valid, where damage or free space
//! begins, and which valid lines come after damage.
//!
//! ```text
//! header │ line │ line │ ▒▒ damage ▒▒ {"seq":9,… │ line │ free space
//! peek, lines, take →   torn_end, next_valid →     resume → …
//! ```
//!
//! A line is believed on one read, because its checksum proves it. Damage, free space and an
//! unterminated end prove nothing: they are read again with confirmed reads before they are
//! reported, so that a single wrong read is never taken for the end of the log.

use super::damage::{DamageReason, SegmentDamage};
use super::line::{Decoder, Header, Line, LineError, MAX_LINE, find_line};
use super::segment::Segment;
use super::sequence::{Sequence, SequenceError};
use crate::checksum::{ChecksumError, SegmentId};
use crate::error::{Error, Result};
use crate::format::VERSION;
use crate::position::Epoch;
use crate::store_id::StoreId;
use crate::window::{ReadWindow, Reads};

/// What stands next in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upcoming {
    /// A valid line in its place, of this many bytes with its newline.
    Line(usize),
    Damage(SegmentDamage),
    /// Nothing but free space from this offset to the end.
    End(u64),
}

/// A valid line in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlacedLine<'a> {
    pub(crate) offset: u64,
    pub(crate) line: Line<'a>,
    /// Its bytes, newline included.
    pub(crate) bytes: &'a [u8],
}

/// Lines that were handed on together.
#[derive(Debug)]
pub(crate) struct Taken<'a, X> {
    /// The offset of the first.
    pub(crate) start: u64,
    pub(crate) bytes: &'a [u8],
    /// What the receiver of the lines answered to the last.
    pub(crate) result: Result<(), X>,
}

/// Walks one segment.
pub(crate) struct Scanner<'f> {
    window: ReadWindow<'f>,
    decoder: Decoder,
    sequence: Sequence,
    /// Where the last byte that is not free space ends, as far as the search for lines has come.
    data_end: u64,
}

/// Takes the next line, or says why it may not stand here. The header says whose the lines after it
/// are; one that stands elsewhere (in a payload, say) says nothing.
#[inline]
fn accept(
    decoder: &mut Decoder,
    sequence: &mut Sequence,
    line: &Line<'_>,
) -> Result<(), SequenceError> {
    sequence.accept(line)?;
    if let Line::Header(header) = line {
        *decoder = Decoder::new(header.segment());
    }
    Ok(())
}

/// Hands on one line of `bytes` after another, with its offset (the first is at `start`) and its
/// bytes, for as long as it is terminated and valid, `sequence` accepts it and `take` does not
/// fail. Answers with the length of the lines that were handed on.
#[inline]
pub(crate) fn accept_lines<X>(
    decoder: &mut Decoder,
    sequence: &mut Sequence,
    start: u64,
    bytes: &[u8],
    mut take: impl FnMut(u64, Line<'_>, &[u8]) -> Result<(), X>,
) -> (usize, Result<(), X>) {
    let mut taken = 0;
    let mut result = Ok(());
    while result.is_ok()
        && let rest = &bytes[taken..]
        && let Some(newline) = memchr::memchr(b'\n', rest)
        && let Ok(line) = decoder.decode(&rest[..newline])
        && accept(decoder, sequence, &line).is_ok()
    {
        result = take(start + taken as u64, line, &rest[..=newline]);
        taken += newline + 1;
    }
    (taken, result)
}

impl<'f> Scanner<'f> {
    /// A scanner at the start of `segment`, whose header says whose it is.
    pub(crate) fn new(segment: &'f Segment) -> Self {
        Scanner::without_header(segment, None)
    }

    /// A scanner of `segment`, which is that of `store` (nothing in version 1), for who does not
    /// begin with its header.
    pub(crate) fn without_header(segment: &'f Segment, store: Option<StoreId>) -> Self {
        let epoch = segment.epoch;
        Scanner {
            window: ReadWindow::new(&*segment.file, &segment.name, segment.limit),
            decoder: Decoder::new(SegmentId { epoch, store }),
            sequence: Sequence::default(),
            data_end: 0,
        }
    }

    /// What the lines so far say about the next one.
    pub(crate) fn sequence(&self) -> &Sequence {
        &self.sequence
    }

    /// Steps over all lines that were read already, and hands them to `take`. Whatever is next then
    /// [`peek`](Self::peek) tells. This decides nothing and is only faster: between two lines
    /// nothing is read, kept or moved. Answers with all lines that were handed on, and with the
    /// error of `take`; the line it was given then is the last of them.
    #[inline]
    pub(crate) fn lines<X>(
        &mut self,
        take: impl FnMut(u64, Line<'_>, &[u8]) -> Result<(), X>,
    ) -> Taken<'_, X> {
        let start = self.window.position();
        let (decoder, sequence) = (&mut self.decoder, &mut self.sequence);
        let (taken, result) = accept_lines(decoder, sequence, start, self.window.shown(), take);
        self.window.consume(taken);
        Taken {
            start,
            bytes: self.window.consumed(taken),
            result,
        }
    }

    /// Reads the next piece if nothing is left of the last one. A piece is often a whole segment:
    /// then [`lines`](Self::lines) has all of it, and `peek` need not decode a line first.
    pub(crate) fn fill(&mut self) -> Result<()> {
        if self.window.shown().is_empty() {
            self.window.extend()?;
        }
        Ok(())
    }

    /// What stands next, without stepping over a line.
    pub(crate) fn peek(&mut self) -> Result<Upcoming> {
        let offset = self.window.position();
        let mut upcoming = self.look()?;
        if !matches!(upcoming, Upcoming::Line(_)) && self.window.reads() == Reads::Plain {
            self.window.restart(offset, Reads::Confirmed);
            upcoming = self.look()?;
        }
        Ok(upcoming)
    }

    /// Steps over the line of `length` bytes that [`peek`](Self::peek) has just seen.
    pub(crate) fn take(&mut self, length: usize) -> PlacedLine<'_> {
        let offset = self.window.position();
        self.window.consume(length);
        let bytes = self.window.consumed(length);
        let line = self.decoder.decode(&bytes[..length - 1]);
        let line = line.expect("it was valid a moment ago, and nothing was read since");
        let accepted = accept(&mut self.decoder, &mut self.sequence, &line);
        accepted.expect("it was in its place a moment ago");
        PlacedLine {
            offset,
            line,
            bytes,
        }
    }

    /// Goes on at the valid line at `offset` after damage, as if `sequence` came before it.
    pub(crate) fn resume(&mut self, offset: u64, sequence: Sequence) {
        self.sequence = sequence;
        self.window.restart(offset, Reads::Plain);
    }

    fn look(&mut self) -> Result<Upcoming> {
        let offset = self.window.position();
        match self.window.peek()? {
            Some(b'\n' | 0) | None => return self.look_at_blank(offset),
            Some(_) => {}
        }
        let length = match self.find_newline()? {
            Ok(length) => length,
            Err(reason) => return Ok(self.damage(offset, reason)),
        };
        let line = match self.decoder.decode(&self.window.shown()[..length - 1]) {
            Ok(line) => line,
            Err(LineError::Version(found)) => {
                return Err(Error::Version {
                    file: self.window.name().to_owned(),
                    found,
                    supported: VERSION,
                });
            }
            // A header that fails its checksum says so; any other first line is no header.
            Err(error @ LineError::Checksum(ChecksumError::Mismatch { .. })) => {
                return Ok(self.damage(offset, DamageReason::Line(error)));
            }
            Err(_) if self.sequence.is_at_start() => {
                let reason = no_header(&self.window.shown()[..length - 1]);
                return Ok(self.damage(offset, reason));
            }
            Err(error) => return Ok(self.damage(offset, DamageReason::Line(error))),
        };
        // On a copy: the line stays where it is, and so do the rules.
        match { self.sequence }.accept(&line) {
            Ok(()) => Ok(Upcoming::Line(length)),
            Err(_) if self.sequence.is_at_start() => Ok(self.damage(offset, DamageReason::Header)),
            Err(error) => Ok(self.damage(offset, DamageReason::Sequence(error))),
        }
    }

    fn damage(&self, offset: u64, reason: DamageReason) -> Upcoming {
        let expected = self.sequence.expected();
        Upcoming::Damage(SegmentDamage {
            offset,
            expected,
            reason,
        })
    }

    /// Steps over blank bytes: free space reaches to the end of the file, anything else is a hole.
    /// A segment without a header has no end, nor has one whose last append is not whole.
    fn look_at_blank(&mut self, offset: u64) -> Result<Upcoming> {
        if self.sequence.is_at_start() {
            return Ok(self.damage(offset, DamageReason::Header));
        }
        if self.skip_blank()? {
            return Ok(self.damage(offset, DamageReason::Hole));
        }
        if self.sequence.in_group() {
            let reason = DamageReason::UnfinishedAppend(self.sequence.expected());
            return Ok(self.damage(offset, reason));
        }
        Ok(Upcoming::End(offset))
    }

    /// The length of the line in front of the window, newline included.
    fn find_newline(&mut self) -> Result<Result<usize, DamageReason>> {
        let mut searched = 0;
        loop {
            let shown = self.window.shown();
            if let Some(at) = memchr::memchr(b'\n', &shown[searched..]) {
                let length = searched + at + 1;
                return Ok(match length > MAX_LINE {
                    true => Err(DamageReason::TooLong),
                    false => Ok(length),
                });
            }
            searched = shown.len();
            if searched > MAX_LINE {
                return Ok(Err(DamageReason::TooLong));
            }
            if !self.window.extend()? {
                return Ok(Err(DamageReason::Unterminated));
            }
        }
    }

    /// Judges damage in the active segment: the end of the torn tail, free space not counted, or
    /// `None` for corruption.
    ///
    /// It is corruption if a line follows that could only be written after the event that is
    /// expected at the damage was durable. A batch is written only after the one before it was
    /// synced, so an event of a later batch or the first event of any batch is such a line; and a
    /// marker says it outright. Without one the damage lies in the last batch, which was never
    /// acknowledged.
    ///
    /// A marker of a lower seq says nothing about the damage. It is no torn tail all the same: no
    /// write that was cut short leaves one there, because a marker stands right after the event that
    /// it names.
    pub(crate) fn torn_end(&mut self, damage: &SegmentDamage) -> Result<Option<u64>> {
        self.search_from(damage.offset);
        while let Some((_, line)) = self.next_valid()? {
            let proves = match line {
                Line::Event(envelope, _) => {
                    envelope.batch > damage.expected || envelope.batch == envelope.seq
                }
                Line::Marker(_) => true,
                // A header was there before all events. A range of lost events stands only where
                // repair has sealed the segment, never in the active one.
                Line::Header(_) | Line::Lost(..) => false,
            };
            if proves {
                return Ok(None);
            }
        }
        Ok(Some(self.data_end))
    }

    /// Goes to `offset` to search for valid lines from there. On confirmed reads, because the
    /// absence of a line proves something here.
    pub(crate) fn search_from(&mut self, offset: u64) {
        self.window.restart(offset, Reads::Confirmed);
        self.data_end = offset;
    }

    /// Where the last byte that is not free space ends, of those that were searched.
    pub(crate) fn data_end(&self) -> u64 {
        self.data_end
    }

    /// Steps over the next valid line, wherever it begins and whatever stood before it. Answers
    /// with its offset too.
    pub(crate) fn next_valid(&mut self) -> Result<Option<(u64, Line<'_>)>> {
        let segment = self.decoder.segment();
        let found = self.find_in_stretch(|stretch| {
            let at = find_line(segment, stretch)?;
            Some((at, stretch.len()))
        })?;
        Ok(found.map(|(at, length)| {
            let start = self.window.position() - (length + 1) as u64;
            let bytes = &self.window.consumed(length + 1)[at..length];
            let line = self.decoder.decode(bytes);
            let line = line.expect("its checksum was just compared");
            (start + at as u64, line)
        }))
    }

    /// Steps over blank bytes and says whether something else stands after them.
    fn skip_blank(&mut self) -> Result<bool> {
        loop {
            let shown = self.window.shown();
            let (blank, length) = (leading_blanks(shown), shown.len());
            self.window.consume(blank);
            if blank < length {
                return Ok(true);
            }
            if !self.window.extend()? {
                return Ok(false);
            }
        }
    }

    /// Steps over what stands up to each newline, which may be a line or end with one, until `look`
    /// finds what it looks for in it. Blank bytes before it are not shown: free space may hold
    /// thousands of newlines.
    pub(crate) fn find_in_stretch<T>(
        &mut self,
        mut look: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<T>> {
        while self.skip_blank()? {
            let length = self.next_stretch()?;
            self.note_data(length);
            let stretch = self.window.shown()[..length].strip_suffix(b"\n");
            let found = stretch.and_then(&mut look);
            self.window.consume(length);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Remembers the last byte of the next `length` ones that is not free space.
    fn note_data(&mut self, length: usize) {
        let bytes = &self.window.shown()[..length];
        if let Some(last) = bytes.iter().rposition(|byte| !is_blank(*byte)) {
            self.data_end = self.window.position() + last as u64 + 1;
        }
    }

    /// The length of the bytes up to the next newline, newline included, or to the end. Bytes too
    /// far from the next newline to belong to a line are stepped over.
    fn next_stretch(&mut self) -> Result<usize> {
        let mut searched = 0;
        loop {
            let shown = self.window.shown();
            if let Some(at) = memchr::memchr(b'\n', &shown[searched..]) {
                return Ok(searched + at + 1);
            }
            searched = shown.len();
            if searched > MAX_LINE {
                let excess = searched - MAX_LINE;
                self.note_data(excess);
                self.window.consume(excess);
                searched = MAX_LINE;
            }
            if !self.window.extend()? {
                return Ok(searched);
            }
        }
    }
}

/// Why a first line is not the header of its segment.
fn no_header(line: &[u8]) -> DamageReason {
    if line.ends_with(b"\r") {
        return DamageReason::Converted;
    }
    match other_epoch(line) {
        Some(epoch) => DamageReason::OtherEpoch(epoch),
        None => DamageReason::Header,
    }
}

/// The epoch of a valid header.
fn other_epoch(line: &[u8]) -> Option<Epoch> {
    const BEFORE: &[u8] = b"\"epoch\":";
    let at = memchr::memmem::find(line, BEFORE)? + BEFORE.len();
    let length = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let digits = std::str::from_utf8(&line[at..at + length.count()]).ok()?;
    let epoch = Epoch(digits.parse().ok()?);
    let line = Decoder::new(epoch.into()).decode(line);
    matches!(line, Ok(Line::Header(_))).then_some(epoch)
}

/// Reads the header of `segment`.
pub(crate) fn header(segment: &Segment) -> Result<Header> {
    let mut scanner = Scanner::new(segment);
    match scanner.peek()? {
        Upcoming::Line(length) => match scanner.take(length).line {
            Line::Header(header) => Ok(header),
            _ => unreachable!("no other line is in its place at the start"),
        },
        Upcoming::Damage(damage) => Err(damage.into_error(&segment.name)),
        Upcoming::End(_) => unreachable!("a segment without a header has no end"),
    }
}

/// How many bytes hold a header.
const HEADER: u64 = 512;

/// Reads the header of `segment` with one short read. Nothing if that does not show a valid one,
/// which proves nothing.
pub(crate) fn glance_at_header(segment: &Segment) -> Result<Option<Header>> {
    let start = segment.read(0, segment.limit.min(HEADER))?;
    let line = memchr::memchr(b'\n', &start).map(|end| &start[..end]);
    let decoder = Decoder::new(segment.epoch.into());
    Ok(match line.and_then(|line| decoder.decode(line).ok()) {
        Some(Line::Header(header)) => Some(header),
        _ => None,
    })
}

/// Whether a byte may be free space.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\n' | 0)
}

/// How many blank bytes `bytes` begins with.
fn leading_blanks(bytes: &[u8]) -> usize {
    // Whole chunks first: without an early end the compiler compares many bytes at once.
    let (chunks, _) = bytes.as_chunks::<64>();
    let blank = |chunk: &&[u8; 64]| chunk.iter().fold(true, |all, byte| all & is_blank(*byte));
    let whole = 64 * chunks.iter().take_while(blank).count();
    let rest = bytes[whole..].iter();
    whole + rest.take_while(|byte| is_blank(**byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::position::Seq;
    use crate::storage::Access;
    use crate::wal::line::{Envelope, encode_event, encode_header, encode_marker};
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    const EPOCH: Epoch = Epoch(1);

    const SEGMENT: SegmentId = SegmentId {
        epoch: EPOCH,
        store: Some(StoreId(7)),
    };

    /// A header, `batches` of up to three events each, a marker, and blank bytes.
    fn segment(batches: &[u64], blank: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let header = Header {
            epoch: EPOCH,
            store: SEGMENT.store,
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
                encode_event(&mut out, SEGMENT, envelope, b"{\"a\":1}");
            }
        }
        encode_marker(&mut out, SEGMENT, Seq(last));
        out.resize(out.len() + blank, b'\n');
        out
    }

    /// Everything up to the end or the first damage, line by line, and what stands there.
    fn walk(bytes: &[u8], many_at_once: bool) -> (Vec<(u64, String)>, String) {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let name = crate::names::segment(EPOCH);
        let file = disk.storage().create(&name).unwrap();
        file.write_at(bytes, 0).unwrap();
        let segment = Segment::open(&*disk.storage(), EPOCH, Access::Read).unwrap();
        let mut scanner = Scanner::new(&segment);
        let mut lines = Vec::new();
        loop {
            match scanner.peek() {
                Ok(Upcoming::Line(_)) if many_at_once => {
                    let taken = scanner.lines(|offset, line, _| {
                        lines.push((offset, format!("{line:?}")));
                        Ok::<(), std::convert::Infallible>(())
                    });
                    let start = usize::try_from(taken.start).unwrap();
                    assert_eq!(taken.bytes, &bytes[start..start + taken.bytes.len()]);
                }
                Ok(Upcoming::Line(length)) => {
                    let placed = scanner.take(length);
                    lines.push((placed.offset, format!("{:?}", placed.line)));
                }
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
