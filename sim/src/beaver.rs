//! Beaver's own job queue and log as a [`Subject`](crate::subject::Subject): ops, an independent
//! model, the layout of the files, and a reader of the log.
//!
//! [`Queue`] is any store that keeps the job queue in the documented files: the library, or one of
//! the zoo's with a bug. [`RequestLog`] is the log alone, which syncs on request.

mod border;
mod command;
pub mod engine;
mod failure;
mod honesty;
mod inspected;
mod library;
mod log;
mod machine;
pub mod model;
mod op;
mod planning;
mod queue;
pub(crate) mod reader;
mod record;
pub(crate) mod salvage;
mod shared;
mod small;
mod state;
pub(crate) mod tidiness;
mod unacceptable;
mod workload;

pub use crate::faults::files;
pub(crate) use command::MOST_SPACE;
pub use command::{Command, Job};
pub use library::Library;
pub use log::{OpenRequestLog, RequestLog};
pub use machine::{OnBeaver, TestedMachine};
pub use op::QueueOp;
pub use queue::{OpenQueue, Queue};
pub use shared::SharedLibrary;
pub use state::QueueState;
pub use unacceptable::Unacceptable;

use crate::scenario::{Scenario, SyncSetting};
use crate::subject::AnySubject;

/// What a scenario tests unless the caller says otherwise: the library.
#[must_use]
pub fn library(scenario: &Scenario) -> AnySubject {
    match scenario.log.sync {
        SyncSetting::EveryAppend => AnySubject::new(Queue::new(Library)),
        SyncSetting::OnRequest => AnySubject::new(RequestLog::default()),
    }
}
