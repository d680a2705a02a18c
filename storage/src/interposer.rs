//! Something that stands between a store and its storage: it watches calls, delays them, or gets
//! some of them wrong.

use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::{Access, Op, Storage, StorageFile, StorageLock};

/// What stands between a store and its storage. Each method makes its call on what comes next; one
/// that is not overridden passes the call on as it is.
///
/// Of a [tree](Storage::tree) it sees paths as the names. The calls that a flat storage has not
/// (`create_dir`, say) and the locks of files come to [`before`](Interposer::before) alone.
///
/// ```
/// use std::io;
/// use std::sync::Arc;
/// use beaver_storage::{DiskStorage, InterposedFile, Interposer, interpose};
///
/// /// Loses the last byte of every write and does not say so.
/// #[derive(Debug)]
/// struct LosesAByte;
///
/// impl Interposer for LosesAByte {
///     fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
///         let kept = buf.len().saturating_sub(1);
///         file.next().write_at(&buf[..kept], offset)?;
///         Ok(buf.len())
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// let disk = Arc::new(DiskStorage::open(directory.path())?);
/// let storage = interpose(disk, Arc::new(LosesAByte));
/// let file = storage.create("a")?;
/// assert_eq!((file.write_at(b"abc", 0)?, file.len()?), (3, 2));
/// # Ok(())
/// # }
/// ```
pub trait Interposer: Debug + Send + Sync {
    /// A call is about to be made, on the file that has this name now (of a rename the new one, `.`
    /// for the directory). An error is its answer; the call is then not made. The return of a lock
    /// and a look at a link do not come here.
    fn before(&self, op: Op, file: &str) -> io::Result<()> {
        let _ = (op, file);
        Ok(())
    }

    /// [`Storage::create`].
    fn create(&self, next: &dyn Storage, name: &str) -> io::Result<Box<dyn StorageFile>> {
        next.create(name)
    }

    /// [`Storage::open`].
    fn open(
        &self,
        next: &dyn Storage,
        name: &str,
        access: Access,
    ) -> io::Result<Box<dyn StorageFile>> {
        next.open(name, access)
    }

    /// [`Storage::list`].
    fn list(&self, next: &dyn Storage) -> io::Result<Vec<String>> {
        next.list()
    }

    /// [`Storage::rename`].
    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        next.rename(from, to)
    }

    /// [`Storage::remove`].
    fn remove(&self, next: &dyn Storage, name: &str) -> io::Result<()> {
        next.remove(name)
    }

    /// [`Storage::sync_dir`].
    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        next.sync_dir()
    }

    /// [`Storage::lock`].
    fn lock(&self, next: &dyn Storage) -> io::Result<Box<dyn StorageLock>> {
        next.lock()
    }

    /// [`StorageFile::len`].
    fn len(&self, file: &InterposedFile) -> io::Result<u64> {
        file.next().len()
    }

    /// [`StorageFile::read_at`].
    fn read_at(&self, file: &InterposedFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.next().read_at(buf, offset)
    }

    /// [`StorageFile::write_at`].
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        file.next().write_at(buf, offset)
    }

    /// [`StorageFile::append`].
    fn append(&self, file: &InterposedFile, buf: &[u8]) -> io::Result<(u64, usize)> {
        file.next().append(buf)
    }

    /// [`StorageFile::set_len`].
    fn set_len(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        file.next().set_len(len)
    }

    /// [`StorageFile::allocate`].
    fn allocate(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        file.next().allocate(len)
    }

    /// [`StorageFile::sync_data`].
    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        file.next().sync_data()
    }

    /// [`StorageFile::sync_all`].
    fn sync_all(&self, file: &InterposedFile) -> io::Result<()> {
        file.next().sync_all()
    }

    /// [`StorageFile::drop_cache`].
    fn drop_cache(&self, file: &InterposedFile) -> io::Result<()> {
        file.next().drop_cache()
    }
}

/// An open file, and what its interposer may want to know of it.
#[derive(Debug)]
pub struct InterposedFile {
    name: Mutex<Arc<str>>,
    access: Option<Access>,
    synced: AtomicBool,
    next: Box<dyn StorageFile>,
}

impl InterposedFile {
    /// The name that the file has now, or the last one that it had.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&locked(&self.name))
    }

    /// What an existing file was opened for; `None` for a new one.
    #[must_use]
    pub fn opened_for(&self) -> Option<Access> {
        self.access
    }

    /// Whether a sync through this handle has succeeded, and nobody has asked to drop the cache since.
    #[must_use]
    pub fn was_synced(&self) -> bool {
        self.synced.load(Ordering::SeqCst)
    }

    /// The file itself.
    #[must_use]
    pub fn next(&self) -> &dyn StorageFile {
        &*self.next
    }
}

/// The open files: a rename changes their names.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles(Mutex<Vec<Weak<InterposedFile>>>);

impl OpenFiles {
    pub(crate) fn handle(
        &self,
        interposer: &Arc<dyn Interposer>,
        name: &str,
        access: Option<Access>,
        next: Box<dyn StorageFile>,
    ) -> Box<dyn StorageFile> {
        let file = Arc::new(InterposedFile {
            name: Mutex::new(Arc::from(name)),
            access,
            synced: AtomicBool::new(false),
            next,
        });
        let mut open = locked(&self.0);
        open.retain(|file| file.strong_count() > 0);
        open.push(Arc::downgrade(&file));
        let interposer = Arc::clone(interposer);
        Box::new(InterposedHandle { interposer, file })
    }

    /// A file, or a directory and every file below it, has another name.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        for file in locked(&self.0).iter().filter_map(Weak::upgrade) {
            let mut name = locked(&file.name);
            let rest = name.strip_prefix(from);
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(new) = rest.map(|rest| format!("{to}{rest}")) {
                *name = Arc::from(new);
            }
        }
    }
}

#[derive(Debug)]
struct InterposedHandle {
    interposer: Arc<dyn Interposer>,
    file: Arc<InterposedFile>,
}

impl InterposedHandle {
    fn before(&self, op: Op) -> io::Result<()> {
        self.interposer.before(op, &self.file.name())
    }

    fn sync(
        &self,
        sync: impl FnOnce(&dyn Interposer, &InterposedFile) -> io::Result<()>,
    ) -> io::Result<()> {
        self.before(Op::SyncData)?;
        let synced = sync(&*self.interposer, &self.file);
        if synced.is_ok() {
            self.file.synced.store(true, Ordering::SeqCst);
        }
        synced
    }
}

impl StorageFile for InterposedHandle {
    fn len(&self) -> io::Result<u64> {
        self.before(Op::Len)?;
        self.interposer.len(&self.file)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.before(Op::ReadAt)?;
        self.interposer.read_at(&self.file, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.before(Op::WriteAt)?;
        self.interposer.write_at(&self.file, buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.before(Op::SetLen)?;
        self.interposer.set_len(&self.file, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.before(Op::Allocate)?;
        self.interposer.allocate(&self.file, len)
    }

    fn append(&self, buf: &[u8]) -> io::Result<(u64, usize)> {
        self.before(Op::WriteAt)?;
        self.interposer.append(&self.file, buf)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(|interposer, file| interposer.sync_data(file))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(|interposer, file| interposer.sync_all(file))
    }

    fn lock(&self, shared: bool) -> io::Result<()> {
        self.before(Op::Lock)?;
        self.file.next().lock(shared)
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.next().unlock()
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.file.synced.store(false, Ordering::SeqCst);
        self.before(Op::DropCache)?;
        self.interposer.drop_cache(&self.file)
    }
}

/// A name is whole whatever happened while it was held.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
