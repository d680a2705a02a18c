//! What a sync that fails leaves behind.
//!
//! Some dirty pages are written and the others are not. What follows depends on the file system:
//! most forget that the others were dirty, so that live and durable bytes differ with nothing
//! pending between them. A program that reads them back sees what it wrote; after a power cut, or
//! when the cache is dropped, it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::Disk;
use super::fault::{Behaviour, FailedSync, Subset};
use super::inode::{Inode, Retry, SizeCause, SizeStep, Version, kept_by};
use super::names::InodeId;
use super::page::{PAGE_BYTES, PAGE_SIZE, Page, kept_of};
use super::profile::Profile;

impl Disk {
    /// A sync of `id` fails as `failed` says. It commits no name, and nothing of another file.
    pub(super) fn fail_sync(&mut self, id: InodeId, failed: &FailedSync) {
        self.change_file(id, |inode, _| inode.fail_sync(failed));
        if failed.behaviour == Behaviour::ReadOnly {
            self.read_only = true;
        }
    }

    /// A sync of a directory fails after it made some of its name records durable; the others stay
    /// pending.
    pub(super) fn fail_sync_dir(&mut self, dir: InodeId, durable: &Subset) {
        let mut places = 0..;
        let mut chosen = |record: u64| {
            let place = places.next().expect("there is no end of places");
            durable.contains(place, record)
        };
        let rule = self.profile().rename_rule();
        if self.profile() != Profile::LinuxOrdered {
            self.names.commit_some(dir, rule, chosen);
            return;
        }
        let pending = self.names.pending.iter();
        let own = pending.filter(|entry| entry.change.touches(dir));
        let prefix = own.take_while(|entry| chosen(entry.record));
        let Some(last) = prefix.last().map(|entry| entry.record) else {
            return;
        };
        self.names.commit_where(rule, |entry| entry.record <= last);
        let dirty: Vec<InodeId> = self.dirty.iter().copied().collect();
        for id in dirty {
            let earlier = |step: &SizeStep| step.cause == SizeCause::SetLen && step.record < last;
            let count = self.inode(id).sizes.iter().rposition(earlier);
            if let Some(index) = count {
                self.change_file(id, |inode, _| inode.commit_sizes(index + 1));
            }
        }
    }

    /// Pages that failed syncs left clean but different fall back to what is on disk, and lost
    /// lengths too.
    pub(super) fn drop_cache(
        &mut self,
        subset: &Subset,
        is_open: &dyn Fn(InodeId) -> bool,
    ) -> bool {
        let mut place = 0;
        let mut dropped = false;
        let ids: Vec<InodeId> = self.inodes.keys().copied().collect();
        for id in ids {
            let inode = self.inode(id);
            let pages = inode.clean_but_different();
            let length_lost = inode.has_lost_length();
            for index in pages {
                if subset.contains(place, index) {
                    self.inode_mut(id).drop_page(index);
                    dropped = true;
                }
                place += 1;
            }
            if length_lost {
                let idle = self.inode(id).pages.is_empty() && !is_open(id);
                if idle && subset.contains(place, u64::MAX) {
                    self.change_file(id, |inode, _| inode.drop_length());
                    dropped = true;
                }
                place += 1;
            }
        }
        dropped
    }
}

/// A dirty page, and how much of it is on disk after a sync that failed.
struct SyncedPage {
    index: u64,
    /// 0: the durable version stays.
    version: usize,
    written: bool,
}

