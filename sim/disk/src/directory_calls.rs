//! The calls on the directory, with the faults that can strike them.

use std::io;

use super::change::Change;
use super::crash::Op;
use super::fault::{Effect, Fault, Subset};
use super::file_calls::OpenFile;
use super::inode::InodeId;
use super::machine::{Handle, Machine};
use super::trace::TraceRecord;
use beaver_storage::Access;

impl Machine {
    pub(super) fn create(&mut self, process: u64, name: &str) -> io::Result<OpenFile> {
        let mut call = self.begin(process, Op::Create)?;
        self.pass_inside(&call, || Change::Create {
            name: name.to_owned(),
        })?;
        let answer = match self.room() {
            Some(0) if call.fault.is_none() => Err(self.fill_up(&mut call)),
            _ => self.change(&mut call, |disk| disk.create(name)),
        };
        let answer = answer.map(|inode| self.add_handle(inode, name, Access::Write));
        self.finish(call, answer, |record, _| on_file(record, name))
    }

    pub(super) fn open(
        &mut self,
        process: u64,
        name: &str,
        access: Access,
    ) -> io::Result<OpenFile> {
        let mut call = self.begin(process, Op::Open)?;
        self.pass_inside_reading(&call)?;
        let answer = match self.planned_error(&call) {
            Some((failure, _)) => Err(self.fail(&mut call, failure)),
            None => self.disk.lookup(name),
        };
        let answer = answer.and_then(|inode| {
            if access == Access::Write {
                self.disk.check_writable()?;
            }
            Ok(self.add_handle(inode, name, access))
        });
        self.finish(call, answer, |record, _| on_file(record, name))
    }

    pub(super) fn list(&mut self, process: u64) -> io::Result<Vec<String>> {
        let mut call = self.begin(process, Op::List)?;
        self.pass_inside_reading(&call)?;
        let answer = match self.planned_error(&call) {
            Some((failure, _)) => Err(self.fail(&mut call, failure)),
            None => Ok(self
                .disk
                .names
                .live
                .keys()
                .map(|name| name.to_string())
                .collect()),
        };
        self.finish(call, answer, |record, answer: &io::Result<Vec<String>>| {
            let count = answer.as_ref().map_or(0, Vec::len) as u64;
            TraceRecord {
                answer: record.answer.map(|_| count),
                ..on_file(record, ".")
            }
        })
    }

    pub(super) fn rename(&mut self, process: u64, from: &str, to: &str) -> io::Result<()> {
        let mut call = self.begin(process, Op::Rename)?;
        self.pass_inside(&call, || Change::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        })?;
        let answer = self.change(&mut call, |disk| disk.rename(from, to));
        self.finish(call, answer, |record, _| TraceRecord {
            to: Some(to.into()),
            ..on_file(record, from)
        })
    }

    pub(super) fn remove(&mut self, process: u64, name: &str) -> io::Result<()> {
        let mut call = self.begin(process, Op::Remove)?;
        self.pass_inside(&call, || Change::Remove {
            name: name.to_owned(),
        })?;
        let answer = self.change(&mut call, |disk| disk.remove(name));
        self.finish(call, answer, |record, _| on_file(record, name))
    }

    pub(super) fn sync_dir(&mut self, process: u64) -> io::Result<()> {
        let mut call = self.begin(process, Op::SyncDir)?;
        self.pass_inside(&call, || Change::SyncDir)?;
        let failure = match &call.fault {
            Some((_, Fault::FailedSyncDir { error, durable })) => Some((*error, durable.clone())),
            _ => self.planned_error(&call).map(|(failure, effect)| {
                let durable = match effect {
                    Effect::Nothing => Subset::Nothing,
                    Effect::Everything | Effect::Bytes(_) => Subset::All,
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
        self.finish(call, answer, |record, _| on_file(record, "."))
    }

    /// Takes the lock and gives the number under which it is held.
    pub(super) fn lock(&mut self, process: u64) -> io::Result<u64> {
        let mut call = self.begin(process, Op::Lock)?;
        self.pass_inside_reading(&call)?;
        let answer = match self.planned_error(&call) {
            Some((failure, _)) => Err(self.fail(&mut call, failure)),
            None if self.lock_taken => {
                self.strike(&mut call, "second-opener");
                Err(io::ErrorKind::WouldBlock.into())
            }
            // The lock is a file that is opened for writing.
            None => self.disk.check_writable().and_then(|()| match self.lock {
                Some(_) => Err(io::ErrorKind::WouldBlock.into()),
                None => {
                    self.last_handle += 1;
                    self.lock = Some(self.last_handle);
                    Ok(self.last_handle)
                }
            }),
        };
        self.finish(call, answer, |record, _| on_file(record, "."))
    }

    fn add_handle(&mut self, inode: InodeId, name: &str, access: Access) -> OpenFile {
        self.last_handle += 1;
        let handle = self.last_handle;
        let seen_errors = self.disk.inode(inode).sync_errors;
        self.handles.insert(handle, Handle { inode, seen_errors });
        OpenFile {
            handle,
            inode,
            name: name.into(),
            access,
        }
    }
}

fn on_file(record: TraceRecord, name: &str) -> TraceRecord {
    TraceRecord {
        file: name.into(),
        ..record
    }
}
