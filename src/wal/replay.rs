//! Reading events back, in order, strict or lenient.
//!
//! *Strict* stops at the first thing that is wrong with acknowledged data, with a typed error.
//! *Lenient* goes on behind damage and reports each event that it had to leave out. In both, an
//! atomic append is handed on whole or not at all.

use std::convert::Infallible;

use super::line::{Envelope, Line};
use super::replay_report::{LostRange, ReplayReport, Skipped, TornTail};
use super::scan::{Damage, Found, Reason, Scanner};
use super::search::find_proof;
use super::segment::{Seal, Segment};
use super::survey::{Behind, Damaged, Item, Survey, unfinished_append};
use super::tail::Tail;
use crate::error::{Error, Result};
use crate::position::{Epoch, Position, Seq};

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

/// The error of a replay whose handler has none of its own.
impl From<ReplayError<Infallible>> for Error {
    fn from(error: ReplayError<Infallible>) -> Self {
        match error {
            ReplayError::Log(error) => error,
            ReplayError::Handler { error, .. } => match error {},
        }
    }
}

/// An event as it stands in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEvent<'a> {
    pub(crate) file: &'a str,
    pub(crate) offset: u64,
    pub(crate) position: Position,
    pub(crate) body: &'a [u8],
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

/// The damage that a batch past the format's limit is, at its line `line`.
#[cold]
fn too_large<X>(offset: u64, line: &Line<'_>) -> Stop<X> {
    Stop::Damage(Damage {
        offset,
        expected: line.next_seq(),
        reason: Reason::BatchTooLarge,
    })
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
            let taken = scanner.lines(|offset, line, bytes| {
                tail.note(offset, &line, bytes.len())
                    .map_err(|()| too_large(offset, &line))?;
                self.line(segment, offset, line, &mut append)
                    .map_err(Stop::Replay)
            });
            tail.keep(taken.start, taken.bytes);
            let mut handed_on = taken.result;
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
                        tail.push(offset, &line, bytes)
                            .map_err(|()| too_large(offset, &line))
                            .and_then(|()| {
                                self.line(segment, offset, line, &mut append)
                                    .map_err(Stop::Replay)
                            })
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
