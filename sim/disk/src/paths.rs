//! A directory of the simulated disk as a [`Tree`]: everything below it, by paths.

use std::io;
use std::sync::{Arc, MutexGuard};

use super::change::Change;
use super::directory_calls::OpenDirectory;
use super::machine::{MachineState, enter};
use super::storage::SimDirectory;
use beaver_storage::{Access, FileKind, Op, Stat, Storage, StorageFile, Tree};

/// A machine whose process is alive, and the directory in it that the last name of a path stands in.
struct Entered<'a> {
    machine: MutexGuard<'a, MachineState>,
    process: u64,
    dir: OpenDirectory,
    name: &'a str,
}

impl SimDirectory {
    /// Walks to the last name of `path`, which may be missing. The walk itself is no storage call, as
    /// it is none of a program.
    fn enter<'a>(&'a self, path: &'a str) -> io::Result<Entered<'a>> {
        let machine = enter(&self.machine);
        machine.check_alive(self.process)?;
        let (dir, name) = machine.walk(&self.dir, path)?;
        Ok(Entered {
            machine,
            process: self.process,
            dir,
            name,
        })
    }

    fn make(&self, path: &str, op: Op, change: impl FnOnce(&Entered) -> Change) -> io::Result<()> {
        let mut at = self.enter(path)?;
        let change = change(&at);
        at.machine.make(at.process, &at.dir, at.name, op, &change)
    }
}

impl Tree for SimDirectory {
    fn find(&self, path: &str) -> io::Result<FileKind> {
        let at = self.enter(path)?;
        at.machine.find(&at.dir, at.name)
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        let at = self.enter(path)?;
        at.machine.read_link(&at.dir, at.name)
    }

    fn stat(&self, path: &str) -> io::Result<Stat> {
        let mut at = self.enter(path)?;
        at.machine.stat(at.process, &at.dir, at.name)
    }

    fn entries(&self, path: &str) -> io::Result<Vec<(String, FileKind)>> {
        let mut at = self.enter(path)?;
        let dir = at.machine.directory(&at.dir, at.name)?;
        at.machine.entries(at.process, &dir)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut at = self.enter(path)?;
        let file = at.machine.create(at.process, &at.dir, at.name)?;
        Ok(self.file(file))
    }

    fn open(&self, path: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let mut at = self.enter(path)?;
        let file = at.machine.open(at.process, &at.dir, at.name, access)?;
        Ok(self.file(file))
    }

    fn open_dir(&self, path: &str) -> io::Result<Arc<dyn Storage>> {
        let mut at = self.enter(path)?;
        let dir = at.machine.open_directory(at.process, &at.dir, at.name)?;
        Ok(Arc::new(SimDirectory {
            dir,
            ..self.clone()
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut at = self.enter(from)?;
        let (to_dir, to) = at.machine.walk(&self.dir, to)?;
        at.machine.rename(at.process, &at.dir, at.name, &to_dir, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut at = self.enter(path)?;
        at.machine.remove(at.process, &at.dir, at.name)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.make(path, Op::CreateDir, |at| Change::CreateDir {
            dir: at.dir.inode,
            name: at.name.to_owned(),
        })
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let mut at = self.enter(path)?;
        at.machine.remove_dir(at.process, &at.dir, at.name)
    }

    fn link(&self, existing: &str, path: &str) -> io::Result<()> {
        let mut at = self.enter(existing)?;
        let file = at.machine.disk.lookup(at.dir.inode, at.name)?;
        let (dir, name) = at.machine.walk(&self.dir, path)?;
        at.machine.link(at.process, file, &dir, name)
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        self.make(path, Op::Symlink, |at| Change::Symlink {
            dir: at.dir.inode,
            name: at.name.to_owned(),
            target: target.to_owned(),
        })
    }
}

/// The way to a name: what a system call does before it begins, so that none of it is a storage call.
impl MachineState {
    /// The directory that the last name of `path` stands in, and that name; the empty path is `dir`
    /// itself, and has the empty name.
    fn walk<'p>(&self, dir: &OpenDirectory, path: &'p str) -> io::Result<(OpenDirectory, &'p str)> {
        let Some((way, name)) = path.rsplit_once('/') else {
            return Ok((dir.clone(), path));
        };
        let mut dir = dir.clone();
        for name in way.split('/') {
            dir = self.directory(&dir, name)?;
        }
        Ok((dir, name))
    }

    /// A directory in `dir`; the empty name is `dir` itself.
    pub(super) fn directory(&self, dir: &OpenDirectory, name: &str) -> io::Result<OpenDirectory> {
        if name.is_empty() {
            return Ok(dir.clone());
        }
        match self.find(dir, name)? {
            FileKind::Directory => Ok(OpenDirectory {
                inode: self.disk.lookup(dir.inode, name)?,
                path: dir.join(name),
            }),
            FileKind::File | FileKind::Symlink => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn find(&self, dir: &OpenDirectory, name: &str) -> io::Result<FileKind> {
        match name {
            "" => Ok(FileKind::Directory),
            name => {
                let inode = self.disk.lookup(dir.inode, name)?;
                Ok(self.disk.inode(inode).kind)
            }
        }
    }

    fn read_link(&self, dir: &OpenDirectory, name: &str) -> io::Result<String> {
        match self.find(dir, name)? {
            FileKind::Symlink => {
                let inode = self.disk.lookup(dir.inode, name)?;
                let target = self.disk.inode(inode).live.to_bytes();
                String::from_utf8(target).map_err(|_| io::ErrorKind::InvalidData.into())
            }
            FileKind::File | FileKind::Directory => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
