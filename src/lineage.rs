//! Whether the files of a directory are of one store and one history.
//!
//! Up to three files say where an epoch ends, and whose it is. They were made one after another from
//! the same log, so they agree, or one of them was not made from it.
//!
//! ```text
//! wal-7: its last line │ snapshot-7: what it covers │ wal-8: what its header seals
//! ```
//!
//! Replay looks at the segments that it reads. This looks at the others too, with a few short reads
//! each: those that lead to the snapshot in use, and the older snapshots. Damaged files say nothing
//! here; that they are damaged is found elsewhere. The newest segment is sealed by nothing, so of two
//! forks of one store it fits both.

use crate::boundary::Boundary;
use crate::checksum;
use crate::error::{Error, Result};
use crate::names::{self, Listing};
use crate::position::{Epoch, Seq};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::wal::line::{Decoder, Header, Line};
use crate::wal::{PlacedLine, Scanner, Segment, Upcoming, find_tail, glance_at_header, is_blank};

/// How much of the end of a segment is read for its last lines, which are mostly short.
const LAST_LINES: u64 = 4 << 10;

/// A segment whose header is whole.
struct OpenSegment {
    segment: Segment,
    header: Header,
}

/// What is wrong between the files of each epoch: how two of them contradict each other, with the
/// names of both. That they end elsewhere is no contradiction, because damage can do that too.
pub(crate) fn contradictions(
    storage: &dyn Storage,
    listing: &Listing,
) -> Result<Vec<(Epoch, String)>> {
    let mut found = Vec::new();
    let mut before = None;
    for epoch in epochs(listing) {
        let (reason, after) = look(storage, listing, epoch, before)?;
        found.extend(reason.map(|reason| (epoch, reason)));
        before = after;
    }
    Ok(found)
}

/// Refuses what is of two stores, or of one before and after a backup was restored.
///
/// # Errors
/// [`Error::BrokenChain`] for an epoch up to `last`; an error of a file that cannot be read.
pub(crate) fn check(storage: &dyn Storage, listing: &Listing, last: Epoch) -> Result<()> {
    let mut before = None;
    for epoch in epochs(listing).filter(|epoch| *epoch <= last) {
        let (reason, after) = look(storage, listing, epoch, before)?;
        if let Some(reason) = reason {
            return Err(Error::BrokenChain { epoch, reason });
        }
        before = after;
    }
    Ok(())
}

/// The epochs about which something can be said, ascending.
fn epochs(listing: &Listing) -> impl Iterator<Item = Epoch> {
    let sealed = listing.segments.iter().map(|epoch| Epoch(epoch.0 - 1));
    let mut epochs: Vec<Epoch> = sealed.chain(listing.snapshots.iter().copied()).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs.into_iter()
}

/// How the files contradict each other about `epoch`, and the segment after it, which is opened
/// once. `before` is what the epoch before has opened.
fn look(
    storage: &dyn Storage,
    listing: &Listing,
    epoch: Epoch,
    before: Option<OpenSegment>,
) -> Result<(Option<String>, Option<OpenSegment>)> {
    let own = match before.filter(|before| before.segment.epoch == epoch) {
        Some(before) => Some(before),
        None => open(storage, listing, epoch)?,
    };
    let next = open(storage, listing, epoch.next())?;
    let has_snapshot = listing.snapshots.binary_search(&epoch).is_ok();
    let mut covered = None;
    if has_snapshot {
        covered = snapshot::glance(storage, epoch)?;
    }
    let mut reason = contradiction(epoch, own.as_ref(), covered, next.as_ref())?;
    // A glance verifies nothing: what accuses another file is read whole.
    if reason.is_some() && has_snapshot {
        let read = snapshot::read(storage, epoch)?;
        covered = read.ok().map(|document| document.boundary);
        reason = contradiction(epoch, own.as_ref(), covered, next.as_ref())?;
    }
    Ok((reason, next))
}

/// Opens a segment; nothing if it is not there, or its header is damaged.
fn open(storage: &dyn Storage, listing: &Listing, epoch: Epoch) -> Result<Option<OpenSegment>> {
    if listing.segments.binary_search(&epoch).is_err() {
        return Ok(None);
    }
    let segment = Segment::open(storage, epoch, Access::Read)?;
    let header = glance_at_header(&segment)?;
    Ok(header.map(|header| OpenSegment { segment, header }))
}

