//! The chain of segments: which epochs are there, and what each header must say about the segment
//! before it.

use crate::error::{Error, Result};
use crate::position::{Epoch, Position};

/// What the header of a segment must say about the segment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrevLink {
    /// Reading starts in the middle of the log.
    Unknown,
    /// This was the last position before the segment; `None` before epoch 1.
    Known(Option<Position>),
}

impl PrevLink {
    pub(crate) fn check(self, file: &str, prev: Option<Position>, epoch: Epoch) -> Result<()> {
        let (fits, expected) = match self {
            PrevLink::Known(expected) => (prev == expected, show(expected)),
            PrevLink::Unknown => {
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

/// The epochs above `base`, if they are complete.
pub(crate) fn chain(segments: &[Epoch], base: Option<Position>) -> Result<Vec<Epoch>> {
    let start = base.map_or(Epoch(0), |base| base.epoch);
    let epochs: Vec<Epoch> = segments
        .iter()
        .copied()
        .filter(|epoch| *epoch > start)
        .collect();
    let mut next = start.next();
    for epoch in &epochs {
        if *epoch != next {
            let reason = format!("epoch {next} is missing, the next one is {epoch}");
            return Err(Error::BrokenChain {
                epoch: next,
                reason,
            });
        }
        next = epoch.next();
    }
    if epochs.is_empty() {
        let reason = format!("nothing follows epoch {start}");
        return Err(Error::BrokenChain {
            epoch: next,
            reason,
        });
    }
    Ok(epochs)
}

/// The oldest segment from which on all are there, up to `active`: a prune whose removals were not
/// durable may have left some below a gap.
pub(crate) fn oldest_without_gap(segments: &[Epoch], active: Epoch) -> Epoch {
    let below = segments.iter().rev().filter(|epoch| **epoch < active);
    below.fold(active, |first, epoch| match epoch.next() == first {
        true => *epoch,
        false => first,
    })
}
