//! Appending: durable when it returns, whole or absent, and honest about what went wrong.

use std::io::ErrorKind;

use beaver::wal::Group;
use beaver::{Error, Position, Wal};

use crate::support::*;

/// The position, kind and content of what a reader of the open log sees.
fn live(wal: &Wal<Line>) -> Vec<String> {
    let mut seen = Vec::new();
    let report = wal.replay(Position::default(), |position, Line(text)| {
        seen.push(format!("{position}={text}"));
        Ok::<(), ()>(())
    });
    assert_eq!(report.unwrap().torn_tail, None);
    seen
}

/// What a power cut now leaves.
fn durable(disk: &Memory) -> Vec<String> {
    let disk = disk.power_cut();
    drop(open(&disk));
    read(&disk)
}

fn check_poisoned(mut wal: Wal<Line>) {
    assert!(wal.poisoned().is_some());
    assert!(matches!(
        wal.append(&[line(9)]),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(wal.append(&[]), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.rotate(), Err(Error::Poisoned { .. })));
    assert!(matches!(
        wal.prune_through(beaver::Epoch(1)),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(wal.close(), Err(Error::Poisoned { .. })));
}

#[test]
fn an_appended_event_is_durable_when_it_returns() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    for n in 1..=3 {
        assert_eq!(wal.append(&[line(n)]).unwrap(), at(1, n));
        assert_eq!(durable(&disk), numbered(1..=n));
    }
}

#[test]
fn one_append_is_one_write_and_one_sync() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    disk.take_calls();
    append_group(&mut wal, 1..=3);
    let changes = disk.take_changes();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].starts_with("write wal-") && changes[1].starts_with("sync wal-"));
}

#[test]
fn appending_nothing_is_ok_and_writes_nothing() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    disk.take_calls();
    assert_eq!(wal.append(&[]).unwrap(), at(1, 2));
    assert_eq!(wal.commit(&[]).unwrap(), at(1, 2));
    assert_eq!(wal.commit(&[Group::default()]).unwrap(), at(1, 2));
    assert_eq!(disk.take_calls(), []);
}

#[test]
fn a_batch_of_several_appends_says_who_belongs_together() {
    let disk = Memory::new();
    let groups = [vec![line(1)], vec![line(2), line(3)], vec![], vec![line(4)]];
    let groups = groups.map(|events| Group::encode(&events).unwrap());
    assert_eq!(open(&disk).commit(&groups).unwrap(), at(1, 4));
    let lines = Lines::first_of(STORE)
        .event(1, 1)
        .more(2, 1)
        .event(3, 1)
        .event(4, 1);
    assert_eq!(disk.bytes(WAL1), lines.bytes);
}

#[test]
fn a_short_or_interrupted_write_goes_on_with_the_rest() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.inject(
        Fault::on(Op::Write, "wal")
            .kind(ErrorKind::Interrupted)
            .times(3),
    );
    disk.inject(Fault::on(Op::Write, "wal").short(7).times(5));
    append(&mut wal, 2..=2);
    assert_eq!((durable(&disk), disk.fired()), (numbered(1..=2), 8));
}

#[test]
fn a_write_of_nothing_is_an_error_not_a_loop() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.inject(Fault::on(Op::Write, "wal").short(0).always());
    assert_eq!(
        wal.append(&[line(2)]).unwrap_err().io_kind(),
        Some(ErrorKind::WriteZero)
    );
}

#[test]
fn a_failed_write_is_undone_and_the_log_goes_on() {
    for torn in [0, 1, 20, 500] {
        let disk = log_of(1..=1);
        let mut wal = open(&disk);
        disk.inject(
            Fault::on(Op::Write, "wal")
                .torn(torn)
                .kind(ErrorKind::StorageFull),
        );
        let events: Vec<Line> = (0..9).map(line).collect();
        let error = wal.append(&events).unwrap_err();
        assert_eq!(
            (error.is_indeterminate(), error.io_kind()),
            (false, Some(ErrorKind::StorageFull))
        );
        assert_eq!(
            (durable(&disk), read(&disk), live(&wal)),
            (numbered(1..=1), numbered(1..=1), numbered(1..=1))
        );
        append(&mut wal, 2..=3);
        assert_eq!(
            (durable(&disk), live(&wal)),
            (numbered(1..=3), numbered(1..=3))
        );
    }
}

