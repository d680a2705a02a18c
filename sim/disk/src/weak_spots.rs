//! Where a power cut may tear a page, and where a bad device may strike.

use std::collections::BTreeSet;

use super::choice::WeakSpot;
use super::file_space::FileSpace;
use super::names::InodeId;
use super::page::PAGE_SIZE;
use super::profile::Profile;
use super::space::ImageSpace;

impl ImageSpace {
    /// The pages that a power cut may tear.
    #[must_use]
    pub fn tear_points(&self) -> Vec<WeakSpot> {
        let files = self.files.iter();
        let spots = files.flat_map(|(inode, file)| {
            let pages = file.pages().map(|(page, _)| page);
            let torn = pages.filter(|page| self.may_tear(*inode, *page));
            torn.map(|page| weak_spot(*inode, file, page))
        });
        spots.collect()
    }

    /// Whether a power cut may tear a page that has something pending. Btrfs never overwrites a page in place, so only a page
    /// that is new can be torn there.
    #[must_use]
    pub fn may_tear(&self, inode: InodeId, page: u64) -> bool {
        let Some(file) = self.files.get(&inode) else {
            return false;
        };
        self.profile() != Profile::BtrfsLike || page * PAGE_SIZE >= file.len_at(0)
    }

    /// The places where a bad device may strike. Empty for every profile but `hostile-device`.
    #[must_use]
    pub fn device_points(&self) -> Vec<WeakSpot> {
        if self.profile() != Profile::HostileDevice {
            return Vec::new();
        }
        let files = self.files.iter();
        let spots = files.flat_map(|(inode, file)| {
            let stored = file.inode().disk.pages().map(|(page, _)| page);
            let pages: BTreeSet<u64> = stored.chain(file.pages().map(|(page, _)| page)).collect();
            pages.into_iter().map(|page| weak_spot(*inode, file, page))
        });
        spots.collect()
    }
}

fn weak_spot(inode: InodeId, file: &FileSpace, page: u64) -> WeakSpot {
    let superseded = file.inode().superseded.as_ref();
    WeakSpot {
        inode,
        page,
        versions: file.permitted(page, u32::MAX, file.steps()),
        can_revert: superseded.is_some_and(|pages| pages.contains_key(&page)),
    }
}
