//! Reading lines: framing first, then the checksum.

use super::{Envelope, Header, Line, LineError, MAX_LINE};
use crate::boundary::Boundary;
use crate::checksum::{self, ChecksumKind, ChecksumSeed, SegmentId, TRAILER};
use crate::format::{VERSION, WITHOUT_IDENTITY};
use crate::json::read_u64;
use crate::position::{Epoch, Position, Seq};
use crate::store_id::StoreId;

/// Reads the lines of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    segment: SegmentId,
    /// Almost every line is an event.
    event: ChecksumSeed,
}

impl Decoder {
    /// A reader of the lines of `segment`. Its header can be read before it is known whose it is.
    pub(crate) fn new(segment: SegmentId) -> Self {
        let event = ChecksumSeed::new(ChecksumKind::Event, segment);
        Decoder { segment, event }
    }

    /// The segment whose lines it reads.
    pub(crate) fn segment(&self) -> SegmentId {
        self.segment
    }

    /// Reads one line (without its newline): framing first, because it is cheap, then the checksum.
    #[inline]
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Line<'a>, LineError> {
        let mut text = content(bytes)?;
        if !text.skip(b"{\"seq\":") {
            return self.decode_other(bytes);
        }
        let (envelope, body) = frame_event(&mut text).ok_or(LineError::Framing)?;
        self.event.verify(bytes)?;
        Ok(Line::Event(envelope, body))
    }

    /// Reads a line that is not an event.
    fn decode_other<'a>(&self, bytes: &'a [u8]) -> Result<Line<'a>, LineError> {
        let (kind, line) = frame_other(self.segment.epoch, content(bytes)?)?;
        checksum::verify_checksum(kind, self.segment, bytes)?;
        match line {
            Framed::Line(line) => Ok(line),
            Framed::Version(version) => Err(LineError::Version(version)),
        }
    }
}

/// A line whose framing is right; its checksum is not known yet.
pub(crate) enum Framed<'a> {
    Line(Line<'a>),
    Version(u64),
}

/// What a line says before its checksum.
#[inline]
fn content(bytes: &[u8]) -> Result<LineText<'_>, LineError> {
    if bytes.len() >= MAX_LINE {
        return Err(LineError::Framing);
    }
    let content = bytes.len().checked_sub(TRAILER).map(|at| &bytes[..at]);
    Ok(LineText(content.ok_or(LineError::Framing)?))
}

/// The framing of a line alone. Takes time that does not grow with the event's body.
pub(crate) fn frame(epoch: Epoch, bytes: &[u8]) -> Result<(ChecksumKind, Framed<'_>), LineError> {
    let mut text = content(bytes)?;
    if text.skip(b"{\"seq\":") {
        let (envelope, body) = frame_event(&mut text).ok_or(LineError::Framing)?;
        let line = Line::Event(envelope, body);
        return Ok((ChecksumKind::Event, Framed::Line(line)));
    }
    frame_other(epoch, text)
}

/// The framing of a line that is not an event.
fn frame_other(
    epoch: Epoch,
    mut text: LineText<'_>,
) -> Result<(ChecksumKind, Framed<'_>), LineError> {
    if text.skip(b"{\"synced\":") {
        let synced = text
            .decimal()
            .filter(|_| text.is_done())
            .ok_or(LineError::Framing)?;
        return Ok((
            ChecksumKind::Marker,
            Framed::Line(Line::Marker(Seq(synced))),
        ));
    }
    if text.skip(b"{\"lost\":[") {
        let line = frame_lost(&mut text).ok_or(LineError::Framing)?;
        return Ok((ChecksumKind::Lost, Framed::Line(line)));
    }
    if text.skip(b"{\"wal\":\"beaver\",\"version\":") {
        let version = text.decimal().ok_or(LineError::Framing)?;
        if !(WITHOUT_IDENTITY..=VERSION).contains(&version) {
            return Ok((ChecksumKind::Header, Framed::Version(version)));
        }
        let header = frame_header(&mut text).filter(|header| header.epoch == epoch);
        let header = header.filter(|header| header.version() == version);
        let line = Line::Header(header.ok_or(LineError::Framing)?);
        return Ok((ChecksumKind::Header, Framed::Line(line)));
    }
    Err(LineError::Framing)
}

#[inline]
fn frame_event<'a>(text: &mut LineText<'a>) -> Option<(Envelope, &'a [u8])> {
    let seq = Seq(text.decimal()?);
    let mut batch = seq;
    if text.skip(b",\"batch\":") {
        batch = Seq(text.decimal()?);
        if batch == seq {
            return None; // The writer leaves it out.
        }
    }
    let more = text.skip(b",\"more\":true");
    text.skip(b",\"event\":")
        .then_some((Envelope { seq, batch, more }, text.0))
}

fn frame_lost<'a>(text: &mut LineText<'a>) -> Option<Line<'a>> {
    let from = Seq(text.decimal()?);
    let to = text.skip(b",").then(|| text.decimal())?;
    (text.skip(b"]") && text.is_done()).then_some(Line::Lost(from, Seq(to?)))
}

/// The rest of a header, after its version: with a store the way of version 2, without one that of
/// version 1.
fn frame_header(text: &mut LineText<'_>) -> Option<Header> {
    let mut store = None;
    if text.skip(b",\"store\":\"") {
        store = Some(StoreId::parse(text.take(StoreId::DIGITS)?)?);
        text.skip(b"\"").then_some(())?;
    }
    let epoch = text.skip(b",\"epoch\":").then(|| text.decimal())??;
    let prev = if text.skip(b",\"prev\":null") {
        None
    } else {
        let prev_epoch = text
            .skip(b",\"prev\":{\"epoch\":")
            .then(|| text.decimal())??;
        let last_seq = text.skip(b",\"last_seq\":").then(|| text.decimal())??;
        let mut crc = None;
        if store.is_some() {
            text.skip(b",\"crc\":\"").then_some(())?;
            crc = Some(checksum::parse_digits(text.take(checksum::DIGITS)?)?);
            text.skip(b"\"").then_some(())?;
        }
        text.skip(b"}").then_some(())?;
        Some(Boundary {
            crc,
            store,
            ..Boundary::from(Position::new(prev_epoch, last_seq))
        })
    };
    let created_ms = text.skip(b",\"created_ms\":").then(|| text.decimal())??;
    text.is_done().then_some(Header {
        epoch: Epoch(epoch),
        store,
        prev,
        created_ms,
    })
}

/// What is left to read of a line.
struct LineText<'a>(&'a [u8]);

impl<'a> LineText<'a> {
    /// Steps over `word` if it comes next.
    #[inline]
    fn skip(&mut self, word: &[u8]) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A plain decimal: no sign, no leading zero.
    #[inline(always)]
    fn decimal(&mut self) -> Option<u64> {
        let (number, digits) = read_u64(self.0)?;
        self.0 = &self.0[digits..];
        Some(number)
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}
