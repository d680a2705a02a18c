//! Checkpoints: rotate, then snapshot, then prune.

use beaver::{Error, Store, StoreOptions};

use crate::support::*;

fn open_with(disk: &Memory, options: StoreOptions) -> Store<Tape> {
    Store::open(disk.storage(), options).unwrap().0
}

fn verbs(disk: &Memory) -> Vec<String> {
    let changes = disk.take_changes();
    let words = changes.iter().map(|change| {
        let mut words = change.split(' ');
        let (verb, file) = (words.next().unwrap(), words.next().unwrap_or("."));
        let file = file.split('-').next().unwrap();
        format!("{verb} {file}")
    });
    words.collect()
}

#[test]
fn a_checkpoint_is_rotate_then_snapshot_then_prune() {
    let disk = store_with(2, store_options());
    let mut store = open_with(&disk, store_options());
    disk.take_calls();
    let report = checkpoint(&mut store);
    let rotate = [
        "set_len wal",
        "sync wal",
        "create wal",
        "write wal",
        "sync wal",
        "rename wal",
        "sync_dir .",
    ];
    let write = [
        "create snapshot",
        "write snapshot",
        "sync snapshot",
        "rename snapshot",
        "sync_dir .",
    ];
    let prune = ["remove snapshot", "remove wal", "sync_dir ."];
    assert_eq!(verbs(&disk), [&rotate[..], &write, &prune].concat());
    assert_eq!(report.removed, [snapshot(1), wal(2)]);
    assert_eq!(
        (report.position, report.bytes as usize),
        (at(3, 2), disk.bytes(&snapshot(3)).len())
    );
    assert_eq!(tape(&disk.power_cut()), numbers(1..=6));
}

#[test]
fn a_store_that_nothing_was_written_to_needs_no_checkpoint() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    assert_eq!(store.checkpoint().unwrap(), None);
    assert_eq!(disk.names(), [WAL1]);
}

#[test]
fn a_boundary_whose_snapshot_is_durable_needs_no_other() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    checkpoint(&mut store);
    disk.take_calls();
    assert_eq!(store.checkpoint().unwrap(), None);
    assert_eq!(disk.take_changes(), [""; 0]);
    drop(store);
    assert_eq!(
        open_with(&disk, store_options()).checkpoint().unwrap(),
        None
    );
}

#[test]
fn a_checkpoint_of_an_empty_epoch_uses_the_boundary_before_it() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    drop(store.begin_checkpoint().unwrap().unwrap());
    disk.take_calls();
    let report = checkpoint(&mut store);
    assert_eq!(
        (report.position, verbs(&disk)[0].as_str()),
        (at(1, 2), "create snapshot")
    );
    assert_eq!(disk.names(), [snapshot(1), wal(1), wal(2)]);
}

#[test]
fn a_damaged_snapshot_of_the_boundary_is_replaced_by_a_whole_one() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    checkpoint(&mut store);
    drop(store);
    flip(&disk, &snapshot(1), 333);
    let mut store = open_with(&disk, store_options());
    assert_eq!(checkpoint(&mut store).position, at(1, 2));
    drop(store);
    assert!(recover(&disk).1.damaged_snapshots.is_empty());
}

#[test]
fn the_position_that_the_state_has_applied_survives_an_empty_epoch() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    drop(store);
    open(&disk).rotate().unwrap();
    open(&disk).rotate().unwrap();
    let mut store = open_with(&disk, store_options());
    assert_eq!(checkpoint(&mut store).position, at(2, 0));
    drop(store);
    let (store, report) = recover(&disk);
    assert_eq!(
        (store.applied(), report.snapshot),
        (at(1, 2), Some(at(2, 0)))
    );
    assert_eq!(store.state().0, numbers(1..=2));
}

#[test]
fn commands_go_on_while_the_copy_is_written() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    let begun = store.begin_checkpoint().unwrap().unwrap();
    assert_eq!(begun.position(), at(1, 2));
    commit(&mut store, 3..=4);
    let written = begun.write().unwrap();
    commit(&mut store, 5..=5);
    store.finish_checkpoint(written).unwrap();
    drop(store);
    let (store, report) = recover(&disk);
    assert_eq!(
        (store.state().0.clone(), report.snapshot, report.replayed),
        (numbers(1..=5), Some(at(1, 2)), 3)
    );
}

#[test]
fn what_is_queued_and_not_durable_is_not_in_the_copy() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=1);
    let queued = vec![line(2)];
    store.submit(|_| Ok::<_, Error>((queued, ()))).unwrap();
    checkpoint(&mut store);
    assert_eq!(tape(&disk.power_cut()), numbers(1..=1));
    store.flush().unwrap();
    assert_eq!(tape(&disk.power_cut()), numbers(1..=2));
}