impl Inode {
    fn fail_sync(&mut self, failed: &FailedSync) {
        self.resume_retry();
        let pages = self.pages.iter().enumerate();
        let reached = pages.map(|(place, (index, versions))| {
            let written = !failed.failed.contains(place, *index);
            let left = failed.left.get(index).copied().unwrap_or(0);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let newest = versions.len();
            SyncedPage {
                index: *index,
                version: if written { newest } else { left.min(newest) },
                written,
            }
        });
        let reached: Vec<SyncedPage> = reached.collect();
        self.commit_sizes(match failed.behaviour {
            Behaviour::MarkClean | Behaviour::MarkCleanUnwritten => self.sizes.len(),
            _ => self.sizes_before_versions(&reached),
        });
        for page in &reached {
            if page.version > 0 {
                let version = &self.pages[&page.index][page.version - 1];
                let (record, version) = (version.record, version.page.clone());
                self.commit_page(page.index, record, version);
                if page.written {
                    self.commit_length_of(page.index, record);
                }
            }
        }
        match failed.behaviour {
            Behaviour::RetryWorks => self.keep_for_retry(),
            Behaviour::Revert => self.show_disk(),
            Behaviour::MarkClean | Behaviour::MarkCleanSizeLost | Behaviour::ReadOnly => {
                self.forget_dirty();
            }
            Behaviour::MarkCleanUnwritten => {
                self.forget_dirty();
                self.leave_unwritten(&reached);
            }
        }
        let told = [Behaviour::RetryWorks, Behaviour::ReadOnly];
        if !told.contains(&failed.behaviour) {
            self.sync_errors += 1;
        }
    }

    /// What was written to a page after a shrink that cut it away survives only if the shrink did:
    /// the lengths that the pages on disk drag along.
    fn sizes_before_versions(&self, reached: &[SyncedPage]) -> usize {
        let on_disk = reached.iter().filter(|page| page.version > 0);
        let dragged = on_disk.map(|page| {
            let written = self.pages[&page.index][page.version - 1].record;
            let mut sizes = self.sizes.iter();
            let last = sizes.rposition(|step| step.cuts_away(page.index) && step.record < written);
            last.map_or(0, |place| place + 1)
        });
        dragged.max().unwrap_or(0)
    }

    /// A page that record `record` wrote and that reaches the disk brings the length up to its end:
    /// by the pending lengths where there are any, else directly. It passes the shrinks that are
    /// older than the page, and no other.
    fn commit_length_of(&mut self, index: u64, record: u64) {
        let end = (index + 1).saturating_mul(PAGE_SIZE).min(self.live.len());
        if end <= index * PAGE_SIZE {
            return;
        }
        let shorter = |step: &SizeStep| step.shrinks && step.len < end;
        let older = |step: &SizeStep| shorter(step) && step.record < record;
        let passed = self
            .sizes
            .iter()
            .rposition(older)
            .map_or(0, |last| last + 1);
        if passed == 0 && end <= self.disk.len() {
            return;
        }
        let rest = self.sizes[passed..]
            .iter()
            .take_while(|step| !shorter(step));
        let count = passed + rest.clone().count();
        match rest.clone().position(|step| step.len >= end) {
            Some(step) => self.commit_sizes(passed + step + 1),
            None if count == self.sizes.len() => {
                self.commit_sizes(count);
                self.reach(index);
            }
            None => {}
        }
    }

    /// The failed pages for which the disk had no block: their new ones stay unwritten. A page that
    /// is zeros on disk counts as one without a block.
    fn leave_unwritten(&mut self, reached: &[SyncedPage]) {
        let end = self.live.len().div_ceil(PAGE_SIZE);
        for page in reached {
            let new = self.disk.page(page.index).is_none() && page.index < end;
            if !page.written && page.version == 0 && new {
                self.unsaved.remove(&page.index);
                self.unwritten.insert(page.index);
            }
        }
    }

    /// The pages that the cache shows and the disk does not have, with nothing pending.
    pub(super) fn clean_but_different(&self) -> BTreeSet<u64> {
        let unwritten = self.unwritten.iter();
        let clean = unwritten.filter(|index| !self.pages.contains_key(index));
        self.unsaved.iter().chain(clean).copied().collect()
    }

    /// The cache forgets what is clean: what is on disk shows.
    pub(super) fn drop_clean_pages(&mut self) {
        for index in self.clean_but_different() {
            self.drop_page(index);
        }
    }

