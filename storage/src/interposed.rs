//! An [`Interposer`] before a storage, and before the tree that it is of: there it sees paths where it sees
//! names otherwise.

use std::io;
use std::sync::Arc;

use crate::interposer::{Interposer, OpenFiles};
use crate::{Access, FileKind, Op, Stat, Storage, StorageFile, StorageLock, Tree};

/// `storage` with `interposer` before it.
#[must_use]
pub fn interpose(storage: Arc<dyn Storage>, interposer: Arc<dyn Interposer>) -> Arc<dyn Storage> {
    Arc::new(Interposed {
        next: storage,
        interposer,
        open: Arc::default(),
    })
}

#[derive(Debug)]
struct Interposed {
    next: Arc<dyn Storage>,
    interposer: Arc<dyn Interposer>,
    open: Arc<OpenFiles>,
}

impl Storage for Interposed {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.interposer.before(Op::Create, name)?;
        let next = self.interposer.create(&*self.next, name)?;
        Ok(self.open.handle(&self.interposer, name, None, next))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.interposer.before(Op::Open, name)?;
        let next = self.interposer.open(&*self.next, name, access)?;
        Ok(self.open.handle(&self.interposer, name, Some(access), next))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.interposer.before(Op::List, ".")?;
        self.interposer.list(&*self.next)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.interposer.before(Op::Rename, to)?;
        self.interposer.rename(&*self.next, from, to)?;
        // After the call, and only if it succeeded: a handle keeps the name that its file really has.
        self.open.rename(from, to);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.interposer.before(Op::Remove, name)?;
        self.interposer.remove(&*self.next, name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.interposer.before(Op::SyncDir, ".")?;
        self.interposer.sync_dir(&*self.next)
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.interposer.before(Op::Lock, ".")?;
        self.interposer.lock(&*self.next)
    }

    fn tree(&self) -> Option<Arc<dyn Tree>> {
        let next = self.next.tree()?;
        Some(Arc::new(InterposedTree {
            next,
            interposer: Arc::clone(&self.interposer),
            open: Arc::clone(&self.open),
        }))
    }
}

#[derive(Debug)]
struct InterposedTree {
    next: Arc<dyn Tree>,
    interposer: Arc<dyn Interposer>,
    open: Arc<OpenFiles>,
}

impl InterposedTree {
    /// For a call that an interposer has no method for: a flat storage has none.
    fn before(&self, op: Op, path: &str) -> io::Result<()> {
        let path = if path.is_empty() { "." } else { path };
        self.interposer.before(op, path)
    }

    fn next(&self) -> PathsAsNames<'_> {
        PathsAsNames(&*self.next)
    }
}

impl Tree for InterposedTree {
    fn find(&self, path: &str) -> io::Result<FileKind> {
        self.next.find(path)
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        self.next.read_link(path)
    }

    fn stat(&self, path: &str) -> io::Result<Stat> {
        self.before(Op::Len, path)?;
        self.next.stat(path)
    }

    fn entries(&self, path: &str) -> io::Result<Vec<(String, FileKind)>> {
        self.before(Op::List, path)?;
        self.next.entries(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.before(Op::Create, path)?;
        let next = self.interposer.create(&self.next(), path)?;
        Ok(self.open.handle(&self.interposer, path, None, next))
    }

    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.before(Op::Open, path)?;
        let next = self.interposer.open(&self.next(), path, access)?;
        Ok(self.open.handle(&self.interposer, path, Some(access), next))
    }

    fn open_dir(&self, path: &str) -> io::Result<Arc<dyn Storage>> {
        self.before(Op::Open, path)?;
        let next = self.next.open_dir(path)?;
        Ok(interpose(next, Arc::clone(&self.interposer)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.before(Op::Rename, to)?;
        self.interposer.rename(&self.next(), from, to)?;
        self.open.rename(from, to);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.before(Op::Remove, path)?;
        self.interposer.remove(&self.next(), path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.before(Op::CreateDir, path)?;
        self.next.create_dir(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.before(Op::RemoveDir, path)?;
        self.next.remove_dir(path)
    }

    fn link(&self, existing: &str, path: &str) -> io::Result<()> {
        self.before(Op::Link, path)?;
        self.next.link(existing, path)
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        self.before(Op::Symlink, path)?;
        self.next.symlink(target, path)
    }
}

/// A tree as an interposer can call it: a storage whose names are paths.
#[derive(Debug)]
struct PathsAsNames<'t>(&'t dyn Tree);

impl Storage for PathsAsNames<'_> {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.create(name)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.0.open(name, access)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.open_dir("")?.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.open_dir("")?.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.0.open_dir("")?.lock()
    }
}
