//! Reading events back, in order, up to the end of the log or the first thing that is wrong with
//! acknowledged data. An atomic append is handed on whole or not at all.

use std::convert::Infallible;

use super::chain::PrevLink;
use super::damage::{DamageReason, SegmentDamage};
use super::line::{Envelope, Line};
use super::replay_report::{LostRange, ReplayReport, TornTail};
use super::scan::{Scanner, Upcoming};
use super::segment::Segment;
use super::tail::Tail;
use crate::error::{Error, Result};
use crate::log_event::{DecodeError, LogEvent};
use crate::position::{Epoch, Position, Seq};

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

impl RawEvent<'_> {
    /// The typed event. That it cannot be decoded is never taken for damage.
    #[inline]
    pub(crate) fn decode<E: LogEvent>(&self) -> Result<E> {
        E::decode(self.body).map_err(|source| self.unknown(source))
    }

    #[cold]
    fn unknown(&self, source: DecodeError) -> Error {
        Error::UnknownEvent {
            file: self.file.to_owned(),
            offset: self.offset,
            position: self.position,
            source,
        }
    }
}

/// A handler of raw events that decodes each and hands it to `handler`.
pub(crate) fn decoding<E: LogEvent, X>(
    mut handler: impl FnMut(Position, E) -> Result<(), X>,
) -> impl FnMut(&RawEvent<'_>) -> Result<(), ReplayError<X>> {
    move |raw| {
        let position = raw.position;
        // Not `raw.decode()?`: that moves the event twice on its way to the handler.
        match E::decode(raw.body) {
            Ok(event) => {
                handler(position, event).map_err(|error| ReplayError::Handler { position, error })
            }
            Err(source) => Err(raw.unknown(source).into()),
        }
    }
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
    let tail = replay.strict([Ok(segment)].into_iter(), PrevLink::Unknown)?;
    Ok((tail, replay.report.torn_tail))
}

/// The events of one append, held back until all of them are there.
#[derive(Default)]
pub(crate) struct HeldAppend {
    events: Vec<(u64, Envelope, usize)>,
    bodies: Vec<u8>,
}

impl HeldAppend {
    /// Where its first event stands, and its seq.
    pub(crate) fn start(&self) -> Option<(u64, Seq)> {
        let (offset, envelope, _) = self.events.first()?;
        Some((*offset, envelope.seq))
    }

    fn push(&mut self, offset: u64, envelope: Envelope, body: &[u8]) {
        self.events.push((offset, envelope, body.len()));
        self.bodies.extend_from_slice(body);
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.bodies.clear();
    }
}

/// Why a strict replay goes no further.
enum StrictStop<X> {
    Damage(SegmentDamage),
    Replay(ReplayError<X>),
}

/// Hands events to a handler and keeps the report.
pub(crate) struct Replay<F> {
    pub(crate) report: ReplayReport,
    after: Position,
    handler: F,
    pub(crate) append: HeldAppend,
}

