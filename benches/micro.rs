//! What the parts cost, each for itself: `cargo bench --bench micro`. `-- --test` only runs
//! everything once, to see that it works.

mod workload;

use std::hint::black_box;
use std::sync::Arc;

use beaver::job_queue::JobQueue;
use beaver::wal::LogReader;
use beaver::{Event, LogEvent, Position, SnapshotStore, StateMachine, Storage, inspect};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

fn main() {
    divan::main();
}

const EVENTS: u64 = 3_000;

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let events = workload::events(EVENTS);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        out.clear();
        for event in &events {
            event.encode(&mut out);
        }
        black_box(out.len())
    });
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let bodies = workload::bodies(&workload::events(EVENTS));
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| {
        for body in &bodies {
            black_box(Event::decode(body).expect("it was encoded"));
        }
    });
}

/// The same events with a space in each, which only the general reader takes.
#[divan::bench]
fn decode_another_spelling(bencher: Bencher<'_, '_>) {
    let mut bodies = workload::bodies(&workload::events(EVENTS));
    for body in &mut bodies {
        body.insert(1, b' ');
    }
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| {
        for body in &bodies {
            black_box(Event::decode(body).expect("any spelling is read"));
        }
    });
}

/// Appends of this many events each.
#[divan::bench(args = [1, 100, 1_000])]
fn append(bencher: Bencher<'_, '_>, events: u64) {
    let events = workload::events(events);
    bencher
        .counter(ItemsCount::new(events.len()))
        .with_inputs(|| workload::log(&workload::disk()))
        .bench_local_values(|mut log| {
            log.append(&events).expect("the disk is large");
            log
        });
}

#[divan::bench]
fn replay(bencher: Bencher<'_, '_>) {
    let storage = workload::filled(&workload::events(EVENTS));
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench_local(|| replayed(&storage));
}

#[divan::bench]
fn validate(bencher: Bencher<'_, '_>) {
    let storage = workload::filled(&workload::events(EVENTS));
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        let stats = inspect::stats::<Event>(&storage).expect("the disk can be read");
        assert_eq!((stats.events, stats.problems.len()), (EVENTS, 0));
    });
}

#[divan::bench]
fn snapshot_write(bencher: Bencher<'_, '_>) {
    let queue = workload::queue(EVENTS);
    let mut state = Vec::new();
    queue.snapshot(&mut state);
    bencher
        .counter(BytesCount::new(state.len()))
        .with_inputs(|| SnapshotStore::new(workload::disk()))
        .bench_local_values(|store| {
            let mut state = Vec::new();
            queue.snapshot(&mut state);
            let written = store.write(Position::new(1, EVENTS), &state);
            written.expect("the disk is large");
        });
}

#[divan::bench]
fn snapshot_load(bencher: Bencher<'_, '_>) {
    let store = SnapshotStore::new(workload::disk());
    let mut state = Vec::new();
    workload::queue(EVENTS).snapshot(&mut state);
    let written = store.write(Position::new(1, EVENTS), &state);
    written.expect("the disk is large");
    bencher
        .counter(BytesCount::new(state.len()))
        .bench_local(|| {
            let (snapshot, _) = store.load().expect("the disk can be read");
            let snapshot = snapshot.expect("one was written");
            JobQueue::restore(&snapshot.state).expect("it is a queue")
        });
}

fn replayed(storage: &Arc<dyn Storage>) {
    let reader = LogReader::<Event>::open(Arc::clone(storage)).expect("the disk can be read");
    let report = reader.replay(Position::default(), |_, event| {
        black_box(event);
        Ok::<(), std::convert::Infallible>(())
    });
    assert_eq!(report.expect("the log is whole").applied, EVENTS);
}
