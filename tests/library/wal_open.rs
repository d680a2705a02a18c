//! Opening a log: look first, then make trustworthy, then expose.

use std::io::ErrorKind;

use beaver::{Error, Wal};

use crate::support::*;

#[test]
fn a_new_log_is_made_content_before_name_before_use() {
    let disk = Memory::new();
    drop(open(&disk));
    let tmp = format!("{WAL1}.tmp");
    let header = Lines::first_of(STORE).bytes;
    let calls = [
        format!("create {tmp}"),
        format!("write {tmp} 0+{}", header.len()),
        format!("sync {tmp}"),
        format!("rename {WAL1}"),
        "sync_dir".to_owned(),
    ];
    assert_eq!(disk.take_changes(), calls);
    assert_eq!(disk.names(), [WAL1]);
    assert_eq!(disk.bytes(WAL1), header);
}

#[test]
fn a_crash_while_a_log_is_made_leaves_nothing_in_the_way() {
    for op in [Op::Create, Op::Write, Op::SyncData, Op::Rename, Op::SyncDir] {
        for fault in [Fault::on(op, ""), Fault::on(op, "").late()] {
            let disk = Memory::new();
            disk.inject(fault);
            try_open(&disk).unwrap_err();
            for disk in [disk.copy(), disk.power_cut()] {
                append(&mut open(&disk), 1..=1);
                assert_eq!(read(&disk), numbered(1..=1));
                assert_eq!(disk.names(), [WAL1]);
            }
        }
    }
}

#[test]
fn a_leftover_temporary_file_is_made_anew() {
    let disk = Memory::new();
    disk.put(&format!("{WAL1}.tmp"), "old");
    let (_, report) = try_open(&disk).unwrap();
    assert_eq!(report.removed_temporaries, [format!("{WAL1}.tmp")]);
    let mut wal = open(&disk);
    disk.put(
        &format!("{WAL2}.tmp"),
        "much older than the header that is about to be written".repeat(9),
    );
    append(&mut wal, 1..=1);
    wal.rotate().unwrap();
    assert_eq!(disk.names(), [WAL1, WAL2]);
    let first = Lines::first_of(STORE).event(1, 1);
    assert_eq!(disk.bytes(WAL2), first.next(STORE, 1).bytes);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let disk = log_of(1..=1);
    let wal = open(&disk);
    assert!(matches!(try_open(&disk), Err(Error::Locked)));
    assert!(matches!(try_recover(&disk), Err(Error::Locked)));
    drop(wal);
    open(&disk);
}

#[test]
fn open_makes_the_directory_then_the_file_trustworthy_always() {
    let disk = log_of(1..=2);
    drop(open(&disk));
    for _ in 0..2 {
        disk.take_calls();
        drop(open(&disk));
        let log = Lines::first_of(STORE).event(1, 1).event(2, 2);
        let (start, end) = (log.starts[2], log.bytes.len());
        let calls = [
            format!("sync {WAL1}"),
            format!("drop_cache {WAL1}"),
            "sync_dir".to_owned(),
            format!("set_len {WAL1} {end}"),
            format!("write {WAL1} {start}+{}", end - start),
            format!("sync {WAL1}"),
        ];
        assert_eq!(disk.take_changes(), calls);
    }
}

#[test]
fn recovery_does_the_same_before_it_removes_anything() {
    let disk = log_of(1..=2);
    disk.put("wal-0000000002.jsonl.tmp", "x");
    disk.take_calls();
    drop(recover(&disk));
    let changes = disk.take_changes();
    let verbs: Vec<_> = changes
        .iter()
        .map(|change| change.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        verbs,
        [
            "sync",
            "drop_cache",
            "sync_dir",
            "set_len",
            "write",
            "sync",
            "remove",
            "sync_dir"
        ]
    );
}

