//! Everything in a segment, damage included: what inspection, repair and salvage walk over.
//!
//! The scanner stops at damage; this reader steps over it, to the next valid line that does not go
//! back.

use std::cmp::Ordering;
use std::convert::Infallible;

use super::whose::{Whose, whose};
use crate::error::Result;
use crate::position::Seq;
use crate::storage::Storage;
use crate::wal::line::Line;
use crate::wal::{
    DamageReason, PlacedLine, Scanner, Segment, SegmentDamage, Sequence, TornTail, Upcoming,
};

/// What stands next.
#[derive(Debug)]
pub(super) enum SalvageItem<'a> {
    Line(PlacedLine<'a>),
    /// Damage; the next item, if there is one, comes after it.
    Damage(SteppedOver),
    /// Nothing but free space from this offset on.
    End(u64),
}

/// Damage, and what comes after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SteppedOver {
    pub(super) damage: SegmentDamage,
    pub(super) then: Then,
}

/// Where a segment goes on after damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// At the line at this offset, with this seq next.
    GoesOn { offset: u64, next: Seq },
    /// Nothing valid follows; what is not free space ends at `data_end`. `proved`: something shows
    /// all the same that acknowledged data is missing.
    Nothing { data_end: u64, proved: bool },
}

impl SteppedOver {
    /// Whether events are missing because of it: a line that stands there twice takes none.
    pub(super) fn takes_events(&self) -> bool {
        match self.then {
            Then::GoesOn { next, .. } => next > self.damage.expected,
            Then::Nothing { .. } => true,
        }
    }

    /// The torn tail that this is at the end of an active segment, if no acknowledged data is
    /// missing. `from` is where the append begins that the damage has broken. A header is never
    /// torn: it was durable before its name.
    pub(super) fn torn_tail(&self, segment: &Segment, from: u64) -> Option<TornTail> {
        match self.then {
            Then::Nothing {
                data_end,
                proved: false,
            } if self.damage.offset > 0 => Some(TornTail {
                file: segment.name.clone(),
                offset: from,
                bytes: data_end.saturating_sub(from),
            }),
            _ => None,
        }
    }
}

/// A walk over one segment.
pub(super) struct SalvageReader<'s> {
    storage: &'s dyn Storage,
    segment: &'s Segment,
    scanner: Scanner<'s>,
    done: bool,
}

impl<'s> SalvageReader<'s> {
    /// A walk over `segment` of `storage`.
    pub(super) fn new(storage: &'s dyn Storage, segment: &'s Segment) -> Self {
        SalvageReader {
            storage,
            segment,
            scanner: Scanner::new(segment),
            done: false,
        }
    }

    /// The last seq that is accounted for.
    pub(super) fn last(&self) -> Seq {
        self.scanner.sequence().last()
    }

    /// Steps over the lines that [`Scanner::lines`] hands on.
    pub(super) fn lines(&mut self, mut look: impl FnMut(u64, Line<'_>, &[u8])) {
        if self.done {
            return;
        }
        let taken = self.scanner.lines(|offset, line, bytes| {
            look(offset, line, bytes);
            Ok::<(), Infallible>(())
        });
        let Ok(()) = taken.result;
    }

    /// The next item; `None` after the end.
    pub(super) fn next(&mut self) -> Result<Option<SalvageItem<'_>>> {
        if self.done {
            return Ok(None);
        }
        Ok(Some(match self.scanner.peek()? {
            Upcoming::Line(length) => SalvageItem::Line(self.scanner.take(length)),
            Upcoming::Damage(damage) => SalvageItem::Damage(self.step_over(damage)?),
            Upcoming::End(offset) => {
                self.done = true;
                SalvageItem::End(offset)
            }
        }))
    }

    /// Judges damage in an active segment that was just stepped over as a strict reader does: if it
    /// is a torn tail, it is the end, whatever lines of the last batch have survived.
    pub(super) fn judge(&mut self, stepped_over: SteppedOver) -> Result<SteppedOver> {
        let damage = stepped_over.damage;
        // Without a header a strict reader believes nothing.
        let torn_end = match damage.reason {
            DamageReason::Header
            | DamageReason::OtherEpoch(_)
            | DamageReason::Converted
            | DamageReason::StoreUnknown => None,
            _ => self.scanner.torn_end(&damage)?,
        };
        if let Some(data_end) = torn_end {
            return Ok(self.nothing_after(damage, data_end, false));
        }
        // The search for proof has moved the scanner.
        if let Then::GoesOn { offset, .. } = stepped_over.then {
            self.scanner.resume(offset, *self.scanner.sequence());
        }
        Ok(stepped_over)
    }

    /// Goes on at the next valid line that does not go back. Without a header no line is valid before
    /// it is known which store the lines must belong to.
    fn step_over(&mut self, mut damage: SegmentDamage) -> Result<SteppedOver> {
        let mut here = *self.scanner.sequence();
        if here.is_at_start() {
            here = Sequence::after_header();
            match whose(self.storage, self.segment)? {
                Whose::Store(store) => {
                    self.scanner = Scanner::without_header(self.segment, store);
                }
                Whose::Unknown => {
                    damage.reason = DamageReason::StoreUnknown;
                    return Ok(self.nothing_after(damage, self.segment.limit, false));
                }
                Whose::NoLines => {
                    return Ok(self.nothing_after(damage, self.segment.limit, false));
                }
            }
        }
        self.scanner.search_from(damage.offset);
        while let Some((offset, line)) = self.scanner.next_valid()? {
            if let Line::Header(_) = line {
                continue;
            }
            let next = line.next_seq();
            if let Some(sequence) = sequence_before(&line, here) {
                self.scanner.resume(offset, sequence);
                let then = Then::GoesOn { offset, next };
                return Ok(SteppedOver { damage, then });
            }
        }
        let data_end = self.scanner.data_end();
        let proved = self.scanner.torn_end(&damage)?.is_none();
        Ok(self.nothing_after(damage, data_end, proved))
    }

    /// This damage is the end.
    fn nothing_after(&mut self, damage: SegmentDamage, data_end: u64, proved: bool) -> SteppedOver {
        self.done = true;
        let then = Then::Nothing { data_end, proved };
        SteppedOver { damage, then }
    }
}

/// What the lines before `line` must have been, if it may be the next one after damage that comes
/// after `here`. Some lines may stand nowhere, and a lower number is a line that was there already.
///
/// `here` itself is the first choice where no event is missing, because what it knows still holds:
/// that two markers may not follow each other, say. Forgetting it there would take lines that no
/// strict reader takes.
fn sequence_before(line: &Line<'_>, here: Sequence) -> Option<Sequence> {
    let next = line.next_seq();
    let mut anywhere = here;
    anywhere.skip_to(next);
    let candidates = match next.cmp(&here.expected()) {
        Ordering::Less => [None, None],
        // An append whose end is missing ends here.
        Ordering::Equal => [Some(here), here.in_group().then_some(anywhere)],
        Ordering::Greater => [Some(anywhere), None],
    };
    let fits = |sequence: &Sequence| { *sequence }.accept(line).is_ok();
    candidates.into_iter().flatten().find(fits)
}
