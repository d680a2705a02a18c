//! What a store counts.

use beaver::wal::Group;
use beaver::{Histogram, StoreMetrics};

use crate::support::*;

#[test]
fn a_log_counts_appends_batches_and_syncs() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    assert_eq!(wal.metrics().appends, 0);
    let before = disk.bytes(WAL1).len();
    append(&mut wal, 1..=2);
    let groups = [1, 2, 3].map(|n| Group::encode(&[line(n), line(n)]).unwrap());
    wal.commit(&groups).unwrap();
    let seen = wal.metrics();
    assert_eq!((seen.appends, seen.events), (5, 8));
    assert_eq!(seen.bytes as usize, disk.bytes(WAL1).len() - before);
    assert_eq!(
        (seen.batch_appends.count(), seen.batch_appends.max()),
        (3, 3)
    );
    assert_eq!((seen.sync_us.count(), seen.commit_us.count()), (3, 3));
    assert_eq!(seen.failed_batches, 0);
}

#[test]
fn what_failed_is_not_counted_as_durable() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    append(&mut wal, 1..=1);
    disk.inject(Fault::on(Op::SyncData, "wal"));
    wal.append(&[line(2)]).unwrap_err();
    let seen = wal.metrics();
    assert_eq!((seen.appends, seen.failed_batches), (1, 1));
    assert_eq!((seen.sync_us.count(), seen.commit_us.count()), (2, 1));
}

#[test]
fn a_store_counts_its_recovery_and_its_checkpoints() {
    let disk = Memory::new();
    let (mut store, _) = recover(&disk);
    commit(&mut store, 1..=3);
    checkpoint(&mut store);
    commit(&mut store, 4..=5);
    assert_eq!(store.metrics().checkpoints, 1);
    drop(store);
    let (store, report) = recover(&disk);
    let StoreMetrics {
        appends,
        checkpoints,
        recovered_events,
        ..
    } = store.metrics();
    assert_eq!(recovered_events, report.replayed);
    assert_eq!((appends, checkpoints, recovered_events), (0, 0, 2));
}

#[test]
fn an_empty_histogram_is_all_zero() {
    let empty = Histogram::default();
    assert_eq!(
        (empty.count(), empty.mean(), empty.quantile(500)),
        (0, 0, 0)
    );
}