#[test]
fn two_checkpoints_that_overlap_end_with_the_newer_one() {
    for keep in 0..=2 {
        let disk = Memory::new();
        let mut store = open_with(&disk, keeping(keep));
        commit(&mut store, 1..=2);
        let older = store.begin_checkpoint().unwrap().unwrap();
        commit(&mut store, 3..=4);
        let newer = store.begin_checkpoint().unwrap().unwrap();
        commit(&mut store, 5..=5);
        let newer = newer.write().unwrap();
        store.finish_checkpoint(newer).unwrap();
        let older = older.write().unwrap();
        store.finish_checkpoint(older).unwrap();
        for disk in [disk.copy(), disk.power_cut()] {
            assert_eq!(tape(&disk), numbers(1..=5));
            assert_eq!(recover(&disk).1.snapshot, Some(at(2, 2)));
        }
    }
}

#[test]
fn as_many_old_snapshots_are_kept_as_asked_for_with_what_leads_to_them() {
    for keep in 0..=3 {
        let disk = Memory::new();
        let mut store = open_with(&disk, keeping(keep));
        for round in 0..6 {
            commit(&mut store, round * 2 + 1..=round * 2 + 2);
            checkpoint(&mut store);
        }
        let oldest = 6 - keep as u64;
        let mut expected: Vec<_> = (oldest..=6).map(snapshot).collect();
        expected.extend((oldest + 1..=7).map(wal));
        assert_eq!(disk.names(), expected);
    }
}

#[test]
fn as_many_are_kept_also_if_every_process_takes_only_one_checkpoint() {
    for keep in 0..=3 {
        let disk = Memory::new();
        for round in 0..8 {
            let mut store = open_with(&disk, keeping(keep));
            commit(&mut store, round * 2 + 1..=round * 2 + 2);
            checkpoint(&mut store);
        }
        let oldest = 8 - keep as u64;
        let mut expected: Vec<_> = (oldest..=8).map(snapshot).collect();
        expected.extend((oldest + 1..=9).map(wal));
        assert_eq!(disk.names(), expected, "keep {keep}");
    }
}

#[test]
fn a_damaged_old_snapshot_does_not_count_as_kept() {
    let disk = store_with(2, keeping(1));
    flip(&disk, &snapshot(1), 333);
    let mut store = open_with(&disk, keeping(2));
    checkpoint(&mut store);
    assert_eq!(
        disk.names(),
        [snapshot(2), snapshot(3), wal(2), wal(3), wal(4)]
    );
}

#[test]
fn a_newer_damaged_snapshot_is_left_alone_until_a_newer_one_is_durable() {
    let disk = store_with(2, store_options());
    flip(&disk, &snapshot(2), 333);
    let mut store = open_with(&disk, store_options());
    disk.inject(Fault::on(Op::SyncDir, "").after(1));
    store.checkpoint().unwrap_err();
    assert!(disk.names().contains(&snapshot(2)));
    checkpoint(&mut store);
    assert_eq!(
        disk.names(),
        [snapshot(1), snapshot(3), wal(2), wal(3), wal(4)]
    );
}

#[test]
fn nothing_is_pruned_after_a_directory_sync_that_failed() {
    let disk = store_with(2, store_options());
    let mut store = open_with(&disk, store_options());
    let before = disk.names();
    disk.inject(Fault::on(Op::SyncDir, "").after(1));
    let error = store.checkpoint().unwrap_err();
    assert!(matches!(
        error,
        Error::Storage {
            operation: "sync_dir",
            ..
        }
    ));
    assert!(before.iter().all(|name| disk.names().contains(name)));
    commit(&mut store, 7..=7);
    assert_eq!(tape(&disk.power_cut()), numbers(1..=7), "the log goes on");
    disk.take_calls();
    let report = checkpoint(&mut store);
    assert!(!report.removed.is_empty());
    let verbs = verbs(&disk);
    let remove = verbs
        .iter()
        .position(|verb| verb.starts_with("remove"))
        .unwrap();
    assert_eq!(verbs[remove - 1], "sync_dir .");
}

#[test]
fn a_prune_that_fails_is_an_error_of_the_checkpoint_and_made_up_for_later() {
    for fault in [
        Fault::on(Op::Remove, "snapshot-0000000001"),
        Fault::on(Op::Remove, "wal-0000000002"),
        Fault::on(Op::SyncDir, "").after(2),
        Fault::on(Op::List, ""),
    ] {
        let disk = store_with(2, store_options());
        let mut store = open_with(&disk, store_options());
        disk.inject(fault);
        store.checkpoint().unwrap_err();
        commit(&mut store, 7..=7);
        assert_eq!(
            (tape(&disk), tape(&disk.power_cut())),
            (numbers(1..=7), numbers(1..=7))
        );
        checkpoint(&mut store);
        assert_eq!(disk.names(), [snapshot(3), snapshot(4), wal(4), wal(5)]);
    }
}

