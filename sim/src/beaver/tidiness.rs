//! Invariant 11, hygiene, and the bytes of invariant 5: which files may be there, and what in them
//! must never change.

use crate::faults::files::{segment_epoch, snapshot_epoch};
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::Files;
use crate::subject::Position;

/// Whether only the files that the protocol needs are left after a recovery without faults.
///
/// `used` is the snapshot that recovery loaded; `strays` are the foreign names that it reported; `keep`
/// old snapshots are kept besides the newest; recovery leaves at least one of them.
#[must_use]
pub(crate) fn after_recovery(
    names: &[&str],
    used: Option<Position>,
    strays: &[String],
    keep: u32,
) -> Option<Finding> {
    let foreign = names.iter().find(|name| {
        let ours = segment_epoch(name).is_some() || snapshot_epoch(name).is_some();
        !ours && **name != "LOCK" && !strays.iter().any(|stray| stray == *name)
    });
    if let Some(name) = foreign {
        let expected = "only files of the store, or foreign ones that are reported";
        return Some(Finding::new(
            Invariant::Hygiene,
            expected,
            format!("{name}, not reported"),
        ));
    }
    let mut segments: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_epoch(name))
        .collect();
    let mut snapshots: Vec<u64> = names
        .iter()
        .filter_map(|name| snapshot_epoch(name))
        .collect();
    segments.sort_unstable();
    snapshots.sort_unstable();
    // The removals of an interrupted prune may be lost in any order, so there may be gaps in what the oldest
    // snapshot covers that is to be kept.
    let oldest_kept = snapshots.iter().rev().nth(keep as usize).unwrap_or(&0);
    let mut gaps = segments.windows(2).filter(|pair| pair[0] + 1 != pair[1]);
    if let Some(gap) = gaps.find(|pair| pair[1] > oldest_kept + 1) {
        let expected = format!("segment {} after {}", gap[0] + 1, gap[0]);
        return Some(Finding::new(
            Invariant::Positions,
            expected,
            format!("segment {}", gap[1]),
        ));
    }
    let used = used.map(|place| place.epoch);
    if used != snapshots.last().copied() {
        let expected = "the newest snapshot to be used";
        let found = format!("snapshots {snapshots:?}, used {used:?}");
        return Some(Finding::new(Invariant::Availability, expected, found));
    }
    // The fall-back is the oldest snapshot that is kept, or the whole log where there are not as many.
    let most = keep.max(1) as usize + 1;
    let lowest_needed = match snapshots.len().checked_sub(most) {
        Some(oldest) => snapshots[oldest] + 1,
        None if snapshots.is_empty() => 1,
        None => segments.first().copied().unwrap_or(1),
    };
    let leftover_segment = segments.first().is_some_and(|first| *first < lowest_needed);
    if leftover_segment || snapshots.len() > most {
        let expected = format!("nothing below the fall-back: segments from {lowest_needed} on");
        let found = format!("segments {segments:?}, snapshots {snapshots:?}");
        return Some(Finding::new(Invariant::Hygiene, expected, found));
    }
    None
}

/// Whether a checkpoint without faults has kept disk use bounded: `keep` old snapshots, and the
/// segments from the oldest on.
#[must_use]
pub(crate) fn after_checkpoint(names: &[&str], keep: u32) -> Option<Finding> {
    let segments = names.iter().filter_map(|name| segment_epoch(name));
    let snapshots: Vec<u64> = names
        .iter()
        .filter_map(|name| snapshot_epoch(name))
        .collect();
    let most = keep as usize + 1;
    let oldest = snapshots.iter().min().copied().unwrap_or(0);
    // With fewer snapshots than are kept, the log back to its start is the fall-back.
    let below = segments.filter(|epoch| *epoch <= oldest).count();
    if snapshots.len() > most || (snapshots.len() == most && below > 0) {
        let expected = format!("at most {most} snapshots and no segment below the oldest");
        let found = format!("{} snapshots and {below} segments below", snapshots.len());
        return Some(Finding::new(Invariant::Hygiene, expected, found));
    }
    None
}

