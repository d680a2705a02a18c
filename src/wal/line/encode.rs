//! Writing lines.

use super::{Envelope, Header};
use crate::checksum::{self, ChecksumKind, ChecksumSeed, SegmentId};
use crate::json::write_u64;
use crate::position::Seq;

/// Appends a header line to `out`, newline included: of version 1 where the store has no identity.
pub(crate) fn encode_header(out: &mut Vec<u8>, header: &Header) {
    let start = out.len();
    out.extend_from_slice(b"{\"wal\":\"beaver\",\"version\":");
    write_u64(out, header.version());
    if let Some(store) = header.store {
        out.extend_from_slice(format!(",\"store\":\"{store}\"").as_bytes());
    }
    out.extend_from_slice(b",\"epoch\":");
    write_u64(out, header.epoch.0);
    out.extend_from_slice(b",\"prev\":");
    match header.prev {
        None => out.extend_from_slice(b"null"),
        Some(prev) => {
            out.extend_from_slice(b"{\"epoch\":");
            write_u64(out, prev.position.epoch.0);
            out.extend_from_slice(b",\"last_seq\":");
            write_u64(out, prev.position.seq.0);
            if let Some(crc) = prev.crc.filter(|_| header.store.is_some()) {
                out.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"").as_bytes());
            }
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
pub(crate) fn encode_event(
    out: &mut Vec<u8>,
    segment: impl Into<SegmentId>,
    envelope: Envelope,
    body: &[u8],
) {
    let crc = ChecksumSeed::new(ChecksumKind::Event, segment.into());
    let Ok(_) = encode_event_with(out, &crc, envelope, |out| {
        out.extend_from_slice(body);
        Ok::<(), std::convert::Infallible>(())
    });
}

/// Appends an event line to `out`, newline included. `body` appends what stands inside `event`;
/// after its error the line is unfinished. Answers with the checksum of the line.
pub(crate) fn encode_event_with<X>(
    out: &mut Vec<u8>,
    crc: &ChecksumSeed,
    envelope: Envelope,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), X>,
) -> Result<u32, X> {
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
    let crc = crc.seal(out, start);
    out.push(b'\n');
    Ok(crc)
}

/// Appends a marker line to `out`, newline included.
pub(crate) fn encode_marker(out: &mut Vec<u8>, segment: impl Into<SegmentId>, synced: Seq) {
    let start = out.len();
    out.extend_from_slice(b"{\"synced\":");
    write_u64(out, synced.0);
    checksum::seal(ChecksumKind::Marker, segment, out, start);
    out.push(b'\n');
}

/// Appends a line for the missing events `from`..=`to` to `out`, newline included.
pub(crate) fn encode_lost(out: &mut Vec<u8>, segment: impl Into<SegmentId>, from: Seq, to: Seq) {
    let start = out.len();
    out.extend_from_slice(b"{\"lost\":[");
    write_u64(out, from.0);
    out.push(b',');
    write_u64(out, to.0);
    out.push(b']');
    checksum::seal(ChecksumKind::Lost, segment, out, start);
    out.push(b'\n');
}
