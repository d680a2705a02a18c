//! The lines of a segment: bytes without I/O.
//!
//! ```text
//! {"wal":"beaver","version":1,"epoch":8,"prev":{"epoch":7,"last_seq":3141},"created_ms":17…,"crc":"9f3a11c2"}
//! {"seq":1,"event":{…},"crc":"5d0c77aa"}
//! {"seq":3,"batch":2,"more":true,"event":{…},"crc":"…"}
//! {"synced":3,"crc":"…"}
//! {"lost":[4,9],"crc":"…"}
//! ```
//!
//! A reader accepts only the canonical envelope that the writer makes: fixed field order, no
//! spaces, plain decimals, eight lower-case hex digits. What stands inside `event` is opaque here.
//! Valid means framing and checksum, nothing else: whether a line may follow the one before it is
//! the business of [`sequence`](super::sequence).

use crate::checksum::{self, ChecksumError, ChecksumKind, Start, TRAILER};
use crate::format::VERSION;
use crate::json::{read_u64, write_u64};
use crate::position::{Epoch, Position, Seq};

/// The longest line, newline included: 16 MiB.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// The most bytes of one atomic append, and of one batch: 64 MiB.
pub(crate) const MAX_BATCH: usize = 64 << 20;

/// The most bytes that an event's envelope adds to its body, newline included.
pub(crate) const MAX_ENVELOPE: usize = 128;

/// The largest seq of an epoch; one below the end of the type, so that the next one can always be
/// named.
pub(crate) const MAX_SEQ: Seq = Seq(u64::MAX - 1);

/// The first line of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The segment's own number.
    pub(crate) epoch: Epoch,
    /// The last position of the segment before, which this header seals. Nothing for epoch 1.
    pub(crate) prev: Option<Position>,
    /// When the segment was made. Nothing reads it.
    pub(crate) created_ms: u64,
}

/// What the envelope of an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The event's number in its epoch.
    pub(crate) seq: Seq,
    /// The seq of the first event that was written with the same sync.
    pub(crate) batch: Seq,
    /// Whether the next event belongs to the same atomic append.
    pub(crate) more: bool,
}

/// A valid line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Header(Header),
    Event(Envelope, &'a [u8]),
    /// Everything through this seq was durable.
    Marker(Seq),
    /// Repair could not save the events from … to.
    Lost(Seq, Seq),
}

/// What a valid line says, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Header(Header),
    /// An event whose body has so many bytes.
    Event(Envelope, usize),
    Marker(Seq),
    Lost(Seq, Seq),
}

impl Line<'_> {
    /// The seq that comes next where this line stands, because everything below it is accounted
    /// for.
    pub(crate) fn next_seq(&self) -> Seq {
        match *self {
            Line::Header(_) => Seq(1),
            Line::Event(envelope, _) => envelope.seq,
            Line::Marker(synced) => Seq(synced.0.saturating_add(1)),
            Line::Lost(from, _) => from,
        }
    }

    /// What stays when the bytes of the line are let go.
    pub(crate) fn parsed(&self) -> Parsed {
        match *self {
            Line::Header(header) => Parsed::Header(header),
            Line::Event(envelope, body) => Parsed::Event(envelope, body.len()),
            Line::Marker(synced) => Parsed::Marker(synced),
            Line::Lost(from, to) => Parsed::Lost(from, to),
        }
    }
}

impl Parsed {
    /// The line again, from its bytes without the newline.
    pub(crate) fn with(self, bytes: &[u8]) -> Line<'_> {
        match self {
            Parsed::Header(header) => Line::Header(header),
            Parsed::Event(envelope, body) => {
                let end = bytes.len() - TRAILER;
                Line::Event(envelope, &bytes[end - body..end])
            }
            Parsed::Marker(synced) => Line::Marker(synced),
            Parsed::Lost(from, to) => Line::Lost(from, to),
        }
    }
}

/// Why a line is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    #[error("not a line of a log")]
    Framing,
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A header with a valid checksum and a version from the future. Not damage.
    #[error("format version {0}")]
    Version(u64),
}

