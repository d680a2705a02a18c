//! Invariant 8, honesty: which refusals and which losses injected damage explains.
//!
//! Beside the answers of the store, this looks at the bytes of the files, as the documented format
//! lays them out: before the damage, and as recovery found them. Only so can it know whether a proof
//! was left that should have kept recovery from returning a shorter history.

use std::ops::Range;

use crate::faults::files::{segment_epoch, segment_name, snapshot_epoch};
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::subject::Position;

/// What one line of a segment says, of the fields that can be a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The header.
    Header,
    /// An event, and the first event of its batch.
    Event { seq: u64, batch: u64 },
    /// Everything up to `synced` is durable.
    Marker { synced: u64 },
    /// Anything else.
    Other,
}

/// Whether the store may return a history that ends before `missing_first`, the first of the
/// acknowledged events that are gone.
///
/// `append_last` is the last seq of the atomic append that this event begins: damage to any of its
/// events takes all of them.
///
/// `before` are the files as they would be without the damage, `found` are the files that recovery
/// met, as they are on the disk.
///
/// # Errors
/// The proof that was left, or why the damage does not explain the loss.
pub(super) fn excuse_loss(
    before: &Files,
    found: &Files,
    missing_first: Position,
    append_last: u64,
) -> Result<(), Finding> {
    let epochs = before.keys().filter_map(|name| segment_epoch(name));
    let newest = epochs.max().unwrap_or(0);
    if missing_first.epoch != newest {
        let expected = format!("no event missing below the active segment {newest}");
        return Err(not_excused(expected, missing_first));
    }
    let name = segment_name(newest);
    let empty = Vec::new();
    let old = before.get(&name).unwrap_or(&empty);
    let new = found.get(&name).unwrap_or(&empty);
    let lines = lines(old);
    let intact = |line: &Range<usize>| new.get(line.clone()) == old.get(line.clone());
    // Nothing after the append explains that it is gone: what the cache alone showed is missing there.
    let ends = |says: &Says| matches!(says, Says::Event { seq, .. } if *seq == append_last);
    let end = lines.iter().position(|(_, says)| ends(says));
    let up_to = &lines[..end.map_or(lines.len(), |last| last + 1)];
    let damaged = up_to.iter().position(|(range, _)| !intact(range));
    let Some(damaged) = damaged else {
        let expected = format!("damage at or before event {missing_first} in {name}");
        return Err(not_excused(expected, missing_first));
    };
    let batch = lines.iter().find_map(|(_, says)| match says {
        Says::Event { seq, batch } if *seq == missing_first.seq => Some(*batch),
        _ => None,
    });
    let batch = batch.unwrap_or(missing_first.seq);
    for (range, says) in &lines[damaged..] {
        let proves = match says {
            // The first event of a batch was written only when everything before it was durable.
            Says::Event { seq, batch: its } => *its > batch || its == seq,
            Says::Marker { synced } => *synced >= missing_first.seq,
            Says::Header | Says::Other => false,
        };
        if proves && intact(range) {
            let place = format!("{name}, byte {}", range.start);
            let expected = format!("a refusal: the undamaged line at {place} proves the event");
            return Err(not_excused(expected, missing_first));
        }
    }
    let snapshots = before.iter().filter(|(name, bytes)| {
        snapshot_epoch(name).is_some_and(|epoch| epoch >= missing_first.epoch)
            && found.get(*name) == Some(bytes)
    });
    match snapshots.map(|(name, _)| name).next() {
        Some(snapshot) => {
            let expected = format!("a refusal: the undamaged {snapshot} proves the event");
            Err(not_excused(expected, missing_first))
        }
        None => Ok(()),
    }
}

fn not_excused(expected: String, missing_first: Position) -> Finding {
    let found = format!("a shorter history: event {missing_first} is missing");
    Finding::new(Invariant::Honesty, expected, found)
}