#[test]
fn a_failed_write_is_undone_by_cutting_never_by_overwriting() {
    for options in [plain(), preallocating(4096)] {
        let disk = Memory::new();
        let (mut wal, _) = Wal::<Line>::open(disk.storage(), options).unwrap();
        append(&mut wal, 1..=1);
        let end = Lines::first_of(STORE).event(1, 1).bytes.len();
        disk.take_calls();
        disk.inject(Fault::on(Op::Write, "wal").torn(9));
        wal.append(&[line(2)]).unwrap_err();
        let changes = disk.take_changes();
        assert_eq!(
            changes[1..],
            [format!("set_len {WAL1} {end}"), format!("sync {WAL1}")]
        );
        assert_eq!(disk.bytes(WAL1).len(), end);
        append(&mut wal, 2..=2);
        assert_eq!(read(&disk), numbered(1..=2));
    }
}

#[test]
fn a_failed_undo_poisons_and_leaves_the_outcome_open() {
    for op in [Op::SetLen, Op::SyncData] {
        let disk = log_of(1..=1);
        let mut wal = open(&disk);
        disk.inject(Fault::on(Op::Write, "wal").late());
        disk.inject(Fault::on(op, "wal"));
        assert!(wal.append(&[line(2)]).unwrap_err().is_indeterminate());
        assert_eq!(live(&wal), numbered(1..=1));
        check_poisoned(wal);
    }
}

#[test]
fn a_failed_sync_poisons_and_is_not_repeated() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.take_calls();
    disk.inject(Fault::on(Op::SyncData, "wal"));
    let error = wal.append(&[line(2)]).unwrap_err();
    assert!(matches!(&error, Error::Indeterminate { .. }), "{error}");
    check_poisoned(wal);
    let syncs = disk
        .take_calls()
        .iter()
        .filter(|call| call.op == Op::SyncData)
        .count();
    assert_eq!(syncs, 1);
}

#[test]
fn an_interrupted_sync_is_a_failed_sync() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.inject(Fault::on(Op::SyncData, "wal").kind(ErrorKind::Interrupted));
    assert!(wal.append(&[line(2)]).unwrap_err().is_indeterminate());
    check_poisoned(wal);
}

#[test]
fn nothing_that_is_poisoned_changes_the_disk() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.inject(Fault::on(Op::SyncData, "wal"));
    wal.append(&[line(2)]).unwrap_err();
    disk.take_calls();
    check_poisoned(wal);
    assert_eq!(disk.take_changes(), [""; 0]);
}

#[test]
fn readers_see_nothing_beyond_the_last_sync_after_poison_too() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    let before = wal.reader();
    disk.inject(Fault::on(Op::SyncData, "wal"));
    wal.append(&[line(3)]).unwrap_err();
    assert_eq!(live(&wal), numbered(1..=2));
    assert_eq!(wal.last_position(), at(1, 2));
    let report = before
        .replay(Position::default(), |_, _| Ok::<(), ()>(()))
        .unwrap();
    assert_eq!((report.applied, report.torn_tail), (2, None));
}

#[test]
fn a_reader_shows_nothing_that_is_appended_later() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    let reader = wal.reader();
    append(&mut wal, 3..=3);
    wal.rotate().unwrap();
    append(&mut wal, 1..=1);
    let report = reader
        .replay(Position::default(), |_, _| Ok::<(), ()>(()))
        .unwrap();
    assert_eq!((report.applied, report.last), (2, Some(at(1, 2))));
}

#[test]
fn an_indeterminate_append_is_decided_by_the_next_open() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    disk.inject(Fault::on(Op::SyncData, "wal"));
    wal.append(&[line(2)]).unwrap_err();
    drop(wal);
    assert_eq!(read(&disk.power_cut()), numbered(1..=1));
    drop(open(&disk));
    assert_eq!(
        read(&disk.power_cut()),
        numbered(1..=2),
        "what a recovery has shown stays"
    );
}

#[test]
fn an_event_with_a_line_break_is_refused_and_takes_no_seq() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    for body in ["\"a\n\"", "\n", ""] {
        assert!(matches!(
            wal.append(&[line(1), line(body)]),
            Err(Error::InvalidEvent { .. })
        ));
    }
    append(&mut wal, 1..=1);
    assert_eq!(read(&disk), numbered(1..=1));
}

#[test]
fn an_event_over_the_limit_is_refused_and_takes_no_seq() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    let error = wal.append(&[line("x".repeat(16 << 20))]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                limit: 16_777_216,
                ..
            }
        ),
        "{error}"
    );
    wal.append(&[line(format!("\"{}\"", "x".repeat((16 << 20) - 130)))])
        .unwrap();
    assert_eq!(wal.last_seq().0, 1);
    drop(wal);
    assert_eq!(open(&disk).last_seq().0, 1);
}

