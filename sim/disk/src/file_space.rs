//! What a power cut may leave of the bytes of one file.
//!
//! The two rules that tie lengths and pages together live here: what was written after a shrink to a
//! page that it cut away survives only if the shrink did, and a shrink that survived takes what it cut
//! with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::choice::Fill;
use super::cut_damage::{CutDamage, bytes_of};
use super::image::FileImage;
use super::inode::{Inode, Version, kept_by};
use super::mixing::garbage_word;
use super::names::InodeId;
use super::page::{PAGE_SIZE, Page, kept_of};

/// One file at a power cut.
#[derive(Clone, Debug)]
pub(super) struct FileSpace {
    inode: Arc<Inode>,
    /// Whether pending records may survive at all.
    open: bool,
    /// The places of the pending lengths that cut something away. There are few of them, and as many lengths as pages: every
    /// page is held against these.
    shrinks: Vec<usize>,
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

impl FileSpace {
    pub(super) fn new(inode: Arc<Inode>, open: bool) -> Self {
        let whole = inode.sizes.is_empty() && inode.pages.is_empty();
        let settled = whole.then(|| FileImage {
            kind: inode.kind,
            content: inode.disk.clone(),
            unreadable: inode.unreadable.clone(),
        });
        let sizes = inode.sizes.iter().enumerate();
        let shrinks = sizes.filter(|(_, step)| step.shrinks);
        FileSpace {
            open,
            shrinks: shrinks.map(|(place, _)| place).collect(),
            settled,
            inode,
        }
    }

    pub(super) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// The only image there is, where nothing is pending.
    pub(super) fn settled(&self) -> Option<&FileImage> {
        self.settled.as_ref()
    }

    /// Whether a pending length cuts something away.
    pub(super) fn cuts(&self) -> bool {
        !self.shrinks.is_empty()
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
        let versions = self.inode.pages.get(&index).filter(|_| self.open);
        versions.map_or(0, |versions| {
            self.permitted_of(index, versions, version, size)
        })
    }

    /// The same for a page whose versions are at hand.
    fn permitted_of(&self, index: u64, versions: &[Version], version: u32, size: u32) -> u32 {
        let mut later = self.shrinks_at(size).1.iter();
        let barrier = later.find(|place| self.inode.sizes[**place].cuts_away(index));
        let legal = match barrier {
            None => versions.len(),
            Some(place) => {
                let barrier = self.inode.sizes[*place].record;
                versions.partition_point(|entry| entry.record < barrier)
            }
        };
        version.min(count(legal))
    }

    /// The places of the shrinks that survive with `size` steps, and of those that do not.
    fn shrinks_at(&self, size: u32) -> (&[usize], &[usize]) {
        let survived = self.shrinks.partition_point(|place| *place < size as usize);
        self.shrinks.split_at(survived)
    }

    /// Version `version` of page `index` as the disk shows it after `size` steps: without what
    /// surviving shrinks cut, and without what lies past the end.
    pub(super) fn page_at(&self, index: u64, version: u32, size: u32) -> Option<Page> {
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
        let survived = self.shrinks_at(size).0.iter();
        let survived = survived.map(|place| &self.inode.sizes[*place]);
        let kept = kept_by(survived, index, written);
        kept.min(kept_of(self.len_at(size), index))
    }

    /// Brings a choice to the nearest legal one: the length into `window`, versions below what the
    /// length permits, and nothing said about pages past the end.
    pub(super) fn settle(
        &self,
        size: u32,
        pages: Option<&BTreeMap<u64, u32>>,
        window: SizeRange,
    ) -> FileChoice {
        let size = size.clamp(window.0, window.1);
        let len = self.len_at(size);
        // Both in order: each is gone through once.
        let mut pending = self.pages().peekable();
        let chosen = pages.into_iter().flatten();
        let pages = chosen.filter_map(|(index, version)| {
            while pending.next_if(|(other, _)| other < index).is_some() {}
            let (_, versions) = pending.next_if(|(other, _)| other == index)?;
            let version = self.permitted_of(*index, versions, *version, size);
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
        for place in self.shrinks_at(choice.size).0 {
            content.cut(inode.cut_on_disk(&inode.sizes[*place]));
        }
        for (index, _, version) in self.chosen(choice) {
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

    /// The pages with pending versions, each with the version that a settled choice leaves.
    pub(super) fn chosen<'c>(
        &'c self,
        choice: &'c FileChoice,
    ) -> impl Iterator<Item = (u64, &'c [Version], u32)> {
        let mut chosen = choice.pages.iter().peekable();
        self.pages().map(move |(index, versions)| {
            while chosen.next_if(|(other, _)| **other < index).is_some() {}
            let version = chosen.next_if(|(other, _)| **other == index);
            (index, versions, version.map_or(0, |(_, version)| *version))
        })
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

    /// How many combinations of lengths in `window` and versions there are, saturating. Beyond `limit` they are not all
    /// counted.
    pub(super) fn count(&self, window: SizeRange, limit: u64) -> u64 {
        // Zeros are the same for every file.
        let zeros = CutDamage::fill(InodeId::default(), Fill::Zeros);
        let mut total = 0u64;
        for size in (window.0..=window.1).rev() {
            let options = self.options_at(size, &zeros);
            let factors = options.iter().map(|(_, versions)| versions.len() as u64);
            total = total.saturating_add(factors.fold(1, u64::saturating_mul));
            if total > limit || total == u64::MAX {
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