/// Whether a refusal that names `file` (or none) is explained by what was damaged.
///
/// # Errors
/// A refusal that no injected damage explains.
pub(super) fn excuse_refusal(
    damage: &InjectedDamage,
    file: Option<&str>,
    refusal: &str,
) -> Result<(), Finding> {
    let explained = match file {
        Some(file) => {
            // A whole header is refused where it does not seal what damage has left of the segment
            // before it.
            let before = segment_epoch(file).and_then(|epoch| epoch.checked_sub(1));
            damage.touches(file) || before.is_some_and(|epoch| damage.touches(&segment_name(epoch)))
        }
        None => !damage.is_empty(),
    };
    if explained {
        return Ok(());
    }
    let expected = "recovery to succeed: no injected damage explains a refusal";
    Err(Finding::new(Invariant::Honesty, expected, refusal))
}

/// Whether no snapshot, and not the whole log either, is left from which a store could have opened: one
/// that is not damaged, with every segment above it.
///
/// # Errors
/// There is such a way.
pub(super) fn no_way_left(
    damage: &InjectedDamage,
    found: &Files,
    refusal: &str,
) -> Result<(), Finding> {
    let whole = |name: &String| found.contains_key(name) && !damage.touches(name);
    let snapshots = found.keys().filter(|name| whole(name));
    let bases = snapshots.filter_map(|name| snapshot_epoch(name)).chain([0]);
    let newest = found.keys().filter_map(|name| segment_epoch(name)).max();
    let newest = newest.unwrap_or(0);
    let mut bases = bases.filter(|base| {
        *base < newest && (base + 1..=newest).all(|epoch| whole(&segment_name(epoch)))
    });
    let Some(base) = bases.next() else {
        return Ok(());
    };
    let way = match base {
        0 => "the whole log".to_owned(),
        epoch => format!("the snapshot of epoch {epoch} and the segments above it"),
    };
    let expected = format!("to open from {way}: nothing is wrong with them");
    Err(Finding::new(Invariant::Availability, expected, refusal))
}

/// The whole lines of a segment, newline included, with what they say.
fn lines(bytes: &[u8]) -> Vec<(Range<usize>, Says)> {
    let mut lines = Vec::new();
    let mut start = 0;
    while let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') {
        let end = start + length + 1;
        if length > 0 {
            lines.push((start..end, says(&bytes[start..end - 1])));
        }
        start = end;
    }
    lines
}

