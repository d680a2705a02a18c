//! The calls on an open file, with the faults that can strike them.

use std::io;
use std::sync::Arc;

use super::change::Change;
use super::disk::FileSync;
use super::fault::{CallEffect, FailedSync, FailureKind, Fault, Subset};
use super::machine::{MachineState, RunningCall};
use super::mixing::hash64;
use super::names::InodeId;
use super::page::SECTOR_BYTES;
use super::trace::TraceRecord;
use beaver_storage::{Access, Op};

/// An open file of one process.
#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    pub(super) handle: u64,
    pub(super) inode: InodeId,
    /// The name under which it was opened.
    pub(super) name: Arc<str>,
    pub(super) access: Access,
}

impl OpenFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the file was opened for reading",
            )),
        }
    }

    fn record(&self, op: Op, offset: u64, len: usize) -> TraceRecord {
        TraceRecord {
            offset,
            len: len as u64,
            ..TraceRecord::of(op, self.name.clone(), Some(self.inode))
        }
    }
}

impl MachineState {
    pub(super) fn len(&mut self, process: u64, file: &OpenFile) -> io::Result<u64> {
        let mut call = self.begin_reading(process, file.record(Op::Len, 0, 0))?;
        let answer = self.unless_failing(&mut call, |machine, _| {
            Ok(machine.disk.inode(file.inode).live.len())
        });
        self.finish(&call, answer, |record, len| {
            record.answer = record.answer.map(|_| *len.unwrap_or(&0));
        })
    }

