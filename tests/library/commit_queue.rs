//! The queue in front of a log, driven without threads: when it is due and what it holds.

use beaver::wal::{CommitQueue, Group, QueueOptions};

use crate::support::*;

#[test]
fn a_queue_says_when_it_is_due_and_what_it_holds() {
    let options = QueueOptions {
        flush_interval_ms: 10,
        ..QueueOptions::default()
    };
    let mut queue = CommitQueue::new(options);
    assert_eq!(
        (queue.is_empty(), queue.is_in_flight(), queue.due_ms()),
        (true, false, None)
    );
    let group = Group::encode(&[line(1)]).unwrap();
    queue.submit(1_005, group, ()).unwrap();
    assert_eq!(
        (queue.is_empty(), queue.is_in_flight(), queue.due_ms()),
        (false, false, Some(1_015))
    );
    assert_eq!(
        (queue.is_due(1_014), queue.is_due(1_015)),
        (false, true),
        "its first append has waited long enough"
    );
    let batch = queue.take().unwrap();
    assert_eq!((queue.is_empty(), queue.is_in_flight()), (true, true));
    queue.finish(batch, Ok(at(1, 1))).unwrap();
    assert_eq!((queue.is_empty(), queue.is_in_flight()), (true, false));
}

#[test]
fn a_group_takes_no_more_in_a_segment_than_it_says() {
    assert!(Group::encode::<Line>(&[]).unwrap().is_empty());
    for events in [1, 2, 100] {
        let group = Group::encode(&vec![line(7); events]).unwrap();
        assert_eq!((group.len(), group.is_empty()), (events, false));
        let disk = Memory::new();
        let mut wal = open(&disk);
        let before = disk.bytes(WAL1).len();
        let most = group.max_encoded_len();
        wal.commit(&[group]).unwrap();
        let taken = disk.bytes(WAL1).len() - before;
        assert!(taken <= most, "{events} events: {taken} of {most} bytes");
    }
}
