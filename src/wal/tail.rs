//! The end of the active segment: where the next append goes, and the bytes that open has to write
//! again.

use memchr::memrchr;

use super::line::{Decoder, Envelope, Framed, Line, MAX_BATCH, MAX_LINE, frame};
use super::scan::{Scanner, accept_lines, is_blank};
use super::segment::Segment;
use super::sequence::Sequence;
use crate::boundary::Boundary;
use crate::checksum::{self, SegmentId};
use crate::error::Result;
use crate::position::{Epoch, Seq};
use crate::store_id::StoreId;
use crate::window::read_exact;

/// Consecutive bytes of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileBytes {
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
}

impl FileBytes {
    /// Goes on up to `end` with what is missing of the `bytes` from `start` on.
    fn fill(&mut self, end: u64, start: u64, bytes: &[u8]) {
        let have = self.start + self.bytes.len() as u64;
        if have < end {
            let place = |offset: u64| usize::try_from(offset - start).expect("it lies in memory");
            self.bytes
                .extend_from_slice(&bytes[place(have)..place(end)]);
        }
    }
}

/// Where the accepted lines of a segment end.
///
/// Lines are noted one by one, and their bytes kept many at once: until then they lie where they
/// were read, because most of them are never asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// The last accepted event; 0 in a segment without one.
    pub(crate) last: Seq,
    /// The offset after the last accepted line.
    pub(crate) end: u64,
    /// The offset after the last accepted line that is no marker: what the next header seals.
    sealed_end: u64,
    /// Whose segment it is, if its header was read and says so.
    store: Option<StoreId>,
    /// Whether the last accepted line is a marker.
    pub(crate) after_marker: bool,
    /// Everything from the first byte of the last batch (with no event: from the header) to `end`,
    /// as it was verified.
    pub(crate) last_batch: FileBytes,
    /// The batch before, for when nothing of the last one is accepted.
    batch_before: FileBytes,
    /// The offset after the last line that was noted.
    noted: u64,
    /// The batch of the last event.
    batch: Option<Seq>,
}

impl Tail {
    /// A tail whose first line stands at `offset`.
    fn starting_at(offset: u64) -> Self {
        let mut tail = Tail {
            noted: offset,
            ..Tail::default()
        };
        (tail.batch_before.start, tail.last_batch.start) = (offset, offset);
        tail
    }

    /// Takes the next line of `length` bytes; `Err` if its batch grows past the format's limit.
    /// [`keep`](Self::keep) is given the bytes later.
    #[inline]
    pub(crate) fn note(&mut self, offset: u64, line: &Line<'_>, length: usize) -> Result<(), ()> {
        debug_assert_eq!(offset, self.noted, "one line follows the other");
        let mut whole = true;
        if let Line::Event(envelope, _) = line {
            // After lost events a batch may go on whose first event is missing.
            let is_later = self.batch.is_some_and(|batch| envelope.batch > batch);
            self.batch = Some(envelope.batch);
            if envelope.batch == envelope.seq || is_later {
                self.begin_batch(offset);
            }
            whole = !envelope.more;
        }
        let end = offset + length as u64;
        if end - self.last_batch.start > (MAX_BATCH + MAX_LINE) as u64 {
            return Err(());
        }
        self.noted = end;
        if whole {
            self.end = end;
            self.after_marker = matches!(line, Line::Marker(_));
            match line {
                Line::Event(envelope, _) => self.last = envelope.seq,
                Line::Lost(_, to) => self.last = *to,
                Line::Header(header) => self.store = header.store,
                Line::Marker(_) => return Ok(()),
            }
            self.sealed_end = end;
        }
        Ok(())
    }

    /// The end of the epoch, as the next header will seal it; of a tail that was found.
    pub(crate) fn boundary(&self, epoch: Epoch) -> Boundary {
        Boundary {
            crc: Some(self.crc()),
            store: self.store,
            ..Boundary::from(epoch.at(self.last))
        }
    }

    /// The checksum of the last event or `lost` line; of the header, where there is neither.
    pub(crate) fn crc(&self) -> u32 {
        let end = usize::try_from(self.sealed_end - self.last_batch.start);
        checksum::of_line(&self.last_batch.bytes[..end.expect("it lies in memory")])
    }

