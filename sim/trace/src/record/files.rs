//! What the calls on open files do.

use beaver_disk::{Change, InodeId};
use fuser::{Errno, FileAttr, Request, TimeOrNow};

use super::attributes::{STDOUT, inode, now, time};
use super::server::Server;

/// How durable a write is when it returns: what the file was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// Not at all.
    No,
    /// `O_DSYNC`.
    Data,
    /// `O_SYNC`.
    All,
}

/// What chmod(2), chown(2), truncate(2) and utimensat(2) ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) len: Option<u64>,
    pub(super) accessed: Option<TimeOrNow>,
    pub(super) modified: Option<TimeOrNow>,
}

impl Server {
    pub(super) fn read(&self, file: u64, size: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        if file == STDOUT {
            return Ok(Vec::new());
        }
        let id = inode(file)?;
        Ok(self.disk.look(|disk| {
            let left = disk.len_of(id).saturating_sub(offset);
            let len = left.min(u64::from(size));
            let mut bytes = vec![0; usize::try_from(len).expect("it is at most a u32")];
            let count = disk.read(id, &mut bytes, offset);
            bytes.truncate(count);
            bytes
        }))
    }

    pub(super) fn write(
        &mut self,
        request: &Request,
        (file, offset): (u64, u64),
        bytes: &[u8],
        mapped: bool,
    ) -> Result<usize, Errno> {
        if file == STDOUT {
            return self.say(bytes);
        }
        // One that unmaps has its list of mappings locked, and that is what would be read.
        if !mapped {
            self.note_caller(request.pid());
        }
        let inode = inode(file)?;
        let change = Change::Write {
            inode,
            offset,
            bytes: self.bytes(bytes),
        };
        let count = self.change(change, mapped)?;
        self.touch(file);
        Ok(count)
    }

    /// Syncs a file.
    pub(super) fn sync(&mut self, file: u64, durable: Durable) -> Result<(), Errno> {
        if file == STDOUT || self.synced.take() == Some(file) {
            return Ok(());
        }
        let inode = inode(file)?;
        let change = match durable {
            Durable::No => return Ok(()),
            Durable::Data => Change::SyncData { inode },
            Durable::All => Change::SyncAll { inode },
        };
        self.change(change, false).map(|_| ())
    }

    /// Syncs a file after a write to it, as its flags want it.
    pub(super) fn sync_written(&mut self, file: u64, durable: Durable) -> Result<(), Errno> {
        self.sync(file, durable)?;
        self.synced = (durable != Durable::No).then_some(file);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: u64) -> Result<(), Errno> {
        let dir = inode(dir)?;
        self.change(Change::SyncDir { dir }, false).map(|_| ())
    }

    /// Grows a file to at least `len` bytes.
    pub(super) fn allocate(&mut self, file: u64, len: u64) -> Result<(), Errno> {
        let inode = inode(file)?;
        if len > self.len(inode) {
            self.change(Change::Allocate { inode, len }, false)?;
            self.touch(file);
        }
        Ok(())
    }

    /// Reserves room beyond the end of a file. Nothing changes that a crash could undo, and there is room for all; on a disk
    /// that may be full it would be a promise, and is refused.
    pub(super) fn reserve(&self, file: u64) -> Result<(), Errno> {
        inode(file)?;
        match self.room() {
            None => Ok(()),
            Some(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    pub(super) fn set(&mut self, file: u64, wanted: Wanted) -> Result<FileAttr, Errno> {
        if file == STDOUT {
            return self.told(file);
        }
        if let Some(len) = wanted.len {
            let inode = inode(file)?;
            // Nothing changes that a crash could undo.
            if len != self.len(inode) {
                self.change(Change::SetLen { inode, len }, false)?;
            }
            self.touch(file);
        }
        let old = *self.attributes.get(&file).ok_or(Errno::ENOENT)?;
        let mode = wanted.mode.map_or(old.mode, |mode| mode & 0o7777);
        if mode != old.mode
            && let Ok(inode) = inode(file)
        {
            self.set_mode(inode, mode)?;
        }
        let attributes = self.attributes.get_mut(&file).ok_or(Errno::ENOENT)?;
        attributes.mode = mode;
        attributes.uid = wanted.uid.unwrap_or(old.uid);
        attributes.gid = wanted.gid.unwrap_or(old.gid);
        attributes.changed = now();
        if let Some(accessed) = wanted.accessed {
            attributes.accessed = time(accessed);
        }
        if let Some(modified) = wanted.modified {
            attributes.modified = time(modified);
        }
        self.told(file)
    }

    fn len(&self, inode: InodeId) -> u64 {
        self.disk.look(|disk| disk.len_of(inode))
    }
}
