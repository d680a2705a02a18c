//! How far a killed process may have got with a write: every prefix that a reader can tell apart from its neighbours.

/// The most prefixes judged of one write.
const MOST: usize = 64;

/// Lengths, ascending, of the prefixes of `bytes` that are judged: after each newline, just before it and in the middle of
/// its line. Nothing and everything are not among them: that is before and after the write.
pub(super) fn prefixes(bytes: &[u8]) -> Vec<u64> {
    let mut lengths = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        lengths.extend([start + 1, start + line.len() / 2, end - 1, end]);
        start = end;
        if lengths.len() > MOST {
            break;
        }
    }
    lengths.retain(|length| *length > 0 && *length < bytes.len());
    lengths.sort_unstable();
    lengths.dedup();
    lengths.truncate(MOST);
    lengths.into_iter().map(|length| length as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_in_the_middle_and_around_its_newline() {
        assert_eq!(prefixes(b"abcdef\nxy\n"), [1, 3, 6, 7, 8, 9]);
        assert_eq!(prefixes(b"a"), [] as [u64; 0]);
        assert!(prefixes(&[b'\n'; 10_000]).len() <= MOST);
    }
}
