//! Text on a page.

use beaver_sim::explain;

/// Text in which code stands between backticks, in parts: whether each is code, and the text.
pub(super) fn parts(text: &str) -> Vec<(bool, String)> {
    let parts = text.split('`').enumerate();
    let parts = parts.filter(|(_, part)| !part.is_empty());
    parts
        .map(|(at, part)| (at % 2 == 1, part.to_owned()))
        .collect()
}

/// A clause with a capital and a full stop.
pub(super) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", letters.as_str())
}

pub(super) fn printable(text: &str) -> String {
    explain::printable(text)
}

pub(super) fn shortened(text: &str) -> String {
    explain::shortened(text)
}
