//! The calls on a directory, with the faults that can strike them.

use std::io;
use std::sync::Arc;

use super::change::Change;
use super::disk::Disk;
use super::fault::{CallEffect, Fault, Subset};
use super::file_calls::OpenFile;
use super::machine::{HELD, Handle, MachineState};
use super::names::InodeId;
use super::trace::TraceRecord;
use beaver_storage::{Access, FileKind, Op, Stat};

/// An open directory of one process.
#[derive(Clone, Debug)]
pub(super) struct OpenDirectory {
    pub(super) inode: InodeId,
    /// The path under which it was opened; empty for the root.
    pub(super) path: Arc<str>,
}

impl OpenDirectory {
    pub(super) fn root() -> Self {
        OpenDirectory {
            inode: InodeId::ROOT,
            path: Arc::from(""),
        }
    }

    /// How traces call a name in it.
    pub(super) fn join(&self, name: &str) -> Arc<str> {
        match &*self.path {
            "" => Arc::from(name),
            path => Arc::from(format!("{path}/{name}")),
        }
    }
}

impl MachineState {
    pub(super) fn create(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<OpenFile> {
        let record = TraceRecord::of(Op::Create, dir.join(name), None);
        let change = || Change::Create {
            dir: dir.inode,
            name: name.to_owned(),
        };
        let mut call = self.begin(process, record)?;
        self.pass_inside(&call, change)?;
        let answer = match self.room() {
            Some(0) if call.fault.is_none() => Err(self.fill_up(&mut call)),
            _ => self.unless_failing(&mut call, |machine, _| machine.disk.create(dir.inode, name)),
        };
        call.record.inode = self.named(dir, name);
        let answer = answer.map(|inode| self.add_handle(inode, &call.record.file, Access::Write));
        self.finish(&call, answer, |_, _| {})
    }

    /// Makes a directory or a symbolic link.
    pub(super) fn make(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
        op: Op,
        change: &Change,
    ) -> io::Result<()> {
        let record = TraceRecord::of(op, dir.join(name), None);
        let mut call = self.begin(process, record)?;
        self.pass_inside(&call, || change.clone())?;
        let answer = match self.room() {
            Some(0) if call.fault.is_none() => Err(self.fill_up(&mut call)),
            _ => self.unless_failing(&mut call, |machine, _| machine.disk.apply(change)),
        };
        call.record.inode = self.named(dir, name);
        self.finish(&call, answer, |_, _| {})
    }

    pub(super) fn link(
        &mut self,
        process: u64,
        file: InodeId,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<()> {
        let record = TraceRecord::of(Op::Link, dir.join(name), Some(file));
        let change = || Change::Link {
            inode: file,
            dir: dir.inode,
            name: name.to_owned(),
        };
        let act = |disk: &mut Disk| disk.link(file, dir.inode, name);
        self.make_change(process, record, change, act)
    }

    pub(super) fn open(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
        access: Access,
    ) -> io::Result<OpenFile> {
        let record = TraceRecord::of(Op::Open, dir.join(name), self.named(dir, name));
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            let inode = machine.disk.lookup(dir.inode, name)?;
            match machine.disk.inode(inode).kind {
                FileKind::File => {}
                FileKind::Directory => return Err(io::ErrorKind::IsADirectory.into()),
                // Who follows links does so before: here a name stands for itself.
                FileKind::Symlink => return Err(io::ErrorKind::InvalidInput.into()),
            }
            if access == Access::Write {
                machine.disk.check_writable()?;
            }
            Ok(machine.add_handle(inode, &call.record.file, access))
        });
        self.finish(&call, answer, |_, _| {})
    }

    /// Opens a directory; the empty name is `dir` itself.
    pub(super) fn open_directory(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<OpenDirectory> {
        let record = self.on(Op::Open, dir, name);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, _| machine.directory(dir, name));
        self.finish(&call, answer, |_, _| {})
    }

    /// Says what a name stands for; the empty one is `dir` itself. To faults and traces it is a call
    /// of `len`.
    pub(super) fn stat(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<Stat> {
        let record = self.on(Op::Len, dir, name);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, _| {
            let kind = machine.find(dir, name)?;
            let len = match kind {
                FileKind::Directory => 0,
                FileKind::File | FileKind::Symlink => {
                    let inode = machine.disk.lookup(dir.inode, name)?;
                    machine.disk.inode(inode).live.len()
                }
            };
            Ok(Stat { kind, len })
        });
        self.finish(&call, answer, |record, stat| {
            record.answer = record.answer.map(|_| stat.map_or(0, |stat| stat.len));
        })
    }

