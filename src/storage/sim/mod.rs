//! An in-memory disk that loses, tears and refuses, as data says.

mod calls;
mod choice;
mod content;
mod corner;
mod crash;
mod disk;
mod event;
mod failed_sync;
mod fault;
mod file_space;
mod image;
mod images;
mod inode;
mod machine;
mod mixing;
mod names;
pub mod notation;
mod owner;
mod page;
mod profile;
mod space;
mod storage;
mod survival;
mod trace;

pub use choice::{
    About, Choice, Decision, DeviceExtra, DevicePoint, Fill, NameOutcome, Tear, TearPoint,
};
pub use corner::Corner;
pub use crash::{Crash, CrashPoint, Moment, Op, Progress};
pub use disk::{Change, Disk};
pub use event::Event;
pub use fault::{
    Behaviour, Effect, FAULT_KINDS, FailedSync, Failure, Fault, Noticed, NthFault, Plan, Space,
    Subset,
};
pub use image::Image;
pub use images::{Candidate, Images};
pub use inode::InodeId;
pub use machine::{Planned, SimOptions, Unfired, is_crash, is_out_of_calls};
pub use owner::SimDisk;
pub use page::{PAGE_SIZE, SECTOR_SIZE};
pub use profile::{Profile, UnknownProfile};
pub use space::ImageSpace;
pub use storage::SimStorage;
pub use survival::{Fate, Survival, What};
pub use trace::{TraceMode, TraceRecord};