fn says(line: &[u8]) -> Says {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
        return Says::Other;
    };
    let number = |field| value.get(field).and_then(serde_json::Value::as_u64);
    match (number("seq"), number("synced"), value.get("wal")) {
        (Some(seq), _, _) => Says::Event {
            seq,
            batch: number("batch").unwrap_or(seq),
        },
        (_, Some(synced), _) => Says::Marker { synced },
        (_, _, Some(_)) => Says::Header,
        _ => Says::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: &str = concat!(
        "{\"wal\":\"beaver\",\"epoch\":2}\n",
        "{\"seq\":1,\"event\":{}}\n",
        "{\"seq\":2,\"event\":{}}\n",
        "{\"seq\":3,\"batch\":2,\"event\":{}}\n",
    );

    fn files(segment: &str) -> Files {
        [(segment_name(2), segment.as_bytes().to_vec())].into()
    }

    fn check(before: &str, found: &str, missing: u64) -> Result<(), Finding> {
        let missing_first = Position {
            epoch: 2,
            seq: missing,
        };
        excuse_loss(&files(before), &files(found), missing_first, missing)
    }

    #[test]
    fn a_loss_in_the_last_batch_that_damage_explains_is_excused() {
        let found = SEGMENT.replace("{\"seq\":2", "{\"sex\":2");
        assert_eq!(check(SEGMENT, &found, 2), Ok(()));
    }

    #[test]
    fn damage_to_the_end_of_an_append_takes_all_of_it() {
        let found = SEGMENT.replace("{\"seq\":3", "{\"sex\":3");
        let missing_first = Position { epoch: 2, seq: 2 };
        let excuse = |last| excuse_loss(&files(SEGMENT), &files(&found), missing_first, last);
        assert_eq!(excuse(3), Ok(()));
        assert!(excuse(2).is_err());
    }

    #[test]
    fn a_loss_without_damage_is_not_excused() {
        assert!(check(SEGMENT, SEGMENT, 2).is_err());
        let found = SEGMENT.replace("{\"seq\":3", "{\"sex\":3");
        assert!(check(SEGMENT, &found, 2).is_err());
    }

    #[test]
    fn damage_after_the_event_does_not_explain_its_loss() {
        let before = SEGMENT.replace(
            "{\"seq\":2",
            "{\"synced\":1,\"crc\":\"00000000\"}\n{\"seq\":2",
        );
        let found = before
            .replace("synced", "sinked")
            .replace("{\"seq\":2", "{\"sex\":2");
        let found = found.replace("{\"seq\":3", "{\"sex\":3");
        assert!(check(&before, &found, 1).is_err());
    }

    #[test]
    fn a_loss_that_an_event_of_a_later_batch_disproves_is_not_excused() {
        let found = SEGMENT.replace("{\"seq\":1", "{\"sex\":1");
        assert!(check(SEGMENT, &found, 1).is_err());
    }

    #[test]
    fn a_loss_that_the_first_event_of_a_batch_disproves_is_not_excused() {
        let before = SEGMENT.replace(
            "{\"seq\":2,\"event",
            "{\"synced\":1,\"crc\":\"00000000\"}\n{\"seq\":2,\"event",
        );
        let found = before.replace("synced", "sinked");
        assert!(check(&before, &found, 2).is_err());
    }

    #[test]
    fn a_loss_that_a_marker_disproves_is_not_excused() {
        let before = format!("{SEGMENT}{{\"synced\":3,\"crc\":\"00000000\"}}\n");
        let found = before.replace("{\"seq\":3", "{\"sex\":3");
        assert!(check(&before, &found, 3).is_err());
        let cut = &before[..before.find("{\"seq\":3").unwrap()];
        assert_eq!(check(&before, cut, 3), Ok(()));
    }

    #[test]
    fn a_loss_that_a_snapshot_disproves_is_not_excused() {
        let found = SEGMENT.replace("{\"seq\":3", "{\"sex\":3");
        let mut before = files(SEGMENT);
        let mut after = files(&found);
        for files in [&mut before, &mut after] {
            files.insert("snapshot-0000000002.json".to_owned(), b"{}\n".to_vec());
        }
        let missing_first = Position { epoch: 2, seq: 3 };
        assert!(excuse_loss(&before, &after, missing_first, 3).is_err());
    }

    #[test]
    fn a_loss_below_the_active_segment_is_not_excused() {
        let missing_first = Position { epoch: 1, seq: 3 };
        let found = files(&SEGMENT.replace('s', "z"));
        assert!(excuse_loss(&files(SEGMENT), &found, missing_first, 3).is_err());
    }

    #[test]
    fn a_refusal_is_right_only_where_no_way_is_left() {
        let (one, two) = (segment_name(1), segment_name(2));
        let snapshot = |epoch: u64| format!("snapshot-{epoch:010}.json");
        let names = [one.clone(), two.clone(), snapshot(1)];
        let found: Files = names.map(|name| (name, b"x".to_vec())).into();
        let check = |damaged: &[&String]| {
            let mut after = found.clone();
            damaged.iter().for_each(|name| drop(after.remove(*name)));
            let mut damage = InjectedDamage::default();
            damage.remember(&found, &after);
            no_way_left(&damage, &found, "corrupt").is_ok()
        };
        assert!(!check(&[]));
        assert!(!check(&[&snapshot(1)]), "the whole log is left");
        assert!(!check(&[&one]), "the snapshot is left");
        assert!(check(&[&one, &snapshot(1)]));
        assert!(check(&[&two]), "without the newest segment there is no way");
    }

    #[test]
    fn a_refusal_needs_damage_in_the_file_that_it_names() {
        let mut damage = InjectedDamage::default();
        assert!(excuse_refusal(&damage, None, "corrupt").is_err());
        damage.remember(&files(SEGMENT), &files("x"));
        assert_eq!(excuse_refusal(&damage, Some(&segment_name(2)), ""), Ok(()));
        assert!(excuse_refusal(&damage, Some("wal-0000000001.jsonl"), "").is_err());
    }
}