/// Appends a header line to `out`, newline included.
pub(crate) fn encode_header(out: &mut Vec<u8>, header: &Header) {
    let start = out.len();
    out.extend_from_slice(b"{\"wal\":\"beaver\",\"version\":");
    write_u64(out, VERSION);
    out.extend_from_slice(b",\"epoch\":");
    write_u64(out, header.epoch.0);
    out.extend_from_slice(b",\"prev\":");
    match header.prev {
        None => out.extend_from_slice(b"null"),
        Some(prev) => {
            out.extend_from_slice(b"{\"epoch\":");
            write_u64(out, prev.epoch.0);
            out.extend_from_slice(b",\"last_seq\":");
            write_u64(out, prev.seq.0);
            out.push(b'}');
        }
    }
    out.extend_from_slice(b",\"created_ms\":");
    write_u64(out, header.created_ms);
    checksum::seal(ChecksumKind::Header, header.epoch, out, start);
    out.push(b'\n');
}

/// Appends an event line to `out`, newline included.
#[cfg(test)]
pub(crate) fn encode_event(out: &mut Vec<u8>, epoch: Epoch, envelope: Envelope, body: &[u8]) {
    let crc = Start::new(ChecksumKind::Event, epoch);
    let Ok(()) = encode_event_with(out, &crc, envelope, |out| {
        out.extend_from_slice(body);
        Ok::<(), std::convert::Infallible>(())
    });
}

/// Appends an event line to `out`, newline included. `body` appends what stands inside `event`;
/// after its error the line is unfinished.
pub(crate) fn encode_event_with<X>(
    out: &mut Vec<u8>,
    crc: &Start,
    envelope: Envelope,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), X>,
) -> Result<(), X> {
    let start = out.len();
    out.extend_from_slice(b"{\"seq\":");
    write_u64(out, envelope.seq.0);
    if envelope.batch != envelope.seq {
        out.extend_from_slice(b",\"batch\":");
        write_u64(out, envelope.batch.0);
    }
    if envelope.more {
        out.extend_from_slice(b",\"more\":true");
    }
    out.extend_from_slice(b",\"event\":");
    body(out)?;
    crc.seal(out, start);
    out.push(b'\n');
    Ok(())
}

/// Appends a marker line to `out`, newline included.
pub(crate) fn encode_marker(out: &mut Vec<u8>, epoch: Epoch, synced: Seq) {
    let start = out.len();
    out.extend_from_slice(b"{\"synced\":");
    write_u64(out, synced.0);
    checksum::seal(ChecksumKind::Marker, epoch, out, start);
    out.push(b'\n');
}

/// Appends a line for the missing events `from`..=`to` to `out`, newline included.
pub(crate) fn encode_lost(out: &mut Vec<u8>, epoch: Epoch, from: Seq, to: Seq) {
    let start = out.len();
    out.extend_from_slice(b"{\"lost\":[");
    write_u64(out, from.0);
    out.push(b',');
    write_u64(out, to.0);
    out.push(b']');
    checksum::seal(ChecksumKind::Lost, epoch, out, start);
    out.push(b'\n');
}

/// Reads the lines of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    epoch: Epoch,
    /// Almost every line is an event.
    event: Start,
}

impl Decoder {
    /// A reader of the lines of the segment `epoch`.
    pub(crate) fn new(epoch: Epoch) -> Self {
        let event = Start::new(ChecksumKind::Event, epoch);
        Decoder { epoch, event }
    }

    /// Reads one line (without its newline): framing first, because it is cheap, then the checksum.
    #[inline]
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Line<'a>, LineError> {
        let (kind, line) = frame(self.epoch, bytes)?;
        match kind {
            ChecksumKind::Event => self.event.verify(bytes)?,
            other => checksum::verify_checksum(other, self.epoch, bytes)?,
        }
        match line {
            Framed::Line(line) => Ok(line),
            Framed::Version(version) => Err(LineError::Version(version)),
        }
    }
}