    /// What was not written is written by the next sync, and cannot survive a power cut before.
    fn keep_for_retry(&mut self) {
        let newest = self.pages.iter().map(|(index, versions)| {
            let last = versions.last().map_or(0, |version| version.record);
            (*index, last)
        });
        let newest: BTreeMap<u64, u64> = newest.collect();
        let unsaved = std::mem::take(&mut self.unsaved);
        self.forget_dirty();
        let failed = std::mem::replace(&mut self.unsaved, unsaved);
        let failed = failed.into_iter();
        let failed = failed.map(|index| (index, newest.get(&index).copied().unwrap_or(0)));
        self.retry.pages.extend(failed);
        self.retry.length = self.last_len() != self.live.len();
    }

    /// Makes what an earlier sync left to be written again pending once more, so that this one can
    /// fail on it.
    fn resume_retry(&mut self) {
        let retry = std::mem::take(&mut self.retry);
        for (index, record) in retry.pages {
            let page = self.live.page(index).cloned();
            self.pages.insert(index, vec![Version { record, page }]);
        }
        if retry.length && self.last_len() != self.live.len() {
            self.sizes.push(SizeStep {
                record: 0,
                len: self.live.len(),
                cause: SizeCause::Write,
                shrinks: false,
            });
        }
    }

    /// Nothing is dirty any more. A `set_len` stays pending with the lengths before it: it is no
    /// data that could fail.
    fn forget_dirty(&mut self) {
        for index in std::mem::take(&mut self.pages).into_keys() {
            self.note_unsaved(index);
        }
        let kept = self.sizes_to_last_set_len();
        self.sizes.truncate(kept);
        self.clear_behind_disk_end();
    }

    /// The cache goes back to what is on disk.
    fn show_disk(&mut self) {
        self.sizes.clear();
        self.pages.clear();
        self.retry = Retry::default();
        self.newer.clear();
        self.clear_behind_disk_end();
        self.unsaved.clear();
        self.unwritten.clear();
        self.live = self.disk.clone();
    }

    /// A length that is lost takes with it what writeback had put past it: a file that grows
    /// again shows zeros.
    pub(super) fn clear_behind_disk_end(&mut self) {
        if !self.sizes.is_empty() || self.disk_is_tidy() {
            return;
        }
        let len = self.disk.len();
        let behind: Vec<u64> = self.disk.pages().map(|(index, _)| index).collect();
        Arc::make_mut(&mut self.disk).cut(len);
        let behind = behind
            .into_iter()
            .filter(|index| kept_of(len, *index) < PAGE_BYTES);
        for index in behind {
            self.note_unsaved(index);
        }
    }

    /// Takes note of a page that nothing will write any more, if the cache and the disk differ there.
    fn note_unsaved(&mut self, index: u64) {
        let dirty = self.pages.contains_key(&index) || self.retry.pages.contains_key(&index);
        let (live, disk) = (self.live.page(index), self.disk.page(index));
        let different = live.map(Page::hash) != disk.map(Page::hash);
        if different && !dirty && !self.unwritten.contains(&index) {
            self.unsaved.insert(index);
        }
    }

    fn has_lost_length(&self) -> bool {
        self.sizes.is_empty() && !self.retry.length && self.live.len() != self.disk.len()
    }

    fn drop_page(&mut self, index: u64) {
        self.unsaved.remove(&index);
        self.unwritten.remove(&index);
        let written = self.newer.get(&index).copied().unwrap_or(0);
        let kept = kept_by(self.sizes.iter(), index, written);
        let kept = kept.min(kept_of(self.live.len(), index));
        let page = self.disk.page(index).and_then(|page| page.cut(kept));
        self.set_live_page(index, page);
    }

    fn drop_length(&mut self) {
        let len = self.disk.len();
        let live = Arc::make_mut(&mut self.live);
        live.cut(len);
        live.set_len(len);
        let behind = len.div_ceil(PAGE_SIZE);
        self.unsaved.split_off(&behind);
        self.unwritten.split_off(&behind);
    }
}
