//! What a search remembers, so that nothing is judged twice.
//!
//! A disk is judged once for each thing that may be believed about it; what a recovery shows is examined once for each disk
//! that it leaves, and later ones are only compared with it. Neither misses anything: a recovery is a function of its disk.

use std::collections::{BTreeMap, BTreeSet};

use crate::subject::{AnyState, Position};

use super::beliefs::BeliefId;

/// A disk by its fingerprint, and what is believed about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VisitedKey(usize, u128);

impl VisitedKey {
    /// `shown` says that a recovery has ended on the disk: what it showed must come back with the same bytes, which is more
    /// than the belief says.
    pub(super) fn new(belief: BeliefId, shown: bool, fingerprint: u128) -> Self {
        VisitedKey(belief << 1 | usize::from(shown), fingerprint)
    }
}

/// What a recovery showed, before anything was asked of the store.
#[derive(PartialEq)]
pub(super) struct Showing {
    pub(super) state: AnyState,
    pub(super) applied: Option<Position>,
    pub(super) snapshot: Option<Position>,
}

/// Everything that one search remembers.
#[derive(Default)]
pub(super) struct Memory {
    /// Disks that were judged, and how deep the search went on from there.
    judged: BTreeMap<VisitedKey, u32>,
    /// Disks on which a process died, likewise, with the write that it was in.
    crashed: BTreeMap<VisitedKey, u32>,
    /// What recoveries showed that were found right, by the disk that they left, and what is
    /// believed from then on.
    shown: BTreeMap<VisitedKey, (Showing, BeliefId)>,
    /// Disks, with what was decided about them, on which the store has gone on.
    gone_on: BTreeSet<VisitedKey>,
}

impl Memory {
    /// Whether no process has died like this before with as many crashes to follow.
    pub(super) fn is_first_crash(&mut self, key: VisitedKey, depth: u32) -> bool {
        is_deeper(self.crashed.entry(key).or_insert(0), depth)
    }

    /// Whether a disk has yet to be judged with as many crashes to follow.
    pub(super) fn is_new(&mut self, key: VisitedKey, depth: u32) -> bool {
        is_deeper(self.judged.entry(key).or_insert(0), depth)
    }

    /// What was decided when a recovery left this disk and showed the same.
    pub(super) fn decided(&self, key: VisitedKey, showing: &Showing) -> Option<BeliefId> {
        let (shown, decided) = self.shown.get(&key)?;
        (shown == showing).then_some(*decided)
    }

    /// A recovery left this disk, showed this, and was found right.
    pub(super) fn remember(&mut self, key: VisitedKey, shown: Showing, decided: BeliefId) {
        self.shown.insert(key, (shown, decided));
    }

    /// Whether the store has not gone on from here before.
    pub(super) fn is_first_to_go_on(&mut self, key: VisitedKey) -> bool {
        self.gone_on.insert(key)
    }
}

/// Whether `depth` crashes to follow are more than were followed before; they are from now on. A disk met again with more of them
/// is searched again: the first visit stopped earlier.
fn is_deeper(reached: &mut u32, depth: u32) -> bool {
    let deeper = *reached <= depth;
    *reached = (*reached).max(depth + 1);
    deeper
}
