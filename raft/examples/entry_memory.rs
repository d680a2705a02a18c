//! How many bytes of memory an entry of the log takes, beside what its command holds:
//! `cargo run --release -p beaver-raft --example entry_memory`.

use std::alloc::System;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{Command, JobId};
use beaver_raft::{FlushAtOnce, LogStore, LogStoreOptions, QueueAnswer, QueueRequest};
use openraft::storage::{IOFlushed, RaftLogStorage as _};
use openraft::{AsyncRuntime, EntryPayload};
use openraft_rt_tokio::TokioRuntime;
use stats_alloc::{Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: StatsAlloc<System> = StatsAlloc::system();

openraft::declare_raft_types!(
    /// Jobs on tokio.
    Jobs:
        D = QueueRequest,
        R = QueueAnswer,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = TokioRuntime,
);

const ENTRIES: u64 = 200_000;

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let storage = Arc::new(DiskStorage::open(directory.path())?);
    let options = LogStoreOptions::default();
    let (mut log, _) = LogStore::<Jobs>::open(storage, options, Arc::new(FlushAtOnce))?;
    // A command without memory of its own: short names have none.
    let id = JobId::new("job-1")?;
    let ack = Command::Ack { id, attempt: 1 };
    let region = Region::new(&ALLOCATOR);
    for first in (0..ENTRIES).step_by(1_000) {
        let entries = (first..first + 1_000).map(|index| openraft::Entry {
            log_id: openraft::testing::log_id::<Jobs>(1, 1, index),
            payload: EntryPayload::Normal(QueueRequest {
                command: ack.clone(),
                now_ms: index,
            }),
        });
        let entries: Vec<_> = entries.collect();
        log.append(entries, IOFlushed::noop()).await?;
    }
    let change = region.change();
    let held = change.bytes_allocated - change.bytes_deallocated;
    println!("{} bytes an entry", held as u64 / ENTRIES);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    TokioRuntime::run(measure())
}
