//! The hash of what a choice leaves of a file. The file is not made for it: a hash is a sum over pages, each of which is
//! hashed once.

use super::choice::Fill;
use super::content::{Content, page_hash};
use super::cut_damage::CutDamage;
use super::file_space::{FileChoice, FileSpace};
use super::image::file_hash;
use super::page::{Page, kept_of};

impl FileSpace {
    /// What the pages without pending versions add to the hash of every image; `None` if that depends on the choice.
    pub(super) fn settled_pages(&self) -> Option<u128> {
        let inode = self.inode();
        // A shrink cuts them, and so does the end of a file that writeback ran ahead of.
        if self.cuts() || !inode.disk_is_tidy() {
            return None;
        }
        let pages = self.pages();
        let pending = pages.filter_map(|(index, _)| Some((index, inode.disk.page(index)?)));
        let pending = pending.map(|(index, page)| page_hash(index, page));
        Some(pending.fold(inode.disk.page_hashes(), u128::wrapping_sub))
    }

    /// The hash of [`image`](Self::image), with what [`settled_pages`](Self::settled_pages) says.
    pub(super) fn image_hash(
        &self,
        choice: &FileChoice,
        damage: &CutDamage<'_>,
        settled_pages: Option<u128>,
    ) -> u128 {
        let Some(settled_pages) = settled_pages.filter(|_| damage.device.is_empty()) else {
            return self.image(choice, damage).hash();
        };
        let inode = self.inode();
        let len = self.len_at(choice.size);
        let tears = damage.tears.iter().filter(|tear| tear.inode == damage.id);
        let tears: Vec<_> = tears.collect();
        let pages = self.chosen(choice).map(|(index, versions, version)| {
            let plain = match version {
                0 => inode.disk.page(index),
                version => versions[version as usize - 1].page.as_ref(),
            };
            let torn = version > 0 && tears.iter().any(|tear| tear.page == index);
            match plain {
                Some(page)
                    if !torn
                        && damage.fill == Fill::Zeros
                        && page.extent() <= kept_of(len, index) =>
                {
                    page_hash(index, page)
                }
                None if !torn && damage.fill == Fill::Zeros => 0,
                _ => {
                    let mut page = self.shown_at(index, version, choice.size, damage);
                    let tears = tears.iter().filter(|tear| torn && tear.page == index);
                    for tear in tears {
                        let torn = self.torn(page.as_ref(), version, tear, choice.size, damage);
                        page = Some(torn);
                    }
                    page.as_ref()
                        .map_or(0, |page: &Page| page_hash(index, page))
                }
            }
        });
        let pages = pages.fold(settled_pages, u128::wrapping_add);
        file_hash(inode.kind, Content::hash_of(len, pages), &inode.unreadable)
    }
}
