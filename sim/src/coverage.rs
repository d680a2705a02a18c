//! Coverage of crash points: for each kind of storage call and each role of a file, whether the process
//! has died before, inside and after the call, and which faults have hit it.
//!
//! The role of a file is its name with every run of digits replaced by `#`: `wal-#.jsonl`,
//! `snapshot-#.json.tmp`. So any store is covered without a word about it, and the calls that a run
//! has made are the denominator: a pair that was called and never crashed is missed.

use std::collections::BTreeMap;
use std::fmt;

use beaver_disk::{Moment, Op};

use crate::scenario::{Drawn, FaultKind};

/// One kind of storage call on files of one role, and what happened at such calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverPoint {
    /// The storage call.
    pub op: Op,
    /// The role of the file; `.` is the directory.
    pub role: String,
    /// How often the call was made.
    pub calls: u64,
    /// How often the process died before, inside and after it.
    pub crashes: [u64; 3],
    /// How often it went wrong, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

impl CoverPoint {
    /// How often the process died at each moment that makes a difference. Inside a call that changes
    /// nothing is before it.
    pub fn crashes(&self) -> impl Iterator<Item = (Moment, u64)> {
        let moments = [Moment::Before, Moment::Inside, Moment::After];
        let counts = moments.into_iter().zip(self.crashes);
        counts.filter(|(moment, _)| *moment != Moment::Inside || self.op.changes_something())
    }
}

/// What happened at the storage calls of a run, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(Vec<CoverPoint>);

impl Coverage {
    /// Every kind of call that was made, by role and operation.
    #[must_use]
    pub fn points(&self) -> Vec<&CoverPoint> {
        let mut points: Vec<&CoverPoint> = self.0.iter().collect();
        points.sort_by_key(|point| (&point.role, point.op));
        points
    }

    /// How many crash points were reached, and how many there are.
    #[must_use]
    pub fn reached(&self) -> (usize, usize) {
        let all = || self.0.iter().flat_map(CoverPoint::crashes);
        let reached = all().filter(|(_, count)| *count > 0).count();
        (reached, all().count())
    }

    /// What happened in all of these.
    #[must_use]
    pub fn sum<'c>(all: impl IntoIterator<Item = &'c Coverage>) -> Self {
        let mut sum = Coverage::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Coverage) {
        for more in &other.0 {
            let same = |known: &&mut CoverPoint| known.op == more.op && known.role == more.role;
            let Some(known) = self.0.iter_mut().find(same) else {
                self.0.push(more.clone());
                continue;
            };
            known.calls += more.calls;
            for (count, more) in known.crashes.iter_mut().zip(more.crashes) {
                *count += more;
            }
            for (kind, more) in &more.faults {
                *known.faults.entry(*kind).or_insert(0) += more;
            }
        }
    }

    /// The point of a call. A run has a few dozen of them and makes thousands of calls: comparing
    /// with each costs less than making the role of the name first.
    fn point(&mut self, op: Op, file: &str) -> &mut CoverPoint {
        let is_it = |point: &CoverPoint| point.op == op && role(file).eq(point.role.chars());
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0.push(CoverPoint {
                op,
                role: role(file).collect(),
                calls: 0,
                crashes: [0; 3],
                faults: BTreeMap::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

/// One line: how many of the crash points were reached.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reached, all) = self.reached();
        let missed = all - reached;
        write!(
            f,
            "{reached} of {all} crash points reached, {missed} missed"
        )
    }
}

/// The letters of the role of the file that is called `name`.
fn role(name: &str) -> impl Iterator<Item = char> + '_ {
    let mut before = ' ';
    let name = if name.is_empty() { "." } else { name };
    name.chars().filter_map(move |letter| {
        let repeats = letter.is_ascii_digit() && before.is_ascii_digit();
        before = letter;
        match letter.is_ascii_digit() {
            true => (!repeats).then_some('#'),
            false => Some(letter),
        }
    })
}