/// Whether the newest `stay` snapshots of those that were there `before` are still there, with the
/// segments above them; of fewer, all of the log that reaches back without a gap.
#[must_use]
pub(crate) fn fall_back_stays(before: &[&str], after: &[&str], stay: usize) -> Option<Finding> {
    let mut snapshots: Vec<u64> = before
        .iter()
        .filter_map(|name| snapshot_epoch(name))
        .collect();
    snapshots.sort_unstable_by(|a, b| b.cmp(a));
    let oldest = match stay.checked_sub(1) {
        None => return None,
        Some(last) => snapshots.get(last).copied().unwrap_or(0),
    };
    let segments: Vec<u64> = before
        .iter()
        .filter_map(|name| segment_epoch(name))
        .collect();
    let newest = segments.iter().max().copied().unwrap_or(0);
    let reached = (oldest + 1..=newest).rev();
    let reached = reached.take_while(|epoch| segments.contains(epoch));
    let lowest = reached.last().unwrap_or(newest);
    let needed = before.iter().filter(|name| {
        let snapshot = snapshot_epoch(name).filter(|epoch| *epoch >= oldest && stay > 0);
        let segment = segment_epoch(name).filter(|epoch| *epoch >= lowest);
        snapshot.or(segment).is_some()
    });
    let gone = needed.into_iter().find(|name| !after.contains(name))?;
    let expected = format!("{gone} to stay: what is kept to fall back to needs it");
    let found = format!("{} files, and not that one", after.len());
    Some(Finding::new(Invariant::Availability, expected, found))
}

/// The bytes that no later recovery may change: of each segment everything but free space at its
/// end, snapshots whole.
#[must_use]
pub(crate) fn accepted(files: &Files) -> Files {
    let ours = files
        .iter()
        .filter(|(name, _)| segment_epoch(name).is_some() || snapshot_epoch(name).is_some());
    ours.map(|(name, bytes)| {
        let free = bytes
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b'\n' | 0));
        let end = bytes.len() - free.count();
        (name.clone(), bytes[..end].to_vec())
    })
    .collect()
}

