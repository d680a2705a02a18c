use super::super::ticket::AppendOutcome;
use super::*;

fn queue(options: QueueOptions) -> CommitQueue<u32> {
    CommitQueue::new(options)
}

fn group(events: usize) -> Group {
    Group::encode(&vec![Body(10); events]).unwrap()
}

#[derive(Clone)]
struct Body(usize);

impl crate::LogEvent for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(std::iter::repeat_n(b'1', self.0));
    }
    fn decode(json: &[u8]) -> Result<Self, crate::DecodeError> {
        Ok(Body(json.len()))
    }
}

fn durable(ticket: &Ticket) -> Option<Position> {
    match ticket.outcome() {
        AppendOutcome::Durable(position) => Some(position),
        _ => None,
    }
}

#[test]
fn callers_share_a_batch_and_each_learns_its_own_position() {
    let mut queue = queue(QueueOptions::default());
    let tickets: Vec<Ticket> = [1, 2, 3]
        .into_iter()
        .zip(0..)
        .map(|(events, n)| queue.submit(0, group(events), n).unwrap())
        .collect();
    let batch = queue.take().unwrap();
    assert_eq!(batch.groups().len(), 3);
    assert!(
        tickets
            .iter()
            .all(|t| matches!(t.outcome(), AppendOutcome::Pending))
    );
    assert_eq!(
        queue.finish(batch, Ok(Position::new(2, 16))).unwrap(),
        [0, 1, 2]
    );
    let positions: Vec<_> = tickets.iter().map(durable).collect();
    assert_eq!(
        positions,
        [11, 13, 16].map(|seq| Some(Position::new(2, seq)))
    );
}

#[test]
fn one_batch_at_most_is_in_flight() {
    let mut queue = queue(QueueOptions::default());
    queue.submit(0, group(1), 0).unwrap();
    let batch = queue.take().unwrap();
    queue.submit(0, group(1), 1).unwrap();
    assert!(queue.take().is_none());
    queue.finish(batch, Ok(Position::new(1, 1))).unwrap();
    assert!(queue.take().is_some());
}

#[test]
fn a_batch_ends_by_count_and_by_bytes() {
    let mut by_count = queue(QueueOptions {
        max_batch_events: 2,
        ..QueueOptions::default()
    });
    for n in 0..5 {
        by_count.submit(0, group(1), n).unwrap();
    }
    assert_eq!(by_count.take().unwrap().groups().len(), 2);
    let bytes = 3 * group(1).max_encoded_len();
    let mut by_bytes = queue(QueueOptions {
        max_batch_bytes: bytes,
        ..QueueOptions::default()
    });
    for n in 0..5 {
        by_bytes.submit(0, group(1), n).unwrap();
    }
    by_bytes.submit(0, group(9), 5).unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = by_bytes.take() {
        sizes.push(batch.groups().len());
        by_bytes.finish(batch, Ok(Position::new(1, 100))).unwrap();
    }
    assert_eq!(
        sizes,
        [3, 2, 1],
        "one append alone may be larger than a batch"
    );
}

#[test]
fn a_batch_is_due_by_size_or_by_time() {
    let options = QueueOptions {
        max_batch_events: 2,
        flush_interval_ms: 5,
        ..QueueOptions::default()
    };
    let mut queue = queue(options);
    assert!(!queue.is_due(u64::MAX));
    queue.submit(100, group(1), 0).unwrap();
    assert!(!queue.is_due(104));
    assert!(queue.is_due(105));
    queue.submit(101, group(1), 1).unwrap();
    assert!(queue.is_due(101));
}

#[test]
fn on_error_every_caller_learns_of_it_and_later_ones_know_that_nothing_was_written() {
    let mut queue = queue(QueueOptions {
        max_batch_events: 1,
        ..QueueOptions::default()
    });
    let first = queue.submit(0, group(1), 0).unwrap();
    let next = queue.submit(0, group(1), 1).unwrap();
    let batch = queue.take().unwrap();
    let cause = Arc::new(Error::Closed);
    let error = queue
        .finish(batch, Err(Error::Indeterminate { cause }))
        .unwrap_err();
    assert!(error.is_indeterminate());
    assert!(matches!(
        first.outcome(),
        AppendOutcome::Failed(Error::Indeterminate { .. })
    ));
    assert!(matches!(
        next.outcome(),
        AppendOutcome::Failed(Error::Poisoned { .. })
    ));
    assert!(queue.is_empty());
}

#[test]
fn a_closed_queue_takes_nothing_and_gives_out_what_it_has() {
    let mut queue = queue(QueueOptions::default());
    queue.submit(0, group(1), 0).unwrap();
    queue.close();
    assert!(matches!(queue.submit(0, group(1), 1), Err(Error::Closed)));
    assert!(queue.take().is_some());
}
