//! A storage between the program under test and its disk that gets some calls wrong.
//!
//! A [`Twist`] is one bug of one process: it sees the calls that it cares about and makes them on
//! the disk, or does not, or differently. All other calls go through. The program above knows
//! nothing of it, so the library runs unmodified.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use beaver::{Access, Storage, StorageFile, StorageLock};

use beaver_sim::faults::Between;

/// What a bug does to the calls of one process. By default nothing.
pub trait Twist: Debug + Send + Sync {
    /// A file is created.
    fn create(&self, disk: &dyn Storage, name: &str) -> io::Result<Box<dyn StorageFile>> {
        disk.create(name)
    }

    /// A file gets another name.
    fn rename(&self, disk: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        disk.rename(from, to)
    }

    /// A name is removed.
    fn remove(&self, disk: &dyn Storage, name: &str) -> io::Result<()> {
        disk.remove(name)
    }

    /// The directory is synced.
    fn sync_dir(&self, disk: &dyn Storage) -> io::Result<()> {
        disk.sync_dir()
    }

    /// Bytes are read.
    fn read_at(&self, file: &Opened, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.disk.read_at(buf, offset)
    }

    /// Bytes are written.
    fn write_at(&self, file: &Opened, buf: &[u8], offset: u64) -> io::Result<usize> {
        file.disk.write_at(buf, offset)
    }

    /// A file is cut or grown.
    fn set_len(&self, file: &Opened, len: u64) -> io::Result<()> {
        file.disk.set_len(len)
    }

    /// A file is synced.
    fn sync_data(&self, file: &Opened) -> io::Result<()> {
        file.disk.sync_data()
    }
}

/// An open file.
#[derive(Debug)]
pub struct Opened {
    name: Mutex<String>,
    /// Whether it was there before and was opened for writing.
    continued: bool,
    /// Whether a sync of this handle succeeded.
    synced: Mutex<bool>,
    /// The file itself.
    pub disk: Box<dyn StorageFile>,
}

impl Opened {
    /// The name that it has now.
    #[must_use]
    pub fn name(&self) -> String {
        locked(&self.name).clone()
    }

    /// Whether it was there when the process began, is open for writing, and was not synced yet:
    /// what is done to it now makes it trustworthy.
    #[must_use]
    pub fn is_recovering(&self) -> bool {
        self.continued && !*locked(&self.synced)
    }
}

/// Puts the twist that `new` makes for each process between the program under test and its disk.
pub fn between<T: Twist + 'static>(new: impl Fn() -> T + Send + Sync + 'static) -> Between {
    Between::new(move |disk| {
        Arc::new(Twisted {
            disk,
            twist: Arc::new(new()),
            open: Mutex::default(),
        })
    })
}

#[derive(Debug)]
struct Twisted {
    disk: Arc<dyn Storage>,
    twist: Arc<dyn Twist>,
    /// The open files: a rename changes their names.
    open: Mutex<Vec<Weak<Opened>>>,
}

impl Twisted {
    fn file(&self, name: &str, continued: bool, disk: Box<dyn StorageFile>) -> TwistedFile {
        let opened = Arc::new(Opened {
            name: Mutex::new(name.to_owned()),
            continued,
            synced: Mutex::new(false),
            disk,
        });
        let mut open = locked(&self.open);
        open.retain(|file| file.strong_count() > 0);
        open.push(Arc::downgrade(&opened));
        TwistedFile {
            twist: Arc::clone(&self.twist),
            opened,
        }
    }
}

impl Storage for Twisted {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let disk = self.twist.create(&*self.disk, name)?;
        Ok(Box::new(self.file(name, false, disk)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let disk = self.disk.open(name, access)?;
        Ok(Box::new(self.file(name, access == Access::Write, disk)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.twist.rename(&*self.disk, from, to)?;
        for file in locked(&self.open).iter().filter_map(Weak::upgrade) {
            let mut name = locked(&file.name);
            if *name == from {
                to.clone_into(&mut name);
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.twist.remove(&*self.disk, name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.twist.sync_dir(&*self.disk)
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct TwistedFile {
    twist: Arc<dyn Twist>,
    opened: Arc<Opened>,
}

impl StorageFile for TwistedFile {
    fn len(&self) -> io::Result<u64> {
        self.opened.disk.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.twist.read_at(&self.opened, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.twist.write_at(&self.opened, buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.twist.set_len(&self.opened, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.opened.disk.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.twist.sync_data(&self.opened);
        if synced.is_ok() {
            *locked(&self.opened.synced) = true;
        }
        synced
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
