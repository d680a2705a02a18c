//! What may a power cut leave of the files of any program?
//!
//! ```text
//! Recording    what a program did to its files, in the one order in which the disk saw it
//!   Log          that, as a folder: lines of JSON, and the bytes of its writes beside them
//!   record       makes one: the simulated disk is served to the program by FUSE, on Linux
//!   Replay       carried out again on a simulated disk, event by event
//! ```

#![cfg_attr(
    not(target_os = "linux"),
    expect(
        dead_code,
        reason = "only the recorder counts, writes and ends recordings"
    )
)]

mod background_file;
mod log;
#[cfg(not(target_os = "linux"))]
mod not_linux;
#[cfg(target_os = "linux")]
mod record;
mod recording;
mod replay;
mod summary;
mod trace_fault;

pub use log::{Event, Format, Log, LogError, LogWriter};
#[cfg(not(target_os = "linux"))]
pub use not_linux::{check as check_recorder, record, run_watched, stand_guard};
#[cfg(target_os = "linux")]
pub use record::{check as check_recorder, record, run_watched, stand_guard};
pub use recording::{ProgramEnd, RecordError, RecordOptions, Recorded};
pub use replay::Replay;
pub use summary::Summary;
pub use trace_fault::{TRACE_FAULTS, TraceFault};
