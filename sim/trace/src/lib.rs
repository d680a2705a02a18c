//! What may a power cut leave of the files of any program?
//!
//! ```text
//! Recording    what a program did to its files, in the one order in which the disk saw it
//!   Log          that, as a folder: lines of JSON, and the bytes of its writes beside them
//!   record       makes one: the simulated disk is served to the program by FUSE, on Linux
//!   Replay       carried out again on a simulated disk, event by event
//! ```

mod log;
#[cfg(not(target_os = "linux"))]
mod not_linux;
mod planned_fault;
#[cfg(target_os = "linux")]
mod record;
mod recording;
mod replay;
mod summary;

pub use log::{Event, Format, Log, LogError, LogWriter};
#[cfg(not(target_os = "linux"))]
pub use not_linux::{check as check_recorder, record, run_watched, stand_guard};
pub use planned_fault::{PLANNED_FAULTS, PlannedFault};
#[cfg(target_os = "linux")]
pub use record::{ServedImage, check as check_recorder, record, run_watched, stand_guard};
pub use recording::{Ended, RecordError, RecordOptions, Recorded};
pub use replay::Replay;
pub use summary::Summary;
