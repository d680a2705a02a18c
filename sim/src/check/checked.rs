//! What a check has done, in numbers and in words. "Exhausted" is said only where it is true.

use std::fmt;

use crate::explore::Tally;
use crate::plural::counted;
use crate::result::Counts;

/// What a check has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many runs there were.
    pub runs: u64,
    /// What was counted in them.
    pub counts: Counts,
    /// What the exploration of small workloads did.
    pub explored: Tally,
    /// How far it came, in the order of the work.
    pub extents: Vec<Extent>,
    /// How often each of the findings came up that are allowed.
    pub allowed: Vec<AllowedCount>,
}

/// All workloads of this number of ops, from every start, with this number of crashes in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many ops; a checkpoint counts as one, and so does closing the store and opening it again.
    pub ops: usize,
    /// How many crashes in a row: the second one is in the recovery after the first.
    pub crashes: u32,
    /// How many workloads there are: each is a history of ops.
    pub histories: u64,
    /// Of how many of them every crash was looked at.
    pub done: u64,
    /// What was done in them.
    pub tally: Tally,
}

/// A finding that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedCount {
    /// The name of the promise that it breaks.
    pub promise: &'static str,
    /// The part of its text by which it is known.
    pub text: String,
    /// How often it was found.
    pub count: u64,
}

impl Extent {
    /// Whether nothing was left out: every image of every power cut at every moment was judged, at page
    /// granularity and with zeros where data was lost.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.is_done() && self.tally.is_exhaustive()
    }

    fn is_done(&self) -> bool {
        self.done == self.histories
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ops {
            0 => f.write_str("no op")?,
            ops => f.write_str(&counted(ops as u64, "op", "ops"))?,
        }
        let crashes = counted(u64::from(self.crashes), "crash", "crashes");
        write!(f, " with {crashes}")?;
        match (self.is_exhausted(), self.is_done()) {
            (true, _) if self.tally.is_exhaustive_of_torn() => Ok(()),
            (true, _) => f.write_str(" (torn pages by samples)"),
            (_, true) => {
                let capped = counted(self.tally.capped, "power cut", "power cuts");
                write!(f, " (samples of {capped})")
            }
            _ => write!(f, " ({} of {} histories)", self.done, self.histories),
        }
    }
}

impl Checked {
    /// Whether what held is next to nothing: not all of one op, though `asked` is not that nothing be explored, and seeds beside it.
    pub(super) fn is_little(&self, asked: Option<usize>) -> bool {
        let is_meant = asked == Some(0) && self.runs > 0;
        let mut extents = self.extents.iter();
        !is_meant && !extents.any(|extent| extent.ops > 0 && extent.is_done())
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let those = |is_meant: &dyn Fn(&Extent) -> bool| {
            let meant = self.extents.iter().filter(|extent| is_meant(extent));
            meant.map(Extent::to_string).collect::<Vec<_>>().join(", ")
        };
        let groups = [
            ("exhausted", those(&Extent::is_exhausted)),
            ("ended", those(&|one| one.is_done() && !one.is_exhausted())),
            ("begun", those(&|one| !one.is_done())),
        ];
        for (title, extents) in groups.iter().filter(|(_, extents)| !extents.is_empty()) {
            write!(f, "{title}: {extents}; ")?;
        }
        f.write_str(&counted(self.runs, "seed", "seeds"))?;
        for AllowedCount {
            promise,
            text,
            count,
        } in &self.allowed
        {
            match count {
                0 => write!(f, "\n  allowed and never found: {promise}, {text:?}")?,
                _ => {
                    let times = counted(*count, "time", "times");
                    write!(f, "\n  allowed and found {times}: {promise}, {text:?}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(ops: usize, crashes: u32, done: u64, capped: u64) -> Extent {
        Extent {
            ops,
            crashes,
            histories: 300,
            done,
            tally: Tally {
                capped,
                torn_capped: capped,
                ..Tally::default()
            },
        }
    }

    #[test]
    fn it_is_little_until_one_op_is_done() {
        let of = |extents: Vec<Extent>, runs| Checked {
            runs,
            extents,
            ..Checked::default()
        };
        let begun = vec![extent(0, 1, 300, 0), extent(1, 1, 299, 0)];
        assert!(of(begun.clone(), 3).is_little(None));
        assert!(of(Vec::new(), 0).is_little(Some(0)));
        assert!(!of(Vec::new(), 3).is_little(Some(0)));
        assert!(!of(vec![extent(1, 1, 300, 2)], 0).is_little(None));
    }

    #[test]
    fn only_what_is_whole_is_exhausted() {
        let checked = Checked {
            runs: 214,
            extents: vec![
                extent(1, 1, 300, 0),
                extent(1, 2, 300, 0),
                extent(2, 1, 300, 3),
                extent(2, 2, 41, 0),
            ],
            allowed: vec![AllowedCount {
                promise: "decided stays decided",
                text: "a part".to_owned(),
                count: 0,
            }],
            ..Checked::default()
        };
        assert_eq!(
            checked.to_string(),
            "exhausted: 1 op with 1 crash, 1 op with 2 crashes; \
             ended: 2 ops with 1 crash (samples of 3 power cuts); \
             begun: 2 ops with 2 crashes (41 of 300 histories); 214 seeds\
             \n  allowed and never found: decided stays decided, \"a part\""
        );
    }
}
