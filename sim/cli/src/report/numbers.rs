//! Numbers for people.

use indicatif::HumanCount;

/// A number with a comma between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Milliseconds as seconds with two digits after the point.
pub(crate) fn seconds(elapsed_ms: u64) -> String {
    format!("{}.{:02} s", elapsed_ms / 1000, elapsed_ms % 1000 / 10)
}

/// `1 event`, `2 events`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn time_is_in_seconds() {
        assert_eq!(seconds(0), "0.00 s");
        assert_eq!(seconds(61_239), "61.23 s");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "run"), "1 run");
        assert_eq!(counted(1000, "run"), "1,000 runs");
    }
}
