//! One file: its live bytes, its durable bytes, and the records between the two.
//!
//! ```text
//! live      what reads and `len` answer
//! disk      what is durable (v0 of every page, and the durable length)
//! sizes     pending lengths, in order: every step that the disk may show on the way
//! pages     pending versions of each page, in order; the last one is the live page
//! unsaved   pages that a failed sync left clean but different: nothing pending, and not what is
//!           on disk
//! unwritten pages that never reach the disk again, whatever is written to them
//! newer     pages on disk that were written after a pending shrink that cut inside them
//! ```
//!
//! Records are compared by their numbers: a version with a larger number than a shrink was written
//! after it. If the shrink cut the whole page away, such a version survives only together with it; a
//! page that the shrink kept is overwritten in place, whatever becomes of the shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::content::Content;
use super::page::{PAGE_BYTES, PAGE_SIZE, Page, SECTOR_SIZE, kept_of, page_of, within};
use beaver_storage::FileKind;

/// Hands out the numbers of pending records.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordNumbers(u64);

impl RecordNumbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SizeCause {
    Write,
    SetLen,
}

#[derive(Clone, Debug)]
pub(super) struct SizeStep {
    pub(super) record: u64,
    pub(super) len: u64,
    pub(super) cause: SizeCause,
    pub(super) shrinks: bool,
}

impl SizeStep {
    /// Whether the whole of page `index` lies past the new end of a shrink.
    pub(super) fn cuts_away(&self, index: u64) -> bool {
        self.shrinks && self.len <= index.saturating_mul(PAGE_SIZE)
    }

    /// Whether the new end of a shrink lies inside page `index`.
    fn cuts_inside(&self, index: u64) -> bool {
        self.shrinks && within(self.len) != 0 && page_of(self.len) == index
    }
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) record: u64,
    /// `None` is a page of zeros.
    pub(super) page: Option<Page>,
}

/// What is to be written again: pages, each with the number of its last record, and the length.
#[derive(Clone, Debug, Default)]
pub(super) struct Retry {
    pub(super) pages: BTreeMap<u64, u64>,
    pub(super) length: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) kind: FileKind,
    pub(super) live: Arc<Content>,
    pub(super) disk: Arc<Content>,
    pub(super) sizes: Vec<SizeStep>,
    pub(super) pages: BTreeMap<u64, Vec<Version>>,
    pub(super) unsaved: BTreeSet<u64>,
    /// Pages whose new blocks a failed sync left unwritten: on disk they read as zeros whatever is
    /// written to them and synced, until the cache drops them or the file is cut before them. None of them is in `unsaved`.
    pub(super) unwritten: BTreeSet<u64>,
    /// The record of each page on disk that is newer than a pending shrink that cut inside it: when
    /// that shrink becomes durable, it takes nothing of this page any more.
    pub(super) newer: BTreeMap<u64, u64>,
    /// What a failed sync did not write and the next one will, where that is how the file system
    /// works. Until then it cannot survive a power cut.
    pub(super) retry: Retry,
    /// Sectors of the device that cannot be read until they are written again.
    pub(super) unreadable: BTreeSet<u64>,
    /// What the disk had before the last commit of a page; kept only where a device may take a page
    /// back.
    pub(super) superseded: Option<BTreeMap<u64, Option<Page>>>,
    /// How many live names the file has.
    pub(super) links: u32,
    /// How many failed syncs other handles have to be told of.
    pub(super) sync_errors: u64,
}

impl Inode {
    /// A file all of whose bytes are durable.
    pub(super) fn settled(content: Arc<Content>) -> Self {
        Inode::with(content.clone(), content)
    }

    /// A file with nothing pending.
    pub(super) fn with(live: Arc<Content>, disk: Arc<Content>) -> Self {
        Inode {
            kind: FileKind::File,
            live,
            disk,
            sizes: Vec::new(),
            pages: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            newer: BTreeMap::new(),
            retry: Retry::default(),
            unreadable: BTreeSet::new(),
            superseded: None,
            links: 0,
            sync_errors: 0,
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        let retry = self.retry.length || !self.retry.pages.is_empty();
        retry || !self.sizes.is_empty() || !self.pages.is_empty()
    }

    /// Writes `bytes` at `offset`: a new version of every page it touches, and every page-aligned
    /// length on the way.
    pub(super) fn write(&mut self, records: &mut RecordNumbers, bytes: &[u8], offset: u64) {
        let end = offset + bytes.len() as u64;
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let start = within(at);
            let (part, behind) = rest.split_at(rest.len().min(PAGE_BYTES - start));
            let index = page_of(at);
            let page = Page::written(self.live.page(index), start, part);
            self.set_live_page(index, Some(page));
            self.push_version(records, index);
            at += part.len() as u64;
            rest = behind;
            if at > self.live.len() {
                set_len(&mut self.live, at);
                self.sizes.push(SizeStep {
                    record: records.next(),
                    len: at,
                    cause: SizeCause::Write,
                    shrinks: false,
                });
            }
        }
        if !self.unreadable.is_empty() {
            let sectors = offset / SECTOR_SIZE..end.div_ceil(SECTOR_SIZE);
            self.unreadable.retain(|sector| !sectors.contains(sector));
        }
    }