    pub(super) fn read_at(
        &mut self,
        process: u64,
        file: &OpenFile,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut call = self.begin_reading(process, file.record(Op::ReadAt, offset, buf.len()))?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            machine.read(call, file.inode, buf, offset)
        });
        self.finish(&call, answer, |record, count| {
            let count = *count.unwrap_or(&0);
            record.data = hash64(&buf[..count]);
            record.answer = record.answer.map(|_| count as u64);
        })
    }

    fn read(
        &mut self,
        call: &mut RunningCall,
        inode: InodeId,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let inode = self.disk.inode(inode);
        let count = inode.live.read(buf, offset);
        if inode.hits_unreadable(offset, count as u64) {
            self.strike(call, "unreadable-sector");
            return Err(FailureKind::Io.error());
        }
        let bytes = &mut buf[..count];
        let place = |number: &u64| usize::try_from(*number).unwrap_or(usize::MAX);
        match call.fault.as_deref() {
            Some(Fault::ShortRead { bytes: short }) => {
                let short = place(short);
                if short > 0 && short < count {
                    self.fire(call);
                    return Ok(short);
                }
            }
            Some(Fault::FlippedRead { byte, bit }) => {
                if let Some(byte) = bytes.get_mut(place(byte)) {
                    *byte ^= 1 << (bit % 8);
                    self.fire(call);
                }
            }
            Some(Fault::ZeroedRead { sector }) => {
                let start = place(sector).saturating_mul(SECTOR_BYTES).min(count);
                let end = start.saturating_add(SECTOR_BYTES).min(count);
                if bytes[start..end].iter().any(|byte| *byte != 0) {
                    bytes[start..end].fill(0);
                    self.fire(call);
                }
            }
            _ => {}
        }
        Ok(count)
    }

    pub(super) fn write_at(
        &mut self,
        process: u64,
        file: &OpenFile,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut call = self.begin(process, file.record(Op::WriteAt, offset, bytes.len()))?;
        self.pass_inside(&call, || Change::Write {
            inode: file.inode,
            offset,
            bytes: bytes.to_vec(),
        })?;
        let answer = file
            .check_writable()
            .and_then(|()| self.write(&mut call, file.inode, bytes, offset));
        self.finish(&call, answer, |record, count| {
            record.data = hash64(bytes);
            record.answer = record.answer.map(|_| *count.unwrap_or(&0) as u64);
        })
    }

    /// A write at the end, wherever that is: no other call comes between.
    pub(super) fn append(
        &mut self,
        process: u64,
        file: &OpenFile,
        bytes: &[u8],
    ) -> io::Result<(u64, usize)> {
        // The file of a process that is dead may be gone.
        let inode = self.disk.inodes.get(&file.inode);
        let end = inode.map_or(0, |inode| inode.live.len());
        let count = self.write_at(process, file, bytes, end)?;
        Ok((end, count))
    }

    fn write(
        &mut self,
        call: &mut RunningCall,
        inode: InodeId,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<usize> {
        self.disk.check_writable()?;
        let shorter =
            |count: u64| usize::try_from(count).map_or(bytes.len(), |n| n.min(bytes.len()));
        if let Some((failure, effect)) = self.demanded_error(call) {
            let count = match effect {
                CallEffect::Nothing => 0,
                CallEffect::Everything => bytes.len(),
                CallEffect::Bytes(count) => shorter(count),
            };
            self.disk.write(inode, &bytes[..count], offset)?;
            return Err(self.fail(call, failure));
        }
        match call.fault.as_deref() {
            Some(Fault::ShortWrite { bytes: count }) if shorter(*count) < bytes.len() => {
                let count = shorter(*count);
                self.disk.write(inode, &bytes[..count], offset)?;
                self.fire(call);
                return Ok(count);
            }
            Some(Fault::MisdirectedWrite { offset: other })
                if *other != offset && !bytes.is_empty() =>
            {
                self.disk.write(inode, bytes, *other)?;
                self.fire(call);
                return Ok(bytes.len());
            }
            _ => {}
        }
        let count = self.fitting(inode, bytes.len() as u64, offset);
        let count = shorter(count);
        if count < bytes.len() {
            let error = self.fill_up(call);
            if count == 0 {
                return Err(error);
            }
        }
        self.disk.write(inode, &bytes[..count], offset)?;
        Ok(count)
    }

    /// `set_len` or `allocate`.
    pub(super) fn resize(
        &mut self,
        process: u64,
        file: &OpenFile,
        len: u64,
        op: Op,
    ) -> io::Result<()> {
        let mut call = self.begin(process, file.record(op, len, 0))?;
        let inode = file.inode;
        let change = match op {
            Op::Allocate => Change::Allocate { inode, len },
            _ => Change::SetLen { inode, len },
        };
        self.pass_inside(&call, || change.clone())?;
        let growth = len.saturating_sub(self.disk.inode(inode).live.len());
        let full = growth > self.room_of(inode).unwrap_or(u64::MAX) && call.fault.is_none();
        let answer = match file.check_writable() {
            Err(error) => Err(error),
            Ok(()) if full => Err(self.fill_up(&mut call)),
            Ok(()) => self.unless_failing(&mut call, |machine, _| machine.disk.apply(&change)),
        };
        self.finish(&call, answer, |_, _| {})
    }

    /// `sync_data` or `sync_all`: one kind of call to faults and traces.
    pub(super) fn sync_file(
        &mut self,
        process: u64,
        file: &OpenFile,
        sync: FileSync,
    ) -> io::Result<()> {
        let mut call = self.begin(process, file.record(Op::SyncData, 0, 0))?;
        let inode = file.inode;
        self.pass_inside(&call, || match sync {
            FileSync::Data => Change::SyncData { inode },
            FileSync::All => Change::SyncAll { inode },
        })?;
        let answer = self.sync(&mut call, file, sync);
        self.finish(&call, answer, |_, _| {})
    }

    fn sync(&mut self, call: &mut RunningCall, file: &OpenFile, sync: FileSync) -> io::Result<()> {
        self.disk.check_writable()?;
        let inode = file.inode;
        let failed = match call.fault.as_deref() {
            Some(Fault::FailedSync(failed)) => Some(failed.clone()),
            _ => self.demanded_error(call).map(|(error, effect)| FailedSync {
                error,
                failed: match effect {
                    CallEffect::Nothing => Subset::All,
                    CallEffect::Everything | CallEffect::Bytes(_) => Subset::Nothing,
                },
                ..FailedSync::default()
            }),
        };
        if let Some(failed) = failed {
            self.disk.fail_sync(inode, &failed);
            self.learn_of_errors(file);
            match call.fault {
                Some(_) => self.fire(call),
                None => self.strike(call, failed.word()),
            }
            return Err(failed.error.error());
        }
        if let Some(failed) = self.unplaced(inode) {
            self.disk.fail_sync(inode, &failed);
            self.learn_of_errors(file);
            return Err(self.fill_up(call));
        }
        if self.learn_of_errors(file) {
            self.disk.commit_file(inode);
            self.strike(call, "late-sync-error");
            return Err(FailureKind::Io.error());
        }
        self.disk.sync_file(inode, sync)
    }

    pub(super) fn drop_cache(&mut self, process: u64, file: &OpenFile) -> io::Result<()> {
        if self.keeps_cache {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let change = Change::DropCache { inode: file.inode };
        let record = file.record(Op::DropCache, 0, 0);
        self.make_change(
            process,
            record,
            || change.clone(),
            |disk| disk.apply(&change),
        )
    }

    /// Locks a file for one handle, as flock(2) does.
    pub(super) fn lock_file(
        &mut self,
        process: u64,
        file: &OpenFile,
        shared: bool,
    ) -> io::Result<()> {
        let mut call = self.begin_reading(process, file.record(Op::Lock, 0, 0))?;
        let answer = self.unless_failing(&mut call, |machine, call| {
            if machine.lock_taken {
                machine.strike(call, "second-opener");
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // Changing the kind of a lock begins with giving it back.
            machine.forget_lock(file);
            let holders = machine.file_locks.entry(file.inode).or_default();
            if holders.values().any(|other| !(shared && *other)) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            holders.insert(file.handle, shared);
            Ok(())
        });
        self.finish(&call, answer, |_, _| {})
    }

    /// Gives the lock of a handle back; no call of its own, as it is none where the handle is closed.
    pub(super) fn unlock_file(&mut self, process: u64, file: &OpenFile) -> io::Result<()> {
        self.check_alive(process)?;
        self.forget_lock(file);
        Ok(())
    }

    pub(super) fn forget_lock(&mut self, file: &OpenFile) {
        if let Some(holders) = self.file_locks.get_mut(&file.inode) {
            holders.remove(&file.handle);
        }
    }

    /// Whether a sync of the file failed since this handle last heard of one.
    fn learn_of_errors(&mut self, file: &OpenFile) -> bool {
        let errors = self.disk.inode(file.inode).sync_errors;
        let handle = self.handles.get_mut(&file.handle);
        let handle = handle.expect("a handle lives as long as its file is open");
        let news = handle.seen_errors < errors;
        handle.seen_errors = errors;
        news
    }
}