#[test]
fn an_append_over_the_hard_limit_is_refused_one_below_is_whole() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    let big = line(format!("\"{}\"", "x".repeat((16 << 20) - 130)));
    let five = vec![big.clone(); 5];
    assert!(matches!(
        wal.append(&five),
        Err(Error::TooLarge {
            limit: 67_108_864,
            ..
        })
    ));
    assert_eq!(wal.append(&five[..4]).unwrap(), at(1, 4));
    let groups = [&five[..4], &five[..1]].map(|events| Group::encode(events).unwrap());
    assert!(matches!(
        wal.commit(&groups),
        Err(Error::TooLarge { what: "batch", .. })
    ));
    drop(wal);
    assert_eq!(open(&disk).last_seq().0, 4);
}

#[test]
fn at_the_largest_seq_append_says_rotate_first() {
    let disk = Lines::first().lost(1, u64::MAX - 3).disk();
    let mut wal = open(&disk);
    assert!(matches!(
        wal.append(&[line(1), line(2), line(3)]),
        Err(Error::RotateFirst { .. })
    ));
    append_group(&mut wal, 1..=2);
    assert_eq!(wal.last_seq().0, u64::MAX - 1);
    assert!(matches!(wal.append(&[line(1)]), Err(Error::RotateFirst { epoch }) if epoch.0 == 1));
    assert_eq!(wal.append(&[]).unwrap(), at(1, u64::MAX - 1));
    drop(wal);
    let mut wal = open(&disk);
    wal.rotate().unwrap();
    assert_eq!(wal.append(&[line(1)]).unwrap(), at(2, 1));
}

#[test]
fn space_is_made_ahead_and_a_crashed_log_is_still_lines() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1000)).unwrap();
    append(&mut wal, 1..=1);
    let lines = Lines::first_of(STORE).event(1, 1).bytes;
    let bytes = disk.bytes(WAL1);
    assert_eq!(bytes[..lines.len()], lines);
    assert_eq!(
        bytes.len(),
        4096,
        "at least 1000 bytes, to the end of a page"
    );
    assert!(bytes[lines.len()..].iter().all(|byte| *byte == b'\n'));
    disk.take_calls();
    append(&mut wal, 2..=5);
    assert_eq!(
        disk.bytes(WAL1).len(),
        bytes.len(),
        "appends do not grow the file"
    );
    assert_eq!(disk.take_changes().len(), 8);
    assert_eq!(
        (durable(&disk), read(&disk)),
        (numbered(1..=5), numbered(1..=5))
    );
}

#[test]
fn space_is_made_as_far_as_asked_and_again_when_less_than_half_is_left() {
    for ahead in [8 << 10, 200_000] {
        let disk = Memory::new();
        let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(ahead)).unwrap();
        let mut made = 0;
        for _ in 0..1000 {
            wal.append(&[line("1".repeat(200))]).unwrap();
            let bytes = disk.bytes(WAL1);
            let end = bytes.trim_ascii_end().len() as u64 + 1;
            if made <= end + ahead / 2 {
                made = (end + ahead).next_multiple_of(4096);
            }
            assert_eq!(bytes.len() as u64, made, "the log ends at {end}");
        }
    }
}

#[test]
fn making_space_never_starts_before_the_end_of_what_was_made() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(100)).unwrap();
    append(&mut wal, 1..=50);
    let mut made = 0;
    for call in disk.take_calls().iter().filter(|call| call.op == Op::Write) {
        if call.bytes.iter().all(|byte| *byte == b'\n') {
            assert!(call.offset >= made, "{call}");
            made = call.offset + call.bytes.len() as u64;
        }
    }
    assert!(made > 1000);
    assert_eq!(durable(&disk), numbered(1..=50));
}

#[test]
fn without_room_for_space_ahead_the_append_is_tried_without_it() {
    let disk = Memory::new();
    for (number, torn) in [(1, 0), (2, 10), (3, 100), (4, 400)] {
        let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1000)).unwrap();
        disk.inject(
            Fault::on(Op::Write, "wal")
                .after(1)
                .torn(torn)
                .kind(ErrorKind::StorageFull),
        );
        append(&mut wal, number..=number);
        let lines = disk.bytes(WAL1).trim_ascii_end().len() + 1;
        assert_eq!(disk.bytes(WAL1).len(), lines + torn);
        assert_eq!(
            (durable(&disk), read(&disk)),
            (numbered(1..=number), numbered(1..=number))
        );
    }
}

