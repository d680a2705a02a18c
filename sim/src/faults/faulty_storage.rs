//! A storage in front of the simulated disk that asks the director before each call.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use beaver::{Access, Storage, StorageFile, StorageLock};
use beaver_disk::{Image, Op, Plan, SimDisk};

use crate::oracle::damage::Files;
use crate::scenario::Profile;

use super::choosing::Call;
use super::director::Director;

/// The name of an open file, which a rename changes.
type FileName = Mutex<Arc<str>>;

/// The disk and the director that spoils it; clones share both.
#[derive(Clone, Debug)]
pub struct Faults {
    disk: SimDisk,
    director: Arc<Mutex<Director>>,
    /// The names of the open files: a rename changes them.
    open: Arc<Mutex<Vec<Weak<FileName>>>>,
}

/// An independent copy of a disk on which nothing goes wrong, with nobody on it.
pub(crate) fn quiet_copy(disk: &SimDisk) -> SimDisk {
    let copy = disk.fork();
    copy.crash_at(None);
    copy.set_plan(Plan::default());
    copy.set_max_calls(None);
    copy
}

impl Faults {
    /// Faults by `director` on `disk`.
    #[must_use]
    pub fn new(disk: SimDisk, director: Director) -> Self {
        let director = Arc::new(Mutex::new(director));
        let open = Arc::default();
        Faults {
            disk,
            director,
            open,
        }
    }

    /// Nothing goes wrong on this disk, and somebody lets the process die at every moment of every
    /// call.
    pub(crate) fn watched(disk: &SimDisk) -> Self {
        let mut director = Director::scripted(&[]);
        director.watch().set_every_moment(true);
        Faults::new(disk.clone(), director)
    }

    /// An independent copy of the disk on which nothing goes wrong, with nobody on it.
    #[must_use]
    pub fn copy(&self) -> SimDisk {
        quiet_copy(&self.disk)
    }

    fn opened(&self, name: &str) -> Arc<FileName> {
        let name = Arc::new(Mutex::new(Arc::from(name)));
        let mut open = locked(&self.open);
        open.retain(|file| file.strong_count() > 0);
        open.push(Arc::downgrade(&name));
        name
    }

    fn renamed(&self, from: &str, to: &str) {
        for file in locked(&self.open).iter().filter_map(Weak::upgrade) {
            let mut name = locked(&file);
            if **name == *from {
                *name = Arc::from(to);
            }
        }
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The director. A panic of the program under test while it was held leaves it usable.
    pub fn director(&self) -> MutexGuard<'_, Director> {
        locked(&self.director)
    }

    /// The storage as a new process sees it.
    #[must_use]
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(FaultyStorage {
            faults: self.clone(),
            inner: self.disk.storage(),
        })
    }

    /// Changes of names since the last directory sync.
    #[must_use]
    pub fn names_since_sync(&self) -> Vec<Op> {
        self.director().names_since_sync().to_vec()
    }

    /// Somebody puts these files in the place of what is on the disk. A new process begins.
    pub fn restore(&self, files: &Files, profile: Profile) {
        let image = Image::from_files(files.clone());
        self.disk.boot(image.disk(profile.of_disk()));
        let mut director = self.director();
        director.process_ended();
        director.rebooted();
    }

    fn before(&self, op: Op, file: &str, offset: u64, len: usize) {
        let Some((number, dies)) = self.disk.next_call() else {
            return;
        };
        let call = Call {
            number,
            op,
            file,
            offset,
            len: len as u64,
            dies,
        };
        self.director().before(&call, &self.disk);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The directory.
#[derive(Debug)]
pub struct FaultyStorage {
    faults: Faults,
    inner: Arc<dyn Storage>,
}

impl FaultyStorage {
    fn file(&self, name: &str, inner: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(FaultyFile {
            faults: self.faults.clone(),
            name: self.faults.opened(name),
            inner,
        })
    }
}

impl Storage for FaultyStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.faults.before(Op::Create, name, 0, 0);
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.faults.before(Op::Open, name, 0, 0);
        Ok(self.file(name, self.inner.open(name, access)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.faults.before(Op::List, "", 0, 0);
        self.inner.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.before(Op::Rename, to, 0, 0);
        let renamed = self.inner.rename(from, to);
        if renamed.is_ok() {
            self.faults.renamed(from, to);
        }
        renamed
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.faults.before(Op::Remove, name, 0, 0);
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.faults.before(Op::SyncDir, "", 0, 0);
        self.inner.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.faults.before(Op::Lock, "", 0, 0);
        self.inner.lock()
    }
}

#[derive(Debug)]
struct FaultyFile {
    faults: Faults,
    /// Its name now, or the last one it had.
    name: Arc<FileName>,
    inner: Box<dyn StorageFile>,
}

impl FaultyFile {
    fn before(&self, op: Op, offset: u64, len: usize) {
        let name = Arc::clone(&locked(&self.name));
        self.faults.before(op, &name, offset, len);
    }
}

impl StorageFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.before(Op::Len, 0, 0);
        self.inner.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.before(Op::ReadAt, offset, buf.len());
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.before(Op::WriteAt, offset, buf.len());
        self.inner.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.before(Op::SetLen, len, 0);
        self.inner.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.before(Op::Allocate, len, 0);
        self.inner.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.before(Op::SyncData, 0, 0);
        self.inner.sync_data()
    }
}
