//! What may a power cut leave of the files of any program?
//!
//! ```text
//! Log          what a program did to its files, in the one order in which the disk saw it: a folder with
//!              lines of JSON, and the bytes of its writes beside them
//!   record       makes one: the simulated disk is served to the program by FUSE, on Linux
//!   LogReplay    carried out again on a simulated disk, event by event
//! CrashImages  every image that a power cut could have left of it, each once
//! ImageCheck   says of an image, written out as files, whether it is good
//! Proof        which syncs are missing: with them no image is bad
//! ```

#![cfg_attr(
    not(target_os = "linux"),
    expect(
        dead_code,
        reason = "only the recorder counts, writes and ends recordings"
    )
)]

mod background_file;
mod candidates;
mod check;
mod check_process;
mod check_server;
mod draw;
mod failing_image;
mod good_images;
mod guard;
mod hand_over;
mod image_folder;
mod image_options;
mod images;
mod judge;
mod log;
mod made;
mod missing_sync;
#[cfg(not(target_os = "linux"))]
mod not_linux;
mod placed;
mod process_group;
mod proof;
mod reasons;
#[cfg(target_os = "linux")]
mod record;
mod recording;
mod replaced;
mod replay;
mod second_crash;
mod summary;
mod survivors;
mod sync_candidates;
mod sync_kind;
#[cfg(test)]
mod testing;
mod trace_fault;
mod unsynced_mapping;
mod words;

pub use check::ImageCheck;
pub use check_process::Judgement;
pub use failing_image::FailingImage;
pub use good_images::{AT_THE_END, GoodImage, good_images};
pub use guard::{Guard, GuardedFolder, stand_guard};
pub use image_folder::write_image;
pub use image_options::ImageOptions;
pub use images::{CrashImages, CutPoint, FoundImage, crash_images};
pub use judge::{Judge, JudgeError, JudgeOptions, JudgeTime, image_place};
pub use log::{Log, LogError, LogFormat, LogWriter, TraceEvent};
pub use made::{CrashImage, PowerCut};
pub use missing_sync::MissingSync;
#[cfg(not(target_os = "linux"))]
pub use not_linux::{check as check_recorder, record, run_watched};
pub use proof::{AlikeSyncs, Proof, prove};
pub use reasons::{Reason, Reasons};
#[cfg(target_os = "linux")]
pub use record::{ServedImage, check as check_recorder, record, run_watched};
pub use recording::{ProgramEnd, RecordError, RecordOptions, Recorded};
pub use replaced::ReplacedFiles;
pub use replay::LogReplay;
pub use second_crash::{CrashedCheck, CrashedChecks, crash_the_checks};
pub use summary::Summary;
pub use survivors::survivors;
pub use sync_kind::SyncKind;
pub use trace_fault::{TRACE_FAULTS, TraceFault};
pub use words::{escaped, events_in_words};