/// Reads one line of the segment `epoch`.
#[cfg(test)]
fn decode(epoch: Epoch, bytes: &[u8]) -> Result<Line<'_>, LineError> {
    Decoder::new(epoch).decode(bytes)
}

/// A line whose framing is right; its checksum is not known yet.
pub(crate) enum Framed<'a> {
    Line(Line<'a>),
    Version(u64),
}

/// The framing of a line alone. Takes time that does not grow with the event's body.
#[inline]
pub(crate) fn frame(epoch: Epoch, bytes: &[u8]) -> Result<(ChecksumKind, Framed<'_>), LineError> {
    if bytes.len() >= MAX_LINE {
        return Err(LineError::Framing);
    }
    let content = bytes.len().checked_sub(TRAILER).map(|at| &bytes[..at]);
    let mut text = Text(content.ok_or(LineError::Framing)?);
    if text.skip(b"{\"seq\":") {
        let (envelope, body) = frame_event(&mut text).ok_or(LineError::Framing)?;
        return Ok((
            ChecksumKind::Event,
            Framed::Line(Line::Event(envelope, body)),
        ));
    }
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
        if version != VERSION {
            return Ok((ChecksumKind::Header, Framed::Version(version)));
        }
        let header = frame_header(&mut text).filter(|header| header.epoch == epoch);
        let line = Line::Header(header.ok_or(LineError::Framing)?);
        return Ok((ChecksumKind::Header, Framed::Line(line)));
    }
    Err(LineError::Framing)
}

#[inline]
fn frame_event<'a>(text: &mut Text<'a>) -> Option<(Envelope, &'a [u8])> {
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

fn frame_lost<'a>(text: &mut Text<'a>) -> Option<Line<'a>> {
    let from = Seq(text.decimal()?);
    let to = text.skip(b",").then(|| text.decimal())?;
    (text.skip(b"]") && text.is_done()).then_some(Line::Lost(from, Seq(to?)))
}

fn frame_header(text: &mut Text<'_>) -> Option<Header> {
    let epoch = text.skip(b",\"epoch\":").then(|| text.decimal())??;
    let prev = if text.skip(b",\"prev\":null") {
        None
    } else {
        let prev_epoch = text
            .skip(b",\"prev\":{\"epoch\":")
            .then(|| text.decimal())??;
        let last_seq = text.skip(b",\"last_seq\":").then(|| text.decimal())??;
        let closed = text.skip(b"}");
        Some(Position::new(prev_epoch, last_seq)).filter(|_| closed)
    };
    let created_ms = text.skip(b",\"created_ms\":").then(|| text.decimal())??;
    text.is_done().then_some(Header {
        epoch: Epoch(epoch),
        prev,
        created_ms,
    })
}

