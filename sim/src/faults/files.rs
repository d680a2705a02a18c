//! The names of the documented files.

/// The epoch in the name of a segment.
pub fn segment_epoch(name: &str) -> Option<u64> {
    canonical(name.strip_prefix("wal-")?.strip_suffix(".jsonl")?)
}

/// A number of at least ten digits, with no more zeros before it than that takes.
fn canonical(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (format!("{number:010}") == digits).then_some(number)
}

/// The epoch in the name of a snapshot.
pub fn snapshot_epoch(name: &str) -> Option<u64> {
    canonical(name.strip_prefix("snapshot-")?.strip_suffix(".json")?)
}

pub(crate) fn segment_name(epoch: u64) -> String {
    format!("wal-{epoch:010}.jsonl")
}

/// The segments among these names, by number.
pub(crate) fn segment_epochs<'n>(names: impl Iterator<Item = &'n str>) -> Vec<u64> {
    let mut epochs: Vec<u64> = names.filter_map(segment_epoch).collect();
    epochs.sort_unstable();
    epochs
}
