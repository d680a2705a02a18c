//! What an exploration did, in numbers, so that "exhaustive" (at page granularity, zero fill) is a fact.

use std::ops::AddAssign;

/// Counts of an exploration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Workloads that were explored.
    pub workloads: u64,
    /// Commands that the workloads gave.
    pub commands: u64,
    /// Storage calls that the workloads made, and the recoveries that were crashed again. Each is crashed before, inside and
    /// after.
    pub storage_calls: u64,
    /// Moments at which a process died: before, inside and after each of these calls, and after each answer.
    pub crash_points: u64,
    /// Those of them that were like an earlier one, with the same things believed: the same disk, the same call. What they may
    /// leave was not listed again.
    pub equal_points: u64,
    /// Images of power cuts whose possibilities were all judged.
    pub enumerated: u64,
    /// Images of power cuts that had too many possibilities: corners and samples.
    pub sampled: u64,
    /// Disks that a killed process left.
    pub killed: u64,
    /// Disks, of all three sorts, that were not judged because an equal one was, with the same things believed.
    pub dropped: u64,
    /// Power cuts with more possibilities than the cap.
    pub capped: u64,
    /// Recoveries that were run and judged.
    pub recoveries: u64,
    /// Recoveries that showed something new: all questions were asked, the others were compared.
    pub examined: u64,
}

impl Tally {
    /// Whether nothing was left to chance: every image of every power cut was judged.
    #[must_use]
    pub fn is_exhaustive(&self) -> bool {
        self.capped == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.workloads += other.workloads;
        self.commands += other.commands;
        self.storage_calls += other.storage_calls;
        self.crash_points += other.crash_points;
        self.equal_points += other.equal_points;
        self.enumerated += other.enumerated;
        self.sampled += other.sampled;
        self.killed += other.killed;
        self.dropped += other.dropped;
        self.capped += other.capped;
        self.recoveries += other.recoveries;
        self.examined += other.examined;
    }
}
