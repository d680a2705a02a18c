//! Crash tests for the log store of an openraft application: this one, or any that writes through
//! [`Storage`](beaver::Storage).
//!
//! openraft's own suite asks whether a store does what it is told, and passes on one that cannot be
//! opened again. This one asks what is left. It works on a simulated disk, and at every storage call
//! kills the process and cuts the power, in every way that the disk's profile allows, or at the corners
//! where there are more than [`SuiteOptions::images`]; torn pages are not among them. What is opened
//! then is compared with what the store was told and had answered. What it must keep, by the names in
//! [`BrokenPromise::promise`]:
//!
//! * **opens**: the store can be opened, and what it holds can be read;
//! * **vote**: the last one that was answered, or one that was asked for after it;
//! * **log**: as it was after the last append that was answered, or at a moment after that; without a
//!   gap, and without entries that were cut off or replaced. A purge may be forgotten;
//! * **commit index**: one that was saved, or none, and never ahead of the log;
//! * **once shown**: another power cut right after the opening changes nothing;
//! * **goes on**: what is appended and voted then is there after the next power cut.
//!
//! After that, each storage call fails once, and the same is asked of what is left.
//!
//! It does not look at the state machine and its snapshots, nor at what a device does that lies.

mod check;
mod judge;
mod model;
mod run;
mod script;
mod subject;

pub use check::check_log_store;
pub use run::NumberedConfig;
pub use subject::{BrokenPromise, LogUnderTest, SuiteOptions, SuiteReport};
