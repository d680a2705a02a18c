//! The simulated disk as a process sees it: the storage traits.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::file_calls::OpenFile;
use super::machine::{SharedMachine, enter};
use super::owner::SimDisk;
use beaver_storage::{Access, Op, Storage, StorageFile, StorageLock};

impl SimDisk {
    /// The disk for the process that runs now. It is dead after the next kill or power cut.
    #[must_use]
    pub fn storage(&self) -> Arc<dyn Storage> {
        let machine = self.machine.clone();
        let process = enter(&machine).process;
        Arc::new(SimStorage { machine, process })
    }
}

/// The disk in the hands of one process. Dead after a kill or a
/// power cut: every call fails with an error for which [`is_crash`](super::is_crash) holds.
struct SimStorage {
    machine: SharedMachine,
    process: u64,
}

struct SimFile {
    machine: SharedMachine,
    process: u64,
    file: OpenFile,
}

struct SimLock {
    machine: SharedMachine,
    process: u64,
    number: u64,
}

impl SimStorage {
    fn file(&self, file: OpenFile) -> Box<dyn StorageFile> {
        Box::new(SimFile {
            machine: self.machine.clone(),
            process: self.process,
            file,
        })
    }
}

impl Storage for SimStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = enter(&self.machine).create(self.process, name)?;
        Ok(self.file(file))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let file = enter(&self.machine).open(self.process, name, access)?;
        Ok(self.file(file))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        enter(&self.machine).list(self.process)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        enter(&self.machine).rename(self.process, from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        enter(&self.machine).remove(self.process, name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        enter(&self.machine).sync_dir(self.process)
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        let number = enter(&self.machine).lock(self.process)?;
        Ok(Box::new(SimLock {
            machine: self.machine.clone(),
            process: self.process,
            number,
        }))
    }
}

impl StorageFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        enter(&self.machine).len(self.process, &self.file)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        enter(&self.machine).read_at(self.process, &self.file, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        enter(&self.machine).write_at(self.process, &self.file, buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        enter(&self.machine).resize(self.process, &self.file, len, Op::SetLen)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        enter(&self.machine).resize(self.process, &self.file, len, Op::Allocate)
    }

    fn sync_data(&self) -> io::Result<()> {
        enter(&self.machine).sync_data(self.process, &self.file)
    }

    fn drop_cache(&self) -> io::Result<()> {
        enter(&self.machine).drop_cache(self.process, &self.file)
    }
}

impl StorageLock for SimLock {}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut machine = enter(&self.machine);
        if machine.process == self.process {
            machine.handles.remove(&self.file.handle);
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut machine = enter(&self.machine);
        if machine.process == self.process && machine.lock == Some(self.number) {
            machine.lock = None;
        }
    }
}

impl fmt::Debug for SimStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimStorage(process {})", self.process)
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({:?})", self.file.name)
    }
}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimLock")
    }
}
