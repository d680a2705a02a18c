//! File names of a store: what each name in the directory is.
//!
//! ```text
//! LOCK                       the lock
//! UNFINISHED                 a copy that is being made: not a store yet
//! wal-0000000007.jsonl       segment of epoch 7: at least ten digits, no superfluous zero
//! snapshot-0000000007.json   state after the last event of epoch 7
//! ….tmp                      one of these two, unfinished; removed by open
//! ```
//!
//! Anything else is a stray: reported, never touched. Order is by number, not by text.

use crate::error::{Error, Result};
use crate::position::Epoch;

/// The file that carries the directory's lock.
pub(crate) const LOCK: &str = "LOCK";

/// The name that says that the directory is filled with a copy of a store, and not yet one itself.
pub(crate) const UNFINISHED: &str = "UNFINISHED";

/// What ends the name of a file that is not finished.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

/// The name of a segment.
pub(crate) fn segment(epoch: Epoch) -> String {
    numbered("wal-", epoch, ".jsonl")
}

/// The name of a snapshot of the state after the last event of `epoch`.
pub(crate) fn snapshot(epoch: Epoch) -> String {
    numbered("snapshot-", epoch, ".json")
}

/// A name with an epoch in it, of at least ten digits. Every recovery spells a few, so this does
/// without the machinery of formatting.
fn numbered(prefix: &str, epoch: Epoch, suffix: &str) -> String {
    const LEAST: usize = 10;
    let mut digits = [b'0'; 20];
    let (mut rest, mut first) = (epoch.0, digits.len());
    while rest > 0 {
        first -= 1;
        digits[first] += u8::try_from(rest % 10).expect("a digit fits");
        rest /= 10;
    }
    let digits = &digits[first.min(digits.len() - LEAST)..];
    let mut name = String::with_capacity(prefix.len() + digits.len() + suffix.len());
    name.push_str(prefix);
    name.extend(digits.iter().map(|digit| char::from(*digit)));
    name.push_str(suffix);
    name
}

/// The name under which `name` is written until it is whole.
pub(crate) fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY_SUFFIX}")
}

/// All names of a directory, sorted by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Epochs of the segments, ascending.
    pub(crate) segments: Vec<Epoch>,
    /// Epochs of the snapshots, ascending.
    pub(crate) snapshots: Vec<Epoch>,
    /// Names of unfinished files of ours.
    pub(crate) temporaries: Vec<String>,
    /// Names that mean nothing to us.
    pub(crate) strays: Vec<String>,
    /// Whether this is a copy that was not finished.
    pub(crate) is_unfinished: bool,
}

impl Listing {
    /// Sorts `names` by what they are. A name that is there twice counts once: some file systems
    /// list a name twice after a crash.
    pub(crate) fn of(mut names: Vec<String>) -> Self {
        let mut listing = Listing::default();
        names.dedup();
        for name in names {
            if name == LOCK {
                continue;
            }
            if name == UNFINISHED {
                listing.is_unfinished = true;
                continue;
            }
            match Kind::of(&name) {
                Some(Kind::Segment(epoch)) => listing.segments.push(epoch),
                Some(Kind::Snapshot(epoch)) => listing.snapshots.push(epoch),
                // Only what we would have made: another program's unfinished file is not ours to
                // remove.
                None => match name.strip_suffix(TEMPORARY_SUFFIX).and_then(Kind::of) {
                    Some(_) => listing.temporaries.push(name),
                    None => listing.strays.push(name),
                },
            }
        }
        listing.segments.sort_unstable();
        listing.snapshots.sort_unstable();
        listing
    }

    /// Refuses a copy that was not finished: some of its files may look like a store.
    pub(crate) fn check_finished(&self) -> Result<()> {
        if !self.is_unfinished {
            return Ok(());
        }
        let reason = format!(
            "{UNFINISHED} says that this copy of a store was not finished; make it again, elsewhere"
        );
        Err(Error::Refused { reason })
    }

    /// Every name but that of the lock.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = String> {
        let snapshots = self.snapshots.iter().copied().map(snapshot);
        let segments = self.segments.iter().copied().map(segment);
        let others = self.temporaries.iter().chain(&self.strays).cloned();
        let mark = self.is_unfinished.then(|| UNFINISHED.to_owned());
        snapshots.chain(segments).chain(others).chain(mark)
    }

    /// Whether nothing here was ever a store.
    pub(crate) fn is_new(&self) -> bool {
        self.segments.is_empty() && self.snapshots.is_empty()
    }

    /// A stray that was a file of a store before its name was changed.
    pub(crate) fn altered(&self) -> Option<&String> {
        self.strays.iter().find(|stray| is_altered(stray))
    }
}

