//! Storage for [openraft](openraft) on Beaver's log.

mod config;
mod flusher;
mod log_store;
mod machine;
mod observer;
mod queue;
mod raft_log;
mod record;
mod state_machine;

pub use config::{UnsoundConfig, check_config};
pub use flusher::{FlushAtOnce, FlushThread, FlushWork, Flusher};
pub use log_store::{LogStore, LogStoreOptions};
pub use machine::{EntryParts, ReplicatedMachine};
pub use observer::{ApplyObserver, LogObserver};
pub use queue::{QueueAnswer, QueueRequest, ReplicatedQueue};
pub use raft_log::{IllegalRecord, RaftLog};
pub use record::{LogRecord, SharedEntry};
pub use state_machine::StateMachineStore;
