//! How often each fault fired and each mark was reached, over all scenarios.

use std::collections::BTreeMap;
use std::fmt;

use super::ScenarioReport;
use super::numbers::grouped;

/// The column at which lines end.
const WIDTH: usize = 110;

/// Names and counts, most frequent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCounts {
    /// What is counted.
    pub(crate) title: &'static str,
    /// Also what was expected and never met, with 0.
    pub(crate) counts: Vec<NameCount>,
}

/// A name with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCount {
    /// The name.
    pub(crate) name: &'static str,
    /// What it stands for.
    pub(crate) description: &'static str,
    /// How often it was met.
    pub(crate) count: u64,
}

impl NameCounts {
    /// The faults that fired.
    #[must_use]
    pub(crate) fn of_faults(reports: &[ScenarioReport]) -> Self {
        let all = reports
            .iter()
            .flat_map(|report| &report.result.faults_fired);
        let all = all.map(|(kind, count)| (kind.name(), kind.description(), *count));
        NameCounts::new("faults fired", all)
    }

    /// The marks that were reached.
    #[must_use]
    pub(crate) fn of_marks(reports: &[ScenarioReport]) -> Self {
        let all = reports.iter().flat_map(|report| &report.result.marks);
        let all = all.map(|(mark, count)| (mark.name(), mark.description(), *count));
        NameCounts::new("marks reached", all)
    }

    fn new(
        title: &'static str,
        all: impl Iterator<Item = (&'static str, &'static str, u64)>,
    ) -> Self {
        let mut sums: BTreeMap<&str, NameCount> = BTreeMap::new();
        for (name, description, count) in all {
            let sum = sums.entry(name).or_insert(NameCount {
                name,
                description,
                count: 0,
            });
            sum.count += count;
        }
        let mut counts: Vec<NameCount> = sums.into_values().collect();
        counts.sort_by_key(|sum| std::cmp::Reverse(sum.count));
        NameCounts { title, counts }
    }

    /// The length of the bar of a count beside the others, in hundredths: as the logarithm, because
    /// counts differ by powers of ten.
    pub(crate) fn share(&self, count: &u64) -> u64 {
        let length = |count: u64| u64::from((count + 1).ilog2() + u32::from(count > 0));
        let most = self.counts.first().map_or(0, |sum| sum.count);
        100 * length(*count) / length(most).max(1)
    }
}

/// Nothing at all if nothing was counted.
impl fmt::Display for NameCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("\n{}:", self.title);
        let mut separator = "";
        for sum in self.counts.iter().filter(|sum| sum.count > 0) {
            let entry = format!(" {} {}", sum.name, grouped(sum.count));
            line.push_str(separator);
            if line.chars().count() + entry.len() > WIDTH {
                writeln!(f, "{line}")?;
                line = " ".to_owned();
            }
            line.push_str(&entry);
            separator = ",";
        }
        match separator {
            "" => Ok(()),
            _ => writeln!(f, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_sim::marks::Mark;

    fn counted(all: impl IntoIterator<Item = (&'static str, u64)>) -> String {
        let all = all.into_iter().map(|(name, count)| (name, "", count));
        NameCounts::new("faults fired", all).to_string()
    }

    #[test]
    fn counts_are_summed_and_the_most_frequent_comes_first() {
        let text = counted([("a", 1), ("b", 1000), ("a", 2), ("c", 0)]);
        assert_eq!(text, "\nfaults fired: b 1,000, a 3\n");
        assert_eq!(counted([]), "");
    }

    #[test]
    fn long_lists_are_wrapped_between_entries() {
        let text = counted(Mark::ALL.iter().map(|mark| (mark.name(), 1_000_000)));
        assert!(text.lines().count() > 3);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH + 1),
            "{text}"
        );
        assert_eq!(text.matches(" 1,000,000").count(), Mark::ALL.len());
    }
}
