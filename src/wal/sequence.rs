//! Which line may follow which: the rules of one segment, without I/O.

use super::line::{Envelope, Line, MAX_SEQ};
use crate::position::Seq;

/// Why a valid line may not stand where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SequenceError {
    #[error("expected seq {expected}, found {found}")]
    Gap { expected: Seq, found: Seq },
    #[error(
        "event {seq} claims batch {batch}, which is neither its own seq nor the batch before it"
    )]
    Batch { seq: Seq, batch: Seq },
    #[error("the atomic append before event {expected} has no end")]
    OpenGroup { expected: Seq },
    #[error("a marker for seq {found} stands after seq {last}")]
    Marker { last: Seq, found: Seq },
    #[error("two markers in a row")]
    MarkerTwice,
    #[error("a header inside the segment")]
    Header,
    #[error("the range of lost events {from} to {to} does not fit after seq {last}")]
    Lost { last: Seq, from: Seq, to: Seq },
}

/// What the lines so far allow to come next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    /// The last seq that is accounted for.
    last: Seq,
    before: Before,
}

/// The line before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// Nothing: the segment begins here, with its header.
    #[default]
    Nothing,
    Header,
    /// An event of this batch, and whether its append goes on.
    Event {
        batch: Seq,
        more: bool,
    },
    Marker,
    /// A range of lost events, or damage that was stepped over: the batch of the next event is
    /// unknown.
    Unknown,
}

impl Sequence {
    /// What may follow the header.
    pub(crate) fn after_header() -> Self {
        Sequence {
            last: Seq(0),
            before: Before::Header,
        }
    }

    /// What may follow `line`, whatever stood before it.
    pub(crate) fn after(line: &Line<'_>) -> Self {
        let (last, before) = match *line {
            Line::Header(_) => return Self::after_header(),
            Line::Event(Envelope { seq, batch, more }, _) => (seq, Before::Event { batch, more }),
            Line::Marker(synced) => (synced, Before::Marker),
            Line::Lost(_, to) => (to, Before::Unknown),
        };
        Sequence { last, before }
    }

    /// The last seq that is accounted for; 0 before the first event.
    pub(crate) fn last(&self) -> Seq {
        self.last
    }

    /// The seq that must come next.
    pub(crate) fn expected(&self) -> Seq {
        Seq(self.last.0.saturating_add(1))
    }

    /// Whether not even the header was seen.
    pub(crate) fn is_at_start(&self) -> bool {
        self.before == Before::Nothing
    }

    /// Whether the append that the last event belongs to goes on.
    pub(crate) fn in_group(&self) -> bool {
        matches!(self.before, Before::Event { more: true, .. })
    }

    /// Whether the line before is a marker.
    pub(crate) fn after_marker(&self) -> bool {
        self.before == Before::Marker
    }

    /// Takes the next line, or says why it may not stand here (then nothing has changed).
    #[inline]
    pub(crate) fn accept(&mut self, line: &Line<'_>) -> Result<(), SequenceError> {
        match line {
            Line::Header(_) if self.is_at_start() => {
                self.before = Before::Header;
                Ok(())
            }
            Line::Header(_) => Err(SequenceError::Header),
            // One by one: a copy of the whole would read the last byte back as part of a word
            // before it has arrived there.
            Line::Event(Envelope { seq, batch, more }, _) => self.accept_event(*seq, *batch, *more),
            Line::Marker(synced) => self.accept_marker(*synced),
            Line::Lost(from, to) => self.accept_lost(*from, *to),
        }
    }

    /// Goes on after damage as if everything below `next` were accounted for.
    pub(crate) fn skip_to(&mut self, next: Seq) {
        self.last = Seq(next.0.saturating_sub(1));
        self.before = Before::Unknown;
    }

    #[inline]
    fn accept_event(&mut self, seq: Seq, batch: Seq, more: bool) -> Result<(), SequenceError> {
        if seq != self.expected() || seq > MAX_SEQ {
            return Err(SequenceError::Gap {
                expected: self.expected(),
                found: seq,
            });
        }
        let first_of_batch = batch == seq;
        let fits = match self.before {
            Before::Nothing => return Err(SequenceError::Header),
            Before::Header | Before::Marker => first_of_batch,
            Before::Event { batch: before, .. } => first_of_batch || batch == before,
            Before::Unknown => (1..=seq.0).contains(&batch.0),
        };
        if !fits {
            return Err(SequenceError::Batch { seq, batch });
        }
        // An append lies in one batch, so a new batch inside an append means that its end is
        // missing.
        if self.in_group() && first_of_batch {
            return Err(SequenceError::OpenGroup {
                expected: self.expected(),
            });
        }
        self.last = seq;
        self.before = Before::Event { batch, more };
        Ok(())
    }

