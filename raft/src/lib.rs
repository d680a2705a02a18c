//! Storage for [openraft] on Beaver's log: a Raft log, votes and snapshots that survive crashes.
//!
//! # Map
//!
//! | To … | use |
//! | --- | --- |
//! | give openraft a log | [`LogStore`], with a [`Flusher`] |
//! | give openraft a state machine | [`StateMachineStore`] with a [`ReplicatedMachine`] |
//! | replicate Beaver's job queue | [`ReplicatedQueue`] |
//! | know that openraft's settings are sound | [`check_config`] |
//! | refuse a snapshot that its sender may not send any more | [`check_snapshot`] |
//! | see what a store does, for a checker | [`LogObserver`], [`ApplyObserver`] |
#![cfg_attr(
    feature = "suite",
    doc = "| test a log store of your own against crashes | [`suite`], with the feature of that name |"
)]
#![cfg_attr(
    not(feature = "suite"),
    doc = "| test a log store of your own against crashes | `suite`, with the feature of that name |"
)]
//!
//! `README.md` has the promises, a program, and what is not promised. The openraft it is for is pinned:
//! its traits change between alphas.

mod config;
mod flusher;
mod log_store;
mod machine;
mod observer;
mod queue;
mod raft_log;
mod record;
mod snapshot_session;
mod state_machine;
#[cfg(feature = "suite")]
pub mod suite;

pub use config::{UnsoundConfig, check_config};
pub use flusher::{FlushAtOnce, FlushThread, FlushWork, Flusher};
pub use log_store::{LogStore, LogStoreOptions};
pub use machine::{EntryParts, ReplicatedMachine};
pub use observer::{ApplyObserver, LogObserver};
pub use queue::{QueueAnswer, QueueRequest, ReplicatedQueue};
pub use raft_log::{IllegalRecord, RaftLog};
pub use record::{LogRecord, SharedEntry};
pub use snapshot_session::{LaterSnapshot, check_snapshot};
pub use state_machine::StateMachineStore;

/// The README's program compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct RaftReadme;