/// Watches the storage calls of one run.
#[derive(Debug, Default)]
pub(crate) struct CoverageWatch {
    coverage: Coverage,
    every_moment: bool,
}

impl CoverageWatch {
    /// Whether the process is crashed at every moment of every call from now on, as the explorer
    /// does.
    pub(crate) fn set_every_moment(&mut self, every: bool) {
        self.every_moment = every;
    }

    /// What was seen so far.
    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// A call is about to be made; the process `dies` at it, and these faults hit it.
    pub(crate) fn call(&mut self, op: Op, file: &str, dies: Option<Moment>, faults: &[FaultKind]) {
        let point = self.coverage.point(op, file);
        point.calls += 1;
        match dies {
            Some(moment) => point.crashes[moment as usize] += 1,
            None if self.every_moment => point.crashes.iter_mut().for_each(|count| *count += 1),
            None => {}
        }
        // If the process dies before its call, the fault never comes. What happens beside a call, as
        // the cache forgetting a page, is no fault of the call.
        if dies != Some(Moment::Before) {
            for kind in faults.iter().filter(|kind| kind.drawn() == Drawn::Call) {
                *point.faults.entry(*kind).or_insert(0) += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(watch: &CoverageWatch) -> Vec<(&str, u64, [u64; 3], usize)> {
        let points = watch.coverage().points().into_iter();
        let counts = points.map(|p| (p.role.as_str(), p.calls, p.crashes, p.faults.len()));
        counts.collect()
    }

    #[test]
    fn files_whose_names_differ_in_numbers_only_have_one_role() {
        let mut watch = CoverageWatch::default();
        for name in [
            "wal-0000000001.jsonl",
            "wal-12.jsonl",
            "wal-1a2.jsonl",
            "LOCK",
            "",
        ] {
            watch.call(Op::Open, name, None, &[]);
        }
        let roles: Vec<(&str, u64)> = counts(&watch).iter().map(|c| (c.0, c.1)).collect();
        let expected = [
            (".", 1),
            ("LOCK", 1),
            ("wal-#.jsonl", 2),
            ("wal-#a#.jsonl", 1),
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn a_fault_of_a_call_that_is_never_made_does_not_count() {
        let mut watch = CoverageWatch::default();
        watch.call(
            Op::Create,
            "a",
            Some(Moment::Before),
            &[FaultKind::CreateError],
        );
        assert_eq!(counts(&watch), [("a", 1, [1, 0, 0], 0)]);
        watch.call(
            Op::Create,
            "a",
            Some(Moment::After),
            &[FaultKind::CreateError],
        );
        assert_eq!(counts(&watch), [("a", 2, [1, 0, 1], 1)]);
    }

    #[test]
    fn what_was_called_and_never_crashed_is_missed() {
        let mut watch = CoverageWatch::default();
        watch.call(Op::ReadAt, "a", None, &[]);
        watch.call(Op::SyncData, "a", Some(Moment::Inside), &[]);
        let said = watch.coverage().to_string();
        assert_eq!(said, "1 of 5 crash points reached, 4 missed");
    }

    #[test]
    fn where_every_moment_is_explored_nothing_is_missed() {
        let mut watch = CoverageWatch::default();
        watch.set_every_moment(true);
        watch.call(Op::ReadAt, "a", None, &[]);
        watch.call(Op::SyncDir, "", None, &[]);
        assert_eq!(watch.coverage().reached(), (5, 5));
    }

    #[test]
    fn sums_add_up() {
        let mut watch = CoverageWatch::default();
        watch.call(
            Op::Create,
            "a",
            Some(Moment::After),
            &[FaultKind::CreateError],
        );
        let sum = Coverage::sum([watch.coverage(), watch.coverage()]);
        let point = sum.points()[0];
        assert_eq!((point.calls, point.crashes), (2, [0, 0, 2]));
        assert_eq!(point.faults, [(FaultKind::CreateError, 2)].into());
    }
}
