//! The lines of a segment: bytes without I/O.
//!
//! ```text
//! {"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":8,
//!  "prev":{"epoch":7,"last_seq":3141,"crc":"5d0c77aa"},"created_ms":17…,"crc":"9f3a11c2"}
//! {"seq":1,"event":{…},"crc":"5d0c77aa"}
//! {"seq":3,"batch":2,"more":true,"event":{…},"crc":"…"}
//! {"synced":3,"crc":"…"}
//! {"lost":[4,9],"crc":"…"}
//! ```
//!
//! A reader accepts only the canonical envelope that the writer makes: fixed field order, no
//! spaces, plain decimals, lower-case hex digits. A header of version 1 has neither `store` nor the
//! `crc` in `prev`, and the checksums of the lines after it do not cover the store. What stands
//! inside `event` is opaque here.
//! Valid means framing and checksum, nothing else: whether a line may follow the one before it is
//! the business of [`sequence`](super::sequence).

mod decode;
mod encode;
mod find;

use crate::boundary::Boundary;
use crate::checksum::{ChecksumError, ChecksumKind, SegmentId};
use crate::format::{VERSION, WITHOUT_IDENTITY};
use crate::position::{Epoch, Seq};
use crate::store_id::StoreId;

pub(crate) use decode::{Decoder, Framed, frame};
#[cfg(test)]
pub(crate) use encode::encode_event;
pub(crate) use encode::{encode_event_with, encode_header, encode_lost, encode_marker};
pub(crate) use find::find_line;

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
    /// Whose segment it is. Nothing in version 1.
    pub(crate) store: Option<StoreId>,
    /// The end of the segment before, which this header seals. Nothing for epoch 1.
    pub(crate) prev: Option<Boundary>,
    /// When the segment was made. Nothing reads it.
    pub(crate) created_ms: u64,
}

impl Header {
    /// The segment, as the checksums of the lines after it cover it.
    pub(crate) fn segment(&self) -> SegmentId {
        let (epoch, store) = (self.epoch, self.store);
        SegmentId { epoch, store }
    }

    /// The version of the segment.
    pub(crate) fn version(&self) -> u64 {
        match self.store {
            Some(_) => VERSION,
            None => WITHOUT_IDENTITY,
        }
    }
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

impl Line<'_> {
    /// What its checksum stands on.
    pub(crate) fn kind(&self) -> ChecksumKind {
        match self {
            Line::Header(_) => ChecksumKind::Header,
            Line::Event(..) => ChecksumKind::Event,
            Line::Marker(_) => ChecksumKind::Marker,
            Line::Lost(..) => ChecksumKind::Lost,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum;
    use crate::position::Position;

    /// Reads one line of the segment `epoch`.
    fn decode(epoch: Epoch, bytes: &[u8]) -> Result<Line<'_>, LineError> {
        Decoder::new(epoch.into()).decode(bytes)
    }

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
            store: None,
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
    fn the_writer_makes_the_lines_of_version_2() {
        let segment = SegmentId {
            store: Some(StoreId(0x6f1d_0c5b_e2a9_4417)),
            ..Epoch(1).into()
        };
        let envelope = Envelope {
            seq: Seq(1),
            batch: Seq(1),
            more: false,
        };
        for (line, text) in [
            (
                encoded(|out| encode_event(out, segment, envelope, b"1")),
                "{\"seq\":1,\"event\":1,\"crc\":\"370e3c28\"}\n",
            ),
            (
                encoded(|out| encode_marker(out, segment, Seq(2))),
                "{\"synced\":2,\"crc\":\"09b02964\"}\n",
            ),
            (
                encoded(|out| encode_lost(out, segment, Seq(3), Seq(4))),
                "{\"lost\":[3,4],\"crc\":\"29ea9b9d\"}\n",
            ),
        ] {
            assert_eq!(line, text);
            assert!(decode(Epoch(1), line.trim_end().as_bytes()).is_err());
            assert!(
                Decoder::new(segment)
                    .decode(line.trim_end().as_bytes())
                    .is_ok()
            );
        }
    }

    #[test]
    fn what_the_writer_makes_the_reader_reads() {
        let end = Boundary::from(Position::new(7, 3141));
        let sealed = |store, crc| Boundary { store, crc, ..end };
        let id = Some(StoreId(0x6f1d_0c5b_e2a9_4417));
        for (store, prev) in [
            (None, None),
            (None, Some(end)),
            (id, None),
            (id, Some(sealed(id, Some(0x5d0c_77aa)))),
        ] {
            let header = Header {
                epoch: Epoch(8),
                store,
                prev,
                created_ms: 1_700,
            };
            let text = encoded(|out| encode_header(out, &header));
            assert_eq!(
                decode(Epoch(8), text.trim_end().as_bytes()),
                Ok(Line::Header(header))
            );
        }
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
            r#"{"wal":"beaver","version":2,"epoch":1,"prev":null,"created_ms":0"#,
            r#"{"wal":"beaver","version":1,"store":"6f1d0c5be2a94417","epoch":1,"prev":null,"created_ms":0"#,
            r#"{"wal":"beaver","version":2,"store":"6F1D0C5BE2A94417","epoch":1,"prev":null,"created_ms":0"#,
            r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a9441","epoch":1,"prev":null,"created_ms":0"#,
            r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":1,"prev":{"epoch":0,"last_seq":0},"created_ms":0"#,
            r#"{"wal":"beaver","version":1,"epoch":1,"prev":{"epoch":0,"last_seq":0,"crc":"00000000"},"created_ms":0"#,
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
        let mut line = br#"{"wal":"beaver","version":3,"anything":[]"#.to_vec();
        checksum::seal(ChecksumKind::Header, Epoch(1), &mut line, 0);
        assert_eq!(decode(Epoch(1), &line), Err(LineError::Version(3)));
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