/// The first file that differs. `may_go` says that a removal had failed before, so that files may
/// go now.
#[must_use]
pub(crate) fn compare(before: &Files, after: &Files, may_go: bool) -> Option<Finding> {
    for (name, bytes) in before {
        match after.get(name) {
            Some(now) if now == bytes => {}
            Some(now) => {
                let same = bytes.iter().zip(now).take_while(|(a, b)| a == b).count();
                let expected = format!("{name} as it was: {} bytes", bytes.len());
                let found = format!("{} bytes, different from byte {same} on", now.len());
                return Some(Finding::new(Invariant::Idempotence, expected, found));
            }
            None if may_go => {}
            None => {
                return Some(Finding::new(
                    Invariant::Idempotence,
                    format!("{name} to be there"),
                    "it is gone",
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT_2: &str = "wal-0000000002.jsonl";
    const SEGMENT_3: &str = "wal-0000000003.jsonl";
    const SNAPSHOT_2: &str = "snapshot-0000000002.json";

    #[test]
    fn a_tidy_store_is_accepted() {
        let used = Some(Position { epoch: 2, seq: 9 });
        let names = ["LOCK", SNAPSHOT_2, SEGMENT_2, SEGMENT_3];
        assert_eq!(after_checkpoint(&[SNAPSHOT_2, SEGMENT_3], 0), None);
        assert!(after_checkpoint(&[SNAPSHOT_2, SEGMENT_2, SEGMENT_3], 0).is_some());
        assert_eq!(after_recovery(&names, used, &[], 1), None);
        assert_eq!(after_checkpoint(&names, 1), None);
    }

    #[test]
    fn leftovers_gaps_and_foreign_names_are_found() {
        let used = Some(Position { epoch: 2, seq: 9 });
        let check = |names: &[&str]| after_recovery(names, used, &[], 1).map(|f| f.invariant);
        assert_eq!(
            check(&[SNAPSHOT_2, SEGMENT_3, "x.tmp"]),
            Some(Invariant::Hygiene)
        );
        assert_eq!(
            check(&[SNAPSHOT_2, "wal-0000000001.jsonl", SEGMENT_3]),
            Some(Invariant::Positions)
        );
        assert_eq!(
            check(&[SEGMENT_2, SEGMENT_3]),
            Some(Invariant::Availability)
        );
        let older = "snapshot-0000000001.json";
        let first = "wal-0000000001.jsonl";
        let names = [older, SNAPSHOT_2, first, SEGMENT_2, SEGMENT_3];
        assert_eq!(check(&names), Some(Invariant::Hygiene));
        assert!(after_checkpoint(&[older, SNAPSHOT_2, "snapshot-0000000003.json"], 1).is_some());
    }

    #[test]
    fn as_many_old_snapshots_may_stay_as_are_kept() {
        let used = Some(Position { epoch: 2, seq: 9 });
        let older = ["snapshot-0000000001.json", SNAPSHOT_2];
        let all = [&older[..], &["wal-0000000001.jsonl", SEGMENT_2, SEGMENT_3]].concat();
        for (keep, whole_log_may_stay) in [(0, false), (1, false), (2, true), (3, true)] {
            let found = after_recovery(&all, used, &[], keep);
            assert_eq!(found.is_none(), whole_log_may_stay, "{keep}: {found:?}");
            let cut = [&older[..], &[SEGMENT_2, SEGMENT_3]].concat();
            assert_eq!(after_recovery(&cut, used, &[], keep), None, "{keep}");
        }
        let used = Some(Position { epoch: 3, seq: 9 });
        let last = [
            "snapshot-0000000003.json",
            SEGMENT_3,
            "wal-0000000004.jsonl",
        ];
        let three = [&older[..], &last].concat();
        assert!(after_recovery(&three, used, &[], 1).is_some());
        assert_eq!(after_recovery(&three, used, &[], 2), None);
    }

    #[test]
    fn what_is_kept_to_fall_back_to_stays() {
        let older = "snapshot-0000000001.json";
        let before = ["LOCK", older, SNAPSHOT_2, SEGMENT_2, SEGMENT_3];
        let gone = |name: &str, stay| {
            let after: Vec<&str> = before
                .iter()
                .copied()
                .filter(|kept| *kept != name)
                .collect();
            fall_back_stays(&before, &after, stay).is_some()
        };
        for (stay, needed) in [
            (0, &[][..]),
            (1, &[SNAPSHOT_2, SEGMENT_3]),
            (2, &[older, SNAPSHOT_2, SEGMENT_2, SEGMENT_3]),
            (3, &[older, SNAPSHOT_2, SEGMENT_2, SEGMENT_3]),
        ] {
            for name in before {
                assert_eq!(gone(name, stay), needed.contains(&name), "{stay}: {name}");
            }
        }
        // A leftover below a gap is no way back.
        let before = ["wal-0000000001.jsonl", SNAPSHOT_2, SEGMENT_3];
        assert_eq!(fall_back_stays(&before, &before[1..], 2), None);
    }

    #[test]
    fn free_space_may_change_and_accepted_bytes_may_not() {
        let files = |text: &str| -> Files { [(SEGMENT_2.to_owned(), text.into())].into() };
        let before = accepted(&files("{}\n\n\n\0\0"));
        assert_eq!(compare(&before, &accepted(&files("{}\n")), false), None);
        assert!(compare(&before, &accepted(&files("{x}\n")), true).is_some());
        assert!(compare(&before, &Files::new(), false).is_some());
        assert!(compare(&before, &Files::new(), true).is_none());
    }
}
