//! What an interrupted prune has left: files below the oldest snapshot that is to be kept.
//!
//! They go only if everything above them is known to be whole: each kept snapshot, and every
//! segment that leads from one to the next. Otherwise something below might still be of use, so
//! nothing goes.
//!
//! Before a state that was installed nothing is of use, and all of it must go (see `install`).

use std::collections::VecDeque;
use std::convert::Infallible;

use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::names::{self, Listing};
use crate::position::Epoch;
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::wal::{PrevLink, RawEvent, Replay, ReplayError, Segment, chain};

/// Files that no recovery needs.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Those that are still there, in the order in which they must go.
    names: VecDeque<String>,
    pub(super) removed: Vec<String>,
    /// The verified older snapshots, newest first.
    pub(super) fall_backs: Vec<Boundary>,
    /// Whether nothing may be shown while one of them is there.
    pub(super) must_go: bool,
}

impl Leftovers {
    /// What lies below the `keep_old` snapshots before `base` (at least one), if these are whole.
    pub(super) fn find(
        storage: &dyn Storage,
        listing: &Listing,
        base: Option<Boundary>,
        keep_old: usize,
    ) -> Result<Self> {
        let Some(base) = base else {
            return Ok(Leftovers::default());
        };
        let older = listing.snapshots.iter().rev().copied();
        let older = older.filter(|epoch| *epoch < base.position.epoch);
        // Opening leaves one fall-back even where checkpoints keep none: it tidies up after an
        // interrupted prune and decides nothing new.
        let kept: Vec<Epoch> = older.take(keep_old.max(1)).collect();
        let names = match kept.last() {
            Some(oldest) if kept.len() >= keep_old => below(listing, *oldest),
            _ => VecDeque::new(),
        };
        // Verifying reads everything that is kept: only where there is something to remove.
        if names.is_empty() {
            return Ok(Leftovers::default());
        }
        Ok(Leftovers {
            names,
            fall_backs: verify_all(storage, listing, &kept, base)?,
            ..Leftovers::default()
        })
    }

    /// Everything before the snapshot of `installed`.
    pub(super) fn before_install(listing: &Listing, installed: Epoch) -> Self {
        Leftovers {
            names: below(listing, installed),
            must_go: true,
            ..Leftovers::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Removes what is still there, in order, and stops at the first that stays: no segment goes
    /// before the snapshot that needs it.
    ///
    /// # Errors
    /// [`Error::Storage`], which does no harm unless they must go: the next open tries again.
    pub(super) fn remove(&mut self, storage: &dyn Storage) -> Result<()> {
        while let Some(name) = self.names.front() {
            directory::remove(storage, name)?;
            self.removed.extend(self.names.pop_front());
        }
        Ok(())
    }
}

/// Snapshots before the segments that lead to them, each oldest first.
pub(super) fn below(listing: &Listing, oldest: Epoch) -> VecDeque<String> {
    let snapshots = listing.snapshots.iter().filter(|epoch| **epoch < oldest);
    let segments = listing.segments.iter().filter(|epoch| **epoch <= oldest);
    snapshots
        .map(|epoch| names::snapshot(*epoch))
        .chain(segments.map(|epoch| names::segment(*epoch)))
        .collect()
}

/// Reads the snapshots of `kept`, newest first, and every segment up to `base`.
fn verify_all(
    storage: &dyn Storage,
    listing: &Listing,
    kept: &[Epoch],
    base: Boundary,
) -> Result<Vec<Boundary>> {
    let mut newer = base;
    let mut fall_backs = Vec::new();
    for epoch in kept {
        newer = verify_fall_back(storage, listing, *epoch, newer)?;
        fall_backs.push(newer);
    }
    Ok(fall_backs)
}

/// Reads the snapshot of `older` and every segment between it and the snapshot at `newer`.
fn verify_fall_back(
    storage: &dyn Storage,
    listing: &Listing,
    older: Epoch,
    newer: Boundary,
) -> Result<Boundary> {
    let covered = match snapshot::read(storage, older)? {
        Ok(snapshot) => snapshot.boundary,
        Err(damaged) => return Err(damaged.error),
    };
    let upto = listing
        .segments
        .partition_point(|epoch| *epoch <= newer.position.epoch);
    let bridge = chain(&listing.segments[..upto], Some(older))?;
    let bridge = bridge
        .iter()
        .map(|epoch| Segment::open(storage, *epoch, Access::Read));
    let mut replay = Replay::new(covered.position, |_: &RawEvent<'_>| {
        Ok::<(), ReplayError<Infallible>>(())
    });
    let tail = replay.strict(bridge, PrevLink::Covered(covered))?;
    if tail.last == newer.position.seq && replay.report.torn_tail.is_none() {
        return Ok(covered);
    }
    let reason = format!("the segments after {covered} do not lead to {newer}");
    Err(Error::BrokenChain {
        epoch: newer.position.epoch,
        reason,
    })
}
