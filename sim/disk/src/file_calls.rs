//! The calls on an open file, with the faults that can strike them.

use std::io;
use std::sync::Arc;

use super::change::Change;
use super::crash::Op;
use super::fault::{Effect, FailedSync, Failure, Fault, Subset};
use super::inode::InodeId;
use super::machine::{Call, Machine};
use super::mixing::hash64;
use super::page::SECTOR_BYTES;
use super::trace::TraceRecord;
use beaver_storage::Access;

/// An open file of one process.
#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    pub(super) handle: u64,
    pub(super) inode: InodeId,
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
}

impl Machine {
    pub(super) fn len(&mut self, process: u64, file: &OpenFile) -> io::Result<u64> {
        let mut call = self.begin(process, Op::Len)?;
        self.pass_inside_reading(&call)?;
        let answer = match self.planned_error(&call) {
            Some((failure, _)) => Err(self.fail(&mut call, failure)),
            None => Ok(self.disk.inode(file.inode).live.len()),
        };
        self.finish(call, answer, |record, answer: &io::Result<u64>| {
            TraceRecord {
                answer: record.answer.map(|_| *answer.as_ref().unwrap_or(&0)),
                ..on_open_file(record, file)
            }
        })
    }

    pub(super) fn read_at(
        &mut self,
        process: u64,
        file: &OpenFile,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut call = self.begin(process, Op::ReadAt)?;
        self.pass_inside_reading(&call)?;
        let answer = match self.planned_error(&call) {
            Some((failure, _)) => Err(self.fail(&mut call, failure)),
            None => self.read(&mut call, file.inode, buf, offset),
        };
        self.finish(call, answer, |record, answer: &io::Result<usize>| {
            let count = *answer.as_ref().unwrap_or(&0);
            TraceRecord {
                offset,
                len: buf.len() as u64,
                data: hash64(&buf[..count]),
                answer: record.answer.map(|_| count as u64),
                ..on_open_file(record, file)
            }
        })
    }

    fn read(
        &mut self,
        call: &mut Call,
        inode: InodeId,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let inode = self.disk.inode(inode);
        let count = inode.live.read(buf, offset);
        if inode.hits_unreadable(offset, count as u64) {
            self.strike(call, "unreadable-sector");
            return Err(Failure::Io.error());
        }
        let bytes = &mut buf[..count];
        let place = |number: &u64| usize::try_from(*number).unwrap_or(usize::MAX);
        match &call.fault {
            Some((_, Fault::ShortRead { bytes: short })) => {
                let short = place(short);
                if short > 0 && short < count {
                    self.fire(call);
                    return Ok(short);
                }
            }
            Some((_, Fault::FlippedRead { byte, bit })) => {
                if let Some(byte) = bytes.get_mut(place(byte)) {
                    *byte ^= 1 << (bit % 8);
                    self.fire(call);
                }
            }
            Some((_, Fault::ZeroedRead { sector })) => {
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
        let mut call = self.begin(process, Op::WriteAt)?;
        self.pass_inside(&call, || Change::Write {
            inode: file.inode,
            offset,
            bytes: bytes.to_vec(),
        })?;
        let answer = file
            .check_writable()
            .and_then(|()| self.write(&mut call, file.inode, bytes, offset));
        self.finish(call, answer, |record, answer: &io::Result<usize>| {
            let count = *answer.as_ref().unwrap_or(&0);
            TraceRecord {
                offset,
                len: bytes.len() as u64,
                data: hash64(bytes),
                answer: record.answer.map(|_| count as u64),
                ..on_open_file(record, file)
            }
        })
    }

    fn write(
        &mut self,
        call: &mut Call,
        inode: InodeId,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<usize> {
        self.disk.check_writable()?;
        let shorter =
            |count: u64| usize::try_from(count).map_or(bytes.len(), |n| n.min(bytes.len()));
        if let Some((failure, effect)) = self.planned_error(call) {
            let count = match effect {
                Effect::Nothing => 0,
                Effect::Everything => bytes.len(),
                Effect::Bytes(count) => shorter(count),
            };
            self.disk.write(inode, &bytes[..count], offset)?;
            return Err(self.fail(call, failure));
        }
        match &call.fault {
            Some((_, Fault::ShortWrite { bytes: count })) if shorter(*count) < bytes.len() => {
                let count = shorter(*count);
                self.disk.write(inode, &bytes[..count], offset)?;
                self.fire(call);
                return Ok(count);
            }
            Some((_, Fault::MisdirectedWrite { offset: other }))
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

    pub(super) fn set_len(&mut self, process: u64, file: &OpenFile, len: u64) -> io::Result<()> {
        self.resize(process, file, len, Op::SetLen)
    }

    pub(super) fn allocate(&mut self, process: u64, file: &OpenFile, len: u64) -> io::Result<()> {
        self.resize(process, file, len, Op::Allocate)
    }

    fn resize(&mut self, process: u64, file: &OpenFile, len: u64, op: Op) -> io::Result<()> {
        let mut call = self.begin(process, op)?;
        let inode = file.inode;
        self.pass_inside(&call, || match op {
            Op::Allocate => Change::Allocate { inode, len },
            _ => Change::SetLen { inode, len },
        })?;
        let growth = len.saturating_sub(self.disk.inode(inode).live.len());
        let full = growth > self.room_of(inode).unwrap_or(u64::MAX) && call.fault.is_none();
        let answer = match file.check_writable() {
            Err(error) => Err(error),
            Ok(()) if full => Err(self.fill_up(&mut call)),
            Ok(()) => self.change(&mut call, |disk| match op {
                Op::Allocate => disk.allocate(inode, len),
                _ => disk.set_len(inode, len),
            }),
        };
        self.finish(call, answer, |record, _| TraceRecord {
            offset: len,
            ..on_open_file(record, file)
        })
    }

    pub(super) fn sync_data(&mut self, process: u64, file: &OpenFile) -> io::Result<()> {
        let mut call = self.begin(process, Op::SyncData)?;
        let inode = file.inode;
        self.pass_inside(&call, || Change::SyncData { inode })?;
        let answer = self.sync(&mut call, file);
        self.finish(call, answer, |record, _| on_open_file(record, file))
    }

    fn sync(&mut self, call: &mut Call, file: &OpenFile) -> io::Result<()> {
        self.disk.check_writable()?;
        let inode = file.inode;
        let failed = match &call.fault {
            Some((_, Fault::FailedSync(failed))) => Some(failed.clone()),
            _ => self.planned_error(call).map(|(error, effect)| FailedSync {
                error,
                failed: match effect {
                    Effect::Nothing => Subset::All,
                    Effect::Everything | Effect::Bytes(_) => Subset::Nothing,
                },
                ..FailedSync::default()
            }),
        };
        if let Some(failed) = failed {
            self.disk.fail_sync(inode, &failed);
            self.learn_of_errors(file);
            match call.fault {
                Some(_) => self.fire(call),
                None => self.strike(call, failed.kind()),
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
            return Err(Failure::Io.error());
        }
        self.disk.sync_data(inode)
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

fn on_open_file(record: TraceRecord, file: &OpenFile) -> TraceRecord {
    TraceRecord {
        file: file.name.clone(),
        ..record
    }
}