    fn accept_marker(&mut self, synced: Seq) -> Result<(), SequenceError> {
        self.check_between_appends()?;
        if self.after_marker() {
            return Err(SequenceError::MarkerTwice);
        }
        if synced != self.last {
            return Err(SequenceError::Marker {
                last: self.last,
                found: synced,
            });
        }
        self.before = Before::Marker;
        Ok(())
    }

    /// Refuses what may stand neither before the header nor inside an append.
    fn check_between_appends(&self) -> Result<(), SequenceError> {
        match self.before {
            Before::Nothing => Err(SequenceError::Header),
            Before::Event { more: true, .. } => Err(SequenceError::OpenGroup {
                expected: self.expected(),
            }),
            _ => Ok(()),
        }
    }

    fn accept_lost(&mut self, from: Seq, to: Seq) -> Result<(), SequenceError> {
        self.check_between_appends()?;
        if from != self.expected() || to < from || to > MAX_SEQ {
            return Err(SequenceError::Lost {
                last: self.last,
                from,
                to,
            });
        }
        self.last = to;
        self.before = Before::Unknown;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;
    use crate::wal::line::Header;

    fn event(seq: u64, batch: u64, more: bool) -> Line<'static> {
        Line::Event(
            Envelope {
                seq: Seq(seq),
                batch: Seq(batch),
                more,
            },
            b"{}",
        )
    }

    /// How far the lines are accepted.
    fn accepted(lines: &[Line<'_>]) -> usize {
        let mut sequence = Sequence::after_header();
        lines
            .iter()
            .take_while(|line| sequence.accept(line).is_ok())
            .count()
    }

    #[test]
    fn a_segment_begins_with_its_header_and_has_no_other() {
        let header = Line::Header(Header {
            epoch: Epoch(1),
            store: None,
            prev: None,
            created_ms: 0,
        });
        for line in [
            event(1, 1, false),
            Line::Marker(Seq(0)),
            Line::Lost(Seq(1), Seq(1)),
        ] {
            let mut sequence = Sequence::default();
            assert_eq!(sequence.accept(&line), Err(SequenceError::Header));
            assert_eq!(sequence.accept(&header), Ok(()));
            assert_eq!(sequence.accept(&line), Ok(()));
            assert_eq!(sequence.accept(&header), Err(SequenceError::Header));
        }
    }

    #[test]
    fn seq_runs_without_gap_or_repeat() {
        assert_eq!(
            accepted(&[event(1, 1, false), event(2, 2, false), event(3, 3, false)]),
            3
        );
        assert_eq!(accepted(&[event(2, 2, false)]), 0);
        assert_eq!(accepted(&[event(1, 1, false), event(1, 1, false)]), 1);
        assert_eq!(accepted(&[event(1, 1, false), event(3, 3, false)]), 1);
    }

    #[test]
    fn a_batch_is_the_one_before_or_starts_here() {
        assert_eq!(
            accepted(&[event(1, 1, false), event(2, 1, false), event(3, 3, false)]),
            3
        );
        assert_eq!(
            accepted(&[event(1, 1, false), event(2, 2, false), event(3, 1, false)]),
            2,
            "a batch does not come back"
        );
        assert_eq!(accepted(&[event(1, 0, false)]), 0);
    }

    #[test]
    fn an_append_lies_in_one_batch() {
        assert_eq!(
            accepted(&[event(1, 1, true), event(2, 1, false), event(3, 1, false)]),
            3
        );
        assert_eq!(accepted(&[event(1, 1, true), event(2, 2, false)]), 1);
        assert_eq!(accepted(&[event(1, 1, true), Line::Marker(Seq(1))]), 1);
    }

    #[test]
    fn a_marker_names_the_last_seq_once() {
        assert_eq!(
            accepted(&[
                Line::Marker(Seq(0)),
                event(1, 1, false),
                Line::Marker(Seq(1))
            ]),
            3
        );
        assert_eq!(accepted(&[Line::Marker(Seq(0)), Line::Marker(Seq(0))]), 1);
        assert_eq!(accepted(&[event(1, 1, false), Line::Marker(Seq(2))]), 1);
        assert_eq!(
            accepted(&[event(1, 1, false), Line::Marker(Seq(1)), event(2, 1, false)]),
            2
        );
    }

    #[test]
    fn after_lost_events_any_batch_may_go_on() {
        let lost = Line::Lost(Seq(2), Seq(4));
        assert_eq!(accepted(&[event(1, 1, false), lost, event(5, 3, false)]), 3);
        assert_eq!(accepted(&[event(1, 1, false), lost, event(5, 6, false)]), 2);
        assert_eq!(
            accepted(&[lost]),
            0,
            "the range must start at the expected seq"
        );
        assert_eq!(accepted(&[Line::Lost(Seq(1), Seq(u64::MAX))]), 0);
    }
}
