//! The chain of segments: which epochs are there, and what each header must say about the segment
//! before it.

use super::line::Header;
use crate::boundary::Boundary;
use crate::error::{Error, Result};
use crate::names;
use crate::position::{Epoch, Position};

/// What lies before a segment, which its header must seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrevLink {
    /// Reading starts in the middle of the log.
    Unknown,
    /// Nothing: it is the first one.
    Nothing,
    /// A segment that ends there.
    Segment(Boundary),
    /// A snapshot, or something else of the caller's, that covers everything up to there.
    Covered(Boundary),
}

impl PrevLink {
    /// What lies before the segments that are needed above `base`.
    pub(crate) fn after(base: Option<Boundary>) -> Self {
        base.map_or(PrevLink::Nothing, PrevLink::Covered)
    }

    /// Whether a segment with this header follows.
    ///
    /// # Errors
    /// [`Error::BrokenChain`] if the two are not of one store or one history, with both names;
    /// [`Error::Corrupt`] if the header seals another position.
    pub(crate) fn check(self, file: &str, header: &Header) -> Result<()> {
        let (before, expected) = match self {
            PrevLink::Unknown => return check_epoch(file, header),
            PrevLink::Nothing if header.prev.is_none() => return Ok(()),
            PrevLink::Nothing => return Err(seals(file, header, "nothing lies before it")),
            PrevLink::Segment(end) => (names::segment(end.position.epoch), end),
            PrevLink::Covered(end) => (names::snapshot(end.position.epoch), end),
        };
        let sealed = header.prev.unwrap_or(Boundary {
            store: header.store,
            ..Boundary::from(Position::default())
        });
        if let Some(reason) = expected.conflict(&before, &sealed, file) {
            let epoch = header.epoch;
            return Err(Error::BrokenChain { epoch, reason });
        }
        if sealed.position == expected.position {
            return Ok(());
        }
        Err(seals(
            file,
            header,
            &format!("{before} before it ends at {expected}"),
        ))
    }
}

/// The first epoch has no other before it, so its header seals nothing; each later one seals the
/// one before.
fn check_epoch(file: &str, header: &Header) -> Result<()> {
    let before = header.epoch.0.checked_sub(1).filter(|before| *before > 0);
    if header.prev.map(|prev| prev.position.epoch.0) == before {
        return Ok(());
    }
    let expected = format!("what lies before it is epoch {}", header.epoch.0 - 1);
    Err(seals(file, header, &expected))
}

fn seals(file: &str, header: &Header, but: &str) -> Error {
    let sealed = header.prev.map(|prev| prev.to_string());
    let sealed = sealed.as_deref().unwrap_or("nothing");
    Error::Corrupt {
        file: file.to_owned(),
        offset: 0,
        reason: format!("the header seals {sealed}, but {but}"),
    }
}

/// The epochs above `base`, the last one that is covered, if they are complete.
pub(crate) fn chain(segments: &[Epoch], base: Option<Epoch>) -> Result<Vec<Epoch>> {
    let start = base.unwrap_or_default();
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
