//! Recovery of a store: the newest usable snapshot, every event after it, and what is cleaned up.

use std::io::ErrorKind;

use beaver::{Epoch, Error, Store};

use crate::support::*;

/// Two snapshots and the segments that belong to them: 1 to 2, 3 to 4 under the snapshots, 5 and 6
/// after them.
fn two_snapshots() -> Memory {
    let disk = store_with(2, store_options());
    assert_eq!(disk.names(), [snapshot(1), snapshot(2), wal(2), wal(3)]);
    disk
}

#[test]
fn an_empty_directory_becomes_a_new_store() {
    let disk = Memory::new();
    let (store, report) = recover(&disk);
    assert_eq!(
        (store.applied(), report.snapshot, report.replayed),
        (at(0, 0), None, 0)
    );
    assert_eq!(disk.names(), [WAL1]);
}

#[test]
fn what_was_committed_is_there_after_a_crash() {
    let disk = Memory::new();
    let (mut store, _) = recover(&disk);
    for n in 1..=5 {
        commit(&mut store, n..=n);
        assert_eq!(tape(&disk.power_cut()), numbers(1..=n));
    }
}

#[test]
fn the_newest_snapshot_and_the_events_after_it_are_the_state() {
    let disk = two_snapshots();
    let (store, report) = recover(&disk);
    assert_eq!(store.state().0, numbers(1..=6));
    assert_eq!(
        (report.snapshot, report.replayed, store.applied()),
        (Some(at(2, 2)), 2, at(3, 2))
    );
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_one_before_and_is_reported() {
    for damage in [
        |disk: &Memory| flip(disk, &snapshot(2), 333),
        |disk: &Memory| cut(disk, &snapshot(2), 0),
    ] {
        let disk = two_snapshots();
        damage(&disk);
        let (store, report) = recover(&disk);
        assert_eq!(store.state().0, numbers(1..=6));
        assert_eq!((report.snapshot, report.replayed), (Some(at(1, 2)), 4));
        assert_eq!(report.damaged_snapshots[0].file, snapshot(2));
        assert_eq!(
            disk.names(),
            [snapshot(1), snapshot(2), wal(2), wal(3)],
            "left alone"
        );
    }
}

#[test]
fn without_a_usable_snapshot_the_whole_log_is_replayed() {
    let disk = store_with(1, store_options());
    assert_eq!(disk.names(), [snapshot(1), wal(1), wal(2)]);
    flip(&disk, &snapshot(1), 333);
    let (store, report) = recover(&disk);
    assert_eq!(
        (store.state().0.clone(), report.snapshot),
        (numbers(1..=4), None)
    );
}

#[test]
fn a_damaged_snapshot_and_no_complete_chain_is_a_typed_error() {
    let disk = two_snapshots();
    flip(&disk, &snapshot(2), 333);
    disk.lose(&wal(2));
    assert!(matches!(recover_error(&disk), Error::NoSnapshot { .. }));
    let disk = two_snapshots();
    flip(&disk, &snapshot(2), 333);
    flip(&disk, &snapshot(1), 333);
    let error = recover_error(&disk);
    assert!(
        matches!(&error, Error::NoSnapshot { reason } if reason.contains("snapshot-0000000001"))
    );
}

#[test]
fn a_snapshot_without_the_next_segment_is_a_typed_error() {
    let disk = two_snapshots();
    disk.lose(&wal(3));
    assert!(matches!(recover_error(&disk), Error::BrokenChain { epoch, .. } if epoch.0 == 3));
    disk.lose(&wal(2));
    recover_error(&disk);
    let disk = two_snapshots();
    flip(&disk, &snapshot(2), 333);
    disk.lose(&wal(3));
    assert!(
        matches!(recover_error(&disk), Error::BrokenChain { epoch, .. } if epoch.0 == 3),
        "a damaged one too"
    );
}

#[test]
fn lost_snapshots_are_never_a_new_store() {
    let disk = two_snapshots();
    disk.lose(&snapshot(1));
    disk.lose(&snapshot(2));
    assert!(matches!(recover_error(&disk), Error::BrokenChain { epoch, .. } if epoch.0 == 1));
}

/// Puts a snapshot of epoch 2 on a disk, of the store itself.
fn put_own_snapshot(disk: &Memory, last_seq: u64, crc: &str) {
    let state = tape_state(2, last_seq, &["9"]);
    disk.put(
        &snapshot(2),
        snapshot_document_of(STORE, 2, last_seq, crc, &state),
    );
}

#[test]
fn a_snapshot_that_the_next_segment_does_not_follow_is_refused() {
    for last_seq in [1, 3] {
        let disk = two_snapshots();
        put_own_snapshot(&disk, last_seq, &event_crc(STORE, 2, 1, "3"));
        let error = recover_error(&disk);
        assert!(
            matches!(&error, Error::Corrupt { file, .. } if *file == wal(3)),
            "{error}"
        );
    }
    // The line that it says it ends with is another one.
    let disk = two_snapshots();
    for last_seq in [1, 2] {
        put_own_snapshot(&disk, last_seq, "00000000");
        let error = recover_error(&disk);
        assert!(
            matches!(&error, Error::BrokenChain { epoch: Epoch(2), reason }
                if reason.contains(&snapshot(2)) && reason.contains("wal-")),
            "{error}"
        );
    }
}

#[test]
fn a_snapshot_of_a_newer_version_is_never_passed_over() {
    let disk = two_snapshots();
    let newer = "{\"snapshot\":\"beaver\",\"version\":3,\"x\":0";
    disk.put(
        &snapshot(2),
        lines::sealed(beaver::ChecksumKind::Snapshot, 2, newer),
    );
    assert!(matches!(
        recover_error(&disk),
        Error::Version { found: 3, .. }
    ));
}

#[test]
fn a_state_that_the_machine_refuses_is_never_passed_over() {
    for state in [
        "{\"applied\":{\"epoch\":2,\"seq\":2},\"machine\":7}",
        "{\"applied\":{\"epoch\":2,\"seq\":3},\"machine\":[]}",
        "{\"applied\":{\"epoch\":2,\"seq\":2}}",
        "{\"applied\":{\"epoch\":2,\"seq\":2},\"machine\":[],\"more\":0}",
        "[]",
    ] {
        let disk = two_snapshots();
        let crc = event_crc(STORE, 2, 2, "4");
        for document in [
            lines::snapshot_document(2, 2, state),
            snapshot_document_of(STORE, 2, 2, &crc, state),
        ] {
            disk.put(&snapshot(2), document);
            assert!(
                matches!(recover_error(&disk), Error::InvalidState { .. }),
                "{state}"
            );
        }
    }
}

#[test]
fn an_illegal_event_is_a_typed_error_at_its_position() {
    let disk = Lines::first()
        .event(1, 1)
        .any_event(2, 2, false, "\"illegal\"")
        .raw("torn")
        .disk();
    assert!(
        matches!(recover_error(&disk), Error::IllegalEvent { position, .. } if position == at(1, 2))
    );
    let (machine, applied, report) =
        beaver::inspect::salvage_state::<Tape>(&disk.storage()).unwrap();
    assert_eq!(
        (machine.0, applied, report.replay.applied),
        (numbers(1..=1), at(1, 1), 1)
    );
    assert_eq!((report.skipped.len(), report.skipped[0].from.0), (1, 2));
}

#[test]
fn events_at_or_below_the_snapshot_are_not_applied_again() {
    let disk = Lines::first().event(1, 1).event(2, 2).disk();
    Lines::after(2, 2).event(1, 1).on(&disk);
    put_snapshot(&disk, 1, 2, &["1", "2"]);
    assert_eq!(tape(&disk), ["1", "2", "1"]);
}

#[test]
fn damage_below_the_snapshot_is_not_in_the_way() {
    // In the header and in an event.
    for bit in [900, 1300] {
        let disk = two_snapshots();
        flip(&disk, &wal(2), bit);
        assert_eq!(recover(&disk).0.state().0, numbers(1..=6));
        let (machine, ..) = beaver::store::read_state::<Tape>(&disk.storage()).unwrap();
        assert_eq!(machine.0, numbers(1..=6));
    }
}

#[test]
fn looking_at_the_state_shows_what_recovery_shows_and_changes_nothing() {
    let disk = two_snapshots();
    glue(&disk, &wal(3), "torn");
    let _owner = disk.storage().lock().unwrap();
    let before = disk.files();
    let strict = beaver::store::read_state::<Tape>(&disk.storage()).unwrap();
    let salvaged = beaver::inspect::salvage_state::<Tape>(&disk.storage()).unwrap();
    assert!(salvaged.2.skipped.is_empty());
    let salvaged = (salvaged.0, salvaged.1, salvaged.2.replay);
    for (machine, applied, report) in [strict, salvaged] {
        assert_eq!(
            (machine.0, applied, report.applied),
            (numbers(1..=6), at(3, 2), 2)
        );
        assert!(report.torn_tail.is_some());
    }
    assert_eq!(disk.files(), before);
}

#[test]
fn looking_at_the_state_strictly_refuses_what_recovery_refuses() {
    let disk = two_snapshots();
    put_own_snapshot(&disk, 1, &event_crc(STORE, 2, 1, "3"));
    recover_error(&disk);
    beaver::store::read_state::<Tape>(&disk.storage()).unwrap_err();
    let disk = two_snapshots();
    disk.lose(&wal(3));
    recover_error(&disk);
    beaver::store::read_state::<Tape>(&disk.storage()).unwrap_err();
    // The log after the snapshot goes on from somewhere else, and nothing else is wrong.
    for sealed in [1, 3] {
        let disk = Memory::new();
        put_snapshot(&disk, 1, 2, &["1", "2"]);
        Lines::after(2, sealed).event(1, 1).on(&disk);
        recover_error(&disk);
        beaver::store::read_state::<Tape>(&disk.storage()).unwrap_err();
    }
}

#[test]
fn looking_leniently_uses_the_newest_snapshot_whatever_is_missing_after_it() {
    let disk = store_with(2, keeping(9));
    disk.lose(&snapshot(2));
    disk.lose(&wal(2));
    let (machine, ..) = beaver::inspect::salvage_state::<Tape>(&disk.storage()).unwrap();
    assert_eq!(machine.0, ["1", "2", "5", "6"]);
}

#[test]
fn looking_leniently_reports_no_damage_in_what_the_snapshot_covers() {
    let disk = two_snapshots();
    flip(&disk, &wal(2), 1300);
    let (machine, _, report) = beaver::inspect::salvage_state::<Tape>(&disk.storage()).unwrap();
    assert_eq!((machine.0, report.skipped), (numbers(1..=6), Vec::new()));
}

#[test]
fn what_an_interrupted_prune_left_is_removed_if_the_fall_back_is_whole() {
    let disk = store_with(3, keeping(9));
    let (store, report) = recover(&disk);
    assert_eq!(report.removed_leftovers, [snapshot(1), wal(1), wal(2)]);
    assert_eq!(disk.names(), [snapshot(2), snapshot(3), wal(3), wal(4)]);
    assert_eq!(disk.power_cut().names(), disk.names());
    assert_eq!(store.state().0, numbers(1..=8));
}

fn drop_last_line(bytes: &mut Vec<u8>) {
    let lines = bytes.strip_suffix(b"\n").unwrap();
    let last = lines.iter().rposition(|byte| *byte == b'\n').unwrap();
    bytes.truncate(last + 1);
}

#[test]
fn nothing_is_removed_if_the_fall_back_is_not_whole() {
    let damages: [fn(&Memory); 6] = [
        |disk| flip(disk, &snapshot(2), 333),
        |disk| flip(disk, &wal(3), 900),
        |disk| flip(disk, &wal(3), 1300),
        |disk| disk.edit(&wal(3), drop_last_line),
        |disk| disk.lose(&wal(3)),
        |disk| put_own_snapshot(disk, 1, &event_crc(STORE, 2, 1, "3")),
    ];
    for damage in damages {
        let disk = store_with(3, keeping(9));
        damage(&disk);
        let names = disk.names();
        let (store, report) = recover(&disk);
        assert_eq!(store.state().0, numbers(1..=8));
        assert_eq!(
            (report.removed_leftovers.len(), report.warnings.len()),
            (0, 1)
        );
        assert_eq!(disk.names(), names);
    }
}

#[test]
fn as_many_snapshots_as_shall_be_kept_are_no_leftovers() {
    for keep in 1..=3 {
        let disk = store_with(4, keeping(9));
        let (_, report) = Store::<Tape>::open(disk.storage(), keeping(keep)).unwrap();
        let snapshots = disk
            .names()
            .iter()
            .filter(|name| name.starts_with("snap"))
            .count();
        assert_eq!(snapshots, keep + 1, "{:?}", report.removed_leftovers);
        assert_eq!(tape(&disk), numbers(1..=10));
    }
}

#[test]
fn the_fall_back_that_is_kept_can_be_fallen_back_to() {
    let disk = store_with(4, keeping(9));
    drop(Store::<Tape>::open(disk.storage(), keeping(2)).unwrap());
    flip(&disk, &snapshot(4), 333);
    assert_eq!(tape(&disk), numbers(1..=10));
    flip(&disk, &snapshot(3), 333);
    assert_eq!(tape(&disk), numbers(1..=10));
}

#[test]
fn a_leftover_that_cannot_be_removed_is_a_warning_and_keeps_what_it_needs() {
    let disk = store_with(3, keeping(9));
    disk.inject(Fault::on(Op::Remove, "snapshot-0000000001"));
    let (_, report) = recover(&disk);
    assert_eq!(
        (report.warnings.len(), report.removed_leftovers.len()),
        (1, 0),
        "no segment goes before the snapshot that needs it"
    );
    let (_, report) = recover(&disk);
    assert_eq!(report.removed_leftovers.len(), 3);
    assert_eq!(report.removed_leftovers[0], snapshot(1));
}

#[test]
fn nothing_is_removed_before_the_tail_is_durable() {
    let disk = store_with(3, keeping(9));
    disk.take_calls();
    recover(&disk);
    let changes = disk.take_changes();
    // The first one makes the cache droppable and proves nothing.
    let drop_cache = [format!("sync {}", wal(4)), format!("drop_cache {}", wal(4))];
    assert_eq!(changes[..2], drop_cache);
    let changes = &changes[2..];
    let sync = changes
        .iter()
        .position(|change| change.starts_with("sync wal"))
        .unwrap();
    let remove = changes
        .iter()
        .position(|change| change.starts_with("remove"))
        .unwrap();
    assert_eq!(
        (changes[0].as_str(), changes.last().unwrap().as_str()),
        ("sync_dir", "sync_dir")
    );
    assert!(sync < remove, "{changes:?}");
}

#[test]
fn on_a_full_disk_leftovers_go_first_after_the_names_are_durable() {
    for full in [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::FileTooLarge,
    ] {
        let disk = store_with(3, keeping(9));
        disk.take_calls();
        disk.inject(Fault::on(Op::Write, "wal").kind(full));
        let (store, report) = recover(&disk);
        assert_eq!(
            (store.state().0.len(), report.removed_leftovers.len()),
            (8, 3)
        );
        let changes = disk.take_changes();
        let remove = changes
            .iter()
            .position(|change| change.starts_with("remove"))
            .unwrap();
        assert!(
            changes[..remove].contains(&"sync_dir".to_owned()),
            "{changes:?}"
        );
        assert!(
            changes
                .iter()
                .filter(|change| change.starts_with("write wal"))
                .count()
                == 2
        );
    }
}

#[test]
fn on_a_full_disk_without_leftovers_open_fails_and_works_later() {
    let disk = two_snapshots();
    disk.inject(Fault::on(Op::Write, "wal").kind(ErrorKind::StorageFull));
    assert_eq!(
        try_recover(&disk).unwrap_err().io_kind(),
        Some(ErrorKind::StorageFull)
    );
    assert_eq!(tape(&disk), numbers(1..=6));
}

#[test]
fn a_crash_at_any_step_of_recovery_changes_nothing_that_recovery_shows() {
    for op in [Op::SyncDir, Op::SetLen, Op::Write, Op::SyncData, Op::Remove] {
        for skip in 0..3 {
            for fault in [
                Fault::on(op, "").after(skip),
                Fault::on(op, "").after(skip).late(),
            ] {
                let disk = store_with(3, keeping(9));
                glue(&disk, &wal(4), "\n\ntorn");
                disk.put("wal-0000000005.jsonl.tmp", "x");
                disk.inject(fault);
                drop(try_recover(&disk));
                for disk in [disk.copy(), disk.power_cut()] {
                    assert_eq!(tape(&disk), numbers(1..=8));
                }
            }
        }
    }
}

#[test]
fn recovering_again_changes_nothing() {
    let disk = store_with(3, keeping(9));
    glue(&disk, &wal(4), "\n\ntorn");
    drop(recover(&disk));
    let files = disk.files();
    let (store, report) = recover(&disk);
    assert_eq!((disk.files(), store.state().0.len()), (files, 8));
    assert!(report.torn_tail.is_none() && report.removed_leftovers.is_empty());
}

#[test]
fn a_reader_of_the_store_reads_what_the_log_still_has() {
    let disk = store_with(2, store_options());
    let (store, _) = recover(&disk);
    let mut seen = Vec::new();
    let report = store.reader().replay(at(2, 2), |_, Line(text)| {
        seen.push(text);
        Ok::<(), ()>(())
    });
    assert_eq!((report.unwrap().applied, seen), (2, numbers(5..=6)));
}

#[test]
fn a_reader_looks_for_nothing_that_a_checkpoint_of_the_same_process_has_removed() {
    let disk = Memory::new();
    let (mut store, _) = recover(&disk);
    for n in 1..=3 {
        commit(&mut store, n..=n);
        checkpoint(&mut store);
    }
    commit(&mut store, 4..=4);
    assert_eq!(disk.names()[2..], [wal(3), wal(4)]);
    let reader = store.reader();
    assert_eq!(reader.epochs(), [Epoch(3), Epoch(4)]);
    let mut seen = Vec::new();
    reader
        .replay(at(2, 1), |_, Line(text)| {
            seen.push(text);
            Ok::<(), ()>(())
        })
        .unwrap();
    assert_eq!(seen, numbers(3..=4));
}

#[test]
fn recovery_reads_each_needed_byte_a_bounded_number_of_times() {
    let disk = Memory::new();
    let (mut store, _) = recover(&disk);
    for n in 0..100 {
        try_commit(&mut store, format!("\"{n}{}\"", "x".repeat(10_000))).unwrap();
    }
    drop(store);
    let size = disk.bytes(WAL1).len();
    disk.take_calls();
    drop(recover(&disk));
    assert!(disk.take_read_bytes() < 3 * size);
}

#[test]
fn a_sync_that_fails_during_recovery_is_not_tried_again() {
    // With leftovers, too, which are reason to try again on a full disk.
    for disk in [store_with(1, store_options()), store_with(3, keeping(9))] {
        // The one before the cache is dropped, and the one after the rewrite.
        for nth in 0..2 {
            let disk = disk.copy();
            disk.inject(Fault::on(Op::SyncData, "wal").after(nth));
            disk.take_calls();
            let error = try_recover(&disk).unwrap_err();
            let calls = disk.take_calls();
            let syncs = calls.iter().filter(|call| call.op == Op::SyncData).count();
            assert_eq!(syncs, nth + 1, "{error}");
        }
    }
}