#[test]
fn the_cache_is_dropped_before_anything_is_read_and_once() {
    for recovery in [false, true] {
        let disk = log_of(1..=2);
        disk.take_calls();
        match recovery {
            true => drop(recover(&disk)),
            false => drop(open(&disk)),
        }
        let calls = disk.take_calls();
        let of = |op: Op| calls.iter().position(|call| call.op == op).unwrap();
        let dropped = calls.iter().filter(|call| call.op == Op::DropCache);
        assert_eq!(dropped.count(), 1);
        assert!(of(Op::SyncData) < of(Op::DropCache) && of(Op::DropCache) < of(Op::Read));
    }
}

#[test]
fn a_cache_that_cannot_be_dropped_is_not_in_the_way() {
    for recovery in [false, true] {
        let disk = log_of(1..=2);
        disk.inject(Fault::on(Op::DropCache, "").kind(ErrorKind::Unsupported));
        disk.inject(Fault::on(Op::DropCache, ""));
        for _ in 0..2 {
            match recovery {
                true => assert_eq!(recover(&disk).1.warnings.len(), 0),
                false => assert_eq!(try_open(&disk).unwrap().1.warnings.len(), 0),
            }
        }
        assert_eq!(disk.fired(), 2);
        assert_eq!(read(&disk), numbered(1..=2));
    }
}

#[test]
fn the_rewrite_covers_the_last_batch_and_the_markers_after_it() {
    let batch = Lines::first()
        .event(1, 1)
        .more(2, 2)
        .event(3, 2)
        .event(4, 2);
    check_rewrite(&batch, 2);
    check_rewrite(&batch.clone().marker(4), 2);
    check_rewrite(&batch.marker(4).event(5, 5), 6);
    check_rewrite(&Lines::first().event(1, 1).marker(1), 1);
}

#[test]
fn the_rewrite_begins_with_the_first_event_that_is_there_of_a_batch_whose_start_is_lost() {
    check_rewrite(&Lines::first().event(1, 1).lost(2, 3).event(4, 3), 3);
}

#[test]
fn without_an_event_the_rewrite_begins_with_the_header() {
    check_rewrite(&Lines::first(), 0);
    check_rewrite(&Lines::first().marker(0), 0);
}

/// Open and recovery write what stands from line `from` on once more, whatever free space or torn tail follows.
fn check_rewrite(log: &Lines, from: usize) {
    for tail in ["", "\n\n\0", "{\"torn", "\0\0{\"torn\n"] {
        for recovery in [false, true] {
            let disk = log.clone().raw(tail).disk();
            if recovery {
                drop(recover(&disk));
            } else {
                drop(open(&disk));
            }
            let calls = disk.take_calls();
            let writes: Vec<_> = calls.iter().filter(|call| call.op == Op::Write).collect();
            assert_eq!(writes.len(), 1, "{writes:?}");
            assert_eq!(writes[0].offset as usize, log.starts[from]);
            assert_eq!(writes[0].bytes, log.bytes[log.starts[from]..]);
            assert_eq!(disk.bytes(WAL1), log.bytes);
        }
    }
}

#[test]
fn a_batch_that_is_cut_wholly_leaves_the_rewrite_to_the_batch_before() {
    let log = Lines::first().event(1, 1).event(2, 1).marker(2);
    let disk = log.clone().more(3, 3).raw("torn").disk();
    drop(open(&disk));
    let calls = disk.take_calls();
    let write = calls.iter().find(|call| call.op == Op::Write).unwrap();
    assert_eq!(
        (write.offset as usize, &write.bytes[..]),
        (log.starts[1], &log.bytes[log.starts[1]..])
    );
}

#[test]
fn the_rewrite_takes_the_bytes_that_were_verified() {
    for honest in 0..8 {
        let disk = log_of(1..=2);
        let before = disk.bytes(WAL1);
        let digit = before.len() as u64 - 4;
        let wrong = Fault::on(Op::Read, WAL1).wrong(digit, b'#');
        disk.inject(wrong.after(honest).always());
        let (_, report) = try_open(&disk).unwrap();
        let kept = if report.torn_tail.is_none() {
            before.len()
        } else {
            Lines::first_of(STORE).event(1, 1).bytes.len()
        };
        assert_eq!(disk.bytes(WAL1), before[..kept], "{honest}");
    }
}

