//! What becomes of the bytes of a file beyond the choice of versions: torn pages, and what a bad device does.

use std::collections::BTreeSet;

use super::choice::{DeviceExtra, Tear};
use super::content::Content;
use super::cut_damage::{CutDamage, bytes_of};
use super::file_space::{FileChoice, FileSpace};
use super::page::{Page, SECTOR_BYTES, SECTORS};

impl FileSpace {
    pub(super) fn tear(&self, content: &mut Content, choice: &FileChoice, damage: &CutDamage<'_>) {
        for tear in damage.tears.iter().filter(|tear| tear.inode == damage.id) {
            if let Some(newer) = choice.pages.get(&tear.page) {
                let page = content.page(tear.page);
                let torn = self.torn(page, *newer, tear, choice.size, damage);
                content.set_page(tear.page, Some(torn));
            }
        }
    }

    /// `page`, which is version `newer`, with the sectors of an older one that a tear leaves.
    pub(super) fn torn(
        &self,
        page: Option<&Page>,
        newer: u32,
        tear: &Tear,
        size: u32,
        damage: &CutDamage<'_>,
    ) -> Page {
        let older = tear.older.min(newer - 1);
        let older_page = self.shown_at(tear.page, older, size, damage);
        let mut bytes = bytes_of(page);
        let older_bytes = bytes_of(older_page.as_ref());
        for sector in (0..SECTORS).filter(|sector| tear.newer_sectors >> sector & 1 == 0) {
            let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
            bytes[range.clone()].copy_from_slice(&older_bytes[range]);
        }
        Page::new(&bytes)
    }

    pub(super) fn strike(
        &self,
        content: &mut Content,
        unreadable: &mut BTreeSet<u64>,
        choice: &FileChoice,
        damage: &CutDamage<'_>,
    ) {
        for extra in damage.device {
            match *extra {
                DeviceExtra::ShornSector {
                    inode,
                    page,
                    sector,
                    keep,
                    older,
                } if inode == damage.id => {
                    let Some(newer) = choice.pages.get(&page) else {
                        continue;
                    };
                    let older = self.page_at(page, older.min(newer - 1), choice.size);
                    let start = usize::from(sector % 8) * SECTOR_BYTES;
                    let range = start + usize::from(keep).min(SECTOR_BYTES)..start + SECTOR_BYTES;
                    let mut bytes = bytes_of(content.page(page));
                    bytes[range.clone()].copy_from_slice(&bytes_of(older.as_ref())[range]);
                    content.set_page(page, Some(Page::new(&bytes)));
                }
                DeviceExtra::UnreadableSector {
                    inode,
                    page,
                    sector,
                } if inode == damage.id => {
                    let sector = page * (SECTORS as u64) + u64::from(sector % 8);
                    unreadable.insert(sector);
                }
                DeviceExtra::Revert { inode, page } if inode == damage.id => {
                    let superseded = self.inode().superseded.as_ref();
                    let older = superseded.and_then(|pages| pages.get(&page));
                    if let Some(older) = older.filter(|_| !choice.pages.contains_key(&page)) {
                        content.set_page(page, older.clone());
                    }
                }
                _ => {}
            }
        }
    }
}
