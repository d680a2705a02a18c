//! The calls on the directory, with the faults that can strike them.

use std::io;
use std::sync::Arc;

use super::change::Change;
use super::fault::{CallEffect, Fault, Subset};
use super::file_calls::OpenFile;
use super::machine::{Handle, MachineState};
use super::names::InodeId;
use super::trace::TraceRecord;
use beaver_storage::{Access, Op};

impl MachineState {
    pub(super) fn create(&mut self, process: u64, name: &str) -> io::Result<OpenFile> {
        let mut call = self.begin(process, TraceRecord::of(Op::Create, name.into(), None))?;
        self.pass_inside(&call, || Change::Create {
            name: name.to_owned(),
        })?;
        let answer = match self.room() {
            Some(0) if call.fault.is_none() => Err(self.fill_up(&mut call)),
            _ => self.unless_failing(&mut call, |machine, _| machine.disk.create(name)),
        };
        call.record.inode = self.named(name);
        let answer = answer.map(|inode| self.add_handle(inode, &call.record.file, Access::Write));
        self.finish(&call, answer, |_, _| {})
    }

    pub(super) fn open(
        &mut self,
        process: u64,
        name: &str,
        access: Access,
    ) -> io::Result<OpenFile> {
        let record = TraceRecord::of(Op::Open, name.into(), self.named(name));
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            let inode = machine.disk.lookup(name)?;
            if access == Access::Write {
                machine.disk.check_writable()?;
            }
            Ok(machine.add_handle(inode, &call.record.file, access))
        });
        self.finish(&call, answer, |_, _| {})
    }

    pub(super) fn list(&mut self, process: u64) -> io::Result<Vec<String>> {
        let record = self.on_directory(Op::List);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, _| {
            let names = machine.disk.names.live.keys();
            Ok(names.map(|name| name.to_string()).collect())
        });
        self.finish(&call, answer, |record, names: Option<&Vec<String>>| {
            record.answer = record.answer.map(|_| names.map_or(0, Vec::len) as u64);
        })
    }

    pub(super) fn rename(&mut self, process: u64, from: &str, to: &str) -> io::Result<()> {
        let inode = self.named(from);
        let record = TraceRecord {
            to: Some(to.into()),
            ..TraceRecord::of(Op::Rename, from.into(), inode)
        };
        let change = || Change::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let answer = self.make_change(process, record, change, |disk| disk.rename(from, to));
        // An error does not say that the name is the old one.
        if inode.is_some() && self.named(to) == inode {
            let open = self.handles.values_mut();
            open.filter(|handle| Some(handle.inode) == inode)
                .for_each(|handle| handle.name = to.into());
        }
        answer
    }

    pub(super) fn remove(&mut self, process: u64, name: &str) -> io::Result<()> {
        let record = TraceRecord::of(Op::Remove, name.into(), self.named(name));
        let change = || Change::Remove {
            name: name.to_owned(),
        };
        self.make_change(process, record, change, |disk| disk.remove(name))
    }

    pub(super) fn sync_dir(&mut self, process: u64) -> io::Result<()> {
        let record = self.on_directory(Op::SyncDir);
        let mut call = self.begin(process, record)?;
        self.pass_inside(&call, || Change::SyncDir)?;
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
            (Ok(()), None) => self.disk.sync_dir(),
            (Ok(()), Some((failure, durable))) => {
                self.disk.fail_sync_dir(&durable);
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
    pub(super) fn lock(&mut self, process: u64) -> io::Result<u64> {
        let record = self.on_directory(Op::Lock);
        let mut call = self.begin_reading(process, record)?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            if machine.lock_taken {
                machine.strike(call, "second-opener");
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // The lock is a file that is opened for writing.
            machine.disk.check_writable()?;
            if machine.lock.is_some() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            machine.last_handle += 1;
            machine.lock = Some(machine.last_handle);
            Ok(machine.last_handle)
        });
        self.finish(&call, answer, |_, _| {})
    }

    fn on_directory(&self, op: Op) -> TraceRecord {
        TraceRecord::of(op, self.directory.clone(), None)
    }

    /// The file that has this name now.
    fn named(&self, name: &str) -> Option<InodeId> {
        self.disk.names.live.get(name).copied()
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