    /// The entries of a directory, in bytewise order of their names.
    pub(super) fn entries(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
    ) -> io::Result<Vec<(String, FileKind)>> {
        let record = self.on_directory(Op::List, dir);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, _| {
            let disk = &machine.disk;
            let entries = disk.names.live.entries(dir.inode);
            let entries = entries.map(|(name, id)| (name.to_string(), disk.inode(id).kind));
            Ok(entries.collect())
        });
        self.finish(&call, answer, |record, entries: Option<&Vec<_>>| {
            record.answer = record.answer.map(|_| entries.map_or(0, Vec::len) as u64);
        })
    }

    pub(super) fn rename(
        &mut self,
        process: u64,
        from_dir: &OpenDirectory,
        from: &str,
        to_dir: &OpenDirectory,
        to: &str,
    ) -> io::Result<()> {
        let inode = self.named(from_dir, from);
        let target = to_dir.join(to);
        let record = TraceRecord {
            to: Some(target.clone()),
            ..TraceRecord::of(Op::Rename, from_dir.join(from), inode)
        };
        let change = || Change::Rename {
            from_dir: from_dir.inode,
            from: from.to_owned(),
            to_dir: to_dir.inode,
            to: to.to_owned(),
        };
        let act = |disk: &mut Disk| disk.rename(from_dir.inode, from, to_dir.inode, to);
        let answer = self.make_change(process, record, change, act);
        // An error does not say that the name is the old one.
        if let Some(inode) = inode.filter(|_| self.named(to_dir, to) == inode) {
            self.rename_handles(inode, &target);
        }
        answer
    }

    /// Open files go by their new names after `renamed`, a file or a directory above some, got the
    /// path `target`.
    fn rename_handles(&mut self, renamed: InodeId, target: &Arc<str>) {
        let disk = &self.disk;
        if disk.kind(renamed) == Some(FileKind::Directory) {
            for handle in self.handles.values_mut() {
                if let Some(path) = disk.path(handle.inode) {
                    handle.name = path.into();
                }
            }
            return;
        }
        // Many files may be held open, and one that is has its own number.
        if let Some(handle) = self.handles.get_mut(&(HELD | renamed.0)) {
            handle.name = target.clone();
        }
        for (_, handle) in self.handles.range_mut(..HELD) {
            if handle.inode == renamed {
                handle.name = target.clone();
            }
        }
    }

    pub(super) fn remove(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<()> {
        let record = TraceRecord::of(Op::Remove, dir.join(name), self.named(dir, name));
        let change = || Change::Remove {
            dir: dir.inode,
            name: name.to_owned(),
        };
        self.make_change(process, record, change, |disk| disk.remove(dir.inode, name))
    }

    pub(super) fn remove_dir(
        &mut self,
        process: u64,
        dir: &OpenDirectory,
        name: &str,
    ) -> io::Result<()> {
        let record = TraceRecord::of(Op::RemoveDir, dir.join(name), self.named(dir, name));
        let change = || Change::RemoveDir {
            dir: dir.inode,
            name: name.to_owned(),
        };
        let act = |disk: &mut Disk| disk.remove_dir(dir.inode, name);
        self.make_change(process, record, change, act)
    }

    pub(super) fn sync_dir(&mut self, process: u64, dir: &OpenDirectory) -> io::Result<()> {
        let record = self.on_directory(Op::SyncDir, dir);
        let mut call = self.begin(process, record)?;
        self.pass_inside(&call, || Change::SyncDir { dir: dir.inode })?;
        let failure = match call.fault.as_deref() {
            Some(Fault::FailedSyncDir { error, durable }) => Some((*error, durable.clone())),
            _ => self.demanded_error(&call).map(|(failure, effect)| {
                let durable = match effect {
                    CallEffect::Nothing => Subset::Nothing,
                    CallEffect::Everything | CallEffect::Bytes(_) => Subset::All,
                };
                (failure, durable)
            }),
        };
        let answer = match (self.disk.check_writable(), failure) {
            (Err(error), _) => Err(error),
            (Ok(()), None) => self.disk.sync_dir(dir.inode),
            (Ok(()), Some((failure, durable))) => {
                self.disk.fail_sync_dir(dir.inode, &durable);
                match call.fault {
                    Some(_) => self.fire(&mut call),
                    None => self.strike(&mut call, "failed-sync-dir"),
                }
                Err(failure.error())
            }
        };
        if answer.is_ok() {
            let handles = &self.handles;
            let is_open = |id| handles.values().any(|handle| handle.inode == id);
            self.disk.forget_unreachable(is_open);
        }
        self.finish(&call, answer, |_, _| {})
    }

    /// Takes the lock and gives the number under which it is held.
    pub(super) fn lock(&mut self, process: u64, dir: &OpenDirectory) -> io::Result<u64> {
        let record = self.on_directory(Op::Lock, dir);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            if machine.lock_taken && dir.inode == InodeId::ROOT {
                machine.strike(call, "second-opener");
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // The lock is a file that is opened for writing.
            machine.disk.check_writable()?;
            if machine.locks.contains_key(&dir.inode) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            machine.last_handle += 1;
            machine.locks.insert(dir.inode, machine.last_handle);
            Ok(machine.last_handle)
        });
        self.finish(&call, answer, |_, _| {})
    }

    fn on_directory(&self, op: Op, dir: &OpenDirectory) -> TraceRecord {
        match dir.inode {
            InodeId::ROOT => TraceRecord::of(op, self.root.clone(), None),
            inode => TraceRecord::of(op, dir.path.clone(), Some(inode)),
        }
    }

    /// A call on a name; the empty name is `dir` itself.
    fn on(&self, op: Op, dir: &OpenDirectory, name: &str) -> TraceRecord {
        match name {
            "" => self.on_directory(op, dir),
            name => TraceRecord::of(op, dir.join(name), self.named(dir, name)),
        }
    }

    /// The file that has this name now.
    fn named(&self, dir: &OpenDirectory, name: &str) -> Option<InodeId> {
        self.disk.names.live.get(dir.inode, name)
    }

    fn add_handle(&mut self, inode: InodeId, name: &Arc<str>, access: Access) -> OpenFile {
        self.last_handle += 1;
        let handle = self.last_handle;
        let open = Handle {
            inode,
            name: name.clone(),
            seen_errors: self.disk.inode(inode).sync_errors,
        };
        self.handles.insert(handle, open);
        OpenFile {
            handle,
            inode,
            name: name.clone(),
            access,
        }
    }
}
