//! Ending a segment: the next one is there whole, or the old one goes on, or the log is poisoned.

use std::io::ErrorKind;

use beaver::{Epoch, Error, Wal};

use crate::support::*;

/// The old segment takes another event, and a power cut shows it.
fn check_goes_on(disk: &Memory, wal: &mut Wal<Line>) {
    assert!(wal.poisoned().is_none());
    append(wal, 3..=3);
    assert_eq!(wal.last_position(), at(1, 3));
    for disk in [disk.copy(), disk.power_cut()] {
        drop(open(&disk));
        assert_eq!(read(&disk), numbered(1..=3));
    }
}

#[test]
fn seqs_start_again_and_positions_go_on() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    let sealed = wal.rotate().unwrap();
    assert_eq!(sealed.position, at(1, 2));
    assert_eq!(
        (wal.last_position(), wal.boundary()),
        (at(2, 0), Some(sealed))
    );
    assert_eq!(wal.append(&[line(1)]).unwrap(), at(2, 1));
    drop(wal);
    assert_eq!(
        (open(&disk).last_position(), read(&disk)),
        (
            at(2, 1),
            ["1:1=1", "1:2=2", "2:1=1"].map(str::to_owned).to_vec()
        )
    );
}

#[test]
fn rotate_trims_and_syncs_then_names_then_switches() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1000)).unwrap();
    append(&mut wal, 1..=1);
    let first = Lines::first_of(STORE).event(1, 1);
    let second = first.next(STORE, 1);
    let (end, header) = (first.bytes.len(), second.bytes.len());
    disk.take_calls();
    wal.rotate().unwrap();
    let tmp = format!("{WAL2}.tmp");
    let calls = [
        format!("set_len {WAL1} {end}"),
        format!("sync {WAL1}"),
        format!("create {tmp}"),
        format!("write {tmp} 0+{header}"),
        format!("sync {tmp}"),
        format!("rename {WAL2}"),
        "sync_dir".to_owned(),
    ];
    assert_eq!(disk.take_changes(), calls);
    assert_eq!(disk.bytes(WAL1), first.bytes);
    assert_eq!(disk.bytes(WAL2), second.bytes);
}

#[test]
fn an_empty_segment_may_be_rotated() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    let sealed = [wal.rotate().unwrap(), wal.rotate().unwrap()];
    assert_eq!(sealed.map(|end| end.position), [at(1, 0), at(2, 0)]);
    append(&mut wal, 1..=1);
    drop(wal);
    assert_eq!(read(&disk), ["3:1=1"]);
}

#[test]
fn until_the_rename_a_failure_leaves_the_old_segment_as_it_was() {
    for fault in [
        Fault::on(Op::SetLen, WAL1),
        Fault::on(Op::SetLen, WAL1).late(),
        Fault::on(Op::Create, ".tmp"),
        Fault::on(Op::Create, ".tmp").late(),
        Fault::on(Op::Write, ".tmp"),
        Fault::on(Op::Write, ".tmp").torn(5),
        Fault::on(Op::SyncData, ".tmp"),
        Fault::on(Op::SyncData, ".tmp").late(),
    ] {
        let disk = log_of(1..=2);
        let mut wal = open(&disk);
        disk.inject(fault.kind(ErrorKind::StorageFull));
        let error = wal.rotate().unwrap_err();
        assert!(matches!(error, Error::Storage { .. }), "{error}");
        assert_eq!((disk.fired(), disk.names()), (1, vec![WAL1.to_owned()]));
        check_goes_on(&disk, &mut wal);
        wal.rotate().unwrap();
    }
}

#[test]
fn a_failed_sync_of_the_old_segment_poisons() {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    disk.inject(Fault::on(Op::SyncData, WAL1));
    assert!(matches!(wal.rotate(), Err(Error::Poisoned { .. })));
    assert!(matches!(
        wal.append(&[line(3)]),
        Err(Error::Poisoned { .. })
    ));
    assert_eq!(disk.names(), [WAL1]);
}