    fn begin_batch(&mut self, offset: u64) {
        // Memory goes from one to the other, so that a short batch takes no new one.
        std::mem::swap(&mut self.batch_before, &mut self.last_batch);
        self.last_batch.bytes.clear();
        self.last_batch.start = offset;
    }

    /// Keeps what may be asked for of the `bytes` from `start` on, which are whole lines: all that
    /// were noted and not kept yet, and nothing of a line that was not noted.
    pub(crate) fn keep(&mut self, start: u64, bytes: &[u8]) {
        self.batch_before.fill(self.last_batch.start, start, bytes);
        self.last_batch.fill(self.noted, start, bytes);
    }

    /// Forgets what was noted after the last whole append.
    pub(crate) fn cut(&mut self) {
        if self.end <= self.last_batch.start {
            self.last_batch = std::mem::take(&mut self.batch_before);
        } else {
            let kept = usize::try_from(self.end - self.last_batch.start);
            self.last_batch
                .bytes
                .truncate(kept.expect("it lies in memory"));
        }
        self.noted = self.end;
        self.batch_before = FileBytes {
            start: self.last_batch.start,
            bytes: Vec::new(),
        };
    }
}

/// How much of the end is read at first.
const FIRST_PIECE: u64 = 64 << 10;

/// How much is read at most: then the last batch is longer than the format allows.
const LONGEST: u64 = 2 * MAX_BATCH as u64;

/// Finds the tail of the segment of `store` (nothing in version 1) from its end, without reading what
/// lies before its last batch.
///
/// `None` says that the end is not whole (or not simple): then the segment must be read from its
/// start.
pub(crate) fn find_tail(segment: &Segment, store: Option<StoreId>) -> Result<Option<Tail>> {
    let Some(data_end) = skip_free_space(segment)? else {
        return Ok(None);
    };
    // The newline of the last line is the first byte of what looks like free space.
    let end = data_end + 1;
    if end > segment.limit {
        return Ok(None);
    }
    let mut start = end.saturating_sub(FIRST_PIECE);
    let mut bytes = segment.read(start, end)?;
    let epoch = segment.epoch;
    let mut tail = loop {
        let wanted = match read_backward(SegmentId { epoch, store }, start, &bytes) {
            Backward::Tail(tail) => break tail,
            Backward::Damaged => return Ok(None),
            Backward::MoreBytes { .. } if start == 0 || end - start > LONGEST => return Ok(None),
            Backward::MoreBytes { wanted } => wanted.min(LONGEST),
        };
        // Only what is missing is read: a second read of the rest would prove nothing, because the
        // checksums have yet to be looked at.
        let before = start.saturating_sub(wanted);
        let mut longer = vec![0; in_memory(end - before)];
        let (missing, there) = longer.split_at_mut(in_memory(start - before));
        read_exact(&*segment.file, &segment.name, missing, before)?;
        there.copy_from_slice(&bytes);
        (start, bytes) = (before, longer);
    };
    // The last batch is nearly all of it and stays where it is: a copy takes longer than the read.
    bytes.truncate(in_memory(tail.end - start));
    bytes.drain(..in_memory(tail.last_batch.start - start));
    tail.last_batch.bytes = bytes;
    // Everything after the tail will be cut, so that it is free space must not rest on one read.
    let mut rest = Scanner::without_header(segment, store);
    rest.search_from(tail.end);
    let nothing_follows = rest.next_valid()?.is_none() && rest.data_end() == tail.end;
    Ok(nothing_follows.then_some(tail))
}

/// The offset after the last byte of the file that is not free space.
fn skip_free_space(segment: &Segment) -> Result<Option<u64>> {
    let mut end = segment.limit;
    while end > 0 {
        let start = end.saturating_sub(FIRST_PIECE);
        let bytes = segment.read(start, end)?;
        if let Some(last) = bytes.iter().rposition(|byte| !is_blank(*byte)) {
            return Ok(Some(start + last as u64 + 1));
        }
        end = start;
    }
    Ok(None)
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).expect("bounded by a few times the limit of a batch")
}

enum Backward {
    /// The tail, without the bytes of its last batch.
    Tail(Tail),
    /// The line before the last batch lies further up: about `wanted` bytes more are needed.
    MoreBytes {
        wanted: u64,
    },
    Damaged,
}

