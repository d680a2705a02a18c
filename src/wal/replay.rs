//! Reading events back, in order, strict or lenient.
//!
//! *Strict* stops at the first thing that is wrong with acknowledged data, with a typed error.
//! *Lenient* goes on behind damage and reports each event that it had to leave out. In both, an
//! atomic append is handed on whole or not at all.

use std::convert::Infallible;

use super::line::{Envelope, Line};
use super::scan::{Damage, Found, Reason, Scanner};
use super::search::{Search, find_proof};
use super::survey::{Behind, Damaged, Item, Survey, unfinished_append};
use super::tail::Tail;
use crate::error::{Error, Result};
use crate::names;
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage, StorageFile};

/// What to do about damaged acknowledged data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Stop with a typed error.
    #[default]
    Strict,
    /// Leave out what is damaged, report it, and go on. For salvage: the result is not the
    /// acknowledged history.
    Lenient,
}

/// Why a replay stopped.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplayError<X> {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] Error),
    /// The handler said no to the event at this position. Nothing after it was handed on.
    #[error("the handler refused event {position}: {error}")]
    Handler {
        /// The event.
        position: Position,
        /// What the handler returned.
        error: X,
    },
}

/// An unfinished end of the active segment: bytes of a batch that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Offset of the first byte that is not part of the log.
    pub offset: u64,
    /// How many bytes that is; free space at the end is not counted.
    pub bytes: u64,
}

/// Events that a repair could not save, as the log itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// The first missing event.
    pub from: Position,
    /// The last missing seq, of the same epoch.
    pub to: Seq,
}

/// Something that a lenient replay left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The segment.
    pub file: String,
    /// Offset of the first byte left out.
    pub offset: u64,
    /// The first seq that is missing because of it.
    pub from: Seq,
    /// The last seq that is missing because of it; below `from` if no event is missing (a line
    /// stood there twice, say), and `None` if nothing that survived tells.
    pub to: Option<Seq>,
    /// What is wrong there.
    pub reason: String,
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// How many events were handed to the handler.
    pub applied: u64,
    /// The first of them.
    pub first: Option<Position>,
    /// The last of them.
    pub last: Option<Position>,
    /// What a lenient replay left out. Empty in a strict one.
    pub skipped: Vec<Skipped>,
    /// Events that an earlier repair could not save.
    pub lost: Vec<LostRange>,
    /// An unfinished end; in a log that is being written it may be an append in flight.
    pub torn_tail: Option<TornTail>,
}

/// An event as it stands in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEvent<'a> {
    pub(crate) file: &'a str,
    pub(crate) offset: u64,
    pub(crate) position: Position,
    pub(crate) body: &'a [u8],
}

/// A segment that is open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) epoch: Epoch,
    pub(crate) name: String,
    pub(crate) file: Box<dyn StorageFile>,
    /// How many of its bytes may be read.
    pub(crate) limit: u64,
}

impl Segment {
    /// Opens the segment `epoch`, all of it.
    pub(crate) fn open(storage: &dyn Storage, epoch: Epoch, access: Access) -> Result<Self> {
        let name = names::segment(epoch);
        let file = storage
            .open(&name, access)
            .map_err(|e| Error::storage("open", &name, e))?;
        let limit = file.len().map_err(|e| Error::storage("len", &name, e))?;
        Ok(Segment {
            epoch,
            name,
            file,
            limit,
        })
    }

    pub(crate) fn scanner(&self) -> Scanner<'_> {
        Scanner::new(&*self.file, &self.name, self.epoch, self.limit)
    }

    pub(crate) fn search(&self, offset: u64) -> Search<'_> {
        Search::new(&*self.file, &self.name, self.epoch, self.limit, offset)
    }
}

/// What the header of a segment must say about the segment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Reading starts in the middle of the log.
    Unknown,
    /// This was the last position before the segment; `None` before epoch 1.
    Known(Option<Position>),
}

impl Seal {
    pub(crate) fn check(self, file: &str, prev: Option<Position>, epoch: Epoch) -> Result<()> {
        let (fits, expected) = match self {
            Seal::Known(expected) => (prev == expected, show(expected)),
            Seal::Unknown => {
                // The first epoch has no other before it, so its header seals nothing.
                let before = prev.map(|prev| prev.epoch.0);
                let expected = epoch.0.checked_sub(1).filter(|before| *before > 0);
                (before == expected, format!("epoch {}", epoch.0 - 1))
            }
        };
        if fits {
            return Ok(());
        }
        let found = show(prev);
        let reason = format!("the header seals {found}, but what lies before it is {expected}");
        Err(Error::Corrupt {
            file: file.to_owned(),
            offset: 0,
            reason,
        })
    }
}

