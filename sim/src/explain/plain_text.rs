//! Text from a run, made fit to be read.

/// How many equal letters in a row are shown as they are.
const LONGEST_RUN: usize = 16;

/// How many characters of a value are shown: a payload may have thousands.
const SHOWN_CHARS: usize = 240;

/// `text` with the middle of every long word left out: a payload says nothing that its ends do not.
pub fn shortened(text: &str) -> String {
    let text = without_runs(text);
    let count = text.chars().count();
    if count <= SHOWN_CHARS {
        return printable(&text);
    }
    let head: String = text.chars().take(SHOWN_CHARS * 2 / 3).collect();
    let tail: String = text.chars().skip(count - SHOWN_CHARS / 3).collect();
    let left_out = count - head.chars().count() - tail.chars().count();
    printable(&format!("{head} … ({left_out} characters) … {tail}"))
}

/// Each line of `text` [`shortened`]: what a finding says may have several.
pub fn shortened_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(shortened).collect();
    lines.join("\n")
}

/// `text` with long runs of one letter made short: payloads are full of them.
fn without_runs(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let runs = letters.chunk_by(|one, next| one == next);
    let runs = runs.map(|run| match run.len() {
        len if len > LONGEST_RUN => format!("{0}{0}…({len})…{0}{0}", run[0]),
        _ => run.iter().collect(),
    });
    runs.collect()
}

/// `text` with control characters as escapes, because names of jobs may hold any.
pub fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}
