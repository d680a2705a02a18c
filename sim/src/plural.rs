//! Numbers in words that people read.

/// `1 crash`, `2 crashes`.
pub(crate) fn counted(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    }
}