#[test]
fn a_crash_during_open_changes_nothing_that_open_shows() {
    // Two syncs: one before the cache is dropped, one after the rewrite.
    for (op, skip) in [
        (Op::SyncDir, 0),
        (Op::SetLen, 0),
        (Op::Write, 0),
        (Op::SyncData, 0),
        (Op::SyncData, 1),
    ] {
        let fault = Fault::on(op, "").after(skip);
        for fault in [fault, fault.late()] {
            let disk = Lines::first()
                .event(1, 1)
                .more(2, 2)
                .event(3, 2)
                .raw("\n\ntorn")
                .disk();
            disk.inject(fault);
            assert!(matches!(try_open(&disk), Err(Error::Storage { .. })));
            assert_eq!(disk.fired(), 1);
            for disk in [disk.copy(), disk.power_cut()] {
                drop(open(&disk));
                assert_eq!(read(&disk), numbered(1..=3));
            }
            open(&disk);
        }
    }
}

#[test]
fn a_temporary_file_that_cannot_be_removed_is_a_warning() {
    let disk = log_of(1..=1);
    let unfinished = "wal-0000000002.jsonl.tmp";
    disk.put(unfinished, "x");
    disk.inject(Fault::on(Op::Remove, unfinished));
    let (_, report) = try_open(&disk).unwrap();
    assert_eq!(
        (report.warnings.len(), report.removed_temporaries.len()),
        (1, 0)
    );
}

#[test]
fn a_log_that_cannot_be_written_is_not_exposed() {
    for op in [Op::Open, Op::SyncDir, Op::SetLen, Op::Write, Op::SyncData] {
        let disk = log_of(1..=1);
        disk.inject(
            Fault::on(op, "")
                .kind(ErrorKind::ReadOnlyFilesystem)
                .always(),
        );
        let error = open_error(&disk);
        assert_eq!(error.io_kind(), Some(ErrorKind::ReadOnlyFilesystem));
        assert_eq!(
            recover_error(&disk).io_kind(),
            Some(ErrorKind::ReadOnlyFilesystem)
        );
    }
}

#[test]
fn a_large_log_opens_without_a_scan() {
    let disk = Memory::new();
    let mut log = Lines::first();
    let body = format!("\"{}\"", "x".repeat(50_000));
    for seq in 1..=1000 {
        log = log.any_event(seq, seq, false, &body);
    }
    log.on(&disk);
    let wal = open(&disk);
    assert_eq!(wal.last_seq().0, 1000);
    let read = disk.take_read_bytes();
    assert!(
        log.bytes.len() > 50_000_000 && read < 1_000_000,
        "{read} bytes"
    );
}

#[test]
fn a_last_batch_longer_than_one_read_is_found_whole() {
    for size in [1_000, 60_000, 70_000, 300_000, 5_000_000] {
        let body = format!("\"{}\"", "x".repeat(size));
        let disk = log_of(1..=2);
        let mut wal = open(&disk);
        wal.append(&[line(&body), line(&body), line(&body)])
            .unwrap();
        drop(wal);
        let len = disk.bytes(WAL1).len();
        disk.take_calls();
        assert_eq!(open(&disk).last_seq().0, 5);
        let rewritten = disk.take_calls();
        let write = rewritten.iter().find(|call| call.op == Op::Write).unwrap();
        assert_eq!(
            write.offset as usize,
            Lines::first_of(STORE).event(1, 1).event(2, 2).bytes.len()
        );
        assert_eq!(write.offset as usize + write.bytes.len(), len);
    }
}