/// What is left to read of a line.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// Steps over `word` if it comes next.
    #[inline]
    fn skip(&mut self, word: &[u8]) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A plain decimal: no sign, no leading zero.
    #[inline]
    fn decimal(&mut self) -> Option<u64> {
        let (number, digits) = read_u64(self.0)?;
        self.0 = &self.0[digits..];
        Some(number)
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_writer_makes_the_lines_of_the_format() {
        let body = br#"{"type":"ACK","job_id":"j","timestamp":1}"#;
        let header = Header {
            epoch: Epoch(1),
            prev: None,
            created_ms: 0,
        };
        assert_eq!(
            encoded(|out| encode_header(out, &header)),
            "{\"wal\":\"beaver\",\"version\":1,\"epoch\":1,\"prev\":null,\"created_ms\":0,\"crc\":\"4b6da27c\"}\n"
        );
        let first = Envelope {
            seq: Seq(1),
            batch: Seq(1),
            more: true,
        };
        assert_eq!(
            encoded(|out| encode_event(out, Epoch(1), first, body)),
            "{\"seq\":1,\"more\":true,\"event\":{\"type\":\"ACK\",\"job_id\":\"j\",\"timestamp\":1},\"crc\":\"46043b64\"}\n"
        );
        let second = Envelope {
            seq: Seq(2),
            batch: Seq(1),
            more: false,
        };
        assert_eq!(
            encoded(|out| encode_event(out, Epoch(1), second, body)),
            "{\"seq\":2,\"batch\":1,\"event\":{\"type\":\"ACK\",\"job_id\":\"j\",\"timestamp\":1},\"crc\":\"bf33c91a\"}\n"
        );
        assert_eq!(
            encoded(|out| encode_marker(out, Epoch(1), Seq(2))),
            "{\"synced\":2,\"crc\":\"9dc04cf6\"}\n"
        );
        assert_eq!(
            encoded(|out| encode_lost(out, Epoch(1), Seq(3), Seq(4))),
            "{\"lost\":[3,4],\"crc\":\"09dbe54f\"}\n"
        );
    }

    #[test]
    fn what_the_writer_makes_the_reader_reads() {
        let header = Header {
            epoch: Epoch(8),
            prev: Some(Position::new(7, 3141)),
            created_ms: 1_700,
        };
        let text = encoded(|out| encode_header(out, &header));
        assert_eq!(
            decode(Epoch(8), text.trim_end().as_bytes()),
            Ok(Line::Header(header))
        );
        for envelope in [
            Envelope {
                seq: Seq(1),
                batch: Seq(1),
                more: false,
            },
            Envelope {
                seq: Seq(u64::MAX),
                batch: Seq(3),
                more: true,
            },
        ] {
            let text = encoded(|out| encode_event(out, Epoch(8), envelope, b"[1,2]"));
            let line = decode(Epoch(8), text.trim_end().as_bytes());
            assert_eq!(line, Ok(Line::Event(envelope, b"[1,2]")));
            assert!(text.len() - 5 <= MAX_ENVELOPE);
        }
    }

    #[test]
    fn only_the_canonical_envelope_is_a_line() {
        for text in [
            r#"{"seq":01,"event":1"#,
            r#"{"seq": 1,"event":1"#,
            r#"{"seq":+1,"event":1"#,
            r#"{"seq":1,"batch":1,"event":1"#,
            r#"{"seq":1,"more":false,"event":1"#,
            r#"{"seq":1,"more":true,"batch":0,"event":1"#,
            r#"{"seq":18446744073709551616,"event":1"#,
            r#"{"seq":1,"events":1"#,
            r#"{"synced":1 "#,
            r#"{"lost":[1, 2]"#,
            r#"{"wal":"beaver","version":1,"epoch":1,"prev":null,"created_ms":0,"x":1"#,
            r#"{"wal":"beaver","version":1,"epoch":2,"prev":null,"created_ms":0"#,
        ] {
            for kind in [
                ChecksumKind::Event,
                ChecksumKind::Marker,
                ChecksumKind::Header,
            ] {
                let mut line = text.as_bytes().to_vec();
                checksum::seal(kind, Epoch(1), &mut line, 0);
                assert!(decode(Epoch(1), &line).is_err(), "{text}");
            }
        }
        assert_eq!(decode(Epoch(1), &[0; 64]), Err(LineError::Framing));
        assert_eq!(decode(Epoch(1), b""), Err(LineError::Framing));
    }

    #[test]
    fn a_header_of_a_newer_version_is_not_damage() {
        let mut line = br#"{"wal":"beaver","version":2,"anything":[]"#.to_vec();
        checksum::seal(ChecksumKind::Header, Epoch(1), &mut line, 0);
        assert_eq!(decode(Epoch(1), &line), Err(LineError::Version(2)));
        line[30] ^= 1;
        assert!(matches!(
            decode(Epoch(1), &line),
            Err(LineError::Checksum(_))
        ));
    }

    #[test]
    fn an_event_body_may_hold_anything_that_looks_like_an_envelope() {
        let body = br#"{"payload":{"synced":3,"crc":"00000000"},"x":",\"crc\":\""}"#;
        let envelope = Envelope {
            seq: Seq(5),
            batch: Seq(5),
            more: false,
        };
        let text = encoded(|out| encode_event(out, Epoch(1), envelope, body));
        let line = decode(Epoch(1), text.trim_end().as_bytes());
        assert_eq!(line, Ok(Line::Event(envelope, body)));
    }
}
