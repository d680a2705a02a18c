//! The state machine by itself: what is durable before it is shown.

use std::collections::BTreeSet;

use beaver::{Command, JobId, JobSpec, Payload};
use beaver_disk::{CallEffect, SimDisk, SimOptions};
use beaver_raft::{QueueRequest, StateMachineStore};
use openraft::storage::{RaftSnapshotBuilder as _, RaftStateMachine as _, SnapshotMeta};
use openraft::{AsyncRuntime, EntryPayload, Membership, StoredMembership};
use openraft_rt_tokio::TokioRuntime;

use crate::disks::*;
use crate::support::*;

fn id(index: u64) -> LogId {
    openraft::testing::log_id::<QueueConfig>(1, 0, index)
}

fn enqueue(index: u64) -> Entry {
    let payload = Payload::new("[1, 2]").unwrap();
    let job = JobSpec::new(JobId::new(index.to_string()).unwrap(), payload);
    let command = Command::Enqueue(vec![job]);
    let request = QueueRequest { command, now_ms: 1 };
    Entry {
        log_id: id(index),
        payload: EntryPayload::Normal(request),
    }
}

fn open(disk: &SimDisk) -> QueueMachine {
    StateMachineStore::open(disk.storage()).unwrap()
}

async fn apply(machine: &mut QueueMachine, entries: Vec<Entry>) {
    let entries = entries.into_iter().map(|entry| Ok((entry, None)));
    let entries = futures_util::stream::iter(entries);
    machine.apply(entries).await.unwrap();
}

async fn applied(machine: &mut QueueMachine) -> (Option<u64>, u64) {
    let (last, _) = machine.applied_state().await.unwrap();
    let pending = machine.read(|machine| machine.queue().counts().pending);
    (last.map(|id| id.index), pending)
}

/// What is found after a crash at any moment of what was just recorded.
async fn left(disk: &SimDisk) -> BTreeSet<(Option<u64>, u64)> {
    let mut found = BTreeSet::new();
    for crash in disk.take_crash_points() {
        let profile = crash.disk().profile();
        let space = crash.images();
        let images = space.enumerate(10_000).unwrap();
        let cut = images.map(|candidate| candidate.image.disk(profile));
        for left in cut.chain([crash.kill(CallEffect::Everything)]) {
            let disk = SimDisk::new(left, SimOptions::default());
            let mut machine = open(&disk);
            let shown = applied(&mut machine).await;
            // What it shows stays.
            drop(machine);
            disk.power_cut(&beaver_disk::Choice::default());
            assert_eq!(applied(&mut open(&disk)).await, shown);
            found.insert(shown);
        }
    }
    found
}

#[test]
fn a_snapshot_is_durable_when_it_is_built_and_an_older_one_stays_until_then() {
    let disk = sim_disk();
    TokioRuntime::run(async {
        let mut machine = open(&disk);
        assert_eq!(applied(&mut machine).await, (None, 0));
        assert_eq!(
            machine.get_current_snapshot().await.unwrap().map(|_| ()),
            None
        );
        apply(&mut machine, vec![enqueue(0), enqueue(1)]).await;
        machine.build_snapshot().await.unwrap();
        apply(&mut machine, vec![enqueue(2)]).await;
        disk.record_crash_points(true);
        let built = machine.build_snapshot().await.unwrap();
        assert_eq!(built.meta.last_log_id, Some(id(2)));
        let found = left(&disk).await;
        assert_eq!(found, BTreeSet::from([(Some(1), 2), (Some(2), 3)]));
        disk.power_cut(&beaver_disk::Choice::default());
        let mut machine = open(&disk);
        assert_eq!(applied(&mut machine).await, (Some(2), 3));
        let current = machine.get_current_snapshot().await.unwrap().unwrap();
        assert_eq!(
            (current.meta, current.snapshot),
            (built.meta, built.snapshot)
        );
    });
}

#[test]
fn a_snapshot_from_elsewhere_is_there_wholly_or_not_at_all() {
    let (here, there) = (sim_disk(), sim_disk());
    TokioRuntime::run(async {
        let mut source = open(&there);
        apply(&mut source, (0..9).map(enqueue).collect()).await;
        let mut snapshot = source.build_snapshot().await.unwrap();
        let voters = Membership::new_with_defaults(vec![[1, 2].into()], []);
        snapshot.meta = SnapshotMeta {
            last_log_id: Some(id(8)),
            last_membership: StoredMembership::new(Some(id(3)), voters),
        };
        let mut machine = open(&here);
        apply(&mut machine, vec![enqueue(0)]).await;
        machine.build_snapshot().await.unwrap();
        here.record_crash_points(true);
        let no_state = b"[]".to_vec();
        assert!(
            machine
                .install_snapshot(&snapshot.meta, no_state)
                .await
                .is_err()
        );
        assert_eq!(applied(&mut machine).await, (Some(0), 1));
        machine
            .install_snapshot(&snapshot.meta, snapshot.snapshot)
            .await
            .unwrap();
        let found = left(&here).await;
        assert_eq!(found, BTreeSet::from([(Some(0), 1), (Some(8), 9)]));
        let older = SnapshotMeta {
            last_log_id: Some(id(7)),
            ..snapshot.meta.clone()
        };
        let state = machine
            .get_current_snapshot()
            .await
            .unwrap()
            .unwrap()
            .snapshot;
        assert!(machine.install_snapshot(&older, state).await.is_err());
        assert_eq!(applied(&mut machine).await, (Some(8), 9));
        let (_, membership) = machine.applied_state().await.unwrap();
        assert_eq!(membership, snapshot.meta.last_membership);
    });
}

#[test]
fn a_damaged_snapshot_is_an_error_and_no_older_one_is_shown() {
    let disk = sim_disk();
    TokioRuntime::run(async {
        let mut machine = open(&disk);
        apply(&mut machine, vec![enqueue(0)]).await;
        machine.build_snapshot().await.unwrap();
    });
    let storage = disk.storage();
    let names = storage.list().unwrap();
    let name = names
        .iter()
        .find(|name| name.starts_with("snapshot"))
        .unwrap();
    let file = storage.open(name, beaver::Access::Write).unwrap();
    file.write_at(b"?", 40).unwrap();
    disk.kill(CallEffect::Everything);
    assert!(
        StateMachineStore::<QueueConfig, beaver_raft::ReplicatedQueue>::open(disk.storage())
            .is_err()
    );
}
