//! What the scenarios must reach together, written down in a file beside them: for each storage call and each role of a file,
//! the moments at which the process dies and the faults that hit it.
//!
//! The calls that runs make cannot say that alone: a call that no scenario makes any more would be missed by none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use beaver_sim::coverage::{CoverPoint, Coverage};

use super::coverage::{MOMENTS, moment_name};

/// The first lines of the file.
const HEAD: &str = "\
# Where the process dies and what goes wrong in the runs of these scenarios, over their own seeds: the role of the file, the
# storage call, the moments of crashes and the kinds of faults. What stands here and is not reached fails `beaver run`.
# `BEAVER_BLESS=1 beaver run` writes it anew.
";

/// The moments of crashes and the kinds of faults, by role of the file and storage call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MustReach(BTreeMap<(String, String), BTreeSet<String>>);

impl MustReach {
    /// What was reached.
    #[must_use]
    pub fn reached(coverage: &Coverage) -> Self {
        let points = coverage.points().into_iter();
        let calls = points.map(|point| {
            let call = (point.role.clone(), point.op.name().to_owned());
            (call, words(point).map(str::to_owned).collect())
        });
        MustReach(
            calls
                .filter(|(_, words): &(_, BTreeSet<_>)| !words.is_empty())
                .collect(),
        )
    }

    /// The crash points and the faults at calls of it that were not reached, a line for each call.
    #[must_use]
    pub fn missed(&self, coverage: &Coverage) -> Self {
        let reached = MustReach::reached(coverage);
        let missed = self.0.iter().filter_map(|(call, words)| {
            let there = reached.0.get(call);
            let is_missed = |word: &&String| there.is_none_or(|there| !there.contains(*word));
            let missed: BTreeSet<String> = words.iter().filter(is_missed).cloned().collect();
            (!missed.is_empty()).then(|| (call.clone(), missed))
        });
        MustReach(missed.collect())
    }

    /// The same with every crash point of the calls that were made: a process must die there too.
    #[must_use]
    pub fn and_calls(mut self, coverage: &Coverage) -> Self {
        for point in coverage.points() {
            let call = (point.role.clone(), point.op.name().to_owned());
            let moments = point.crashes();
            let moments = moments.map(|(moment, _)| moment_name(moment).to_owned());
            self.0.entry(call).or_default().extend(moments);
        }
        self
    }

    /// How many crash points there are.
    #[must_use]
    pub fn crashes(&self) -> usize {
        self.count(is_moment)
    }

    /// How many faults at calls there are.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.count(|word| !is_moment(word))
    }

    /// Whether there is nothing to reach.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&self, counts: impl Fn(&str) -> bool) -> usize {
        let words = self.0.values().flatten();
        words.filter(|word| counts(word)).count()
    }

    /// One line for each call, as in the file: the moments in their order, then the faults.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((role, call), words)| {
            let moments = MOMENTS.map(moment_name).into_iter();
            let moments = moments.filter(|moment| words.contains(*moment));
            let faults = words.iter().map(String::as_str);
            let faults = faults.filter(|word| !is_moment(word));
            let words: Vec<&str> = moments.chain(faults).collect();
            format!("{role} {call}: {}", words.join(" "))
        })
    }
}

fn is_moment(word: &str) -> bool {
    MOMENTS
        .into_iter()
        .any(|moment| moment_name(moment) == word)
}

/// The moments at which the process died at a call, and the faults that hit it.
fn words(point: &CoverPoint) -> impl Iterator<Item = &'static str> {
    let crashes = point.crashes().filter(|(_, count)| *count > 0);
    let crashes = crashes.map(|(moment, _)| moment_name(moment));
    let faults = point.faults.iter().filter(|(_, count)| **count > 0);
    crashes.chain(faults.map(|(kind, _)| kind.name()))
}

/// The file.
impl fmt::Display for MustReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.lines().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for MustReach {
    type Err = String;

    fn from_str(file: &str) -> Result<Self, String> {
        let lines = file.lines().filter(|line| !line.starts_with("# "));
        let calls = lines.map(|line| {
            let (call, words) = line.split_once(": ").unwrap_or((line, ""));
            let words: BTreeSet<String> = words.split_whitespace().map(str::to_owned).collect();
            match call.rsplit_once(' ') {
                Some((role, call)) if !words.is_empty() => {
                    Ok(((role.to_owned(), call.to_owned()), words))
                }
                _ => Err(format!(
                    "`{line}` is no line of the form `ROLE CALL: MOMENTS AND FAULTS`"
                )),
            }
        });
        let calls: BTreeMap<_, _> = calls.collect::<Result<_, _>>()?;
        match calls.is_empty() {
            true => Err("it names nothing that must be reached".to_owned()),
            false => Ok(MustReach(calls)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_CALLS: &str =
        "# a comment\n. sync_dir: before sync-dir-error\nLOCK open: before after\n";

    #[test]
    fn a_call_that_was_never_made_is_missed() {
        let list: MustReach = TWO_CALLS.parse().unwrap();
        assert_eq!((list.crashes(), list.faults()), (3, 1));
        assert_eq!(list.missed(&Coverage::default()), list);
        let lines: Vec<String> = list.lines().collect();
        assert_eq!(
            lines,
            [
                ". sync_dir: before sync-dir-error",
                "LOCK open: before after"
            ]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let list: MustReach = TWO_CALLS.parse().unwrap();
        assert_eq!(list.to_string().parse(), Ok(list));
    }

    #[test]
    fn a_file_that_asks_for_nothing_is_refused() {
        for file in ["", "# a comment\n", "LOCK open\n", "LOCK open: \n"] {
            assert!(file.parse::<MustReach>().is_err(), "{file}");
        }
    }
}