#[test]
fn a_read_that_is_wrong_once_is_not_the_end_of_the_log() {
    let log = Lines::first()
        .event(1, 1)
        .event(2, 2)
        .more(3, 3)
        .event(4, 3)
        .raw("\n\n\n\n");
    for offset in 0..log.bytes.len() {
        for (nth, byte) in [(0, 0), (0, b'#'), (1, b'\n'), (2, b'#')] {
            let disk = log.disk();
            disk.inject(
                Fault::on(Op::Read, "wal")
                    .wrong(offset as u64, byte)
                    .after(nth),
            );
            match try_open(&disk) {
                Ok((wal, report)) => assert_eq!((wal.last_seq().0, report.torn_tail), (4, None)),
                Err(error) => assert!(matches!(error, Error::UnstableRead { .. }), "{error}"),
            }
            let disk = log.disk();
            disk.inject(
                Fault::on(Op::Read, "wal")
                    .wrong(offset as u64, byte)
                    .after(nth),
            );
            match try_recover(&disk) {
                Ok((store, report)) => {
                    assert_eq!((store.state().0.len(), report.torn_tail), (4, None))
                }
                Err(error) => assert!(matches!(error, Error::UnstableRead { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn a_byte_that_one_read_does_not_show_is_cut_and_reported_all_the_same() {
    let log = Lines::first().event(1, 1);
    let end = log.bytes.len() as u64;
    for (honest, shown) in [(0, b'\n'), (1, b'\n'), (2, b'\n'), (0, 0), (1, 0), (2, 0)] {
        let disk = log.clone().raw("x").disk();
        disk.inject(Fault::on(Op::Read, WAL1).wrong(end, shown).after(honest));
        let torn = try_open(&disk).unwrap().1.torn_tail.unwrap();
        assert_eq!((torn.offset, torn.bytes), (end, 1), "after {honest} reads");
        assert_eq!(disk.fired(), 1);
        assert_eq!(disk.bytes(WAL1), log.bytes);
    }
}

#[test]
fn reads_that_keep_changing_are_a_typed_error_and_nothing_changes() {
    let disk = Lines::first().event(1, 1).raw("torn tail").disk();
    let offset = disk.bytes(WAL1).len() as u64 - 3;
    for nth in 0..60 {
        let byte = [b'a', b'b', b'c'][nth % 3];
        disk.inject(Fault::on(Op::Read, "wal").wrong(offset, byte));
    }
    assert!(matches!(open_error(&disk), Error::UnstableRead { .. }));
}

#[test]
fn a_read_error_is_an_error_and_not_the_end_of_the_log() {
    for after in 0..4 {
        let disk = log_of(1..=3);
        disk.inject(Fault::on(Op::Read, "wal").after(after).always());
        if let Err(error) = try_open(&disk.clone()) {
            assert!(
                matches!(
                    error,
                    Error::Storage {
                        operation: "read_at",
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert!(matches!(
            recover_error(&disk),
            Error::Storage {
                operation: "read_at",
                ..
            }
        ));
        disk.heal();
        assert_eq!(read(&disk), numbered(1..=3));
    }
}

#[test]
fn short_and_interrupted_reads_go_on() {
    let disk = log_of(1..=3);
    disk.inject(
        Fault::on(Op::Read, "wal")
            .kind(ErrorKind::Interrupted)
            .times(2),
    );
    disk.inject(Fault::on(Op::Read, "wal").short(5).times(40));
    assert_eq!(open(&disk).last_seq().0, 3);
    assert_eq!(tape(&disk), numbers(1..=3));
}

#[test]
fn a_file_that_is_shorter_than_it_says_is_an_error() {
    let disk = log_of(1..=3);
    disk.inject(Fault::on(Op::Read, "wal").short(0).always());
    assert_eq!(open_error(&disk).io_kind(), Some(ErrorKind::UnexpectedEof));
}

#[test]
fn missing_segments_are_a_typed_error() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    for _ in 0..3 {
        wal.rotate().unwrap();
        append(&mut wal, 1..=1);
    }
    drop(wal);
    for missing in 1..=3 {
        let disk = disk.copy();
        disk.lose(&wal_name(missing));
        for error in [open_error(&disk), recover_error(&disk)] {
            assert!(
                matches!(error, Error::BrokenChain { epoch, .. } if epoch.0 == missing),
                "{error}"
            );
        }
    }
}

fn wal_name(epoch: u64) -> String {
    wal(epoch)
}

#[test]
fn a_first_segment_above_one_without_a_snapshot_is_a_typed_error() {
    let disk = Memory::new();
    Lines::after(5, 9).event(1, 1).on(&disk);
    assert!(matches!(open_error(&disk), Error::BrokenChain { epoch, .. } if epoch.0 == 1));
    assert!(matches!(recover_error(&disk), Error::BrokenChain { epoch, .. } if epoch.0 == 1));
}

#[test]
fn a_log_whose_start_is_covered_opens_after_it() {
    let disk = Memory::new();
    Lines::after(5, 9).event(1, 1).on(&disk);
    let (wal, _) = Wal::<Line>::open_after(disk.storage(), at(4, 9), plain()).unwrap();
    assert_eq!(
        (wal.last_position(), wal.first_epoch().0, wal.boundary()),
        (at(5, 1), 5, Some(at(4, 9).into()))
    );
    drop(wal);
    for wrong in [at(4, 8), at(4, 10), at(3, 9), at(5, 1)] {
        let before = disk.files();
        let error = Wal::<Line>::open_after(disk.storage(), wrong, plain()).unwrap_err();
        assert!(
            matches!(error, Error::BrokenChain { .. }),
            "{wrong}: {error}"
        );
        assert_eq!(disk.files(), before);
    }
}

#[test]
fn where_something_is_covered_no_new_log_is_made() {
    let disk = Memory::new();
    let error = Wal::<Line>::open_after(disk.storage(), at(4, 9), plain()).unwrap_err();
    assert!(matches!(error, Error::BrokenChain { .. }), "{error}");
    assert_eq!(disk.names(), [""; 0]);
}

#[test]
fn a_snapshot_name_is_enough_for_no_new_log_to_be_made() {
    let disk = Memory::new();
    disk.put(&snapshot(3), "x");
    assert!(matches!(open_error(&disk), Error::BrokenChain { .. }));
    assert!(matches!(recover_error(&disk), Error::BrokenChain { .. }));
}

#[test]
fn segments_below_a_gap_are_not_part_of_the_log() {
    let disk = Memory::new();
    Lines::after(2, 1).event(1, 1).on(&disk);
    Lines::after(5, 9).event(1, 1).on(&disk);
    let (wal, _) = Wal::<Line>::open_after(disk.storage(), at(4, 9), plain()).unwrap();
    assert_eq!(wal.first_epoch().0, 5);
    let mut seen = 0;
    wal.replay(at(4, 9), |_, _| {
        seen += 1;
        Ok::<(), ()>(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn reopening_goes_on_where_the_log_ended() {
    let disk = Memory::new();
    for round in 0..5 {
        let mut wal = open(&disk);
        assert_eq!(wal.last_seq().0, round * 2);
        append(&mut wal, round * 2 + 1..=round * 2 + 2);
    }
    assert_eq!(read(&disk), numbered(1..=10));
}

#[test]
fn a_lock_that_fails_otherwise_is_a_storage_error() {
    let disk = log_of(1..=1);
    disk.inject(Fault::on(Op::Lock, "").kind(ErrorKind::PermissionDenied));
    assert!(matches!(
        open_error(&disk),
        Error::Storage {
            operation: "lock",
            ..
        }
    ));
}

#[test]
fn a_last_line_that_may_stand_nowhere_is_not_taken_for_the_end() {
    for log in [
        Lines::first().marker(0).event(0, 1),
        Lines::first().event(1, 1).event(2, 5),
        Lines::first().event(1, 0),
    ] {
        let disk = log.disk();
        match try_read(&disk, at(0, 0)) {
            Ok((_, report)) => assert_eq!(try_open(&disk).unwrap().1.torn_tail, report.torn_tail),
            Err(error) => assert_eq!(open_error(&disk).to_string(), error.to_string()),
        }
        assert!(disk.bytes(WAL1).len() <= log.bytes.len());
    }
}
