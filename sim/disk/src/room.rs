//! How much the disk can still hold, and who learns that it is full.

use std::io;

use super::fault::{Behaviour, FailedSync, FailureKind, Noticed, Subset};
use super::machine::{MachineState, RunningCall};
use super::names::InodeId;
use super::page::PAGE_SIZE;

impl MachineState {
    /// How many bytes the files may still grow, if that is limited where writes are made.
    pub(super) fn room(&self) -> Option<u64> {
        let space = self.space.as_ref()?;
        let room = space.capacity.saturating_sub(self.disk.used());
        (space.noticed == Noticed::OnWrite).then_some(room)
    }

    /// The same for one file. One without a name takes no room that anybody counts.
    pub(super) fn room_of(&self, inode: InodeId) -> Option<u64> {
        self.room().filter(|_| self.disk.inode(inode).links > 0)
    }

    /// How many of `len` bytes at `offset` fit.
    pub(super) fn fitting(&self, inode: InodeId, len: u64, offset: u64) -> u64 {
        let Some(room) = self.room_of(inode) else {
            return len;
        };
        let end = self.disk.inode(inode).live.len().saturating_add(room);
        end.saturating_sub(offset).min(len)
    }

    /// Where space is allocated late: the failure of a sync of pages that found no place.
    pub(super) fn unplaced(&self, inode: InodeId) -> Option<FailedSync> {
        let space = self.space.as_ref()?;
        let late = space.noticed == Noticed::OnSync && self.disk.used() > space.capacity;
        let inode = self.disk.inode(inode);
        let end = inode.disk.len();
        let new = inode.pages.keys().filter(|page| **page * PAGE_SIZE >= end);
        let new: Vec<u64> = new.copied().collect();
        (late && !new.is_empty()).then(|| FailedSync {
            error: space.error,
            behaviour: Behaviour::MarkClean,
            failed: Subset::Only(new),
            ..FailedSync::default()
        })
    }

    pub(super) fn fill_up(&mut self, call: &mut RunningCall) -> io::Error {
        self.strike(call, "storage-full");
        let space = self.space.as_ref();
        space
            .map_or(FailureKind::StorageFull, |space| space.error)
            .error()
    }
}
