//! Memory grows with what is live, not with what was ever written: the claim of the scenario
//! `files-and-memory-stay-bounded` for which runs cannot speak, because a run remembers every command.
//!
//! Every byte on the heap counts, those of the disk in memory too: its files are bounded by checkpoints.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::alloc::System;
use std::io;
use std::sync::{Arc, Mutex};

use beaver::{ManualClock, Storage};
use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_sim::beaver::{Command, Job, Library, OpenQueue, Queue, QueueOp};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::{Machine, Subject};
use beaver_storage::{InterposedFile, Interposer, interpose};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SCENARIO: &str = include_str!("../../scenarios/files-and-memory-stay-bounded.json");

/// All rounds, and the first of them: those fill what is filled only once.
const ROUNDS: u64 = 400;
const FIRST_ROUNDS: u64 = 80;

/// Jobs of a round, and the bytes of each one's payload.
const JOBS: u64 = 5;
const PAYLOAD: usize = 3000;

/// What may stay of a job that is done: its id, twice, in tables that grow by doubling.
const BYTES_OF_A_DONE_JOB: usize = 400;

fn live_bytes() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Keeps a copy of everything that is written: what a log does that never clears its buffer.
#[derive(Debug, Default)]
struct Hoard(Mutex<Vec<Vec<u8>>>);

impl Interposer for Hoard {
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.lock().unwrap().push(buf.to_vec());
        file.next().write_at(buf, offset)
    }
}

fn give(queue: &Queue<Library>, store: &mut OpenQueue, command: Command) {
    let answer = queue.run(store, &QueueOp::from(command)).unwrap();
    assert!(!answer.text.starts_with("refused"), "{answer:?}");
}

/// Jobs come, are handed out and are done; now and then there is a checkpoint.
fn round(queue: &Queue<Library>, store: &mut OpenQueue, number: u64) {
    let jobs = (0..JOBS).map(|job| Job {
        id: format!("job-{number}-{job}"),
        payload: format!("\"{}\"", "x".repeat(PAYLOAD)),
        max_attempts: 1,
        timeout_ms: 1000,
        backoff_ms: [0, 0],
    });
    let jobs: Vec<Job> = jobs.collect();
    let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
    give(queue, store, Command::Enqueue { jobs });
    for id in ids {
        give(queue, store, Command::Dispatch);
        give(
            queue,
            store,
            Command::Ack {
                id,
                attempt: Some(1),
            },
        );
    }
    if number.is_multiple_of(8) {
        queue.checkpoint(store).unwrap();
    }
}

/// How many bytes more there are on the heap after the later rounds than after the first, in the same
/// process and in one that opens the store then.
fn growth(between: impl Fn(Arc<dyn Storage>) -> Arc<dyn Storage>) -> [usize; 2] {
    let scenario: Scenario = serde_json::from_str(SCENARIO).unwrap();
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let machine = || Machine {
        storage: between(disk.storage()),
        clock: Arc::new(ManualClock::new(1)),
        log: scenario.log.clone(),
    };
    let queue = Queue::new(Library);
    let mut store = queue.open(&machine()).unwrap();
    (0..=FIRST_ROUNDS).for_each(|number| round(&queue, &mut store, number));
    let before = live_bytes();
    (FIRST_ROUNDS + 1..=ROUNDS).for_each(|number| round(&queue, &mut store, number));
    let same = live_bytes().saturating_sub(before);
    queue.close(store).unwrap();
    let store = queue.open(&machine()).unwrap();
    let opened = live_bytes().saturating_sub(before);
    drop(store);
    [same, opened]
}

#[test]
fn memory_grows_with_what_is_live() {
    let jobs = usize::try_from((ROUNDS - FIRST_ROUNDS) * JOBS).unwrap();
    let most = jobs * BYTES_OF_A_DONE_JOB;
    for grown in growth(|storage| storage) {
        assert!(grown <= most, "{grown} bytes for {jobs} jobs that are done");
    }
    // The same question finds a process that keeps what it has written.
    let [hoarded, _] = growth(|storage| interpose(storage, Arc::new(Hoard::default())));
    assert!(hoarded > jobs * PAYLOAD, "{hoarded} bytes");
}
