//! Beaver keeps a state machine alive across crashes.

mod clock;
mod error;
pub mod event;
pub mod job_queue;
mod json;
mod log_event;
mod position;
mod state_machine;
pub mod storage;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, Result};
pub use event::{Event, EventKind, EventType, JobId, Payload};
pub use job_queue::{Command, JobError, JobQueue, JobSpec, JobStatus};
pub use log_event::{DecodeError, LogEvent};
pub use position::{Epoch, ParsePositionError, Position, Seq};
pub use state_machine::StateMachine;
pub use storage::{Access, Storage, StorageFile, StorageLock};
