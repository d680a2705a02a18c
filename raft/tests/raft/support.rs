//! A type configuration, and stores on every disk.

use std::sync::Arc;

use beaver::{ManualClock, Storage, WalOptions};
use beaver_raft::{Flusher, LogStore, LogStoreOptions, QueueAnswer, QueueRequest};
use openraft_rt_tokio::TokioRuntime;

openraft::declare_raft_types!(
    /// The job queue on tokio.
    pub(crate) QueueConfig:
        D = QueueRequest,
        R = QueueAnswer,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = TokioRuntime,
);

pub(crate) type QueueLog = LogStore<QueueConfig>;
pub(crate) type LogId = openraft::alias::LogIdOf<QueueConfig>;
pub(crate) type Entry = openraft::alias::EntryOf<QueueConfig>;
pub(crate) type Vote = openraft::alias::VoteOf<QueueConfig>;

pub(crate) fn options() -> LogStoreOptions {
    let mut options = LogStoreOptions::default();
    options.store.wal = WalOptions {
        clock: Arc::new(ManualClock::new(0)),
        preallocate_bytes: 4_096,
        ..WalOptions::default()
    };
    options.checkpoint_every = 4;
    options
}

pub(crate) fn try_open_log(
    storage: Arc<dyn Storage>,
    flusher: impl Flusher,
) -> std::io::Result<QueueLog> {
    let opened = LogStore::open(storage, options(), Arc::new(flusher));
    opened.map(|(log, _)| log).map_err(std::io::Error::other)
}
