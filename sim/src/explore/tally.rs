//! What an exploration did, in numbers, so that "exhaustive" is a fact: of images at page granularity with zeros where data was
//! lost, and apart from that of torn pages and garbage.

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
    /// Disks, of these three sorts, that were not judged because an equal one was, with the same things believed.
    pub dropped: u64,
    /// Power cuts with more possibilities than the cap.
    pub capped: u64,
    /// Images with a torn page, or with garbage, of power cuts whose possibilities of that sort were all judged.
    pub torn_enumerated: u64,
    /// The same of power cuts that had too many of them: samples, evenly spread.
    pub torn_sampled: u64,
    /// Those of both sorts that were not judged because an equal disk was, with the same things believed.
    pub torn_dropped: u64,
    /// Power cuts where not every image with a torn page or with garbage was judged.
    pub torn_capped: u64,
    /// Images that only a bad device leaves: samples, where the profile has such devices. None was judged twice.
    pub on_bad_device: u64,
    /// Recoveries that were run and judged.
    pub recoveries: u64,
    /// Recoveries that showed something new: all questions were asked, the others were compared.
    pub examined: u64,
}

impl Tally {
    /// Whether every image of every power cut was judged that has whole pages, and zeros where data was lost.
    #[must_use]
    pub fn is_exhaustive(&self) -> bool {
        self.capped == 0
    }

    /// Whether every image was judged in which one page is torn: its first sectors new, the others of an older version. In
    /// a profile with garbage each image in which data was lost was judged with garbage too.
    #[must_use]
    pub fn is_exhaustive_of_torn(&self) -> bool {
        self.torn_capped == 0
    }

    /// Disks that a crash may leave, of all sorts, equal ones as often as they came about.
    #[must_use]
    pub fn met(&self) -> u64 {
        self.enumerated + self.sampled + self.torn() + self.killed + self.on_bad_device
    }

    /// Those of them with a torn page or with garbage.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.torn_enumerated + self.torn_sampled
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
        self.torn_enumerated += other.torn_enumerated;
        self.torn_sampled += other.torn_sampled;
        self.torn_dropped += other.torn_dropped;
        self.torn_capped += other.torn_capped;
        self.on_bad_device += other.on_bad_device;
        self.recoveries += other.recoveries;
        self.examined += other.examined;
    }
}