#[test]
fn space_made_beforehand_is_durable_and_overwritten_by_what_is_appended() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    let lines = disk.bytes(WAL1).len();
    wal.preallocate(100_000).unwrap();
    let made = disk.power_cut().bytes(WAL1);
    assert_eq!(made.len(), (lines + 100_000).next_multiple_of(4096));
    assert!(made[lines..].iter().all(|byte| *byte == b'\n'));
    assert_eq!(live(&wal), numbered(1..=1));
    disk.take_calls();
    append(&mut wal, 2..=3);
    assert_eq!(disk.bytes(WAL1).len(), made.len());
    assert_eq!(disk.take_changes().len(), 4, "a write and a sync each");
    assert_eq!(durable(&disk), numbered(1..=3));
    wal.rotate().unwrap();
    assert_eq!(
        disk.bytes(WAL1).trim_ascii_end().len() + 1,
        disk.bytes(WAL1).len()
    );
}

#[test]
fn space_that_cannot_be_made_beforehand_is_done_without() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    let full = Fault::on(Op::Write, "wal").torn(10);
    disk.inject(full.kind(ErrorKind::StorageFull));
    wal.preallocate(u64::MAX).unwrap();
    append(&mut wal, 2..=3);
    assert_eq!(durable(&disk), numbered(1..=3));
}

#[test]
fn space_whose_sync_fails_poisons_and_loses_nothing() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    append(&mut wal, 2..=2);
    disk.inject(Fault::on(Op::SyncData, "wal"));
    let error = wal.preallocate(1000).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    check_poisoned(wal);
    assert_eq!(durable(&disk), numbered(1..=2));
}

#[test]
fn close_leaves_a_marker_and_no_free_space() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1000)).unwrap();
    append(&mut wal, 1..=2);
    wal.close().unwrap();
    let whole = Lines::first_of(STORE)
        .event(1, 1)
        .event(2, 2)
        .marker(2)
        .bytes;
    assert_eq!(
        (disk.bytes(WAL1), disk.power_cut().bytes(WAL1)),
        (whole.clone(), whole)
    );
}

#[test]
fn a_marker_is_never_written_twice_and_appends_follow_it() {
    let disk = Memory::new();
    for _ in 0..2 {
        open(&disk).close().unwrap();
    }
    let mut wal = open(&disk);
    append(&mut wal, 1..=1);
    wal.close().unwrap();
    open(&disk).close().unwrap();
    let lines = Lines::first_of(STORE).marker(0).event(1, 1).marker(1);
    assert_eq!(disk.bytes(WAL1), lines.bytes);
}

#[test]
fn a_close_that_fails_loses_nothing_and_gives_the_lock_back() {
    for op in [Op::Write, Op::SetLen, Op::SyncData] {
        let disk = log_of(1..=2);
        let wal = open(&disk);
        disk.inject(Fault::on(op, "wal"));
        wal.close().unwrap_err();
        assert_eq!(durable(&disk), numbered(1..=2));
        open(&disk);
    }
}

#[test]
fn after_every_append_the_log_is_whole_lines_in_any_order_of_sizes() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(64)).unwrap();
    for size in [1_usize, 4096, 3, 70_000, 2, 64, 300_000, 1] {
        wal.append(&[line(format!("\"{}\"", "x".repeat(size)))])
            .unwrap();
        let cut = disk.power_cut();
        assert_eq!(open(&cut).last_position(), wal.last_position());
    }
}

/// A disk on which space that was made ahead is what an append lacks: an overwrite needs new blocks.
#[test]
fn space_made_ahead_gives_way_to_an_append() {
    for full in [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::FileTooLarge,
    ] {
        let disk = Memory::new();
        let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1 << 16)).unwrap();
        append(&mut wal, 1..=2);
        assert!(disk.bytes(&crate::support::wal(1)).len() > 1 << 16);
        disk.inject(Fault::on(Op::Write, "wal").kind(full));
        append(&mut wal, 3..=4);
        assert!(wal.poisoned().is_none());
        assert!(
            disk.bytes(&crate::support::wal(1)).len() < 1 << 12,
            "nothing is made ahead any more"
        );
        drop(wal);
        assert_eq!(read(&disk.power_cut()), numbered(1..=4));
        // Without space ahead the append is refused, and undone.
        let (mut wal, _) = Wal::<Line>::open(disk.storage(), plain()).unwrap();
        disk.inject(Fault::on(Op::Write, "wal").kind(full));
        let error = wal.append(&[line("5")]).unwrap_err();
        assert!(error.is_full() && !error.is_indeterminate(), "{error}");
    }
}