/// How the files that say where `epoch` ends contradict each other.
fn contradiction(
    epoch: Epoch,
    own: Option<&OpenSegment>,
    covered: Option<Boundary>,
    next: Option<&OpenSegment>,
) -> Result<Option<String>> {
    let sealed = next.and_then(|next| next.header.prev);
    let sealed = sealed.filter(|sealed| sealed.position.epoch == epoch);
    let after = names::segment(epoch.next());
    let name = names::snapshot(epoch);
    if let (Some(covered), Some(sealed)) = (covered, sealed) {
        let store = sealed.store.filter(|_| covered.store.is_none());
        // A store writes no snapshot of version 1 before a segment of version 2: it has its
        // identity from the rotate between them.
        let reason = store.map(|store| {
            format!("{name} is of format version 1, but {after} after it is of store {store}")
        });
        let reason = reason.or_else(|| covered.conflict(&name, &sealed, &after));
        if reason.is_some() {
            return Ok(reason);
        }
    }
    let Some(own) = own else {
        return Ok(None);
    };
    for (said, file) in [(covered, &name), (sealed, &after)] {
        if let Some(said) = said {
            let end = end_of(own, said.position.seq)?;
            if let Some(reason) = end.conflict(&own.segment.name, &said, file) {
                return Ok(Some(reason));
            }
        }
    }
    Ok(None)
}

/// Where a segment ends, or what it has at `sealed` where it goes on after that. Without a checksum
/// if it is damaged there.
fn end_of(own: &OpenSegment, sealed: Seq) -> Result<Boundary> {
    let (mut seq, mut crc) = last_line(own)?.map_or((Seq(0), None), |(seq, crc)| (seq, Some(crc)));
    if seq > sealed {
        (seq, crc) = (sealed, crc_at(&own.segment, sealed)?);
    }
    Ok(Boundary {
        store: own.header.store,
        crc,
        ..Boundary::from(own.segment.epoch.at(seq))
    })
}

/// The last event or `lost` line (the header, where there is neither), by its seq and checksum.
/// Nothing if the end is not whole.
fn last_line(own: &OpenSegment) -> Result<Option<(Seq, u32)>> {
    let segment = &own.segment;
    let start = segment.limit.saturating_sub(LAST_LINES);
    let bytes = segment.read(start, segment.limit)?;
    let decoder = Decoder::new(own.header.segment());
    let mut end = bytes.len();
    while end > 1 && bytes[end - 2..end].iter().all(|byte| is_blank(*byte)) {
        end -= 1;
    }
    // At most a marker stands after the line that is looked for.
    for _ in 0..2 {
        let Some(line) = bytes[..end].strip_suffix(b"\n") else {
            return Ok(None);
        };
        let at = match memchr::memrchr(b'\n', line) {
            Some(before) => before + 1,
            None if start == 0 => 0,
            // It is longer than what was read.
            None => return long_last_line(own),
        };
        let line = &line[at..];
        let seq = match decoder.decode(line) {
            Ok(Line::Event(envelope, _)) => envelope.seq,
            Ok(Line::Lost(_, to)) => to,
            Ok(Line::Header(_)) => Seq(0),
            Ok(Line::Marker(_)) => {
                end = at;
                continue;
            }
            Err(_) => return Ok(None),
        };
        return Ok(Some((seq, checksum::of_line(line))));
    }
    Ok(None)
}

#[cold]
fn long_last_line(own: &OpenSegment) -> Result<Option<(Seq, u32)>> {
    let tail = find_tail(&own.segment, own.header.store)?;
    Ok(tail.map(|tail| (tail.last, tail.crc())))
}

/// The checksum of the event `seq`, if the lines up to it are whole.
#[cold]
fn crc_at(segment: &Segment, seq: Seq) -> Result<Option<u32>> {
    let mut scanner = Scanner::new(segment);
    while let Upcoming::Line(length) = scanner.peek()? {
        let PlacedLine { line, bytes, .. } = scanner.take(length);
        if let Line::Event(envelope, _) = line
            && envelope.seq == seq
        {
            return Ok(Some(checksum::of_line(bytes)));
        }
    }
    Ok(None)
}
