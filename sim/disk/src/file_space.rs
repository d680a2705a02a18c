//! What a power cut may leave of the bytes of one file.
//!
//! The two rules that tie lengths and pages together live here: what was written after a shrink to a
//! page that it cut away survives only if the shrink did, and a shrink that survived takes what it cut
//! with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::choice::{DeviceExtra, Fill, Tear};
use super::content::Content;
use super::image::FileImage;
use super::inode::{Inode, Version, kept_by};
use super::mixing::garbage_word;
use super::names::InodeId;
use super::page::{PAGE_BYTES, PAGE_SIZE, Page, SECTOR_BYTES, SECTORS, kept_of};

/// One file at a power cut.
#[derive(Clone, Debug)]
pub(super) struct FileSpace {
    inode: Arc<Inode>,
    /// Whether pending records may survive at all.
    open: bool,
    /// The only image there is, where nothing is pending.
    settled: Option<FileImage>,
}

/// Which of the pending lengths are possible, by number of steps from the durable one; both ends
/// included.
pub(super) type SizeRange = (u32, u32);

/// One way the bytes of a file may go.
#[derive(Clone, Debug, Default)]
pub(super) struct FileChoice {
    pub(super) size: u32,
    pub(super) pages: BTreeMap<u64, u32>,
}

/// What happens to the bytes beyond the choice of versions.
#[derive(Clone, Copy)]
pub(super) struct CutDamage<'a> {
    pub(super) id: InodeId,
    pub(super) tears: &'a [Tear],
    pub(super) fill: Fill,
    pub(super) device: &'a [DeviceExtra],
}

impl CutDamage<'_> {
    /// Nothing but what lies in pages that were lost.
    pub(super) fn fill(id: InodeId, fill: Fill) -> Self {
        CutDamage {
            id,
            tears: &[],
            fill,
            device: &[],
        }
    }
}

impl FileSpace {
    pub(super) fn new(inode: Arc<Inode>, open: bool) -> Self {
        let whole = inode.sizes.is_empty() && inode.pages.is_empty();
        let settled = whole.then(|| FileImage {
            kind: inode.kind,
            content: inode.disk.clone(),
            unreadable: inode.unreadable.clone(),
        });
        FileSpace {
            inode,
            open,
            settled,
        }
    }

    pub(super) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// How many pending lengths there are to choose from.
    pub(super) fn steps(&self) -> u32 {
        match self.open {
            true => count(self.inode.sizes.len()),
            false => 0,
        }
    }

    /// The pages with pending versions.
    pub(super) fn pages(&self) -> impl Iterator<Item = (u64, &[Version])> {
        let pages = self.inode.pages.iter().filter(|_| self.open);
        pages.map(|(index, versions)| (*index, versions.as_slice()))
    }

    /// The length after `size` steps.
    pub(super) fn len_at(&self, size: u32) -> u64 {
        match size {
            0 => self.inode.disk.len(),
            size => self.inode.sizes[size as usize - 1].len,
        }
    }

    /// The newest version, at most `version`, that may be there after `size` steps.
    pub(super) fn permitted(&self, index: u64, version: u32, size: u32) -> u32 {
        let Some(versions) = self.inode.pages.get(&index).filter(|_| self.open) else {
            return 0;
        };
        let later = &self.inode.sizes[size as usize..];
        let barrier = later.iter().find(|step| step.cuts_away(index));
        let barrier = barrier.map_or(u64::MAX, |step| step.record);
        let legal = versions.partition_point(|entry| entry.record < barrier);
        version.min(count(legal))
    }

    /// Version `version` of page `index` as the disk shows it after `size` steps: without what
    /// surviving shrinks cut, and without what lies behind the end.
    fn page_at(&self, index: u64, version: u32, size: u32) -> Option<Page> {
        let (written, page) = match version {
            0 => {
                let newer = self.inode.newer.get(&index).copied();
                (newer.unwrap_or(0), self.inode.disk.page(index))
            }
            version => {
                let version = &self.inode.pages[&index][version as usize - 1];
                (version.record, version.page.as_ref())
            }
        };
        let kept = self.kept_at(index, written, size);
        page.and_then(|page| page.cut(kept))
    }

    /// How many bytes of a page that record `written` wrote are left after `size` steps.
    fn kept_at(&self, index: u64, written: u64, size: u32) -> usize {
        let survived = &self.inode.sizes[..size as usize];
        let kept = kept_by(survived, index, written);
        kept.min(kept_of(self.len_at(size), index))
    }

