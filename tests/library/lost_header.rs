//! A segment whose header is damaged: what lenient readers still read, although nothing in the segment
//! says for certain which store its lines belong to.

use beaver::inspect;

use crate::support::*;
use crate::torn_tail::{forged, torn_after};

/// Where the store stands in a header of version 2.
const STORE_AT: std::ops::Range<usize> = 37..53;

/// Lenient readers show these events of `disk`, and so does the copy that repair makes.
fn check_shown(disk: &Memory, events: &[String], what: &str) {
    let (seen, report) = read_leniently(disk);
    assert_eq!(seen, events, "{what}");
    assert!(!report.skipped.is_empty(), "{what}");
    let stats = inspect::stats::<Line>(&disk.storage()).unwrap();
    assert_eq!(stats.events as usize, events.len(), "{what}");
    let out = Memory::new();
    let report = inspect::repair(&disk.storage(), &out.storage(), COPY).unwrap();
    assert_eq!(report.events as usize, events.len(), "{what}");
    assert_eq!(read_leniently(&out).0, events, "{what}");
}

/// Nothing is shown, and everyone says why.
fn check_unknown(disk: &Memory, what: &str) {
    check_shown(disk, &[], what);
    let (_, report) = read_leniently(disk);
    let stats = inspect::stats::<Line>(&disk.storage()).unwrap();
    let reasons = [&report.skipped[0].reason, &stats.problems[0].reason];
    for reason in reasons {
        assert!(reason.contains("which store"), "{what}: {reason}");
    }
}

/// The disks that damage to each bit of the header of the first segment leaves, and the byte of it.
fn flipped(disk: &Memory) -> impl Iterator<Item = (usize, Memory)> {
    let bytes = disk.bytes(WAL1);
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let disk = disk.copy();
    (0..header * 8).map(move |bit| {
        let disk = disk.copy();
        flip(&disk, WAL1, bit);
        (bit / 8, disk)
    })
}

#[test]
fn the_store_stands_in_its_place() {
    let text = log_of(1..=1).text(WAL1);
    assert_eq!(&text[STORE_AT], STORE.to_string());
}

#[test]
fn a_flipped_bit_in_a_header_hides_no_event_where_two_lines_are_left() {
    let closed = Memory::new();
    let mut wal = open(&closed);
    append(&mut wal, 1..=1);
    wal.close().unwrap();
    for (log, last) in [
        (log_of(1..=2), 2),
        (closed, 1),
        (Lines::first().event(1, 1).event(2, 2).disk(), 2),
        (Lines::first().event(1, 1).marker(1).disk(), 1),
        (Lines::first().event(1, 1).disk(), 1),
    ] {
        for (byte, disk) in flipped(&log) {
            check_shown(&disk, &numbered(1..=last), &format!("byte {byte}"));
        }
    }
}

#[test]
fn a_flipped_bit_in_a_header_hides_no_single_event_where_the_store_is_left() {
    for (byte, disk) in flipped(&log_of(1..=1)) {
        let what = format!("byte {byte}");
        match STORE_AT.contains(&byte) {
            true => check_unknown(&disk, &what),
            false => check_shown(&disk, &numbered(1..=1), &what),
        }
    }
}

#[test]
fn another_segment_or_a_snapshot_says_of_which_store_a_single_line_is() {
    let disk = log_of(1..=1);
    open(&disk).rotate().unwrap();
    let covered = disk.copy();
    covered.lose(WAL2);
    let end = Lines::first_of(STORE).event(1, 1).last_crc();
    let state = tape_state(1, 1, &["1"]);
    let document = snapshot_document_of(STORE, 1, 1, &end, &state);
    covered.put(&snapshot(1), document);
    for disk in [disk, covered] {
        for (byte, disk) in flipped(&disk) {
            check_shown(&disk, &numbered(1..=1), &format!("byte {byte}"));
        }
    }
}

/// A disk with a log of one event that reaches past the sector of the header, and some `after` it.
fn long_log(after: u64) -> Memory {
    let disk = Memory::new();
    let mut wal = open(&disk);
    wal.append(&[line(format!("\"{}\"", "x".repeat(600)))])
        .unwrap();
    append(&mut wal, 2..=1 + after);
    disk
}

fn zero_first_sector(disk: &Memory) {
    disk.edit(WAL1, |bytes| bytes[..512].fill(0));
}

#[test]
fn a_header_that_is_gone_hides_no_event_after_its_sector() {
    let shown = |last| numbered(2..=last);
    let alone = long_log(2);
    zero_first_sector(&alone);
    check_shown(&alone, &shown(3), "two lines fit the same store");
    let single = long_log(1);
    zero_first_sector(&single);
    check_unknown(&single, "one line fits any store");
    let neighbour = long_log(1);
    open(&neighbour).rotate().unwrap();
    zero_first_sector(&neighbour);
    check_shown(&neighbour, &shown(2), "the other segment says it");
    let old = Lines::first()
        .any_event(1, 1, false, &"1".repeat(600))
        .event(2, 2)
        .disk();
    zero_first_sector(&old);
    check_shown(&old, &shown(2), "version 1");
}

#[test]
fn two_lines_fit_the_same_store_also_where_damage_lies_between_them() {
    let disk = log_of(1..=5);
    disk.edit(WAL1, |bytes| bytes[..100].fill(b'x'));
    let text = disk.text(WAL1).replace("\"event\":2", "\"event\":9");
    disk.put(WAL1, text.replace("\"event\":3", "\"event\":9"));
    let shown = [numbered(1..=1), numbered(4..=5)].concat();
    check_shown(&disk, &shown, "events 2 and 3 are damaged");
}

#[test]
fn without_a_header_no_line_is_shown_that_a_client_has_made() {
    for inner in forged() {
        for (byte, disk) in flipped(&torn_after(&inner)) {
            let shown = match STORE_AT.contains(&byte) {
                // One line is left, and the torn one is none.
                true => vec![],
                false => numbered(1..=1),
            };
            check_shown(&disk, &shown, &format!("{inner} byte {byte}"));
        }
    }
}

#[test]
fn an_error_of_another_file_is_an_error() {
    let disk = log_of(1..=1);
    open(&disk).rotate().unwrap();
    flip(&disk, WAL1, STORE_AT.start * 8);
    let files = disk.files();
    let mut errors = 0;
    for nth in 0..9 {
        let disk = Memory::of(&files);
        disk.inject(Fault::on(Op::Read, WAL2).after(nth));
        let read = try_salvage(&disk, at(0, 0));
        assert_eq!(read.is_err(), disk.fired() > 0);
        errors += disk.fired();
    }
    assert!(errors > 1);
}
