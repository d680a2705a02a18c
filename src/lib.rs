//! Beaver keeps a state machine alive across crashes.

mod checksum;
mod clock;
pub mod controller;
mod directory;
mod error;
pub mod event;
mod failpoint;
pub mod inspect;
pub mod job_queue;
mod json;
mod log_event;
mod names;
mod position;
pub mod snapshot;
mod state_machine;
pub mod storage;
pub mod store;
mod sync;
mod temporary;
pub mod wal;

pub use checksum::{ChecksumError, ChecksumKind, calculate_checksum, verify_checksum};
pub use clock::{Clock, ManualClock, SystemClock};
pub use controller::{Controller, ControllerOptions, SharedController};
pub use error::{Error, Result};
pub use event::{Event, EventKind, EventType, JobId, Payload};
pub use failpoint::FAIL_POINTS;
pub use job_queue::{Command, JobError, JobQueue, JobSpec, JobStatus};
pub use log_event::{DecodeError, LogEvent};
pub use position::{Epoch, ParsePositionError, Position, Seq};
pub use snapshot::{Snapshot, SnapshotStore};
pub use state_machine::StateMachine;
pub use storage::{Access, Storage, StorageFile, StorageLock};
pub use store::{CommandError, RecoveryReport, SharedStore, Store, StoreOptions};
pub use wal::{BatchWriter, Wal, WalOptions};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
