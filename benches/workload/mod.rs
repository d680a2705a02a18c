//! What the microbenchmarks and the instruction counts work on: always the same.

use std::sync::Arc;

use beaver::job_queue::JobQueue;
use beaver::wal::QueueOptions;
use beaver::{
    BatchWriter, Event, EventKind, JobId, LogEvent, ManualClock, Payload, StateMachine, Storage,
    Wal, WalOptions,
};
use beaver_disk::{Disk, Profile, SimDisk, SimOptions, TraceMode};

/// The time stamp of the first event, in milliseconds since the Unix epoch.
const FIRST_MS: u64 = 1_700_000_000_000;

/// The life of `count / 3` jobs: each is enqueued, dispatched and completed.
pub(crate) fn events(count: u64) -> Vec<Event> {
    let event = |number: u64| {
        let id = JobId::new(format!("job-{:06}", number / 3)).expect("it is short");
        let kind = match number % 3 {
            0 => EventKind::Enqueue {
                payload: Payload::new(r#"{"to":"alice","body":"Hello, \u00fcber"}"#)
                    .expect("it is JSON"),
                max_attempts: beaver::event::DEFAULT_MAX_ATTEMPTS,
                timeout_ms: beaver::event::DEFAULT_TIMEOUT_MS,
                backoff: beaver::Backoff::NONE,
            },
            1 => EventKind::Dispatch,
            _ => EventKind::Ack { attempt: Some(1) },
        };
        Event::new(id, FIRST_MS + number, kind)
    };
    (0..count).map(event).collect()
}

/// Events as they stand in a log.
pub(crate) fn bodies(events: &[Event]) -> Vec<Vec<u8>> {
    let body = |event: &Event| {
        let mut out = Vec::new();
        event.encode(&mut out);
        out
    };
    events.iter().map(body).collect()
}

/// A disk in memory that keeps no trace, because a long one would cost more than what is measured.
pub(crate) fn disk() -> Arc<dyn Storage> {
    let options = SimOptions {
        trace: TraceMode::Off,
        ..SimOptions::default()
    };
    SimDisk::new(Disk::empty(Profile::Posix), options).storage()
}

/// A new log, with a clock that stands still.
pub(crate) fn log(storage: &Arc<dyn Storage>) -> Wal {
    let options = WalOptions {
        clock: Arc::new(ManualClock::new(FIRST_MS)),
        ..WalOptions::default()
    };
    let opened = Wal::open(Arc::clone(storage), options);
    opened.expect("nothing goes wrong on this disk").0
}

/// A closed log in which every event is an append of its own and a hundred share a sync.
pub(crate) fn filled(events: &[Event]) -> Arc<dyn Storage> {
    let storage = disk();
    let writer = BatchWriter::new(log(&storage), QueueOptions::default()).expect("a thread");
    for hundred in events.chunks(100) {
        for event in hundred {
            let queued = writer.submit(std::slice::from_ref(event));
            queued.expect("the log is open");
        }
        writer.flush().expect("nothing goes wrong on this disk");
    }
    writer.close().expect("nothing goes wrong on this disk");
    storage
}

/// A queue of `count` pending jobs.
pub(crate) fn queue(count: u64) -> JobQueue {
    let mut queue = JobQueue::initial();
    for event in events(count * 3).iter().step_by(3) {
        queue.apply(event).expect("every job is new");
    }
    queue
}
