//! What was meant by a name that does not exist.

/// The known name nearest to `typed`, if it is near enough to have been meant.
///
/// Case, hyphens and underscores do not count. Near enough is one edit in three letters: with more, almost anything is near.
#[must_use]
pub fn nearest<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let typed = plain(typed);
    let limit = (typed.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&typed, &plain(name)), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// ` (did you mean `…`?)`, or nothing when no known name is near.
#[must_use]
pub fn did_you_mean<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_', ' '], "")
}

/// Edits from one to the other. A name that is cut short counts as one edit: `checkp` means `checkpoint`.
fn distance(typed: &str, name: &str) -> usize {
    let edits = strsim::damerau_levenshtein(typed, name);
    let cut_short = typed.chars().count() >= 3 && name.starts_with(typed);
    if cut_short { edits.min(1) } else { edits }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["enqueue", "dispatch", "checkpoint", "linux-ordered"];

    #[test]
    fn a_typo_is_understood() {
        assert_eq!(nearest("enqeue", KNOWN), Some("enqueue"));
        assert_eq!(nearest("dispatched", KNOWN), Some("dispatch"));
        assert_eq!(nearest("check_point", KNOWN), Some("checkpoint"));
        assert_eq!(nearest("LinuxOrdered", KNOWN), Some("linux-ordered"));
        assert_eq!(nearest("check", KNOWN), Some("checkpoint"));
    }

    #[test]
    fn another_word_is_not_taken_for_a_typo() {
        assert_eq!(nearest("banana", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(did_you_mean("banana", KNOWN), "");
    }
}
