//! Repair: a new directory with everything that can be saved and a note of everything that cannot.

use beaver::inspect::{self, RepairReport};
use beaver::{ChecksumKind, Error, Wal};

use crate::support::*;

/// The repaired copy: a strict reader reads it, nothing is wrong with it, and the original is as it
/// was.
fn repair(disk: &Memory) -> (Memory, RepairReport) {
    let (before, out) = (disk.files(), Memory::new());
    let report = inspect::repair(&disk.storage(), &out.storage(), COPY).unwrap();
    assert_eq!(disk.files(), before);
    assert_eq!(inspect::validate::<Line>(&out.storage()).unwrap(), []);
    assert_eq!(
        out.power_cut().files(),
        out.files(),
        "durable, and nothing unfinished"
    );
    assert_eq!(out.names().last(), Some(&wal(report.epoch.0)));
    (out, report)
}

/// The missing ranges of a report.
fn lost(report: &RepairReport) -> Vec<(u64, u64, u64)> {
    let lost = report.lost.iter();
    lost.map(|lost| (lost.from.epoch.0, lost.from.seq.0, lost.to.0))
        .collect()
}

/// The segments of a copy have these bytes.
fn check_copied(out: &Memory, segments: &[&Lines]) {
    for segment in segments {
        let text = String::from_utf8(segment.bytes.clone()).unwrap();
        assert_eq!(out.text(&wal(segment.epoch)), text);
    }
}

/// Repairing `log` gives the lines of `repaired` in a store of its own, and a fresh epoch, whatever
/// version the log has.
fn check(log: &Lines, repaired: &Lines, last: u64) -> RepairReport {
    let repaired = repaired.under(Lines::first_of(COPY));
    let reports = [log, &log.under(Lines::first_of(STORE))].map(|log| {
        let (out, report) = repair(&log.disk());
        check_copied(&out, &[&repaired, &repaired.next(COPY, last)]);
        report
    });
    let [old, new] = reports;
    assert_eq!((old.events, &old.lost), (new.events, &new.lost));
    assert_eq!(old.problems.len(), new.problems.len());
    old
}

#[test]
fn a_whole_log_is_copied_and_sealed_and_a_fresh_epoch_follows() {
    let log = Lines::first().event(1, 1).more(2, 2).event(3, 2).marker(3);
    let report = check(&log, &log, 3);
    assert_eq!(
        (
            report.events,
            report.epoch.0,
            report.problems.len(),
            lost(&report).len()
        ),
        (3, 2, 0, 0)
    );
    check(&log.clone().raw("\n\n\0"), &log, 3);
}

#[test]
fn a_range_that_is_missing_is_noted_and_the_rest_is_kept_as_it_stands() {
    let log = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .damaged(3, 3)
        .event(4, 4)
        .event(5, 4);
    let report = check(
        &log,
        &Lines::first()
            .event(1, 1)
            .lost(2, 3)
            .event(4, 4)
            .event(5, 4),
        5,
    );
    assert_eq!(
        (report.events, lost(&report), report.problems.len()),
        (3, vec![(1, 2, 3)], 1)
    );
}

#[test]
fn survivors_of_a_damaged_append_count_as_lost() {
    let log = Lines::first()
        .event(1, 1)
        .more(2, 2)
        .damaged(3, 2)
        .more(4, 2)
        .event(5, 2)
        .event(6, 6);
    check(&log, &Lines::first().event(1, 1).lost(2, 5).event(6, 6), 6);
    let log = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .event(3, 2)
        .event(4, 2)
        .event(5, 5);
    check(
        &log,
        &Lines::first()
            .event(1, 1)
            .lost(2, 3)
            .event(4, 2)
            .event(5, 5),
        5,
    );
}

#[test]
fn damage_that_took_no_event_takes_none() {
    let twice = Lines::headless(1).event(2, 1).bytes;
    let log = Lines::first()
        .event(1, 1)
        .event(2, 1)
        .raw(&twice)
        .event(3, 1)
        .event(4, 4);
    let report = check(
        &log,
        &Lines::first()
            .event(1, 1)
            .event(2, 1)
            .event(3, 1)
            .event(4, 4),
        4,
    );
    assert_eq!((report.problems.len(), lost(&report).len()), (1, 0));
}

#[test]
fn a_marker_says_how_much_is_missing() {
    let log = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .damaged(3, 3)
        .marker(3);
    let report = check(&log, &Lines::first().event(1, 1).lost(2, 3).marker(3), 3);
    assert_eq!(report.torn_tail, None);
}