#[test]
fn a_checkpoint_that_fails_at_any_step_loses_nothing_and_works_later() {
    for op in [
        Op::Create,
        Op::Write,
        Op::SyncData,
        Op::SetLen,
        Op::Rename,
        Op::SyncDir,
        Op::Remove,
    ] {
        for skip in 0..4 {
            for fault in [
                Fault::on(op, "").after(skip),
                Fault::on(op, "").after(skip).late(),
            ] {
                let disk = store_with(2, store_options());
                let mut store = open_with(&disk, store_options());
                disk.inject(fault);
                store.checkpoint().ok();
                disk.heal();
                let poisoned = store.poisoned().is_some();
                assert_eq!(try_commit(&mut store, 7).is_err(), poisoned);
                drop(store);
                for disk in [disk.copy(), disk.power_cut()] {
                    let mut store = open_with(&disk, store_options());
                    let durable = 7 - u64::from(poisoned);
                    assert_eq!(store.state().0, numbers(1..=durable));
                    commit(&mut store, durable + 1..=durable + 1);
                    checkpoint(&mut store);
                    assert!(disk.names().len() <= 5, "{:?}", disk.names());
                }
            }
        }
    }
}

#[test]
fn a_poisoned_log_takes_no_checkpoint() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=2);
    let begun = store.begin_checkpoint().unwrap().unwrap();
    let written = begun.write().unwrap();
    disk.inject(Fault::on(Op::SyncData, "wal"));
    try_commit(&mut store, 3).unwrap_err();
    assert!(matches!(store.checkpoint(), Err(Error::Poisoned { .. })));
    assert!(matches!(
        store.finish_checkpoint(written),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(
        try_commit(&mut store, 3),
        Err(Error::Poisoned { .. })
    ));
    assert_eq!(store.state().0, numbers(1..=2));
}

#[test]
fn a_snapshot_and_the_tail_are_the_fold_of_the_whole_history() {
    let disk = Memory::new();
    let mut store = open_with(&disk, keeping(99));
    for round in 0..5 {
        commit(&mut store, round * 3 + 1..=round * 3 + 3);
        checkpoint(&mut store);
    }
    let history: Vec<_> = read(&disk)
        .iter()
        .map(|event| event.split('=').next_back().unwrap().to_owned())
        .collect();
    assert_eq!(history, numbers(1..=15));
    for epoch in (1..=5).rev() {
        let (state, ..) = beaver::store::read_state::<Tape>(&disk.storage()).unwrap();
        assert_eq!(state.0, history);
        disk.lose(&snapshot(epoch));
    }
}

#[test]
fn a_rejected_command_changes_nothing_and_is_not_logged() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    disk.take_calls();
    let rejected = store.commit(|_| Err::<(Vec<Line>, ()), _>("no"));
    assert!(matches!(
        rejected,
        Err(beaver::CommandError::Rejected("no"))
    ));
    let illegal = store.commit(|_| Ok::<_, Error>((vec![line(1), line("\"illegal\"")], ())));
    assert!(matches!(
        illegal,
        Err(beaver::CommandError::Log(Error::IllegalEvent { .. }))
    ));
    assert_eq!((disk.take_changes().len(), store.state().0.len()), (0, 0));
    commit(&mut store, 1..=1);
    assert_eq!(tape(&disk), numbers(1..=1));
}

#[test]
fn an_event_that_was_undone_is_neither_in_the_state_nor_in_the_log() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    commit(&mut store, 1..=1);
    disk.inject(Fault::on(Op::Write, "wal").torn(30));
    assert!(matches!(
        try_commit(&mut store, 2),
        Err(Error::Storage { .. })
    ));
    commit(&mut store, 3..=3);
    assert_eq!(
        (store.state().0.clone(), tape(&disk)),
        (
            vec!["1".to_owned(), "3".to_owned()],
            vec!["1".to_owned(), "3".to_owned()]
        )
    );
}

#[test]
fn commands_that_were_submitted_share_one_write_and_one_sync() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    disk.take_calls();
    let tickets: Vec<_> = (1..=3)
        .map(|n| {
            store
                .submit(|_| Ok::<_, Error>((vec![line(n)], ())))
                .unwrap()
                .0
                .unwrap()
        })
        .collect();
    store.flush().unwrap();
    assert_eq!(disk.take_changes().len(), 2);
    for (ticket, n) in tickets.iter().zip(1..) {
        assert!(
            matches!(ticket.outcome(), beaver::wal::AppendOutcome::Durable(position) if position == at(1, n))
        );
    }
}

#[test]
fn disk_use_is_bounded_by_checkpoints() {
    let disk = Memory::new();
    let mut store = open_with(&disk, store_options());
    let mut most = 0;
    for n in 1..=200 {
        commit(&mut store, n..=n);
        if n % 5 == 0 {
            checkpoint(&mut store);
        }
        most = most.max(disk.names().len());
    }
    assert!(most <= 5, "{most}");
}

#[test]
fn what_this_process_has_written_itself_it_does_not_read_again() {
    let disk = Memory::new();
    let mut store = open_with(&disk, keeping(1));
    for number in 1..=2 {
        commit(&mut store, number..=number);
        checkpoint(&mut store);
    }
    disk.take_calls();
    commit(&mut store, 3..=3);
    checkpoint(&mut store);
    let calls = disk.take_calls();
    let mut reads = calls.iter().filter(|call| call.op == Op::Read);
    assert_eq!(reads.find(|call| call.file.starts_with("snapshot")), None);
}
