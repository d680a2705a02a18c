//! The simulated disk as a process sees it: directories, and the storage traits.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::change::Change;
use super::directory_calls::OpenDirectory;
use super::disk::FileSync;
use super::file_calls::OpenFile;
use super::machine::{SharedMachine, enter};
use super::names::InodeId;
use super::owner::SimDisk;
use beaver_storage::{
    Access, FileKind, LOCK_NAME, Op, Storage, StorageFile, StorageLock, Tree, check_name,
};

impl SimDisk {
    /// The root directory for the process that runs now, as a storage. It is dead after the next
    /// kill or power cut.
    #[must_use]
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.root())
    }

    /// The root directory for the process that runs now. It is dead after the next kill or power
    /// cut.
    #[must_use]
    pub fn root(&self) -> SimDirectory {
        let machine = self.machine.clone();
        let process = enter(&machine).process;
        SimDirectory {
            machine,
            process,
            dir: OpenDirectory::root(),
        }
    }
}

/// A directory of a simulated disk in the hands of one process. As a [`Storage`] it shows its files
/// alone. After a kill or a power cut it is dead: every call fails with an error for which
/// [`is_crash`](super::is_crash) holds.
#[derive(Clone)]
pub struct SimDirectory {
    pub(super) machine: SharedMachine,
    pub(super) process: u64,
    pub(super) dir: OpenDirectory,
}

struct SimFile {
    machine: SharedMachine,
    process: u64,
    file: OpenFile,
}

struct SimLock {
    machine: SharedMachine,
    process: u64,
    dir: InodeId,
    number: u64,
}

/// What a flat storage has no call for. Names may be any that a file can have.
impl SimDirectory {
    /// The number of the directory.
    #[must_use]
    pub fn inode(&self) -> InodeId {
        self.dir.inode
    }

    /// A directory in this one. Nothing is asked of the disk but where it is.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `NotADirectory` for a file.
    pub fn directory(&self, name: &str) -> io::Result<SimDirectory> {
        let dir = enter(&self.machine).directory(&self.dir, name)?;
        Ok(SimDirectory {
            dir,
            ..self.clone()
        })
    }

    /// Makes a directory. Its name is durable after a sync of this one.
    ///
    /// # Errors
    ///
    /// Those of mkdir(2).
    pub fn create_dir(&self, name: &str) -> io::Result<SimDirectory> {
        let change = Change::CreateDir {
            dir: self.dir.inode,
            name: name.to_owned(),
        };
        enter(&self.machine).make(self.process, &self.dir, name, Op::CreateDir, &change)?;
        self.directory(name)
    }

    /// Makes a symbolic link, which is there with its target or not at all.
    ///
    /// # Errors
    ///
    /// Those of symlink(2).
    pub fn symlink(&self, target: &str, name: &str) -> io::Result<()> {
        let change = Change::Symlink {
            dir: self.dir.inode,
            name: name.to_owned(),
            target: target.to_owned(),
        };
        enter(&self.machine).make(self.process, &self.dir, name, Op::Symlink, &change)
    }

    /// Gives the file `existing` of this directory the name `name` in `dir` too.
    ///
    /// # Errors
    ///
    /// Those of link(2); `PermissionDenied` for a directory.
    pub fn link(&self, existing: &str, dir: &SimDirectory, name: &str) -> io::Result<()> {
        let mut machine = enter(&self.machine);
        let file = machine.disk.lookup(self.dir.inode, existing)?;
        machine.link(self.process, file, &dir.dir, name)
    }

    /// Gives the file or directory `from` the name `to` in the directory `dir` of the same disk.
    ///
    /// # Errors
    ///
    /// Those of rename(2).
    pub fn rename_to(&self, from: &str, dir: &SimDirectory, to: &str) -> io::Result<()> {
        enter(&self.machine).rename(self.process, &self.dir, from, &dir.dir, to)
    }

    /// Makes a file, as [`Storage::create`] does.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the name is taken.
    pub fn create_file(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = enter(&self.machine).create(self.process, &self.dir, name)?;
        Ok(self.file(file))
    }

    /// Opens a file, as [`Storage::open`] does.
    ///
    /// # Errors
    ///
    /// `NotFound`, `IsADirectory`, and `InvalidInput` for a symbolic link: links are not followed.
    pub fn open_file(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let file = enter(&self.machine).open(self.process, &self.dir, name, access)?;
        Ok(self.file(file))
    }

    /// Removes the name of a file, as [`Storage::remove`] does.
    ///
    /// # Errors
    ///
    /// Those of unlink(2); `IsADirectory` for a directory.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        enter(&self.machine).remove(self.process, &self.dir, name)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// Those of rmdir(2).
    pub fn remove_dir(&self, name: &str) -> io::Result<()> {
        enter(&self.machine).remove_dir(self.process, &self.dir, name)
    }

    /// Everything in the directory, in bytewise order of the names.
    ///
    /// # Errors
    ///
    /// Those of readdir(3).
    pub fn entries(&self) -> io::Result<Vec<(String, FileKind)>> {
        enter(&self.machine).entries(self.process, &self.dir)
    }

    pub(super) fn file(&self, file: OpenFile) -> Box<dyn StorageFile> {
        Box::new(SimFile {
            machine: self.machine.clone(),
            process: self.process,
            file,
        })
    }
}

impl Storage for SimDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        check_name(name)?;
        self.create_file(name)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        check_name(name)?;
        self.open_file(name, access)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = self.entries()?.into_iter();
        let files =
            entries.filter(|(name, kind)| *kind != FileKind::Directory && name != LOCK_NAME);
        Ok(files.map(|(name, _)| name).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.rename_to(from, self, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.remove_file(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        enter(&self.machine).sync_dir(self.process, &self.dir)
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        let number = enter(&self.machine).lock(self.process, &self.dir)?;
        Ok(Box::new(SimLock {
            machine: self.machine.clone(),
            process: self.process,
            dir: self.dir.inode,
            number,
        }))
    }

    fn tree(&self) -> Option<Arc<dyn Tree>> {
        Some(Arc::new(self.clone()))
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

    fn append(&self, buf: &[u8]) -> io::Result<(u64, usize)> {
        enter(&self.machine).append(self.process, &self.file, buf)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        enter(&self.machine).resize(self.process, &self.file, len, Op::SetLen)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        enter(&self.machine).resize(self.process, &self.file, len, Op::Allocate)
    }

    fn sync_data(&self) -> io::Result<()> {
        enter(&self.machine).sync_file(self.process, &self.file, FileSync::Data)
    }

    fn sync_all(&self) -> io::Result<()> {
        enter(&self.machine).sync_file(self.process, &self.file, FileSync::All)
    }

    fn lock(&self, shared: bool) -> io::Result<()> {
        enter(&self.machine).lock_file(self.process, &self.file, shared)
    }

    fn unlock(&self) -> io::Result<()> {
        enter(&self.machine).unlock_file(self.process, &self.file)
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
            machine.forget_lock(&self.file);
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut machine = enter(&self.machine);
        if machine.process != self.process {
            return;
        }
        if machine.locks.get(&self.dir) == Some(&self.number) {
            machine.locks.remove(&self.dir);
        } else if self.dir == InodeId::ROOT {
            machine.lock_lost = false;
        }
    }
}

impl fmt::Debug for SimDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SimDirectory({:?}, process {})",
            self.dir.path, self.process
        )
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