#[test]
fn an_unfinished_end_is_left_out_and_its_positions_are_not_used_again() {
    let log = Lines::first().event(1, 1).more(2, 2).raw("torn");
    let report = check(&log, &Lines::first().event(1, 1), 1);
    assert!(report.problems.is_empty() && report.torn_tail.is_some());
    let (out, _) = repair(&log.disk());
    assert_eq!(open(&out).append(&[line(2)]).unwrap(), at(2, 1));
}

#[test]
fn a_header_is_made_anew_from_the_name_and_the_neighbours() {
    let disk = Lines::first().event(1, 1).event(2, 2).disk();
    Lines::headless(2).raw("{\"wal\"\n").event(1, 1).on(&disk);
    Lines::after(3, 1).event(1, 1).on(&disk);
    let (out, report) = repair(&disk);
    let first = Lines::first_of(COPY).event(1, 1).event(2, 2);
    let second = first.next(COPY, 2).event(1, 1);
    check_copied(&out, &[&first, &second, &second.next(COPY, 1).event(1, 1)]);
    assert_eq!((report.new_headers, report.events), (vec![wal(2)], 4));
    assert_eq!(tape(&out), ["1", "2", "1", "1"]);
}

#[test]
fn what_the_next_header_says_is_missing_at_the_end_is_noted() {
    let disk = Lines::first().event(1, 1).raw("junk").disk();
    Lines::after(2, 4).event(1, 1).on(&disk);
    let (out, report) = repair(&disk);
    let first = Lines::first_of(COPY).event(1, 1).lost(2, 4);
    check_copied(&out, &[&first, &first.next(COPY, 4).event(1, 1)]);
    assert_eq!((lost(&report), report.torn_tail), (vec![(1, 2, 4)], None));
    assert_eq!(report.problems.len(), 1);
}

#[test]
fn a_missing_segment_is_noted_from_what_the_next_one_seals() {
    let disk = Lines::first().event(1, 1).disk();
    Lines::after(3, 4).event(1, 1).on(&disk);
    let (out, report) = repair(&disk);
    let first = Lines::first_of(COPY).event(1, 1);
    let second = first.next(COPY, 1).lost(1, 4);
    check_copied(&out, &[&first, &second, &second.next(COPY, 4).event(1, 1)]);
    assert_eq!(
        (lost(&report), report.new_headers),
        (vec![(2, 1, 4)], vec![wal(2)])
    );
    assert_eq!(tape(&out), ["1", "1"]);
}

#[test]
fn events_after_a_seal_are_believed_and_the_header_is_made_anew() {
    let disk = Lines::first().event(1, 1).event(2, 2).disk();
    Lines::after(2, 1).event(1, 1).on(&disk);
    let (out, report) = repair(&disk);
    let first = Lines::first_of(COPY).event(1, 1).event(2, 2);
    check_copied(&out, &[&first, &first.next(COPY, 2).event(1, 1)]);
    assert_eq!(
        (report.problems.len(), report.new_headers),
        (1, vec![wal(2)])
    );
    assert_eq!(tape(&out), ["1", "2", "1"]);
}

#[test]
fn events_after_a_snapshot_of_their_epoch_are_left_out_and_reported() {
    let disk = Lines::first().event(1, 1).event(2, 2).event(3, 3).disk();
    Lines::after(2, 3).event(1, 1).on(&disk);
    put_snapshot(&disk, 1, 2, &["1", "2"]);
    let (out, report) = repair(&disk);
    let first = Lines::first_of(COPY).event(1, 1).event(2, 2);
    check_copied(&out, &[&first, &first.next(COPY, 2).event(1, 1)]);
    let state = tape_state(1, 2, &["1", "2"]);
    assert_eq!(
        out.text(&snapshot(1)),
        snapshot_document_of(COPY, 1, 2, &first.last_crc(), &state)
    );
    assert_eq!(report.problems.len(), 2);
    assert_eq!(tape(&out), ["1", "2", "1"]);
}

