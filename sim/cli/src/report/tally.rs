//! How often each fault fired and each mark was reached, over all scenarios: what stands under the verdict table.

use std::collections::BTreeMap;
use std::fmt;

use crate::report::ScenarioReport;
use crate::report::table::grouped;

/// The column at which lines end.
const WIDTH: usize = 110;

/// Names and counts, most frequent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    title: &'static str,
    counts: Vec<(&'static str, u64)>,
}

impl Tally {
    /// The faults that fired.
    #[must_use]
    pub fn of_faults(reports: &[ScenarioReport]) -> Self {
        let all = reports
            .iter()
            .flat_map(|report| &report.result.faults_fired);
        Tally::new(
            "faults fired",
            all.map(|(kind, count)| (kind.name(), *count)),
        )
    }

    /// The marks that were reached.
    #[must_use]
    pub fn of_marks(reports: &[ScenarioReport]) -> Self {
        let all = reports.iter().flat_map(|report| &report.result.marks);
        Tally::new(
            "marks reached",
            all.map(|(mark, count)| (mark.name(), *count)),
        )
    }

    fn new(title: &'static str, all: impl Iterator<Item = (&'static str, u64)>) -> Self {
        let mut sums = BTreeMap::new();
        for (name, count) in all {
            *sums.entry(name).or_insert(0) += count;
        }
        let mut counts: Vec<(&'static str, u64)> =
            sums.into_iter().filter(|(_, count)| *count > 0).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Tally { title, counts }
    }
}

/// Nothing at all if nothing was counted.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts.is_empty() {
            return Ok(());
        }
        let mut line = format!("\n{}:", self.title);
        let mut separator = "";
        for (name, count) in &self.counts {
            let entry = format!(" {name} {}", grouped(*count));
            line.push_str(separator);
            if line.chars().count() + entry.len() > WIDTH {
                writeln!(f, "{line}")?;
                line = " ".to_owned();
            }
            line.push_str(&entry);
            separator = ",";
        }
        writeln!(f, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_sim::marks::Mark;

    #[test]
    fn counts_are_summed_and_the_most_frequent_comes_first() {
        let tally = Tally::new(
            "faults fired",
            [("a", 1), ("b", 1000), ("a", 2), ("c", 0)].into_iter(),
        );
        assert_eq!(tally.to_string(), "\nfaults fired: b 1,000, a 3\n");
        assert_eq!(
            Tally::new("faults fired", std::iter::empty()).to_string(),
            ""
        );
    }

    #[test]
    fn long_lists_are_wrapped_between_entries() {
        let marks = Mark::ALL.iter().map(|mark| (mark.name(), 1_000_000));
        let text = Tally::new("marks reached", marks).to_string();
        assert!(text.lines().count() > 3);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH + 1),
            "{text}"
        );
        assert_eq!(text.matches(" 1,000,000").count(), Mark::ALL.len());
    }
}
