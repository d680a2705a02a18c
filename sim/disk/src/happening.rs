//! Events at work: writeback, dropped caches and rot.

use std::sync::Arc;

use super::content::Content;
use super::disk::Disk;
use super::event::DiskEvent;
use super::inode::Retry;
use super::names::InodeId;
use super::page::{PAGE_BYTES, Page, SECTOR_SIZE, page_of, within};
use beaver_storage::FileKind;

impl Disk {
    /// Makes `event` happen while no process runs. `false` if there is nothing that it could happen
    /// to, or it would change nothing.
    ///
    /// Damage to a file strikes what is durable and what the cache shows alike. `Truncate` and
    /// `Replace` also end everything that is pending of the file's bytes.
    pub fn happen(&mut self, event: &DiskEvent) -> bool {
        self.happen_while(event, &|_| false)
    }

    /// The same while a process runs that has some files open: the kernel keeps the length of
    /// those.
    pub(super) fn happen_while(
        &mut self,
        event: &DiskEvent,
        is_open: &dyn Fn(InodeId) -> bool,
    ) -> bool {
        match event {
            DiskEvent::WritebackPage { file, page } => {
                let id = self.live_inode(file);
                id.is_some_and(|id| self.write_back(id, Some(*page)))
            }
            DiskEvent::WritebackSize { file } => {
                let id = self.live_inode(file);
                id.is_some_and(|id| self.write_back(id, None))
            }
            DiskEvent::Writeback(number) => {
                let candidates = self.write_back_candidates();
                let place = number.checked_rem(candidates.len() as u64);
                let place = place.and_then(|place| usize::try_from(place).ok());
                place.is_some_and(|place| {
                    let (id, page) = candidates[place];
                    self.write_back(id, page)
                })
            }
            DiskEvent::CacheDrop(subset) => self.drop_cache(subset, is_open),
            DiskEvent::FlipBit { file, offset, bit } => {
                self.damage_bytes(file, |content| flip(content, *offset, *bit))
            }
            DiskEvent::ZeroSectors {
                file,
                sector,
                count,
            } => self.damage_bytes(file, |content| zero_sectors(content, *sector, *count)),
            DiskEvent::Truncate { file, len } => self.replace_bytes(file, |content| {
                if *len < content.len() {
                    content.cut(*len);
                    content.set_len(*len);
                }
            }),
            DiskEvent::Replace { file, bytes } => {
                self.replace_bytes(file, |content| *content = Content::from_bytes(bytes))
            }
            DiskEvent::Stray { file, bytes } => self.add_durable(file, bytes),
        }
    }

    fn live_inode(&self, path: &str) -> Option<InodeId> {
        let inode = self.find(path).ok()?;
        (self.inode(inode).kind == FileKind::File).then_some(inode)
    }

    /// Changes bytes of a file wherever it is stored.
    fn damage_bytes(&mut self, name: &str, strike: impl Fn(&mut Content)) -> bool {
        let Some(id) = self.live_inode(name) else {
            return false;
        };
        let inode = self.inode_mut(id);
        let before = (inode.live.hash(), inode.disk.hash());
        let old = inode.live.clone();
        strike(Arc::make_mut(&mut inode.live));
        strike(Arc::make_mut(&mut inode.disk));
        for (index, versions) in &mut inode.pages {
            let (old, new) = (old.page(*index), inode.live.page(*index));
            if old.map(Page::hash) != new.map(Page::hash) {
                let last = versions.last_mut();
                last.expect("a dirty page has a version").page = new.cloned();
            }
        }
        before != (inode.live.hash(), inode.disk.hash())
    }

    /// Changes the bytes that the cache shows and makes the result durable.
    fn replace_bytes(&mut self, name: &str, strike: impl Fn(&mut Content)) -> bool {
        let Some(id) = self.live_inode(name) else {
            return false;
        };
        let inode = self.inode_mut(id);
        let (len, before) = (inode.live.len(), inode.live.hash());
        strike(Arc::make_mut(&mut inode.live));
        if inode.live.hash() == before {
            return false;
        }
        inode.disk = inode.live.clone();
        inode.sizes.clear();
        inode.pages.clear();
        inode.unsaved.clear();
        inode.unwritten.clear();
        inode.newer.clear();
        inode.retry = Retry::default();
        self.changed(id, len);
        true
    }
}

fn flip(content: &mut Content, offset: u64, bit: u8) {
    if offset < content.len() {
        let mut page = content.page_bytes(page_of(offset));
        page[within(offset)] ^= 1 << (bit % 8);
        content.set_page(page_of(offset), Some(Page::new(&page)));
    }
}

fn zero_sectors(content: &mut Content, sector: u64, count: u64) {
    let start = sector.saturating_mul(SECTOR_SIZE);
    let end = start.saturating_add(count.saturating_mul(SECTOR_SIZE));
    let end = end.min(content.len());
    let mut at = start;
    while at < end {
        let from = within(at);
        let part = usize::try_from(end - at).map_or(PAGE_BYTES, |left| left.min(PAGE_BYTES));
        let part = part.min(PAGE_BYTES - from);
        let mut page = content.page_bytes(page_of(at));
        page[from..from + part].fill(0);
        content.set_page(page_of(at), Some(Page::new(&page)));
        at += part as u64;
    }
}