/// A position, or its absence, for a message.
fn show(position: Option<Position>) -> String {
    position.map_or_else(|| "nothing".to_owned(), |position| position.to_string())
}

/// The tail of the active segment by a strict scan of all of it, for where its end alone does not
/// tell. Its events are not decoded.
pub(crate) fn scan_tail(segment: Segment) -> Result<(Tail, Option<TornTail>)> {
    let everything = Position {
        epoch: Epoch(u64::MAX),
        ..Position::default()
    };
    let mut replay = Replay::new(everything, |_: &RawEvent<'_>| {
        Ok::<(), ReplayError<Infallible>>(())
    });
    let tail = replay.strict([Ok(segment)].into_iter(), Seal::Unknown);
    let tail = tail.map_err(|error| match error {
        ReplayError::Log(error) => error,
        ReplayError::Handler { error, .. } => match error {},
    })?;
    Ok((tail, replay.report.torn_tail))
}

/// The events of one append, held back until all of them are there.
#[derive(Default)]
struct Append {
    events: Vec<(u64, Envelope, usize)>,
    bodies: Vec<u8>,
}

impl Append {
    fn push(&mut self, offset: u64, envelope: Envelope, body: &[u8]) {
        self.events.push((offset, envelope, body.len()));
        self.bodies.extend_from_slice(body);
    }

    fn clear(&mut self) {
        self.events.clear();
        self.bodies.clear();
    }
}

/// Why a strict replay goes no further.
enum Stop<X> {
    Damage(Damage),
    Replay(ReplayError<X>),
}

/// Hands events to a handler and keeps the report.
pub(crate) struct Replay<F> {
    pub(crate) report: ReplayReport,
    after: Position,
    handler: F,
}