impl<X, F: FnMut(&RawEvent<'_>) -> Result<(), ReplayError<X>>> Replay<F> {
    /// A replay of the events after `after`.
    pub(crate) fn new(after: Position, handler: F) -> Self {
        Replay {
            report: ReplayReport::default(),
            after,
            handler,
            append: HeldAppend::default(),
        }
    }

    /// The next reading hands on what comes after the events that were handed on.
    pub(crate) fn go_on(&mut self) {
        self.after = self.report.last.unwrap_or(self.after);
    }

    /// Reads the segments one after another. The last one is the active one: only there a torn tail
    /// is possible.
    pub(crate) fn strict(
        &mut self,
        segments: impl ExactSizeIterator<Item = Result<Segment>>,
        mut link: PrevLink,
    ) -> Result<Tail, ReplayError<X>> {
        let mut tail = Tail::default();
        let mut left = segments.len();
        for segment in segments {
            let segment = segment?;
            left -= 1;
            tail = self.strict_segment(&segment, link, left == 0)?;
            link = PrevLink::Segment(tail.boundary(segment.epoch));
        }
        Ok(tail)
    }

    fn strict_segment(
        &mut self,
        segment: &Segment,
        link: PrevLink,
        is_active: bool,
    ) -> Result<Tail, ReplayError<X>> {
        let mut scanner = Scanner::new(segment);
        let mut tail = Tail::default();
        let Some(damage) = self.strict_lines(segment, link, &mut scanner, &mut tail)? else {
            return Ok(tail);
        };
        // A header is durable before its name, so it is never torn.
        let may_be_torn = is_active && !scanner.sequence().is_at_start();
        let torn_end = match may_be_torn {
            true => scanner.torn_end(&damage)?,
            false => None,
        };
        let Some(torn_end) = torn_end else {
            return Err(damage.into_error(&segment.name).into());
        };
        tail.cut();
        self.report.torn_tail = Some(TornTail {
            file: segment.name.clone(),
            offset: tail.end,
            bytes: torn_end.saturating_sub(tail.end),
        });
        Ok(tail)
    }

    /// Hands on every line up to the end or to damage, which is the answer.
    fn strict_lines(
        &mut self,
        segment: &Segment,
        link: PrevLink,
        scanner: &mut Scanner<'_>,
        tail: &mut Tail,
    ) -> Result<Option<SegmentDamage>, ReplayError<X>> {
        self.append.clear();
        scanner.fill()?;
        loop {
            let taken = scanner.lines(|offset, line, bytes| {
                tail.note(offset, &line, bytes.len())
                    .map_err(|()| batch_too_large(offset, &line))?;
                let handed_on = match line {
                    Line::Header(header) => {
                        let checked = link.check(&segment.name, &header);
                        checked.map_err(ReplayError::Log)
                    }
                    line => self.line(segment, offset, line),
                };
                handed_on.map_err(StrictStop::Replay)
            });
            tail.keep(taken.start, taken.bytes);
            match taken.result {
                Ok(()) => {}
                Err(StrictStop::Damage(damage)) => return Ok(Some(damage)),
                Err(StrictStop::Replay(error)) => return Err(error),
            }
            match scanner.peek()? {
                Upcoming::Line(_) => {}
                Upcoming::Damage(damage) => return Ok(Some(damage)),
                Upcoming::End(_) => return Ok(None),
            }
        }
    }

    /// Takes the next line that is in its place.
    #[inline]
    pub(crate) fn line(
        &mut self,
        segment: &Segment,
        offset: u64,
        line: Line<'_>,
    ) -> Result<(), ReplayError<X>> {
        match line {
            Line::Event(envelope, body) if !envelope.more && self.append.events.is_empty() => {
                self.event(segment, offset, envelope.seq, body)
            }
            Line::Event(envelope, body) => {
                self.append.push(offset, envelope, body);
                match envelope.more {
                    true => Ok(()),
                    false => self.whole_append(segment),
                }
            }
            Line::Lost(from, to) => {
                let from = segment.epoch.at(from);
                // A segment that is read again says it again.
                let last = self.report.lost.last();
                if last.is_none_or(|last| last.from < from) {
                    self.report.lost.push(LostRange { from, to });
                }
                Ok(())
            }
            Line::Header(_) | Line::Marker(_) => Ok(()),
        }
    }

    fn whole_append(&mut self, segment: &Segment) -> Result<(), ReplayError<X>> {
        let mut append = std::mem::take(&mut self.append);
        let mut rest = &append.bodies[..];
        for (offset, envelope, length) in &append.events {
            let (body, after) = rest.split_at(*length);
            self.event(segment, *offset, envelope.seq, body)?;
            rest = after;
        }
        // Back with its memory, so that the next append takes no new one.
        append.clear();
        self.append = append;
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
        let position = segment.epoch.at(seq);
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

/// The damage that a batch past the format's limit is, at its line `line`.
#[cold]
fn batch_too_large<X>(offset: u64, line: &Line<'_>) -> StrictStop<X> {
    StrictStop::Damage(SegmentDamage {
        offset,
        expected: line.next_seq(),
        reason: DamageReason::BatchTooLarge,
    })
}
