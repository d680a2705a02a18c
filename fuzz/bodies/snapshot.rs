//! Any bytes as a snapshot, and as the state in one.

use std::sync::Arc;

use beaver::{
    Boundary, Command, Controller, ControllerOptions, Epoch, JobQueue, ManualClock, Position,
    SnapshotStore, StateMachine, StoreOptions, WalOptions,
};
use beaver_disk::SimDisk;

use super::{MAX_INPUT, disk, sealed};

pub(crate) fn check(input: &[u8]) {
    if input.len() > MAX_INPUT {
        return;
    }
    check_state(input);
    let snapshot = sealed(Epoch(1), input);
    let mut files = vec![("snapshot-0000000001.json".to_owned(), snapshot)];
    let loaded = SnapshotStore::new(disk(&files).storage()).load();
    let covered = match loaded {
        Ok((Some(snapshot), _)) => snapshot.boundary,
        _ => Boundary::from(Position::new(1, 0)),
    };
    let segment = sealed(Epoch(2), header_after(covered).as_bytes());
    files.push(("wal-0000000002.jsonl".to_owned(), segment));
    let disk = disk(&files);
    check_store(&disk);
    assert!(!disk.is_out_of_calls());
}

/// The header of the segment that follows a snapshot, of the version of the snapshot.
fn header_after(covered: Boundary) -> String {
    let last_seq = covered.position.seq;
    let (version, prev) = match (covered.store, covered.crc) {
        (Some(store), Some(crc)) => (
            format!("2,\"store\":\"{store}\""),
            format!(",\"crc\":\"{crc:08x}\""),
        ),
        _ => ("1".to_owned(), String::new()),
    };
    format!(
        "{{\"wal\":\"beaver\",\"version\":{version},\"epoch\":2,\
         \"prev\":{{\"epoch\":1,\"last_seq\":{last_seq}{prev}}},\"created_ms\":0,\"crc\":\"*\"}}\n"
    )
}

/// A state that is accepted is written as it was read.
fn check_state(input: &[u8]) {
    let Ok(state) = JobQueue::restore(input) else {
        return;
    };
    let mut written = Vec::new();
    state.snapshot(&mut written);
    let again = JobQueue::restore(&written).expect("a state that was written is one");
    assert_eq!(again, state);
}

/// A store that opens can be used, and opens again with the same state.
pub(crate) fn check_store(disk: &SimDisk) {
    let before = disk.live();
    let mut queue = match open(disk) {
        Ok(queue) => queue,
        Err(error) => {
            assert_eq!(disk.live(), before, "{error}");
            return;
        }
    };
    for command in [
        Command::Dispatch,
        Command::Tick,
        Command::RequeueInFlight,
        Command::Dispatch,
    ] {
        match queue.execute(&command) {
            // A log at its last seq, say.
            Err(beaver::CommandError::Log(_)) | Ok(_) => {}
            Err(beaver::CommandError::Rejected(error)) => panic!("{command:?}: {error}"),
        }
    }
    // Segments that the snapshot covers may be damaged; reading them ends all the same.
    let reader = queue.reader();
    let start = reader.start().unwrap_or_default();
    drop(reader.replay(start, |_, _| Ok::<(), ()>(())));
    let (state, applied) = (queue.state().clone(), queue.applied());
    match queue.checkpoint() {
        // There is no epoch after the largest one.
        Ok(_) | Err(beaver::Error::Refused { .. }) => {}
        Err(error) => panic!("nothing fails on this disk: {error}"),
    }
    assert_eq!((queue.state(), queue.applied()), (&state, applied));
    drop(queue);
    let queue = open(disk).expect("what was opened once is opened again");
    assert_eq!((queue.state(), queue.applied()), (&state, applied));
}

fn open(disk: &SimDisk) -> beaver::Result<Controller> {
    let wal = WalOptions {
        clock: Arc::new(ManualClock::new(1_700_000_000_000)),
        ..WalOptions::default()
    };
    let options = ControllerOptions {
        store: StoreOptions {
            wal,
            ..StoreOptions::default()
        },
        ..ControllerOptions::default()
    };
    Controller::open(disk.storage(), options).map(|(queue, _)| queue)
}
