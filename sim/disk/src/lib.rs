//! An in-memory disk that loses, tears and refuses, as data says.
//!
//! ```text
//! SimDisk      the machine, in the hands of a test: starts processes, kills them, cuts the power
//!   FaultSource  decides what goes wrong where a call begins; a FaultPlan says it as data
//!   Disk         the disk as a value: live bytes, durable bytes, and the records between them
//!     Crash        the disk at a crash point, with the call that was interrupted
//!       ImageSpace   everything that a power cut may leave of it
//!         Choice       what survives, as data
//!         Image        the files that are left
//! ```
//!
//! A write is a pending record until a sync makes it durable. A process that is killed leaves the
//! live view, pending records included; a power cut keeps some of the records and drops the others,
//! and the [`Profile`] says which combinations are possible. There is no randomness here: plans and
//! choices come from outside, and equal ones give equal runs. Pages are shared between all
//! versions, disks and images that hold them, so that copies are cheap.
//!
//! ```
//! use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
//!
//! # fn main() -> std::io::Result<()> {
//! let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
//! let storage = disk.storage();
//! let file = storage.create("a")?;
//! file.write_at(b"hello", 0)?;
//! file.sync_data()?;
//! // The content is durable, the name is not: nobody synced the directory.
//! let space = disk.crash().images();
//! let images = space.enumerate(100).expect("two combinations");
//! let lengths: Vec<_> = images.map(|found| found.image.len_of("a")).collect();
//! assert_eq!(lengths, [None, Some(5)]);
//!
//! disk.boot_image(&space.image(&space.resolve(&[1])));
//! assert!(storage.list().is_err(), "that process is dead");
//! assert_eq!(disk.storage().list()?, ["a"]);
//! # Ok(())
//! # }
//! ```

mod by_number;
mod change;

mod choice;
mod content;
mod corner;
mod crash;
mod crash_point;
mod cut_damage;
mod damaged_file;
mod directory_calls;
mod disk;
mod event;
mod failed_sync;
mod fault;
mod fault_source;
mod file_calls;
mod file_hash;
mod file_space;
mod fingerprint;
mod happening;
mod image;
mod images;
mod inode;
mod machine;
mod mixing;
mod name_commits;
mod names;
mod naming;
pub mod notation;
mod owner;
mod page;
mod paths;
mod profile;
mod room;
mod sampler;
mod space;
mod storage;
mod survival;
mod survivor_set;
mod torn;
mod trace;
mod tree;
mod view;
mod weak_spots;

pub use beaver_storage::{FileKind, Op};
pub use change::Change;
pub use choice::{About, Choice, Decision, DeviceExtra, Fill, Tear, WeakSpot};
pub use corner::Corner;
pub use crash::Crash;
pub use crash_point::{CrashPoint, Moment};
pub use disk::Disk;
pub use event::DiskEvent;
pub use fault::{Behaviour, CallEffect, FailedSync, FailureKind, Fault, Noticed, Space, Subset};
pub use fault_source::{FaultPlan, FaultSource, Injection, StorageCall};
pub use image::Image;
pub use images::{Candidate, Images};
pub use machine::{SimOptions, is_crash, is_out_of_calls};
pub use names::{InodeId, NameOutcome};
pub use owner::SimDisk;
pub use page::{PAGE_SIZE, SECTOR_SIZE};
pub use profile::Profile;
pub use sampler::Sampler;
pub use space::ImageSpace;
pub use storage::SimDirectory;
pub use survival::{Fate, RecordKind, Survival};
pub use survivor_set::SurvivorSet;
pub use torn::{TornCandidate, TornImages};
pub use trace::{TraceMode, TraceRecord};
pub use view::FileView;

/// The README's example is run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct DiskReadme;
