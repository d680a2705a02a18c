//! A simulated disk together with the director that spoils it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver_disk::{Image, Op, SimDisk};
use beaver_storage::Storage;

use crate::oracle::damage::Files;
use crate::scenario::Profile;

use super::director::Director;

/// The disk and the director that spoils it; clones share both.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    disk: SimDisk,
    director: Arc<Mutex<Director>>,
}

/// An independent copy of a disk on which nothing goes wrong, with no process on it.
pub(crate) fn quiet_copy(disk: &SimDisk) -> SimDisk {
    let copy = disk.fork();
    copy.crash_at(None);
    copy.set_max_calls(None);
    copy
}

impl Faults {
    /// Faults by `director` on `disk`.
    #[must_use]
    pub(crate) fn new(disk: SimDisk, director: Director) -> Self {
        let director = Arc::new(Mutex::new(director));
        disk.set_faults(Some(director.clone()));
        Faults { disk, director }
    }

    /// Nothing goes wrong on this disk, and the process may die at every moment of every call.
    pub(crate) fn watched(disk: &SimDisk) -> Self {
        let mut director = Director::scripted(&[]);
        director.watch().set_every_moment(true);
        Faults::new(disk.clone(), director)
    }

    /// An independent copy of the disk on which nothing goes wrong, with no process on it.
    #[must_use]
    pub(crate) fn copy(&self) -> SimDisk {
        quiet_copy(&self.disk)
    }

    /// The disk.
    #[must_use]
    pub(crate) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The director. A panic of the program under test while it was held leaves it usable.
    pub(crate) fn director(&self) -> MutexGuard<'_, Director> {
        let director = self.director.lock();
        director.unwrap_or_else(PoisonError::into_inner)
    }

    /// The storage as a new process sees it.
    #[must_use]
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        self.disk.storage()
    }

    /// Nothing goes wrong meanwhile, and the director sees none of the calls.
    pub(crate) fn undisturbed<T>(&self, act: impl FnOnce(Arc<dyn Storage>) -> T) -> T {
        self.disk.set_faults(None);
        let done = act(self.storage());
        self.disk.set_faults(Some(self.director.clone()));
        done
    }

    /// Changes of names since the last directory sync.
    #[must_use]
    pub(crate) fn names_since_sync(&self) -> Vec<Op> {
        self.director().names_since_sync().to_vec()
    }

    /// These files take the place of what is on the disk. A new process begins.
    pub(crate) fn restore(&self, files: &Files, profile: Profile) {
        let image = Image::from_files(files.clone());
        self.disk.boot(image.disk(profile));
        let mut director = self.director();
        director.process_ended();
        director.rebooted();
    }
}
