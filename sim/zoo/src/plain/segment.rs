//! Reading one segment of the plain store: which lines are whole, and what the first one that is
//! not means.

use std::ops::Range;

use super::bug::Bug;
use super::line::{Event, Line, decode};

/// What a segment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    /// The last place of the segment before.
    pub(super) prev: Option<(u64, u64)>,
    /// Its events, whole appends only.
    pub(super) events: Vec<Event>,
    /// Where the accepted lines end.
    pub(super) end: usize,
    /// Whether the last accepted line is a marker.
    pub(super) after_marker: bool,
    /// Where the first line begins that is not whole.
    pub(super) damage: Option<usize>,
    /// Something behind the damage proves that it was durable once.
    pub(super) proof: bool,
    /// The bytes, where repair has changed them.
    pub(super) repaired: Option<Vec<u8>>,
}

impl Segment {
    /// The seq of the last event.
    pub(super) fn last_seq(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seq)
    }
}

/// Reads a segment. Nothing: it has no valid header.
pub(super) fn read(epoch: u64, bytes: &[u8], bug: Option<Bug>) -> Option<Segment> {
    let header = line_at(bytes, 0)?;
    let Line::Header(prev) = decode(epoch, &bytes[header.clone()], bug)? else {
        return None;
    };
    let mut reading = Reading {
        epoch,
        bytes,
        bug,
        at: header.end + 1,
        pending: Vec::new(),
        segment: Segment {
            prev,
            end: header.end + 1,
            ..Segment::default()
        },
    };
    reading.lines();
    reading.judge();
    Some(reading.segment)
}

/// The line that begins at `at`, without its newline.
fn line_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n')?;
    Some(at..at + length)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\n' | 0))
}

struct Reading<'a> {
    epoch: u64,
    bytes: &'a [u8],
    bug: Option<Bug>,
    at: usize,
    /// Events of an append that is not whole yet.
    pending: Vec<Event>,
    segment: Segment,
}

impl Reading<'_> {
    /// The seq and the batch of the last event so far.
    fn last(&self) -> (u64, u64) {
        let last = self.pending.last().or(self.segment.events.last());
        last.map_or((0, 0), |event| (event.seq, event.batch))
    }

    /// Takes lines until the end, or until one is not whole or not the one that must follow.
    fn lines(&mut self) {
        while !is_blank(&self.bytes[self.at..]) {
            if self.bug == Some(Bug::NoContinuity) && matches!(self.bytes[self.at], b'\n' | 0) {
                self.at += 1;
                continue;
            }
            let line = line_at(self.bytes, self.at);
            let decoded = line.as_ref().and_then(|line| {
                let decoded = decode(self.epoch, &self.bytes[line.clone()], self.bug)?;
                self.follows(&decoded).then_some(decoded)
            });
            let (Some(line), Some(decoded)) = (line, decoded) else {
                self.segment.damage = Some(self.at);
                return;
            };
            self.at = line.end + 1;
            self.take(decoded);
        }
    }

    fn follows(&self, line: &Line) -> bool {
        if matches!(self.bug, Some(Bug::NoContinuity | Bug::SeqBarelyChecked)) {
            return true;
        }
        let (seq, batch) = self.last();
        match line {
            Line::Header(_) => false,
            Line::Event(event) => {
                let in_batch = event.batch == batch && !self.segment.after_marker;
                let starts = event.batch == event.seq && self.pending.is_empty();
                event.seq == seq + 1 && (in_batch || starts)
            }
            Line::Marker(synced) => {
                *synced == seq && self.pending.is_empty() && !self.segment.after_marker
            }
        }
    }

    fn take(&mut self, line: Line) {
        self.segment.after_marker = matches!(line, Line::Marker(_));
        if let Line::Event(event) = line {
            let more = event.more;
            self.pending.push(event);
            if more {
                return;
            }
            self.segment.events.append(&mut self.pending);
        }
        self.segment.end = self.at;
    }

    /// Looks for a proof behind the damage.
    fn judge(&mut self) {
        let Some(damage) = self.segment.damage else {
            if !self.pending.is_empty() {
                self.segment.damage = Some(self.segment.end);
            }
            return;
        };
        self.segment.proof = match self.bug {
            Some(Bug::TornTailRefused) => true,
            Some(Bug::FirstBadRecordEnds | Bug::RepairThrowsAway) => false,
            Some(Bug::RepairRenumbers) => {
                self.renumber(damage);
                false
            }
            _ => self.is_proven(damage),
        };
    }

    fn is_proven(&self, damage: usize) -> bool {
        let expected = self.last().0 + 1;
        let candidates = (damage..self.bytes.len()).filter(|at| {
            let begins = self.bytes[*at..].starts_with(b"{\"");
            let behind_newline = *at > 0 && self.bytes[*at - 1] == b'\n';
            begins && (behind_newline || self.bug != Some(Bug::ProofAtLinesOnly))
        });
        let mut lines = candidates.filter_map(|at| {
            let line = line_at(self.bytes, at)?;
            decode(self.epoch, &self.bytes[line], self.bug)
        });
        lines.any(|line| match line {
            Line::Event(_) if self.bug == Some(Bug::GapIsCorruption) => true,
            Line::Event(event) => {
                let first = event.batch == event.seq && self.bug != Some(Bug::NoFirstOfBatchProof);
                let later = event.batch > expected;
                later || first
            }
            Line::Marker(_) => self.bug != Some(Bug::NoMarkerProof),
            Line::Header(_) => false,
        })
    }

    /// A repair that keeps every line it can read and numbers them anew.
    fn renumber(&mut self, damage: usize) {
        let mut seq = self.segment.last_seq();
        let mut bytes = self.bytes[..self.segment.end].to_vec();
        let rest = self.bytes[damage..].split(|byte| *byte == b'\n');
        for line in rest {
            if let Some(Line::Event(event)) = decode(self.epoch, line, self.bug) {
                seq += 1;
                let event = Event {
                    seq,
                    batch: seq,
                    more: false,
                    ..event
                };
                if event.record.is_some() {
                    bytes.extend(super::line::event(self.epoch, &event, self.bug));
                    self.segment.events.push(event);
                }
            }
        }
        self.segment.end = bytes.len();
        self.segment.repaired = Some(bytes);
    }
}
