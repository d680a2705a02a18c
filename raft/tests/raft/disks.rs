//! Disks, real and simulated, and stores on them.

use std::path::Path;
use std::sync::Arc;

use beaver::Storage;
use beaver::storage::DiskStorage;
use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_raft::{Flusher, ReplicatedQueue, StateMachineStore};

use crate::support::*;

pub(crate) type QueueMachine = StateMachineStore<QueueConfig, ReplicatedQueue>;

pub(crate) fn sim_disk() -> SimDisk {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default())
}

pub(crate) fn real(folder: &Path) -> Arc<dyn Storage> {
    Arc::new(DiskStorage::open(folder).unwrap())
}

pub(crate) fn open_log(storage: Arc<dyn Storage>, flusher: impl Flusher) -> QueueLog {
    try_open_log(storage, flusher).unwrap()
}