#[test]
fn from_the_rename_on_a_failure_is_undone_and_the_undo_is_made_durable() {
    for fault in [
        Fault::on(Op::Rename, WAL2),
        Fault::on(Op::Rename, WAL2).late(),
        Fault::on(Op::SyncDir, ""),
        Fault::on(Op::SyncDir, "").late(),
    ] {
        let disk = log_of(1..=2);
        let mut wal = open(&disk);
        disk.take_calls();
        disk.inject(fault);
        assert!(matches!(wal.rotate(), Err(Error::Storage { .. })));
        let changes = disk.take_changes();
        assert_eq!(
            changes[changes.len() - 2..],
            [format!("remove {WAL2}"), "sync_dir".to_owned()]
        );
        assert_eq!(disk.names(), [WAL1]);
        check_goes_on(&disk, &mut wal);
        wal.rotate().unwrap();
    }
}

#[test]
fn a_rotate_that_cannot_be_undone_poisons() {
    let undo = [
        vec![Fault::on(Op::Remove, WAL2).times(2)],
        vec![Fault::on(Op::SyncDir, "")],
    ];
    for faults in undo {
        let disk = log_of(1..=2);
        let mut wal = open(&disk);
        disk.inject(Fault::on(Op::Rename, WAL2).late());
        faults.into_iter().for_each(|fault| disk.inject(fault));
        assert!(matches!(wal.rotate(), Err(Error::Poisoned { .. })));
        assert!(matches!(
            wal.append(&[line(3)]),
            Err(Error::Poisoned { .. })
        ));
        assert!(matches!(wal.close(), Err(Error::Poisoned { .. })));
        for disk in [disk.copy(), disk.power_cut()] {
            drop(open(&disk));
            assert_eq!(read(&disk), numbered(1..=2));
        }
    }
}

#[test]
fn free_space_is_gone_after_a_failed_rotate_and_appends_still_fit() {
    let disk = Memory::new();
    let (mut wal, _) = Wal::<Line>::open(disk.storage(), preallocating(1000)).unwrap();
    append(&mut wal, 1..=2);
    disk.inject(Fault::on(Op::SetLen, WAL1).late());
    wal.rotate().unwrap_err();
    check_goes_on(&disk, &mut wal);
}

#[test]
fn segments_stay_until_they_are_pruned_oldest_first() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    for _ in 0..3 {
        wal.rotate().unwrap();
        append(&mut wal, 1..=1);
    }
    disk.take_calls();
    assert_eq!(wal.prune_through(Epoch(2)).unwrap(), 2);
    assert_eq!(
        disk.take_changes(),
        [
            format!("remove {WAL1}"),
            format!("remove {WAL2}"),
            "sync_dir".to_owned()
        ]
    );
    assert_eq!(
        (wal.first_epoch().0, wal.prune_through(Epoch(2)).unwrap()),
        (3, 0)
    );
    assert_eq!(
        wal.prune_through(Epoch(99)).unwrap(),
        1,
        "the active one stays"
    );
    drop(wal);
    assert!(Wal::<Line>::open_after(disk.storage(), at(3, 1), plain()).is_ok());
}

#[test]
fn a_prune_that_fails_goes_on_later_and_ends_with_a_sync() {
    let disk = log_of(1..=1);
    let mut wal = open(&disk);
    wal.rotate().unwrap();
    wal.rotate().unwrap();
    disk.inject(Fault::on(Op::SyncDir, ""));
    assert!(matches!(
        wal.prune_through(Epoch(1)),
        Err(Error::Storage {
            operation: "sync_dir",
            ..
        })
    ));
    wal.prune_through(Epoch(1)).unwrap();
    assert!(!disk.power_cut().names().contains(&WAL1.to_owned()));
}

#[test]
fn there_is_no_epoch_after_the_last_one() {
    let last = u64::MAX;
    let disk = Memory::new();
    Lines::after(last, 3).event(1, 1).on(&disk);
    let (mut wal, _) = Wal::<Line>::open_after(disk.storage(), at(last - 1, 3), plain()).unwrap();
    wal.rotate().unwrap_err();
    assert_eq!(disk.names(), [super::support::wal(last)]);
    append(&mut wal, 2..=2);
}