/// The events that the way back has seen.
#[derive(Clone, Copy)]
struct LastEvents {
    batch: Seq,
    first: Seq,
    last: Seq,
}

impl LastEvents {
    /// How many bytes the rest of the batch has, and the line before it, if its lines are as long
    /// on average as those in the `looked_at` bytes, and an eighth more.
    fn rest_of_batch(self, looked_at: u64) -> u64 {
        let events = self.last.0.saturating_sub(self.first.0).saturating_add(1);
        let left = self.first.0.saturating_sub(self.batch.0).saturating_add(1);
        let bytes = left.saturating_mul(looked_at / events + 1);
        bytes.saturating_add(bytes / 8)
    }
}

/// Steps over whole lines from the end of `bytes` back to the line before the last batch, then
/// reads forward from there.
///
/// The line before the batch is read too, because it shows that nothing is missing between the two.
/// The way back looks at no checksum, because the way forward looks at all of them: a wrong line
/// can only send it to the wrong place, and then the segment is scanned from its start.
fn read_backward(segment: SegmentId, start: u64, bytes: &[u8]) -> Backward {
    let mut seen: Option<LastEvents> = None;
    let mut line_end = bytes.len();
    while line_end > 0 && bytes[line_end - 1] == b'\n' {
        let line_start = match memrchr(b'\n', &bytes[..line_end - 1]) {
            Some(at) => at + 1,
            None if start == 0 => 0,
            // No line is longer, and what is no line need not be looked for.
            None if line_end > MAX_LINE => break,
            None => {
                let (have, looked_at) = (bytes.len() as u64, (bytes.len() - line_end) as u64);
                let wanted = seen.map_or(0, |seen| seen.rest_of_batch(looked_at));
                // At least as much again, so that all steps together cost at most twice the last
                // one; and not much more, because nothing proves yet what the lines say.
                let wanted = wanted.clamp(have.max(FIRST_PIECE), 15 * have.max(FIRST_PIECE));
                return Backward::MoreBytes { wanted };
            }
        };
        let Ok((_, Framed::Line(line))) = frame(segment.epoch, &bytes[line_start..line_end - 1])
        else {
            break;
        };
        let is_before_batch = match line {
            Line::Header(_) if line_start as u64 + start > 0 => break,
            Line::Header(_) => true,
            // Such a line may stand nowhere, so it is not the one before the last batch either.
            Line::Event(envelope, _) if !(1..=envelope.seq.0).contains(&envelope.batch.0) => break,
            Line::Event(Envelope { seq, batch, .. }, _) => {
                let (first, last) = (seq, seq);
                let seen = seen.get_or_insert(LastEvents { batch, first, last });
                seen.first = seq;
                seq < seen.batch
            }
            Line::Marker(_) => seen.is_some(),
            // After lost events a batch may go on whose first event is missing: not simple.
            Line::Lost(..) => break,
        };
        if is_before_batch {
            let lines = &bytes[line_start..];
            return read_batch(segment, start + line_start as u64, lines)
                .map_or(Backward::Damaged, Backward::Tail);
        }
        line_end = line_start;
    }
    Backward::Damaged
}

/// Reads the line before the last batch and everything after it, and keeps no bytes; `None` if a
/// line is not valid or out of place.
fn read_batch(segment: SegmentId, offset: u64, bytes: &[u8]) -> Option<Tail> {
    let mut decoder = Decoder::new(segment);
    let mut tail = Tail::starting_at(offset);
    let first = memchr::memchr(b'\n', bytes)?;
    let line = decoder.decode(&bytes[..first]).ok()?;
    tail.note(offset, &line, first + 1).ok()?;
    // Nothing before this line was read, so it is believed wherever it stands.
    let mut sequence = Sequence::after(&line);
    let rest = &bytes[first + 1..];
    let (offset, note) = (tail.noted, |offset, line: Line<'_>, bytes: &[u8]| {
        tail.note(offset, &line, bytes.len())
    });
    let (taken, noted) = accept_lines(&mut decoder, &mut sequence, offset, rest, note);
    (noted.is_ok() && taken == rest.len() && !sequence.in_group()).then_some(tail)
}
