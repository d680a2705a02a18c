//! Snapshot files: there whole or not at all, newest valid one first.

use std::io::ErrorKind;

use beaver::{ChecksumKind, Epoch, Error, SnapshotStore};

use crate::support::*;

fn snapshots(disk: &Memory) -> SnapshotStore {
    SnapshotStore::new(disk.storage())
}

/// A disk with snapshots of these epochs, whose state is their number.
fn disk_of(epochs: &[u64]) -> Memory {
    let disk = Memory::new();
    for epoch in epochs {
        let state = epoch.to_string();
        snapshots(&disk)
            .write(at(*epoch, 9), state.as_bytes())
            .unwrap();
    }
    disk
}

/// The epoch of the newest valid snapshot, and the files that were passed over.
fn newest(disk: &Memory) -> (Option<u64>, Vec<String>) {
    let (found, damaged) = snapshots(disk).load().unwrap();
    let damaged = damaged.into_iter().map(|damaged| damaged.file).collect();
    (found.map(|found| found.boundary.position.epoch.0), damaged)
}

#[test]
fn a_snapshot_reads_back_byte_for_byte() {
    for state in ["0", "{\"a\":1e400}", "[ 1 , 2 ]", "\"é\\n\""] {
        let disk = Memory::new();
        snapshots(&disk)
            .write(at(7, 3141), state.as_bytes())
            .unwrap();
        assert_eq!(
            disk.text(&snapshot(7)),
            lines::snapshot_document(7, 3141, state)
        );
        let found = snapshots(&disk).load().unwrap().0.unwrap();
        assert_eq!(
            (found.boundary.position, found.state),
            (at(7, 3141), state.as_bytes().to_vec())
        );
    }
}

#[test]
fn a_snapshot_says_whose_it_is_where_that_is_known() {
    let disk = log_of(1..=3);
    let sealed = open(&disk).rotate().unwrap();
    snapshots(&disk).write(sealed, b"[3]").unwrap();
    let crc = event_crc(STORE, 1, 3, "3");
    assert_eq!(
        disk.text(&snapshot(1)),
        snapshot_document_of(STORE, 1, 3, &crc, "[3]")
    );
    let found = snapshots(&disk).load().unwrap().0.unwrap();
    assert_eq!((found.boundary, &found.state[..]), (sealed, &b"[3]"[..]));
    assert_eq!((sealed.position, sealed.store), (at(1, 3), Some(STORE)));
    assert_eq!(format!("{:08x}", sealed.crc.unwrap()), crc);
}

#[test]
fn a_snapshot_is_written_content_before_name_before_use() {
    let disk = Memory::new();
    snapshots(&disk).write(at(7, 1), b"0").unwrap();
    let changes = disk.take_changes();
    let verbs: Vec<_> = changes
        .iter()
        .map(|change| change.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["create", "write", "sync", "rename", "sync_dir"]);
    assert_eq!(newest(&disk.power_cut()), (Some(7), vec![]));
}

#[test]
fn a_write_that_fails_leaves_the_older_ones() {
    for op in [Op::Create, Op::Write, Op::SyncData, Op::Rename, Op::SyncDir] {
        for fault in [Fault::on(op, ""), Fault::on(op, "").late()] {
            let disk = disk_of(&[1, 2]);
            disk.inject(fault);
            let error = snapshots(&disk).write(at(3, 9), b"3").unwrap_err();
            assert!(matches!(error, Error::Storage { .. }));
            for disk in [disk.copy(), disk.power_cut()] {
                let (found, damaged) = newest(&disk);
                assert!(matches!(found, Some(2 | 3)) && damaged.is_empty());
            }
            snapshots(&disk).write(at(3, 9), b"3").unwrap();
            assert_eq!(newest(&disk), (Some(3), vec![]));
        }
    }
}