    /// Brings a choice to the nearest legal one: the length into `window`, versions below what the
    /// length permits, and nothing said about pages behind the end.
    pub(super) fn settle(
        &self,
        size: u32,
        pages: Option<&BTreeMap<u64, u32>>,
        window: SizeRange,
    ) -> FileChoice {
        let size = size.clamp(window.0, window.1);
        let len = self.len_at(size);
        let chosen = pages.into_iter().flatten();
        let pages = chosen.filter_map(|(index, version)| {
            let version = self.permitted(*index, *version, size);
            (version > 0 && kept_of(len, *index) > 0).then_some((*index, version))
        });
        FileChoice {
            size,
            pages: pages.collect(),
        }
    }

    /// The bytes that a settled choice leaves.
    pub(super) fn image(&self, choice: &FileChoice, damage: &CutDamage<'_>) -> FileImage {
        let inode = &self.inode;
        if let Some(settled) = self.settled.as_ref().filter(|_| damage.device.is_empty()) {
            return settled.clone();
        }
        let mut content = (*inode.disk).clone();
        for step in &inode.sizes[..choice.size as usize] {
            if step.shrinks {
                content.cut(inode.cut_on_disk(step));
            }
        }
        for (index, _) in self.pages() {
            let version = choice.pages.get(&index).copied().unwrap_or(0);
            content.set_page(index, self.shown_at(index, version, choice.size, damage));
        }
        self.tear(&mut content, choice, damage);
        let mut unreadable = inode.unreadable.clone();
        self.strike(&mut content, &mut unreadable, choice, damage);
        let len = self.len_at(choice.size);
        content.cut(len);
        content.set_len(len);
        FileImage {
            kind: inode.kind,
            content: Arc::new(content),
            unreadable,
        }
    }

    /// Version `version` of page `index` as an image shows it after `size` steps: with garbage where the page grew into the
    /// file and its data was lost, if that is the fill.
    pub(super) fn shown_at(
        &self,
        index: u64,
        version: u32,
        size: u32,
        damage: &CutDamage<'_>,
    ) -> Option<Page> {
        let page = self.page_at(index, version, size);
        let Fill::Garbage(seed) = damage.fill else {
            return page;
        };
        let lost = self.lost_at(index, version, size);
        if lost.is_empty() {
            return page;
        }
        let mut bytes = bytes_of(page.as_ref());
        for at in lost {
            let place = index * PAGE_SIZE + at as u64;
            let word = garbage_word(seed, damage.id.0, place / 8);
            bytes[at] = word.to_le_bytes()[at % 8];
        }
        Some(Page::new(&bytes))
    }

    /// The bytes of a page that are fill: it grew into the file and its data was lost. What a surviving shrink cut stays
    /// zeros.
    pub(super) fn lost_at(&self, index: u64, version: u32, size: u32) -> Range<usize> {
        let from = kept_of(self.inode.disk.len(), index);
        let is_there = version > 0 || self.inode.disk.page(index).is_some() && from == 0;
        match is_there {
            true => 0..0,
            false => from..self.kept_at(index, 0, size),
        }
    }

    fn tear(&self, content: &mut Content, choice: &FileChoice, damage: &CutDamage<'_>) {
        for tear in damage.tears.iter().filter(|tear| tear.inode == damage.id) {
            let Some(newer) = choice.pages.get(&tear.page) else {
                continue;
            };
            let older = tear.older.min(newer - 1);
            let older_page = self.shown_at(tear.page, older, choice.size, damage);
            let mut bytes = bytes_of(content.page(tear.page));
            let older_bytes = bytes_of(older_page.as_ref());
            for sector in (0..SECTORS).filter(|sector| tear.newer_sectors >> sector & 1 == 0) {
                let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                bytes[range.clone()].copy_from_slice(&older_bytes[range]);
            }
            content.set_page(tear.page, Some(Page::new(&bytes)));
        }
    }

