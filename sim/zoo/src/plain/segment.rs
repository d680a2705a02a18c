//! Reading one segment of the plain store: which lines are whole, and what the first one that is
//! not means.

use std::ops::Range;

use super::bug::PlainBug;
use super::line::{self, EventLine, PlainLine, decode};
use beaver_sim::subject::Position;

/// What a segment says.
#[derive(Clone, Debug, Default)]
pub(super) struct PlainSegment {
    pub(super) epoch: u64,
    /// The last position of the segment before.
    pub(super) prev: Option<Position>,
    /// Its events, whole appends only.
    pub(super) events: Vec<EventLine>,
    /// The lines that are accepted, as they will be from now on.
    pub(super) accepted: Vec<u8>,
    /// Whether the last accepted line is a marker.
    pub(super) after_marker: bool,
    /// Where the first line begins that is not whole.
    pub(super) damage: Option<usize>,
    /// Whether something after the damage proves that it was durable once.
    pub(super) proof: bool,
    /// Whether anything but free space follows the accepted lines.
    pub(super) torn: bool,
}

impl PlainSegment {
    /// Reads a segment. `None`: it has no valid header.
    pub(super) fn read(epoch: u64, bytes: &[u8], bug: Option<PlainBug>) -> Option<PlainSegment> {
        let header = line_at(bytes, 0)?;
        let PlainLine::Header(prev) = decode(epoch, &bytes[header.clone()], bug)? else {
            return None;
        };
        let mut reader = SegmentReader {
            bytes,
            bug,
            at: header.end + 1,
            end: header.end + 1,
            pending: Vec::new(),
            after_marker: false,
            segment: PlainSegment {
                epoch,
                prev,
                ..PlainSegment::default()
            },
        };
        reader.take_lines();
        Some(reader.judged())
    }

    /// The position of its last event, or the boundary before its first.
    pub(super) fn last(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.events.last().map_or(0, |event| event.seq),
        }
    }
}

/// The line that begins at `at`, without its newline.
fn line_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n')?;
    Some(at..at + length)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\n' | 0))
}

struct SegmentReader<'a> {
    bytes: &'a [u8],
    bug: Option<PlainBug>,
    at: usize,
    /// Where the accepted lines end.
    end: usize,
    /// Events of an append that is not whole yet.
    pending: Vec<EventLine>,
    /// Whether the last line is a marker.
    after_marker: bool,
    segment: PlainSegment,
}

impl SegmentReader<'_> {
    /// The seq and the batch of the last event so far.
    fn last(&self) -> (u64, u64) {
        let last = self.pending.last().or(self.segment.events.last());
        last.map_or((0, 0), |event| (event.seq, event.batch))
    }

    /// The line in this range.
    fn decode(&self, line: Range<usize>) -> Option<PlainLine> {
        decode(self.segment.epoch, &self.bytes[line], self.bug)
    }

    /// Takes lines until the end, or until one is not whole or not the one that must follow.
    fn take_lines(&mut self) {
        while !is_blank(&self.bytes[self.at..]) {
            if self.bug == Some(PlainBug::NoContinuity) && is_blank(&self.bytes[self.at..=self.at])
            {
                self.at += 1;
                continue;
            }
            let line = line_at(self.bytes, self.at);
            let next = line.and_then(|line| Some((line.end + 1, self.decode(line)?)));
            let Some((end, line)) = next.filter(|(_, line)| self.follows(line)) else {
                self.segment.damage = Some(self.at);
                return;
            };
            self.at = end;
            self.take(line);
        }
        if !self.pending.is_empty() {
            self.segment.damage = Some(self.end);
        }
    }

    fn follows(&self, line: &PlainLine) -> bool {
        let lax = [PlainBug::NoContinuity, PlainBug::SeqBarelyChecked];
        if self.bug.is_some_and(|bug| lax.contains(&bug)) {
            return true;
        }
        let (seq, batch) = self.last();
        let appended = self.pending.is_empty();
        match line {
            PlainLine::Header(_) => false,
            PlainLine::Event(event) => {
                let in_batch = event.batch == batch && !self.after_marker;
                let starts = event.batch == event.seq && appended;
                event.seq == seq + 1 && (in_batch || starts)
            }
            PlainLine::Marker(synced) => *synced == seq && appended && !self.after_marker,
        }
    }

    fn take(&mut self, line: PlainLine) {
        self.after_marker = matches!(line, PlainLine::Marker(_));
        if let PlainLine::Event(event) = line {
            let more = event.more;
            self.pending.push(event);
            if more {
                return;
            }
            self.segment.events.append(&mut self.pending);
        }
        // A torn append after a marker is cut off, and the marker is the last line again.
        self.segment.after_marker = self.after_marker;
        self.end = self.at;
    }

    /// The segment, with what its damage means.
    fn judged(mut self) -> PlainSegment {
        self.segment.accepted = self.bytes[..self.end].to_vec();
        self.segment.torn = !is_blank(&self.bytes[self.end..]);
        // An append that ends too early, and nothing after it, proves nothing.
        if let Some(damage) = self.segment.damage.filter(|damage| *damage == self.at) {
            self.segment.proof = match self.bug {
                Some(PlainBug::TornTailRefused) => true,
                Some(PlainBug::FirstBadRecordEnds | PlainBug::RepairThrowsAway) => false,
                Some(PlainBug::RepairRenumbers) => {
                    self.renumber(damage);
                    false
                }
                _ => self.is_proven(damage),
            };
        }
        self.segment
    }

    fn is_proven(&self, damage: usize) -> bool {
        let expected = self.last().0 + 1;
        // Damage may have taken the newline before the line that is a proof, so every offset may
        // begin one.
        let candidates = (damage..self.bytes.len()).filter(|at| {
            let begins = self.bytes[*at..].starts_with(b"{\"");
            let after_newline = *at > 0 && self.bytes[*at - 1] == b'\n';
            begins && (after_newline || self.bug != Some(PlainBug::ProofAtLinesOnly))
        });
        let mut lines = candidates.filter_map(|at| self.decode(line_at(self.bytes, at)?));
        lines.any(|line| match line {
            PlainLine::Event(_) if self.bug == Some(PlainBug::GapIsCorruption) => true,
            PlainLine::Event(event) => {
                let first = event.batch == event.seq;
                let counts = self.bug != Some(PlainBug::NoFirstOfBatchProof);
                event.batch > expected || first && counts
            }
            PlainLine::Marker(_) => self.bug != Some(PlainBug::NoMarkerProof),
            PlainLine::Header(_) => false,
        })
    }

    /// A repair that keeps every line it can read and numbers them anew.
    fn renumber(&mut self, damage: usize) {
        let epoch = self.segment.epoch;
        for line in self.bytes[damage..].split(|byte| *byte == b'\n') {
            let Some(PlainLine::Event(event)) = decode(epoch, line, self.bug) else {
                continue;
            };
            if event.record.is_some() {
                let seq = self.segment.last().seq + 1;
                let event = EventLine {
                    seq,
                    batch: seq,
                    more: false,
                    ..event
                };
                let bytes = line::event(epoch, &event, self.bug);
                self.segment.accepted.extend(bytes);
                self.segment.events.push(event);
            }
        }
    }
}
