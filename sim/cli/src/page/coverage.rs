//! Coverage on a page: which crash points and faults were seen at each place of the program, and how
//! often each fault and mark was met.

use crate::report::ScenarioReport;
use std::collections::BTreeMap;

/// What was reached, and what could have been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// One for each storage call that the program can make.
    pub sites: Vec<Site>,
    /// Names with counts.
    pub tallies: Vec<TallyList>,
}

/// A place of the program at which it makes a storage call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it is.
    pub site: String,
    /// The kind of call.
    pub call: String,
    /// The moments at which a crash can hit it.
    pub moments: Vec<Reached>,
    /// The faults that can hit it.
    pub faults: Vec<Reached>,
}

/// Something that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Its name.
    pub name: String,
    /// Whether it was.
    pub seen: bool,
    /// Why it cannot be, if there is a reason.
    pub excuse: Option<&'static str>,
}

/// Names with counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyList {
    /// What is counted.
    pub title: &'static str,
    /// The most frequent first.
    pub counts: Vec<Counted>,
}

/// A name with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The name.
    pub name: &'static str,
    /// What it stands for.
    pub words: &'static str,
    /// How often it was met.
    pub count: u64,
    /// Its length beside the others, in hundredths.
    pub share: u64,
    /// The count for people.
    pub shown: String,
}

impl Coverage {
    pub(super) fn has_any(&self) -> bool {
        let counted = self.tallies.iter().any(|tally| !tally.counts.is_empty());
        counted || !self.sites.is_empty()
    }

    /// How much was reached, in a sentence.
    pub(super) fn summary(&self) -> String {
        let count = |reached: fn(&Site) -> &Vec<Reached>| {
            let all = self.sites.iter().flat_map(reached);
            let seen = all.clone().filter(|reached| reached.seen).count();
            format!("{seen} of {}", all.count())
        };
        let (moments, faults) = (count(|site| &site.moments), count(|site| &site.faults));
        format!(
            "Reached: {moments} crash points and {faults} faults, at {} places.",
            self.sites.len()
        )
    }

    /// The same with the faults and marks that runs have counted.
    pub(super) fn with_counts(mut self, reports: &[ScenarioReport]) -> Self {
        let faults = reports
            .iter()
            .flat_map(|report| &report.result.faults_fired);
        let faults = faults.map(|(kind, count)| (kind.name(), kind.description(), *count));
        self.tallies
            .push(TallyList::new("Faults that fired", faults));
        let marks = reports.iter().flat_map(|report| &report.result.marks);
        let marks = marks.map(|(mark, count)| (mark.name(), mark.description(), *count));
        self.tallies
            .push(TallyList::new("Marks that were reached", marks));
        self
    }
}

impl Site {
    pub(super) fn is_complete(&self) -> bool {
        let mut all = self.moments.iter().chain(&self.faults);
        all.all(|reached| reached.seen || reached.excuse.is_some())
    }
}

impl Reached {
    /// How it is drawn.
    pub(super) fn class(&self) -> &'static str {
        match (self.seen, self.excuse) {
            (true, _) => "seen",
            (false, Some(_)) => "excused",
            (false, None) => "never",
        }
    }

    /// What it says when somebody points at it.
    pub(super) fn words(&self) -> &'static str {
        match (self.seen, self.excuse) {
            (true, _) => "reached",
            (false, Some(why)) => why,
            (false, None) => "never reached",
        }
    }
}

impl TallyList {
    fn new(
        title: &'static str,
        all: impl Iterator<Item = (&'static str, &'static str, u64)>,
    ) -> Self {
        let mut sums: BTreeMap<&str, (&'static str, &'static str, u64)> = BTreeMap::new();
        for (name, words, count) in all {
            sums.entry(name).or_insert((name, words, 0)).2 += count;
        }
        let mut sums: Vec<_> = sums.into_values().collect();
        sums.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        let most = sums.first().map_or(1, |(_, _, count)| *count).max(1);
        let counts = sums.into_iter().map(|(name, words, count)| Counted {
            name,
            words,
            count,
            share: share(count, most),
            shown: super::grouped(count),
        });
        TallyList {
            title,
            counts: counts.collect(),
        }
    }
}

impl Counted {
    pub(super) fn is_zero(&self) -> bool {
        self.count == 0
    }
}

/// The length of a bar: as the logarithm, because counts differ by powers of ten.
fn share(count: u64, most: u64) -> u64 {
    let length = |count: u64| u64::from((count + 1).ilog2() + u32::from(count > 0));
    100 * length(count) / length(most).max(1)
}
