//! Space that is made ahead in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use beaver::wal::QueueOptions;
use beaver::{Access, BatchWriter, Storage, Wal, WalOptions};
use beaver_disk::Op;

use crate::hooked::hooked;
use crate::note::Note;
use crate::support::*;

/// Counts the writes to segments.
fn counting_writes() -> (Arc<dyn Storage>, Arc<AtomicUsize>) {
    let writes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&writes);
    let storage = hooked(memory(), move |op, file| {
        if op == Op::WriteAt && file.starts_with("wal-") {
            count.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
        }
        Ok(())
    });
    (storage, writes)
}

fn preallocating(storage: &Arc<dyn Storage>, preallocate_bytes: u64) -> BatchWriter<Note> {
    let options = WalOptions {
        preallocate_bytes,
        ..wal_options()
    };
    let (wal, _) = Wal::open(Arc::clone(storage), options).unwrap();
    BatchWriter::new(wal, QueueOptions::default()).unwrap()
}

#[test]
fn the_thread_in_the_background_makes_space_ahead() {
    const BYTES: u64 = 1 << 20;
    let (storage, _) = counting_writes();
    let writer = preallocating(&storage, BYTES);
    writer.append(&[note(0, 0)]).unwrap();
    let segment = storage.open("wal-0000000001.jsonl", Access::Read).unwrap();
    while segment.len().unwrap() < BYTES {
        thread::yield_now();
    }
}

#[test]
fn nobody_makes_space_once_the_log_is_dropped() {
    for _ in 0..5 {
        let (storage, writes) = counting_writes();
        let writer = preallocating(&storage, 4 << 20);
        writer.append(&[note(0, 0)]).unwrap();
        while writes.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        drop(writer);
        let written = writes.load(Ordering::SeqCst);
        for _ in 0..100 {
            thread::yield_now();
        }
        assert_eq!(writes.load(Ordering::SeqCst), written);
    }
}