    /// Makes the live page a new pending version, which a sync will write whole. What reaches the
    /// disk of an unwritten page is zeros.
    fn push_version(&mut self, records: &mut RecordNumbers, index: u64) {
        let lost = self.unwritten.contains(&index);
        let page = self.live.page(index).filter(|_| !lost).cloned();
        let record = records.next();
        let versions = self.pages.entry(index).or_default();
        versions.push(Version { record, page });
        self.unsaved.remove(&index);
        self.retry.pages.remove(&index);
    }

    /// Changes the length: one record, also when the length stays the same. A shrink inside a page
    /// writes zeros past the cut, and only then takes the length back.
    pub(super) fn set_len(&mut self, records: &mut RecordNumbers, len: u64) {
        let shrinks = len < self.live.len();
        if shrinks {
            Arc::make_mut(&mut self.live).cut(len);
            let behind = len.div_ceil(PAGE_SIZE);
            self.unsaved.split_off(&behind);
            self.retry.pages.split_off(&behind);
            // The cache has no such page any more, and the file no such block.
            self.unwritten.split_off(&behind);
            if within(len) != 0 {
                self.push_version(records, page_of(len));
            }
        }
        set_len(&mut self.live, len);
        self.sizes.push(SizeStep {
            record: records.next(),
            len,
            cause: SizeCause::SetLen,
            shrinks,
        });
    }

    /// Makes everything durable: what a sync that works does.
    pub(super) fn commit_all(&mut self) {
        self.commit_sizes(self.sizes.len());
        if self.retry.length {
            set_len(&mut self.disk, self.live.len());
        }
        self.clear_behind_disk_end();
        let retry = std::mem::take(&mut self.retry);
        let pages = std::mem::take(&mut self.pages).into_keys();
        for index in pages.chain(retry.pages.into_keys()) {
            let page = self.live.page(index).cloned();
            self.commit_page(index, u64::MAX, page);
            self.reach(index);
        }
    }

    /// Commits the first `count` pending lengths, and with each shrink the cut that it makes.
    pub(super) fn commit_sizes(&mut self, count: usize) {
        let later = self.sizes.split_off(count);
        for step in std::mem::replace(&mut self.sizes, later) {
            if step.shrinks {
                let from = self.cut_on_disk(&step);
                Arc::make_mut(&mut self.disk).cut(from);
                cut_versions(&mut self.pages, &step);
            }
            set_len(&mut self.disk, step.len);
        }
        let sizes = &self.sizes;
        self.newer
            .retain(|index, record| is_cut_before(sizes, *index, *record));
    }

    /// From which byte on a shrink takes what is durable: it leaves the page in which it ends alone
    /// if that one was written after it.
    pub(super) fn cut_on_disk(&self, shrink: &SizeStep) -> u64 {
        let index = page_of(shrink.len);
        match self.newer.get(&index) {
            Some(record) if *record > shrink.record => (index + 1).saturating_mul(PAGE_SIZE),
            _ => shrink.len,
        }
    }

    /// Makes `page`, which record `record` wrote, the durable version of page `index`. The caller
    /// takes care of what is pending.
    pub(super) fn commit_page(&mut self, index: u64, record: u64, page: Option<Page>) {
        if self.unwritten.contains(&index) {
            return;
        }
        if let Some(superseded) = &mut self.superseded {
            superseded.insert(index, self.disk.page(index).cloned());
        }
        set_page(&mut self.disk, index, page);
        match is_cut_before(&self.sizes, index, record) {
            true => self.newer.insert(index, record),
            false => self.newer.remove(&index),
        };
    }

    /// A page that reaches the disk brings the length up to its end, at most the live one: this is
    /// what brings back a length that a failed sync lost.
    pub(super) fn reach(&mut self, index: u64) {
        let end = (index + 1).saturating_mul(PAGE_SIZE).min(self.live.len());
        if end > self.disk.len() && end > index * PAGE_SIZE {
            set_len(&mut self.disk, end);
        }
    }

    /// Whether a pending shrink that cut page `index` away is older than record `record`: then that
    /// record must not reach the disk before the shrink.
    pub(super) fn waits_for_shrink(&self, index: u64, record: u64) -> bool {
        let mut sizes = self.sizes.iter();
        sizes.any(|step| step.cuts_away(index) && step.record < record)
    }

