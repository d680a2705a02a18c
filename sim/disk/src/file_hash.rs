//! The hash of what a choice leaves of a file. The file is not made for it: a hash is a sum over pages, and what each version of
//! a page adds to it is worked out once.

use std::collections::BTreeMap;

use super::choice::Fill;
use super::content::{Content, page_hash};
use super::cut_damage::CutDamage;
use super::file_space::{FileChoice, FileSpace};
use super::image::file_hash;
use super::page::{PAGE_SIZE, Page};

/// What the pages of a file add to its hash.
pub(super) struct PageHashes {
    /// Those without pending versions.
    settled: u128,
    /// Each other page, in order, and the place of its durable version: the pending ones stand after it.
    pages: Vec<(u64, usize)>,
    versions: Vec<u128>,
}

impl FileSpace {
    /// `None` if what is left of a page depends on more than its version.
    pub(super) fn page_hashes(&self) -> Option<PageHashes> {
        let disk = &self.inode().disk;
        // A shrink cuts them, and so does the end of a file that writeback ran ahead of.
        if self.cuts() || !self.inode().disk_is_tidy() {
            return None;
        }
        let mut hashes = PageHashes {
            settled: disk.page_hashes(),
            pages: Vec::new(),
            versions: Vec::new(),
        };
        for (index, versions) in self.pages() {
            let hash = |page: Option<&Page>| page.map_or(0, |page| page_hash(index, page));
            let durable = hash(disk.page(index));
            hashes.settled = hashes.settled.wrapping_sub(durable);
            hashes.pages.push((index, hashes.versions.len()));
            hashes.versions.push(durable);
            let versions = versions.iter().map(|version| hash(version.page.as_ref()));
            hashes.versions.extend(versions);
        }
        Some(hashes)
    }

    /// The hash of the [`image`](Self::image) of a settled choice, with its [`page_hashes`](Self::page_hashes).
    pub(super) fn image_hash(
        &self,
        size: u32,
        versions: &BTreeMap<u64, u32>,
        damage: &CutDamage<'_>,
        hashes: Option<&PageHashes>,
    ) -> u128 {
        let Some(hashes) = hashes.filter(|_| damage.device.is_empty()) else {
            let pages = versions.clone();
            return self.image(&FileChoice { size, pages }, damage).hash();
        };
        let len = self.len_at(size);
        // Of these all bytes are there, as they were written.
        let whole = match damage.fill {
            Fill::Zeros => len / PAGE_SIZE,
            Fill::Garbage(_) => 0,
        };
        let tears = damage.tears.iter().filter(|tear| tear.inode == damage.id);
        let tears: Vec<_> = tears.collect();
        let mut sum = hashes.settled;
        let mut chosen = versions.iter().peekable();
        for (index, durable) in &hashes.pages {
            let version = chosen.next_if(|(page, _)| *page == index);
            let version = version.map_or(0, |(_, version)| *version);
            let torn = version > 0 && tears.iter().any(|tear| tear.page == *index);
            sum = sum.wrapping_add(match *index < whole && !torn {
                true => hashes.versions[durable + version as usize],
                false => {
                    let mut page = self.shown_at(*index, version, size, damage);
                    for tear in tears.iter().filter(|tear| torn && tear.page == *index) {
                        page = Some(self.torn(page.as_ref(), version, tear, size, damage));
                    }
                    page.map_or(0, |page| page_hash(*index, &page))
                }
            });
        }
        let inode = self.inode();
        file_hash(inode.kind, Content::hash_of(len, sum), &inode.unreadable)
    }
}
