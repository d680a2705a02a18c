//! Where a power cut may tear a page, and where a bad device may strike.

use std::collections::{BTreeMap, BTreeSet};

use super::choice::{DevicePoint, TearPoint};
use super::file_space::count;
use super::names::InodeId;
use super::page::PAGE_SIZE;
use super::profile::Profile;
use super::space::ImageSpace;

impl ImageSpace {
    /// The pages that a power cut may tear.
    #[must_use]
    pub fn tear_points(&self) -> Vec<TearPoint> {
        let files = self.files.iter();
        let points = files.flat_map(|(inode, file)| {
            let pages = file
                .pages()
                .filter(|(page, _)| self.may_tear(*inode, *page));
            pages.map(|(page, versions)| TearPoint {
                inode: *inode,
                page,
                versions: count(versions.len()),
            })
        });
        points.collect()
    }

    /// Btrfs never overwrites a page in place, so only a page that is new can be torn there.
    pub(super) fn may_tear(&self, inode: InodeId, page: u64) -> bool {
        let Some(file) = self.files.get(&inode) else {
            return false;
        };
        self.profile() != Profile::BtrfsLike || page * PAGE_SIZE >= file.len_at(0)
    }

    /// The places where a bad device may strike. Empty for every profile but `hostile-device`.
    #[must_use]
    pub fn device_points(&self) -> Vec<DevicePoint> {
        let mut points = Vec::new();
        if self.profile() != Profile::HostileDevice {
            return points;
        }
        for (id, file) in &self.files {
            let pending: BTreeMap<u64, u32> = file
                .pages()
                .map(|(page, versions)| (page, count(versions.len())))
                .collect();
            let superseded = file.inode().superseded.as_ref();
            let stored = file.inode().disk.pages().map(|(page, _)| page);
            let pages: BTreeSet<u64> = stored.chain(pending.keys().copied()).collect();
            points.extend(pages.into_iter().map(|page| DevicePoint {
                inode: *id,
                page,
                versions: pending.get(&page).copied().unwrap_or(0),
                can_revert: superseded.is_some_and(|pages| pages.contains_key(&page)),
            }));
        }
        points
    }
}