/// What a name of a store stands for.
enum Kind {
    Segment(Epoch),
    Snapshot(Epoch),
}

impl Kind {
    /// Nothing for a name that we would not have made.
    fn of(name: &str) -> Option<Self> {
        let segment = parse(name, "wal-", ".jsonl").map(Kind::Segment);
        segment.or_else(|| parse(name, "snapshot-", ".json").map(Kind::Snapshot))
    }
}

/// Whether a stray is one of our names but for its case or for what follows it: a file that was
/// compressed, kept by an editor, or copied through a file system without case.
fn is_altered(stray: &str) -> bool {
    let lower = stray.to_ascii_lowercase();
    [".jsonl", ".json"].iter().any(|suffix| {
        lower
            .find(suffix)
            .is_some_and(|at| Kind::of(&lower[..at + suffix.len()]).is_some())
    })
}

/// The epoch in a name, if the name is the one that we would have made.
fn parse(name: &str, prefix: &str, suffix: &str) -> Option<Epoch> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let canonical = digits.len() == 10 || (digits.len() > 10 && !digits.starts_with('0'));
    let number: u64 = if all_digits && canonical {
        digits.parse().ok()?
    } else {
        return None;
    };
    (number > 0).then_some(Epoch(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_order_by_number() {
        let epochs = [1, 9, 10, 9_999_999_999, 10_000_000_000, u64::MAX];
        let mut names: Vec<String> = epochs.iter().map(|e| segment(Epoch(*e))).collect();
        names.sort();
        let listing = Listing::of(names);
        assert_eq!(listing.segments, epochs.map(Epoch));
    }

    #[test]
    fn names_have_at_least_ten_digits() {
        for number in [0, 7, 9_999_999_999, 10_000_000_000, u64::MAX] {
            assert_eq!(segment(Epoch(number)), format!("wal-{number:010}.jsonl"));
            assert_eq!(
                snapshot(Epoch(number)),
                format!("snapshot-{number:010}.json")
            );
        }
    }

    #[test]
    fn only_canonical_names_are_ours() {
        let strays = [
            "wal-1.jsonl",
            "wal-00000000001.jsonl",
            "wal-0000000000.jsonl",
            "wal-+000000001.jsonl",
            "wal-0000000001.json",
            "snapshot-0000000001.jsonl",
            "WAL-0000000001.jsonl",
            "notes.txt",
        ];
        let listing = Listing::of(strays.iter().map(ToString::to_string).collect());
        assert_eq!(listing.strays, strays);
        assert!(listing.is_new());
    }

    #[test]
    fn temporaries_are_unfinished_files_of_ours_alone() {
        let ours = ["snapshot-0000000003.json.tmp", "wal-0000000003.jsonl.tmp"];
        let foreign = [
            "report.docx.tmp",
            "wal-3.jsonl.tmp",
            "wal-0000000003.tmp",
            ".tmp",
        ];
        let names = ours.iter().chain(&foreign).map(ToString::to_string);
        let listing = Listing::of(names.chain([LOCK.to_owned()]).collect());
        assert_eq!(listing.temporaries, ours);
        assert_eq!(listing.strays, foreign);
    }

    #[test]
    fn a_name_that_is_listed_twice_counts_once() {
        let name = segment(Epoch(1));
        let listing = Listing::of(vec![name.clone(), name, segment(Epoch(2))]);
        assert_eq!(listing.segments, [Epoch(1), Epoch(2)]);
    }

    #[test]
    fn a_name_that_differs_in_case_or_suffix_is_known_again() {
        for altered in [
            "WAL-0000000001.jsonl",
            "wal-0000000001.JSONL",
            "wal-0000000001.jsonl.gz",
            "wal-0000000001.jsonl~",
            "Snapshot-0000000001.json.bak",
            "snapshot-0000000001.json.1",
        ] {
            assert!(is_altered(altered), "{altered}");
        }
        for other in [
            "wal-1.jsonl",
            "wal-0000000001.json",
            "notes.json",
            "jsonl",
            "é.json",
        ] {
            assert!(!is_altered(other), "{other}");
        }
    }
}