    fn strike(
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
                    let superseded = self.inode.superseded.as_ref();
                    let older = superseded.and_then(|pages| pages.get(&page));
                    if let Some(older) = older.filter(|_| !choice.pages.contains_key(&page)) {
                        content.set_page(page, older.clone());
                    }
                }
                _ => {}
            }
        }
    }

    /// For each page that lies in the file after `size` steps and has pending versions: the
    /// versions that differ, oldest first.
    pub(super) fn options_at(&self, size: u32, damage: &CutDamage<'_>) -> Vec<(u64, Vec<u32>)> {
        let len = self.len_at(size);
        let pages = self.pages().filter(|(index, _)| kept_of(len, *index) > 0);
        let options = pages.map(|(index, versions)| {
            let newest = self.permitted(index, count(versions.len()), size);
            let mut seen = BTreeSet::new();
            let versions = (0..=newest).filter(|version| {
                let page = self.shown_at(index, *version, size, damage);
                let page = page.filter(|page| !page.is_blank());
                seen.insert(page.map(|page| page.hash()))
            });
            (index, versions.collect())
        });
        options.collect()
    }

    /// How many combinations of lengths in `window` and versions there are, saturating.
    pub(super) fn count(&self, window: SizeRange) -> u64 {
        // Zeros are the same for every file.
        let zeros = CutDamage::fill(InodeId::default(), Fill::Zeros);
        let mut total = 0u64;
        for size in (window.0..=window.1).rev() {
            let options = self.options_at(size, &zeros);
            let factors = options.iter().map(|(_, versions)| versions.len() as u64);
            total = total.saturating_add(factors.fold(1, u64::saturating_mul));
            if total == u64::MAX {
                break;
            }
        }
        total
    }

    /// All different contents of whole pages, in a fixed order. Call it only when [`count`](Self::count) is small.
    pub(super) fn contents(
        &self,
        window: SizeRange,
        damage: &CutDamage<'_>,
    ) -> Vec<(FileChoice, FileImage)> {
        let mut seen = BTreeSet::new();
        let mut contents = Vec::new();
        for size in window.0..=window.1 {
            let options = self.options_at(size, damage);
            let mut digits = vec![0; options.len()];
            loop {
                let pages = options.iter().zip(&digits);
                let pages = pages.map(|((index, versions), digit)| (*index, versions[*digit]));
                let pages = pages.filter(|(_, version)| *version > 0).collect();
                let choice = FileChoice { size, pages };
                let image = self.image(&choice, damage);
                if seen.insert(image.hash()) {
                    contents.push((choice, image));
                }
                if !advance(&mut digits, |place| options[place].1.len()) {
                    break;
                }
            }
        }
        contents
    }
}

/// Counts `digits` up by one, the last one fastest. `false` when they have all been through.
pub(super) fn advance(digits: &mut [usize], base: impl Fn(usize) -> usize) -> bool {
    for place in (0..digits.len()).rev() {
        digits[place] += 1;
        if digits[place] < base(place) {
            return true;
        }
        digits[place] = 0;
    }
    false
}

pub(super) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn bytes_of(page: Option<&Page>) -> [u8; PAGE_BYTES] {
    page.map_or([0; PAGE_BYTES], Page::whole)
}

#[cfg(test)]
mod tests {
    use super::super::notation::FileHistory;
    use super::super::profile::Profile;
    use super::*;

    /// Saved failures rest on it: each byte is the one of its place in the file.
    #[test]
    fn garbage_is_a_function_of_the_number_the_file_and_the_place() {
        let history = FileHistory::parse("a=A; f=A; set_len f 0; sync f; write f 0 BBB").unwrap();
        let space = FileSpace::new(
            history.run(Profile::Alice).unwrap().inodes[&InodeId(2)].clone(),
            true,
        );
        let choice = FileChoice {
            size: 3,
            pages: BTreeMap::from([(1, 1)]),
        };
        let damage = CutDamage::fill(InodeId(2), Fill::Garbage(7));
        let bytes = space.image(&choice, &damage).content.to_bytes();
        for (place, byte) in (0..).zip(bytes) {
            let garbage = garbage_word(7, 2, place / 8) >> (place % 8 * 8);
            let expected = match place / PAGE_SIZE {
                1 => b'B',
                _ => garbage.to_le_bytes()[0],
            };
            assert_eq!(byte, expected, "byte {place}");
        }
    }

    #[test]
    fn garbage_begins_behind_what_is_durable() {
        let mut inode = (*FileHistory::parse("f=A")
            .unwrap()
            .run(Profile::Alice)
            .unwrap()
            .inodes[&InodeId(1)])
            .clone();
        let mut numbers = super::super::inode::RecordNumbers::default();
        inode.set_len(&mut numbers, 100);
        inode.commit_all();
        inode.write(&mut numbers, &[b'B'; 3000], 100);
        let space = FileSpace::new(Arc::new(inode), true);
        let lost = FileChoice {
            size: 1,
            pages: BTreeMap::new(),
        };
        let damage = CutDamage::fill(InodeId(1), Fill::Garbage(7));
        let bytes = space.image(&lost, &damage).content.to_bytes();
        assert_eq!(bytes.len(), 3100);
        assert!(bytes[..100].iter().all(|byte| *byte == b'A'));
        assert_eq!(bytes[100], garbage_word(7, 1, 12).to_le_bytes()[4]);
        assert_eq!(bytes[3099], garbage_word(7, 1, 387).to_le_bytes()[3]);
    }
}