#[test]
fn a_state_with_a_line_break_is_refused() {
    let disk = Memory::new();
    for state in ["", "\n", "{\n}"] {
        let error = snapshots(&disk)
            .write(at(1, 1), state.as_bytes())
            .unwrap_err();
        assert!(matches!(error, Error::InvalidEvent { .. }));
    }
    assert_eq!(disk.names(), [""; 0]);
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_left_alone() {
    let disk = disk_of(&[1, 2, 3]);
    flip(&disk, &snapshot(3), 300);
    assert_eq!(newest(&disk), (Some(2), vec![snapshot(3)]));
    cut(&disk, &snapshot(2), 5);
    assert_eq!(newest(&disk), (Some(1), vec![snapshot(3), snapshot(2)]));
    disk.put(&snapshot(1), "");
    assert_eq!(newest(&disk).0, None);
    assert_eq!(disk.names().len(), 3);
}

#[test]
fn a_snapshot_under_another_name_is_damage() {
    let disk = disk_of(&[1, 2]);
    disk.put(&snapshot(3), disk.bytes(&snapshot(2)));
    assert_eq!(newest(&disk), (Some(2), vec![snapshot(3)]));
    let frame = "{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":5,\"last_seq\":1,\"state\":0";
    disk.put(
        &snapshot(4),
        lines::sealed(ChecksumKind::Snapshot, 4, frame),
    );
    assert_eq!(newest(&disk).1, [snapshot(4), snapshot(3)]);
}

#[test]
fn only_the_canonical_frame_is_a_snapshot() {
    for text in [
        "{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":01,\"last_seq\":1,\"state\":0",
        "{\"snapshot\":\"beaver\",\"version\":1,\"last_seq\":1,\"epoch\":1,\"state\":0",
        "{\"snapshot\":\"beaver\", \"version\":1,\"epoch\":1,\"last_seq\":1,\"state\":0",
        "{\"snapshot\":\"badger\",\"version\":1,\"epoch\":1,\"last_seq\":1,\"state\":0",
        // What belongs to one version in the other one, and digits that are not those that are written.
        "{\"snapshot\":\"beaver\",\"version\":2,\"epoch\":1,\"last_seq\":1,\"state\":0",
        "{\"snapshot\":\"beaver\",\"version\":1,\"store\":\"6f1d0c5be2a94417\",\"epoch\":1,\"last_seq\":1,\"last_crc\":\"5d0c77aa\",\"state\":0",
        "{\"snapshot\":\"beaver\",\"version\":2,\"store\":\"6f1d0c5be2a94417\",\"epoch\":1,\"last_seq\":1,\"state\":0",
        "{\"snapshot\":\"beaver\",\"version\":2,\"store\":\"6F1D0C5BE2A94417\",\"epoch\":1,\"last_seq\":1,\"last_crc\":\"5d0c77aa\",\"state\":0",
        "{\"snapshot\":\"beaver\",\"version\":2,\"store\":\"6f1d0c5be2a94417\",\"epoch\":1,\"last_seq\":1,\"last_crc\":\"5d0c77a\",\"state\":0",
    ] {
        let disk = Memory::new();
        disk.put(&snapshot(1), lines::sealed(ChecksumKind::Snapshot, 1, text));
        assert_eq!(newest(&disk), (None, vec![snapshot(1)]), "{text}");
    }
}

#[test]
fn bytes_after_the_newline_are_damage() {
    let disk = disk_of(&[1]);
    glue(&disk, &snapshot(1), "\n");
    assert_eq!(newest(&disk).0, None);
}

#[test]
fn a_newer_version_is_an_error_and_not_passed_over() {
    let disk = disk_of(&[1]);
    let newer = "{\"snapshot\":\"beaver\",\"version\":3,\"anything\":0";
    disk.put(
        &snapshot(2),
        lines::sealed(ChecksumKind::Snapshot, 2, newer),
    );
    let error = snapshots(&disk).load().unwrap_err();
    assert!(matches!(error, Error::Version { found: 3, .. }));
    assert!(matches!(
        snapshots(&disk).prune(0),
        Err(Error::Version { .. })
    ));
}

#[test]
fn a_read_that_is_wrong_once_is_no_damage() {
    let disk = disk_of(&[1]);
    for offset in 0..disk.bytes(&snapshot(1)).len() {
        let copy = disk.copy();
        copy.inject(Fault::on(Op::Read, "snapshot").wrong(offset as u64, b'#'));
        assert_eq!(newest(&copy), (Some(1), vec![]));
    }
}

#[test]
fn a_read_error_is_an_error_and_not_damage() {
    for op in [Op::Open, Op::Len, Op::Read] {
        let disk = disk_of(&[1, 2]);
        disk.inject(Fault::on(op, "snapshot").kind(ErrorKind::PermissionDenied));
        assert!(matches!(
            snapshots(&disk).load(),
            Err(Error::Storage { .. })
        ));
    }
}

#[test]
fn prune_keeps_the_newest_valid_ones_and_a_newer_damaged_one() {
    let disk = disk_of(&[1, 2, 3, 4, 5]);
    flip(&disk, &snapshot(5), 300);
    flip(&disk, &snapshot(3), 300);
    assert_eq!(snapshots(&disk).prune(1).unwrap(), 2);
    assert_eq!(disk.names(), [snapshot(2), snapshot(4), snapshot(5)]);
    assert_eq!(snapshots(&disk).prune(0).unwrap(), 1);
    assert_eq!(disk.names(), [snapshot(4), snapshot(5)]);
    assert_eq!(snapshots(&disk).prune(0).unwrap(), 0);
}

#[test]
fn prune_removes_nothing_while_no_snapshot_is_valid() {
    let disk = disk_of(&[1, 2]);
    flip(&disk, &snapshot(1), 300);
    flip(&disk, &snapshot(2), 300);
    assert_eq!(
        (snapshots(&disk).prune(0).unwrap(), disk.names().len()),
        (0, 2)
    );
}

#[test]
fn prune_trusts_no_name_that_is_not_durable() {
    let disk = disk_of(&[1]);
    disk.inject(Fault::on(Op::SyncDir, ""));
    snapshots(&disk).write(at(2, 9), b"2").unwrap_err();
    disk.inject(Fault::on(Op::SyncDir, ""));
    snapshots(&disk).prune(0).unwrap_err();
    assert_eq!(disk.names(), [snapshot(1), snapshot(2)]);
    disk.take_calls();
    snapshots(&disk).prune(0).unwrap();
    assert_eq!(
        disk.take_changes(),
        [
            "sync_dir".to_owned(),
            format!("remove {}", snapshot(1)),
            "sync_dir".to_owned()
        ]
    );
}

#[test]
fn of_two_snapshots_of_one_epoch_the_later_replaces_the_earlier() {
    let disk = disk_of(&[1]);
    snapshots(&disk).write(at(1, 10), b"2").unwrap();
    let found = snapshots(&disk).load().unwrap().0.unwrap();
    assert_eq!(
        (found.boundary.position, found.state),
        (at(1, 10), b"2".to_vec())
    );
    assert_eq!(found.boundary.position.epoch, Epoch(1));
}
