//! What is tested, how thoroughly, and what came of it.

use std::sync::Arc;

use beaver::Storage;
use beaver_disk::Profile;
use openraft::RaftTypeConfig;
use openraft::storage::RaftLogStorage;

/// A log store, and how it is opened.
pub trait LogUnderTest<C: RaftTypeConfig> {
    /// The store.
    type Store: RaftLogStorage<C>;

    /// Opens the store in `storage`, or makes a new one where there is none. It must not keep anything
    /// that the storage does not have.
    ///
    /// # Errors
    /// Why it cannot be opened. After a crash that is a failure.
    fn open(&self, storage: Arc<dyn Storage>) -> std::io::Result<Self::Store>;

    /// Lets happen what the store does on its own: a flush that is scheduled, say. Called when the
    /// suite waits for an answer, and at moments between two calls.
    fn run_scheduled(&self) {}
}

/// How thorough the suite is.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// What may survive a power cut.
    pub profiles: Vec<Profile>,
    /// How many images of one moment are looked at; where there are more, only the corners.
    pub images: u64,
}

impl Default for SuiteOptions {
    /// The profiles that an ordinary file system may have, and 200 images.
    fn default() -> Self {
        SuiteOptions {
            profiles: vec![Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix],
            images: 200,
        }
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuiteReport {
    /// Moments at which the process died.
    pub crashes: u64,
    /// Different disks that were opened after one.
    pub images: u64,
    /// Storage calls that failed.
    pub failed_calls: u64,
}

/// A store that does not keep what it answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{promise}: {what}")]
pub struct BrokenPromise {
    /// Which promise: `opens`, `vote`, `log`, `commit index`, `once shown` or `goes on`; see
    /// [`suite`](crate::suite).
    pub promise: &'static str,
    /// When the process died, and what was found.
    pub what: String,
}