#[test]
fn valid_snapshots_are_copied_and_the_store_opens_with_them() {
    // In the header, which is made anew, and in an event, which is lost.
    for bit in [900, 1300] {
        let disk = store_with(3, store_options());
        flip(&disk, &wal(3), bit);
        let (out, report) = repair(&disk);
        assert_eq!(report.snapshots, [snapshot(2), snapshot(3)]);
        assert_eq!(lost(&report).is_empty(), bit == 900);
        // The segment before the older snapshot is not there, so its last line is known from there alone.
        for (epoch, last, store) in [(2, 4, STORE), (3, 6, COPY)] {
            let tape = numbers(1..=last);
            let tape: Vec<&str> = tape.iter().map(String::as_str).collect();
            let (state, crc) = (
                tape_state(epoch, 2, &tape),
                event_crc(store, epoch, 2, &last.to_string()),
            );
            assert_eq!(
                out.text(&snapshot(epoch)),
                snapshot_document_of(COPY, epoch, 2, &crc, &state)
            );
        }
        // What leads from the older snapshot to the newer one comes along.
        assert_eq!(out.names()[2..4], [wal(3), wal(4)]);
        assert_eq!(tape(&out), numbers(1..=8));
    }
}

#[test]
fn a_damaged_snapshot_is_reported_and_not_copied() {
    let disk = store_with(3, store_options());
    flip(&disk, &snapshot(3), 333);
    let (out, report) = repair(&disk);
    assert_eq!(
        (report.snapshots, report.problems[0].file.clone()),
        (vec![snapshot(2)], snapshot(3))
    );
    assert_eq!(tape(&out), numbers(1..=8));
}

#[test]
fn a_snapshot_read_wrongly_once_is_copied_rightly() {
    let disk = store_with(2, store_options());
    let state = tape_state(2, 2, &["1", "2", "3", "4"]);
    let whole = snapshot_document_of(COPY, 2, 2, &event_crc(COPY, 2, 2, "4"), &state);
    let in_state = u64::try_from(whole.find("\"machine\"").unwrap()).unwrap();
    for nth in 0..4 {
        for offset in [90, in_state] {
            let disk = disk.copy();
            disk.inject(
                Fault::on(Op::Read, "snapshot-0000000002")
                    .wrong(offset, b'#')
                    .after(nth),
            );
            assert_eq!(repair(&disk).0.text(&snapshot(2)), whole);
        }
    }
}

#[test]
fn the_first_segment_keeps_its_own_header_where_nothing_else_tells() {
    let crc = event_crc(STORE, 4, 9, "9");
    for (log, crc) in [
        (Lines::after_of(STORE, 5, 9, &crc), crc.as_str()),
        // An old header does not say it.
        (Lines::after(5, 9), "00000000"),
    ] {
        let (disk, out) = (Memory::new(), Memory::new());
        log.event(1, 1).on(&disk);
        let report = inspect::repair(&disk.storage(), &out.storage(), COPY).unwrap();
        let first = Lines::after_of(COPY, 5, 9, crc).event(1, 1);
        check_copied(&out, &[&first, &first.next(COPY, 1)]);
        assert_eq!(report.new_headers.len(), 0);
        Wal::<Line>::open_after(out.storage(), at(4, 9), plain()).unwrap();
    }
}

#[test]
fn a_snapshot_tells_what_a_damaged_first_header_sealed() {
    let disk = store_with(3, store_options());
    disk.lose(&snapshot(3));
    flip(&disk, &wal(3), 70);
    let whole = Lines::after_of(COPY, 3, 2, &event_crc(STORE, 2, 2, "4"))
        .any_event(1, 1, false, "5")
        .any_event(2, 2, false, "6");
    let (out, report) = repair(&disk);
    assert_eq!(report.new_headers, [wal(3)]);
    check_copied(&out, &[&whole]);
    assert_eq!(
        tape(&out),
        numbers(1..=4)
            .into_iter()
            .chain(["5", "6", "7", "8"].map(str::to_owned))
            .collect::<Vec<_>>()
    );
}

#[test]
fn segments_lost_after_the_newest_snapshot_are_made_anew() {
    let disk = store_with(3, store_options());
    for epoch in [3, 4] {
        disk.lose(&wal(epoch));
    }
    let (out, report) = repair(&disk);
    assert_eq!((report.epoch.0, tape(&out)), (4, numbers(1..=6)));
    let disk = store_with(3, store_options());
    disk.lose(&wal(4));
    let (out, report) = repair(&disk);
    assert_eq!((report.epoch.0, tape(&out)), (4, numbers(1..=6)));
}

