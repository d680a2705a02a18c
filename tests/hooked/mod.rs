//! A storage that asks before each call: what it is told to do may block, fail, panic or count.

use std::io;
use std::sync::Arc;

use beaver::{Access, Storage, StorageFile, StorageLock};
use beaver_disk::Op;

/// Is asked with the kind of call and the file (`.` for the directory; a handle keeps the name under
/// which it was made, a new segment's the temporary one) before the call is made. An error is what the call returns; it is then not made.
type Hook = dyn Fn(Op, &str) -> io::Result<()> + Send + Sync;

/// `inner`, with `hook` before each call.
pub(crate) fn hooked(
    inner: Arc<dyn Storage>,
    hook: impl Fn(Op, &str) -> io::Result<()> + Send + Sync + 'static,
) -> Arc<dyn Storage> {
    let hook = Arc::new(hook);
    Arc::new(Hooked { inner, hook })
}

struct Hooked {
    inner: Arc<dyn Storage>,
    hook: Arc<Hook>,
}

impl Hooked {
    fn file(&self, name: &str, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(HookedFile {
            name: name.to_owned(),
            file,
            hook: Arc::clone(&self.hook),
        })
    }
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Storage for Hooked {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        (self.hook)(Op::Create, name)?;
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        (self.hook)(Op::Open, name)?;
        Ok(self.file(name, self.inner.open(name, access)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        (self.hook)(Op::List, ".")?;
        self.inner.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (self.hook)(Op::Rename, to)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (self.hook)(Op::Remove, name)?;
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        (self.hook)(Op::SyncDir, ".")?;
        self.inner.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        (self.hook)(Op::Lock, ".")?;
        self.inner.lock()
    }
}

struct HookedFile {
    name: String,
    file: Box<dyn StorageFile>,
    hook: Arc<Hook>,
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
}

impl StorageFile for HookedFile {
    fn len(&self) -> io::Result<u64> {
        (self.hook)(Op::Len, &self.name)?;
        self.file.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.hook)(Op::ReadAt, &self.name)?;
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        (self.hook)(Op::WriteAt, &self.name)?;
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        (self.hook)(Op::SetLen, &self.name)?;
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        (self.hook)(Op::Allocate, &self.name)?;
        self.file.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        (self.hook)(Op::SyncData, &self.name)?;
        self.file.sync_data()
    }
}
