//! Beaver keeps a state machine alive across crashes: a write-ahead log of JSON lines, snapshots,
//! and recovery from both. A job queue is included; any other [`StateMachine`] gets the same.
//!
//! ```
//! use std::sync::Arc;
//! use beaver::storage::DiskStorage;
//! use beaver::{Controller, ControllerOptions, JobId, JobSpec, JobStatus, Payload};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let storage = Arc::new(DiskStorage::open(directory.path())?);
//! let id = JobId::new("mail-1")?;
//! let job = JobSpec::new(id.clone(), Payload::new(r#"{"to":"alice"}"#)?);
//!
//! let (mut queue, _) = Controller::open(storage.clone(), ControllerOptions::default())?;
//! queue.enqueue(job)?; // Durable when it returns.
//! drop(queue); // As good as a crash: nothing was closed.
//!
//! let (mut queue, report) = Controller::open(storage, ControllerOptions::default())?;
//! assert_eq!(report.replayed, 1);
//! let job = queue.dispatch()?.expect("the job is there");
//! assert_eq!(job.payload.as_str(), r#"{"to":"alice"}"#);
//! queue.ack(&job.id, job.attempt)?;
//! assert_eq!(queue.state().status(&id), Some(JobStatus::Completed));
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | To … | use |
//! | --- | --- |
//! | keep jobs | [`Controller`]; from many threads, [`SharedController`] |
//! | keep a state of your own | [`Store`] with a [`StateMachine`]; from many threads, [`SharedStore`] |
//! | keep it from an executor of your own | [`SharedStore::open_without_thread`], with tickets to await |
//! | put another state in the place of all of it | [`Store::install`] |
//! | keep events and no state | [`Wal`] with a [`LogEvent`]; from many threads, [`BatchWriter`] |
//! | keep whole states and no events | [`SnapshotStore`] |
//! | see how much it does and how long that takes | `metrics()` of each of them that has a log: [`StoreMetrics`] |
//! | look at, repair, cut or compare what is on disk | [`inspect`] |
//! | put it on real files, on a disk that fails on request, or on your own | [`storage`] |
//!
//! `examples/` has a job queue and a second state machine, a ledger.
//!
//! # Guarantees
//!
//! On a disk as described below:
//!
//! * **Durable.** An append or a command that returned `Ok` survives `kill -9`, a power cut, a full
//!   disk and a torn write, and every later open shows it.
//! * **Atomic.** An append of several events is there whole or not at all, and in its place.
//! * **Decided once.** An error says which of two things is true: nothing was stored, or
//!   ([`Error::is_indeterminate`]) the next open decides. What one open has shown, every later one
//!   shows.
//! * **Fail-stop.** After a failed sync the log refuses every change until it is opened again; no
//!   sync is tried twice.
//! * **Honest.** An end that was never acknowledged is cut and reported. Damage to what was
//!   acknowledged is a typed [`Error`] with file, offset and reason, and no file is changed; so is
//!   an event that cannot be decoded or that the state refuses.
//! * **Deterministic.** The state is a function of the events. No random number is drawn but the
//!   identity of a new store; time comes from a [`Clock`], and no event is replayed differently because of it.
//! * **Every caller is answered.** A thread that waits for a shared log learns what became of its
//!   append, also when the log is closed, a batch fails, or the thread that writes it panics.
//!
//! # Not promised
//!
//! * One process at a time owns a directory: the one that opened it. A store that it has opened is
//!   of no use in a process forked from it, where every change is refused. There is no replication.
//! * After an indeterminate error only opening again can tell what is stored.
//! * Salvage and repair return what can be read. What is lost is reported, not restored.
//! * Checksums find accidents, not forgery by who can read or write the files. A client of the store
//!   can do neither, and nothing that it puts into an event passes for a line of the log
//!   (except in segments of format version 1).
//! * A job is dispatched at most as often as it may be, and completes at most once in the queue's
//!   books; whether a worker did its work twice, the queue cannot know.
//! * Memory holds the whole state, and during a checkpoint what a clone of it adds.
//!
//! # Assumptions about the disk
//!
//! 1. What a successful [`sync_data`](StorageFile::sync_data) or [`sync_dir`](Storage::sync_dir)
//!    has confirmed stays, through a power cut too. A disk that confirms and forgets can take the
//!    end of the active segment unnoticed, if no later proof of it is left.
//! 2. Nothing else is assumed durable. What was not synced may survive in any part and any order of
//!    4,096-byte pages, of lengths and of names; also half a page, in units of 512 bytes.
//! 3. A write changes the bytes that it was asked to change, and no other sector.
//! 4. A rename replaces its target as one step: after a crash a name stands for the old file or the
//!    new one, never for a mixture. Both names may be left.
//! 5. After a failed sync nothing is known about the file's unsynced bytes, and a second sync
//!    proves nothing. (On Linux it returns `Ok` without writing.) Opening again judges what is on
//!    the disk, and asks the system to forget its cache for that
//!    ([`drop_cache`](StorageFile::drop_cache): `posix_fadvise` on Linux). Where a system has no
//!    such call or does not follow it, a file system that goes on losing writes to the pages of a
//!    failed sync, while later syncs succeed, can lose what is acknowledged after the reopen; ext4
//!    does so with new blocks. There, restart the machine after a failed sync.
//! 6. Reads may fail, and may return wrong bytes now and then: before anything is cut, it is read
//!    again. Bytes that rot are found by checksum, when they are read.
//! 7. The advisory lock keeps out every other process that asks for it, and leaves with its holder.
//!    File systems that do not keep it (some network mounts) are not for this. If the file `LOCK` is
//!    removed or replaced, the owner stops before its next `Ok`, and opens again.
//! 8. The directory shows the names that were made durable, each once. ext4 with `fast_commit`, an
//!    option that is off by default, has shown other ones after a crash and is not for this.

mod boundary;
mod checksum;
mod clock;
pub mod controller;
mod directory;
mod error;
pub mod event;
mod failpoint;
mod format;
pub mod inspect;
pub mod job_queue;
mod json;
mod lineage;
mod log_event;
mod metrics;
mod names;
mod position;
pub mod snapshot;
mod state_machine;
pub use beaver_storage as storage;
pub mod store;
mod store_id;
mod sync;
mod temporary;
pub mod wal;
mod window;

pub use boundary::Boundary;
pub use checksum::{ChecksumError, ChecksumKind, SegmentId, calculate_checksum, verify_checksum};
pub use clock::{Clock, ManualClock, SystemClock};
pub use controller::{Controller, ControllerOptions, SharedController};
pub use error::{Error, Result};
pub use event::{Backoff, Event, EventKind, EventType, JobId, Payload};
pub use failpoint::FAIL_POINTS;
pub use job_queue::{Command, JobError, JobQueue, JobSpec, JobStatus};
pub use log_event::{DecodeError, LogEvent};
pub use metrics::{Histogram, StoreMetrics};
pub use position::{Epoch, ParsePositionError, Position, Seq};
pub use snapshot::{Snapshot, SnapshotStore};
pub use state_machine::StateMachine;
pub use storage::{Access, Storage, StorageFile, StorageLock};
pub use store::{CommandError, RecoveryReport, SharedStore, Store, StoreOptions};
pub use store_id::StoreId;
pub use wal::{BatchWriter, Wal, WalOptions};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