#[test]
fn segments_lost_between_the_snapshot_and_the_rest_are_made_anew() {
    let disk = store_with(3, keeping(9));
    for name in [snapshot(2), snapshot(3), wal(1), wal(2)] {
        disk.lose(&name);
    }
    let (out, report) = repair(&disk);
    assert_eq!(report.new_headers, [wal(2)]);
    assert_eq!(
        (lost(&report), tape(&out)),
        (
            vec![(2, 1, 2)],
            ["1", "2", "5", "6", "7", "8"].map(str::to_owned).to_vec()
        )
    );
}

#[test]
fn a_snapshot_at_the_end_proves_that_the_end_of_its_segment_is_missing() {
    let disk = Lines::first().event(1, 1).raw("junk").disk();
    put_snapshot(&disk, 1, 3, &["1", "2", "3"]);
    let (out, report) = repair(&disk);
    assert_eq!((lost(&report), report.torn_tail), (vec![(1, 2, 3)], None));
    assert_eq!(tape(&out), numbers(1..=3));
}

#[test]
fn a_repaired_log_repairs_to_itself() {
    let log = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .event(3, 3)
        .lost(4, 5)
        .event(6, 6)
        .marker(6);
    let (once, first) = repair(&log.disk());
    let (twice, second) = repair(&once);
    assert_eq!(twice.bytes(WAL1), once.bytes(WAL1));
    assert_eq!(
        (second.problems.len(), second.lost.clone()),
        (0, first.lost)
    );
    assert_eq!((first.epoch.0, second.epoch.0), (2, 3));
}

#[test]
fn a_repaired_store_opens_where_the_history_allows_it_and_says_what_is_lost() {
    let disk = store_with(2, store_options());
    commit(&mut recover(&disk).0, 7..=9);
    let text = disk.text(&wal(3)).replacen("\"event\":7", "\"event\":8", 1);
    disk.put(&wal(3), text);
    recover_error(&disk);
    let (out, _) = repair(&disk);
    let (mut store, report) = recover(&out);
    assert_eq!((report.lost[0].from, report.lost[0].to.0), (at(3, 3), 3));
    assert_eq!(store.state().0, ["1", "2", "3", "4", "5", "6", "8", "9"]);
    assert_eq!(try_commit(&mut store, 10).unwrap(), at(4, 1));
}

#[test]
fn there_must_be_something_to_repair() {
    let out = Memory::new();
    let error = inspect::repair(&Memory::new().storage(), &out.storage(), COPY).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    let disk = Memory::new();
    Lines::first().on(&disk);
    Lines::after(1_000_000, 0).on(&disk);
    let error = inspect::repair(&disk.storage(), &out.storage(), COPY).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    assert_eq!(out.names(), [""; 0]);
}

#[test]
fn a_newer_format_is_not_repaired() {
    let newer = "{\"wal\":\"beaver\",\"version\":3,\"x\":0";
    let disk = Lines::headless(1).line(ChecksumKind::Header, newer).disk();
    let result = inspect::repair(&disk.storage(), &Memory::new().storage(), COPY);
    assert!(matches!(result, Err(Error::Version { .. })));
}

#[test]
fn what_cannot_be_read_or_written_is_an_error() {
    let disk = store_with(2, store_options());
    for op in [
        Op::Create,
        Op::Write,
        Op::SyncData,
        Op::Rename,
        Op::SyncDir,
        Op::List,
    ] {
        let out = Memory::new();
        out.inject(Fault::on(op, ""));
        let result = inspect::repair(&disk.storage(), &out.storage(), COPY);
        assert!(matches!(result, Err(Error::Storage { .. })));
    }
    for name in ["wal", "snapshot"] {
        disk.inject(Fault::on(Op::Read, name));
        let result = inspect::repair(&disk.storage(), &Memory::new().storage(), COPY);
        assert!(matches!(result, Err(Error::Storage { .. })));
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_repaired_segment_of_many_damaged_batches_is_read_strictly() {
    let body = format!("\"{}\"", "x".repeat(9 << 20));
    let mut log = Lines::first();
    for batch in 0..10 {
        let first = batch * 3 + 1;
        log = log.damaged(first, first).event(first + 1, first).any_event(
            first + 2,
            first,
            false,
            &body,
        );
    }
    // Without this one, the last of the damaged batches would be a torn tail.
    log = log.event(31, 31);
    let (out, report) = repair(&log.disk());
    assert_eq!(
        (report.events, report.lost.len(), read(&out).len()),
        (11, 10, 11)
    );
}