impl<X, F: FnMut(&RawEvent<'_>) -> Result<(), ReplayError<X>>> Replay<F> {
    /// A replay of the events behind `after`.
    pub(crate) fn new(after: Position, handler: F) -> Self {
        Replay {
            report: ReplayReport::default(),
            after,
            handler,
        }
    }

    /// Reads the segments one after another, strictly. The last one is the active one: only there a
    /// torn tail is possible.
    pub(crate) fn strict(
        &mut self,
        segments: impl ExactSizeIterator<Item = Result<Segment>>,
        mut seal: Seal,
    ) -> Result<Tail, ReplayError<X>> {
        let mut tail = Tail::default();
        let mut left = segments.len();
        for segment in segments {
            let segment = segment?;
            left -= 1;
            tail = self.strict_segment(&segment, seal, left == 0)?;
            seal = Seal::Known(Some(Position {
                epoch: segment.epoch,
                seq: tail.last,
            }));
        }
        Ok(tail)
    }

    fn strict_segment(
        &mut self,
        segment: &Segment,
        seal: Seal,
        is_active: bool,
    ) -> Result<Tail, ReplayError<X>> {
        let mut scanner = segment.scanner();
        let mut tail = Tail::default();
        let damage = self.strict_lines(segment, seal, &mut scanner, &mut tail)?;
        let Some(damage) = damage else {
            return Ok(tail);
        };
        let has_header = scanner.header().is_some();
        let mut search = segment.search(damage.offset);
        if !is_active || !has_header || find_proof(&mut search, damage.expected)?.is_some() {
            return Err(damage.into_error(&segment.name).into());
        }
        tail.cut();
        let torn = TornTail {
            file: segment.name.clone(),
            offset: tail.end,
            bytes: search.data_end().saturating_sub(tail.end),
        };
        self.report.torn_tail = Some(torn);
        Ok(tail)
    }

    /// Hands on every line up to the end or to damage, which is the answer.
    fn strict_lines(
        &mut self,
        segment: &Segment,
        seal: Seal,
        scanner: &mut Scanner<'_>,
        tail: &mut Tail,
    ) -> Result<Option<Damage>, ReplayError<X>> {
        let mut append = Append::default();
        loop {
            let mut handed_on = scanner.lines(|offset, line, bytes| {
                self.strict_line(segment, offset, line, bytes, tail, &mut append)
            });
            if handed_on.is_ok() {
                handed_on = match scanner.next()? {
                    Found::Damage(damage) => return Ok(Some(damage)),
                    Found::End { offset } => return Ok(unfinished_append(scanner, offset)),
                    Found::Line {
                        offset,
                        line,
                        bytes,
                    } => {
                        if let Line::Header(header) = line {
                            seal.check(&segment.name, header.prev, segment.epoch)?;
                        }
                        self.strict_line(segment, offset, line, bytes, tail, &mut append)
                    }
                };
            }
            match handed_on {
                Ok(()) => {}
                Err(Stop::Damage(damage)) => return Ok(Some(damage)),
                Err(Stop::Replay(error)) => return Err(error),
            }
        }
    }

    #[inline]
    fn strict_line(
        &mut self,
        segment: &Segment,
        offset: u64,
        line: Line<'_>,
        bytes: &[u8],
        tail: &mut Tail,
        append: &mut Append,
    ) -> Result<(), Stop<X>> {
        if tail.push(offset, &line, bytes).is_err() {
            return Err(Stop::Damage(Damage {
                offset,
                expected: line.next_seq(),
                reason: Reason::BatchTooLarge,
            }));
        }
        self.line(segment, offset, line, append)
            .map_err(Stop::Replay)
    }

    /// Reads one segment and steps over what is damaged. Answers with the last seq that is
    /// accounted for.
    pub(crate) fn lenient_segment(
        &mut self,
        segment: &Segment,
        is_active: bool,
    ) -> Result<Seq, ReplayError<X>> {
        let mut survey = Survey::new(segment);
        let mut append = Append::default();
        // After damage inside a batch, what follows up to the end of an append may be the rest of a
        // damaged append.
        let mut doubtful = false;
        while let Some(item) = survey.next()? {
            match item {
                Item::Line {
                    line: Line::Event(envelope, _),
                    ..
                } if doubtful && envelope.batch != envelope.seq => {
                    doubtful = envelope.more;
                    if let Some(skipped) = self.report.skipped.last_mut() {
                        skipped.to = Some(envelope.seq);
                    }
                }
                Item::Line { offset, line, .. } => {
                    doubtful = false;
                    self.line(segment, offset, line, &mut append)?;
                }
                Item::Damage(damaged) => {
                    let damaged = match is_active {
                        true => survey.judge(damaged)?,
                        false => damaged,
                    };
                    self.skip(segment, is_active, damaged, &append);
                    doubtful = damaged.takes_events() || !append.events.is_empty();
                    append.clear();
                }
                Item::End { .. } => {}
            }
        }
        Ok(survey.last())
    }

    /// Reports what is missing because of damage: from the start of the append that it has broken.
    fn skip(&mut self, segment: &Segment, is_active: bool, damaged: Damaged, append: &Append) {
        let Damage {
            offset,
            expected,
            reason,
        } = damaged.damage;
        let (offset, from) = match append.events.first() {
            Some((offset, envelope, _)) => (*offset, envelope.seq),
            None => (offset, expected),
        };
        if let Some(torn) = damaged.torn_tail(segment, offset).filter(|_| is_active) {
            self.report.torn_tail = Some(torn);
            return;
        }
        let to = match damaged.behind {
            Behind::GoesOn { next, .. } => Some(Seq(next.0 - 1)),
            Behind::Nothing { .. } => None,
        };
        let (file, reason) = (segment.name.clone(), reason.to_string());
        self.report.skipped.push(Skipped {
            file,
            offset,
            from,
            to,
            reason,
        });
    }

    #[inline]
    fn line(
        &mut self,
        segment: &Segment,
        offset: u64,
        line: Line<'_>,
        append: &mut Append,
    ) -> Result<(), ReplayError<X>> {
        match line {
            Line::Event(envelope, body) if !envelope.more && append.events.is_empty() => {
                self.event(segment, offset, envelope.seq, body)
            }
            Line::Event(envelope, body) => {
                append.push(offset, envelope, body);
                if !envelope.more {
                    self.whole_append(segment, append)?;
                    append.clear();
                }
                Ok(())
            }
            Line::Lost(from, to) => {
                let from = Position {
                    epoch: segment.epoch,
                    seq: from,
                };
                self.report.lost.push(LostRange { from, to });
                Ok(())
            }
            Line::Header(_) | Line::Marker(_) => Ok(()),
        }
    }

    fn whole_append(&mut self, segment: &Segment, append: &Append) -> Result<(), ReplayError<X>> {
        let mut at = 0;
        for (offset, envelope, length) in &append.events {
            self.event(
                segment,
                *offset,
                envelope.seq,
                &append.bodies[at..at + length],
            )?;
            at += length;
        }
        Ok(())
    }

    #[inline]
    fn event(
        &mut self,
        segment: &Segment,
        offset: u64,
        seq: Seq,
        body: &[u8],
    ) -> Result<(), ReplayError<X>> {
        let position = Position {
            epoch: segment.epoch,
            seq,
        };
        if position <= self.after {
            return Ok(());
        }
        (self.handler)(&RawEvent {
            file: &segment.name,
            offset,
            position,
            body,
        })?;
        self.report.applied += 1;
        self.report.first.get_or_insert(position);
        self.report.last = Some(position);
        Ok(())
    }
}