    /// Background writeback of the current version of one page. `false`: nothing pending, or
    /// written after a pending shrink that cut the page away.
    pub(super) fn write_back_page(&mut self, index: u64) -> bool {
        let versions = self.pages.get(&index);
        let Some(last) = versions.and_then(|versions| versions.last()) else {
            return self.write_back_retry(index);
        };
        let (record, page) = (last.record, last.page.clone());
        if self.waits_for_shrink(index, record) {
            return false;
        }
        self.pages.remove(&index);
        self.commit_page(index, record, page);
        self.expect_length_of(index, record);
        true
    }

    /// A page that writeback puts past a lost length has its length pending: the next sync finds
    /// nothing dirty there and must commit it all the same.
    fn expect_length_of(&mut self, index: u64, record: u64) {
        let end = (index + 1).saturating_mul(PAGE_SIZE).min(self.live.len());
        if end > self.last_len() && end > index * PAGE_SIZE {
            self.sizes.push(SizeStep {
                record,
                len: end,
                cause: SizeCause::Write,
                shrinks: false,
            });
        }
    }

    /// The length that the disk has once everything pending is there.
    pub(super) fn last_len(&self) -> u64 {
        let last = self.sizes.last();
        last.map_or(self.disk.len(), |step| step.len)
    }

    /// Background writeback of a page that a failed sync left to be written again.
    fn write_back_retry(&mut self, index: u64) -> bool {
        let record = self.retry.pages.get(&index).copied();
        let Some(record) = record.filter(|record| !self.waits_for_shrink(index, *record)) else {
            return false;
        };
        self.retry.pages.remove(&index);
        let page = self.live.page(index).cloned();
        self.commit_page(index, record, page);
        true
    }

    /// Background writeback of the oldest pending length, if a write caused it.
    pub(super) fn write_back_size(&mut self) -> bool {
        let oldest = self.sizes.first();
        if oldest.is_none_or(|step| step.cause == SizeCause::SetLen) {
            return false;
        }
        self.commit_sizes(1);
        true
    }

    /// How many pending lengths lead up to the last `set_len`, that one included.
    pub(super) fn sizes_to_last_set_len(&self) -> usize {
        let last = self
            .sizes
            .iter()
            .rposition(|step| step.cause == SizeCause::SetLen);
        last.map_or(0, |index| index + 1)
    }

    /// Whether nothing durable lies past the durable length. Writeback may put pages there ahead
    /// of their length.
    pub(super) fn disk_is_tidy(&self) -> bool {
        let last = self.disk.pages().next_back();
        last.is_none_or(|(index, page)| {
            let kept = kept_of(self.disk.len(), index);
            page.extent() <= kept
        })
    }

    pub(super) fn set_live_page(&mut self, index: u64, page: Option<Page>) {
        set_page(&mut self.live, index, page);
    }

    /// Whether a read of `len` bytes at `offset` meets a sector that cannot be read.
    pub(super) fn hits_unreadable(&self, offset: u64, len: u64) -> bool {
        if self.unreadable.is_empty() || len == 0 {
            return false;
        }
        let sectors = offset / SECTOR_SIZE..(offset + len).div_ceil(SECTOR_SIZE);
        self.unreadable.range(sectors).next().is_some()
    }
}

/// Whether a shrink that is older than record `record` cut inside page `index`.
fn is_cut_before(sizes: &[SizeStep], index: u64, record: u64) -> bool {
    let mut sizes = sizes.iter();
    sizes.any(|step| step.cuts_inside(index) && step.record < record)
}

/// How many bytes of page `index`, written by record `written`, the shrinks among `steps` leave.
pub(super) fn kept_by<'s>(
    steps: impl Iterator<Item = &'s SizeStep>,
    index: u64,
    written: u64,
) -> usize {
    let cuts = steps.filter(|step| step.shrinks && step.record > written);
    let shortest = cuts.map(|step| step.len).min().unwrap_or(u64::MAX);
    kept_of(shortest, index)
}

/// Changes the length, and copies the content only if that is another one.
fn set_len(content: &mut Arc<Content>, len: u64) {
    if content.len() != len {
        Arc::make_mut(content).set_len(len);
    }
}

/// Changes a page, and copies the content only if that is another one: most of what a recovery writes is there already.
fn set_page(content: &mut Arc<Content>, index: u64, page: Option<Page>) {
    let there = content.page(index);
    let same = match (there, &page) {
        (Some(there), Some(page)) => there.is_same(page),
        (None, None) => true,
        _ => false,
    };
    if !same {
        Arc::make_mut(content).set_page(index, page);
    }
}

/// Versions older than a shrink lose what it cut.
fn cut_versions(pages: &mut BTreeMap<u64, Vec<Version>>, shrink: &SizeStep) {
    for (index, versions) in pages.range_mut(page_of(shrink.len)..) {
        let kept = kept_of(shrink.len, *index);
        for version in versions {
            if version.record < shrink.record {
                version.page = version.page.as_ref().and_then(|page| page.cut(kept));
            }
        }
    }
}
