//! Everything in a segment, damage included: what inspection, repair and lenient replay walk over.

use std::cmp::Ordering;
use std::convert::Infallible;

use super::line::Line;
use super::replay_report::TornTail;
use super::scan::{Damage, Found, Reason, Scanner};
use super::search::find_proof;
use super::segment::Segment;
use super::sequence::{Sequence, Violation};
use crate::error::Result;
use crate::position::Seq;

/// What stands next.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// A valid line in its place, and its bytes with the newline.
    Line {
        offset: u64,
        line: Line<'a>,
        bytes: &'a [u8],
    },
    /// Damage; the next item, if there is one, lies behind it.
    Damage(Damaged),
    /// Nothing but free space from this offset on.
    End { offset: u64 },
}

/// Damage, and what lies behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Damaged {
    pub(crate) damage: Damage,
    pub(crate) behind: Behind,
}

/// Where a segment goes on behind damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// At this offset, with this seq next.
    GoesOn { offset: u64, next: Seq },
    /// Nothing valid follows; what is not free space ends at `data_end`. `proved`: something shows
    /// all the same that acknowledged data is missing.
    Nothing { data_end: u64, proved: bool },
}

impl Damaged {
    /// Whether events are missing because of it: a line that stands there twice takes none.
    pub(crate) fn takes_events(&self) -> bool {
        match self.behind {
            Behind::GoesOn { next, .. } => next > self.damage.expected,
            Behind::Nothing { .. } => true,
        }
    }

    /// The torn tail that this is at the end of an active segment, if no acknowledged data is
    /// missing. `from` is where the append begins that the damage has broken. A header is never
    /// torn: it was durable before its name.
    pub(crate) fn torn_tail(&self, segment: &Segment, from: u64) -> Option<TornTail> {
        match self.behind {
            Behind::Nothing {
                data_end,
                proved: false,
            } if self.damage.offset > 0 => {
                let bytes = data_end.saturating_sub(from);
                Some(TornTail {
                    file: segment.name.clone(),
                    offset: from,
                    bytes,
                })
            }
            _ => None,
        }
    }
}

/// A walk over one segment.
pub(crate) struct Survey<'s> {
    segment: &'s Segment,
    scanner: Scanner<'s>,
    done: bool,
}

impl<'s> Survey<'s> {
    pub(crate) fn new(segment: &'s Segment) -> Self {
        Survey {
            segment,
            scanner: segment.scanner(),
            done: false,
        }
    }

    /// The last seq that is accounted for.
    pub(crate) fn last(&self) -> Seq {
        self.scanner.sequence().last()
    }

    /// Steps over the lines that [`Scanner::lines`] hands on.
    pub(crate) fn lines(&mut self, mut look: impl FnMut(u64, Line<'_>, &[u8])) {
        if self.done {
            return;
        }
        let taken = self.scanner.lines(|offset, line, bytes| {
            look(offset, line, bytes);
            Ok::<(), Infallible>(())
        });
        let Ok(()) = taken.result;
    }

    /// The next item; `None` behind the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>> {
        if self.done {
            return Ok(None);
        }
        let damage = match self.scanner.next()? {
            Found::Line { .. } => None,
            Found::Damage(damage) => Some(damage),
            Found::End { offset } => {
                self.done = true;
                match unfinished_append(&self.scanner, offset) {
                    None => return Ok(Some(Item::End { offset })),
                    damage => damage,
                }
            }
        };
        match damage {
            Some(damage) => Ok(Some(Item::Damage(self.step_over(damage)?))),
            None => {
                let (offset, line, bytes) = self.scanner.current();
                Ok(Some(Item::Line {
                    offset,
                    line,
                    bytes,
                }))
            }
        }
    }

    /// Judges damage in an active segment as a strict reader does: without proof behind it, it is the
    /// end, whatever lines of the last batch have survived.
    pub(crate) fn judge(&mut self, damaged: Damaged) -> Result<Damaged> {
        let mut search = self.segment.search(damaged.damage.offset);
        // Without a header a strict reader believes nothing.
        let has_header = damaged.damage.reason != Reason::Header;
        if !has_header || find_proof(&mut search, damaged.damage.expected)?.is_some() {
            return Ok(damaged);
        }
        self.done = true;
        let behind = Behind::Nothing {
            data_end: search.data_end(),
            proved: false,
        };
        Ok(Damaged { behind, ..damaged })
    }

    /// Goes on at the next valid line that does not go back.
    fn step_over(&mut self, damage: Damage) -> Result<Damaged> {
        let mut search = self.segment.search(damage.offset);
        while let Some((offset, line)) = search.next()? {
            if let Line::Header(_) = line {
                continue;
            }
            let next = line.next_seq();
            if let Some(sequence) = self.sequence_before(&line, next) {
                self.scanner.resume(offset, sequence);
                return Ok(Damaged {
                    damage,
                    behind: Behind::GoesOn { offset, next },
                });
            }
        }
        self.done = true;
        let mut again = self.segment.search(damage.offset);
        let proved = find_proof(&mut again, damage.expected)?.is_some();
        let behind = Behind::Nothing {
            data_end: search.data_end(),
            proved,
        };
        Ok(Damaged { damage, behind })
    }

    /// What the lines before `line` must have been, if it may be the next one behind damage. Some
    /// lines may stand nowhere, and a lower number is a line that was there already.
    fn sequence_before(&self, line: &Line<'_>, next: Seq) -> Option<Sequence> {
        let here = *self.scanner.sequence();
        let mut anywhere = here;
        anywhere.skip_to(next);
        // Where no event is missing the rules go on as if the damage were not there. But an append
        // whose end is missing ends here.
        let candidates = match next.cmp(&here.expected()) {
            Ordering::Less => [None, None],
            Ordering::Equal => [Some(here), here.in_group().then_some(anywhere)],
            Ordering::Greater => [Some(anywhere), None],
        };
        let fits = |sequence: &Sequence| { *sequence }.accept(line).is_ok();
        candidates.into_iter().flatten().find(fits)
    }
}

/// The damage of a segment that ends inside an atomic append.
pub(crate) fn unfinished_append(scanner: &Scanner<'_>, offset: u64) -> Option<Damage> {
    let expected = scanner.sequence().expected();
    let reason = Reason::Violation(Violation::OpenGroup { expected });
    scanner.sequence().in_group().then_some(Damage {
        offset,
        expected,
        reason,
    })
}
