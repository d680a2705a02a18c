//! All images of a space, one after the other.
//!
//! The order is fixed: directories in the order in which their records were made, the old state
//! first; in each of them the files by number, lengths and versions from the oldest up. Equal
//! images are passed over and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::choice::{Choice, Fill};
use super::cut_damage::CutDamage;
use super::file_space::{FileChoice, SizeRange, advance};
use super::image::{FileImage, Image, NameHashes, name_hashes};
use super::names::{InodeId, NameOutcome, NameRecord, NameTable, Slot};
use super::profile::Profile;
use super::space::{Frame, ImageSpace};

/// More directories than this are never enumerated.
const MAX_FRAMES: u64 = 1 << 16;

/// The different images of a space.
#[derive(Debug)]
pub struct Images<'a> {
    pub(super) space: &'a ImageSpace,
    pub(super) frames: Vec<Frame>,
    total: u64,
    /// The contents of each file for each range of lengths, made when first needed.
    pub(super) contents: BTreeMap<(InodeId, SizeRange), Arc<Contents>>,
    pub(super) seen: BTreeSet<u128>,
    next_frame: usize,
    dropped: u64,
    current: Option<Walk>,
}

pub(super) type Contents = Vec<(FileChoice, FileImage)>;

/// The combinations of one directory.
#[derive(Debug)]
struct Walk {
    frame: usize,
    names: Arc<NameTable>,
    hashes: NameHashes,
    files: Vec<(InodeId, Arc<Contents>)>,
    digits: Vec<usize>,
}

/// One image, and the combination that leads to it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What survived.
    pub image: Image,
    frame: usize,
    files: Vec<(InodeId, u32)>,
}

impl ImageSpace {
    /// How many combinations of names, lengths and versions there are; at least the number of
    /// different images, and the largest number there is where they cannot be counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let frames = self.frames(MAX_FRAMES);
        frames.map_or(u64::MAX, |frames| self.count_in(&frames, u64::MAX))
    }

    /// All different images, if there are at most `limit` combinations.
    #[must_use]
    pub fn enumerate(&self, limit: u64) -> Option<Images<'_>> {
        let frames = self.frames(limit.min(MAX_FRAMES))?;
        let total = self.count_in(&frames, limit);
        (total <= limit).then(|| Images {
            space: self,
            frames,
            total,
            contents: BTreeMap::new(),
            seen: BTreeSet::new(),
            next_frame: 0,
            dropped: 0,
            current: None,
        })
    }

    /// A choice that leads to `image`, if this space has at most `limit` combinations and one of
    /// them does.
    #[must_use]
    pub fn find(&self, image: &Image, limit: u64) -> Option<Choice> {
        let mut images = self.enumerate(limit)?;
        let found = images.find(|candidate| candidate.image == *image)?;
        Some(images.choice(&found))
    }

    fn count_in(&self, frames: &[Frame], limit: u64) -> u64 {
        let mut counts: BTreeMap<(InodeId, SizeRange), u64> = BTreeMap::new();
        let mut total = 0u64;
        for frame in frames {
            let inodes: BTreeSet<InodeId> = frame.names.inodes().collect();
            let product = inodes.into_iter().fold(1u64, |product, id| {
                let file = &self.files[&id];
                let window = frame.window(id, file);
                let count = counts.entry((id, window));
                product.saturating_mul(*count.or_insert_with(|| file.count(window, limit)))
            });
            total = total.saturating_add(product);
            if total > limit {
                break;
            }
        }
        total
    }

    /// All different directories, if there are at most `limit`.
    fn frames(&self, limit: u64) -> Option<Vec<Frame>> {
        let frames = match self.profile() {
            Profile::LinuxOrdered => {
                let prefixes = 0..=self.metadata.len();
                let frames = prefixes.map(|survived| self.prefix_frame(survived));
                different(frames, limit)
            }
            _ => self.subset_frames(limit)?,
        };
        (frames.len() as u64 <= limit).then_some(frames)
    }

    /// Records that share no name do not touch each other: the directories are the product of what
    /// each such group can do, without the combinations that break a law of directories.
    fn subset_frames(&self, limit: u64) -> Option<Vec<Frame>> {
        let mut groups = Vec::new();
        let mut total = 1u64;
        for group in self.groups() {
            let parts = self.parts(&group, limit)?;
            total = total.saturating_mul(parts.len() as u64);
            if total > limit {
                return None;
            }
            groups.push(parts);
        }
        let mut frames = vec![BTreeMap::new()];
        for parts in groups {
            let grown = frames
                .iter()
                .flat_map(|frame: &BTreeMap<u64, NameOutcome>| {
                    parts.iter().map(|part| {
                        let mut frame = frame.clone();
                        frame.extend(&part.outcomes);
                        frame
                    })
                });
            frames = grown.collect();
        }
        let frames = frames
            .iter()
            .filter_map(|outcomes| self.frame_if_lawful(outcomes));
        Some(match self.flat && self.least.is_none() {
            true => frames.collect(),
            // Names that differ in lost or removed directories alone are the same.
            false => different(frames, limit),
        })
    }

    /// The name records by the names that they share, each group in order.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(BTreeSet<Slot>, Vec<usize>)> = Vec::new();
        for (index, entry) in self.records.iter().enumerate() {
            let mut slots = self.slots_of(entry);
            let (touched, apart) = std::mem::take(&mut groups)
                .into_iter()
                .partition(|(others, _)| !others.is_disjoint(&slots));
            groups = apart;
            let touched: Vec<(BTreeSet<Slot>, Vec<usize>)> = touched;
            let mut records = Vec::new();
            for (others, indexes) in touched {
                slots.extend(others);
                records.extend(indexes);
            }
            records.push(index);
            records.sort_unstable();
            groups.push((slots, records));
        }
        groups.into_iter().map(|(_, records)| records).collect()
    }

    /// The slots that a record may change: its own, and every one that a directory may leave.
    fn slots_of(&self, entry: &NameRecord) -> BTreeSet<Slot> {
        let mut slots: BTreeSet<Slot> = entry.change.slots().cloned().collect();
        for directory in entry.change.directories() {
            let durable = self.base().slot_of(directory);
            slots.extend(durable.map(|(dir, name)| Slot {
                dir,
                name: name.clone(),
            }));
            let named = self.records.iter().map(|entry| &entry.change);
            let named = named.filter(|change| change.names_inode() == Some(directory));
            slots.extend(named.flat_map(|change| change.slots().cloned()));
        }
        slots
    }

    /// What the records of one group can make of their names.
    fn parts(&self, group: &[usize], limit: u64) -> Option<Vec<SlotOutcome>> {
        let records = group.iter().map(|index| &self.records[*index]);
        let slots = records.clone().flat_map(|entry| self.slots_of(entry));
        let slots = slots.map(|slot| {
            let inode = self.base().in_slot(&slot);
            (slot, inode)
        });
        let mut parts = vec![SlotOutcome {
            slots: slots.collect(),
            directories: BTreeSet::new(),
            outcomes: BTreeMap::new(),
        }];
        for entry in records {
            let mut seen = BTreeSet::new();
            let mut grown = Vec::new();
            for part in &parts {
                let more: &[NameOutcome] = match entry.is_durable() {
                    true => &[],
                    false => self.outcomes(entry),
                };
                let outcomes = more.iter().copied().map(Some);
                for outcome in std::iter::once(None).chain(outcomes) {
                    let mut part = part.clone();
                    part.apply(entry, outcome);
                    if seen.insert((part.slots.clone(), part.directories.clone())) {
                        grown.push(part);
                    }
                }
            }
            parts = grown;
            if parts.len() as u64 > limit {
                return None;
            }
        }
        Some(parts)
    }
}

/// What some names stand for, and the outcomes that lead there.
#[derive(Clone)]
struct SlotOutcome {
    slots: BTreeMap<Slot, Option<InodeId>>,
    /// The directories that were moved, and those that were removed: where another one took the
    /// name of a directory the slots do not tell.
    directories: BTreeSet<(Option<InodeId>, Option<InodeId>)>,
    outcomes: BTreeMap<u64, NameOutcome>,
}

impl SlotOutcome {
    /// Without an `outcome` the record leaves the least that is there.
    fn apply(&mut self, entry: &NameRecord, outcome: Option<NameOutcome>) {
        if let Some(outcome) = outcome.or_else(|| entry.least()) {
            entry.change.apply(&mut self.slots, outcome);
            let fate = (
                entry.change.moved_directory(),
                entry.change.removed_directory(),
            );
            self.directories
                .extend((fate != (None, None)).then_some(fate));
        }
        self.outcomes
            .extend(outcome.map(|outcome| (entry.record, outcome)));
    }
}

/// Drops frames that say the same as an earlier one. Of more than `limit` others it gives one too many: they are not made.
fn different(frames: impl Iterator<Item = Frame>, limit: u64) -> Vec<Frame> {
    let mut seen: BTreeSet<(Arc<NameTable>, BTreeMap<InodeId, SizeRange>)> = BTreeSet::new();
    let kept = frames.filter(|frame| seen.insert((frame.names.clone(), frame.windows.clone())));
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    kept.take(most.saturating_add(1)).collect()
}

impl Images<'_> {
    /// How many combinations there are.
    #[must_use]
    pub fn combinations(&self) -> u64 {
        self.total
    }

    /// How many combinations so far gave an image that had been there before.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The choice that leads to an image of this enumeration.
    ///
    /// # Panics
    /// May panic for a candidate of another enumeration.
    #[must_use]
    pub fn choice(&self, candidate: &Candidate) -> Choice {
        let frame = &self.frames[candidate.frame];
        let files = candidate.files.iter().map(|(id, place)| {
            let window = frame.window(*id, &self.space.files[id]);
            let (file, _) = &self.contents[&(*id, window)][*place as usize];
            (*id, file.clone())
        });
        frame.choice(files)
    }

    fn walk(&mut self, frame_index: usize) -> Walk {
        let frame = &self.frames[frame_index];
        let hashes = name_hashes(&frame.names);
        let files = hashes.iter().map(|(id, _)| {
            let file = &self.space.files[id];
            let window = frame.window(*id, file);
            let contents = self.contents.entry((*id, window));
            let contents = contents.or_insert_with(|| {
                let zeros = CutDamage::fill(*id, Fill::Zeros);
                Arc::new(file.contents(window, &zeros))
            });
            (*id, contents.clone())
        });
        let files: Vec<_> = files.collect();
        Walk {
            frame: frame_index,
            names: frame.names.clone(),
            digits: vec![0; files.len()],
            hashes,
            files,
        }
    }
}

impl Frame {
    /// The choice that leads to this directory and to these contents of the files in it.
    pub(super) fn choice(&self, files: impl Iterator<Item = (InodeId, FileChoice)>) -> Choice {
        let mut choice = Choice {
            names: self.outcomes.clone(),
            ..Choice::default()
        };
        // A file without a name keeps the lengths that the directory forces on it.
        for (id, window) in &self.windows {
            choice.sizes.insert(*id, window.0);
        }
        for (id, file) in files {
            choice.sizes.insert(id, file.size);
            choice.pages.insert(id, file.pages);
        }
        choice.sizes.retain(|_, size| *size > 0);
        choice.pages.retain(|_, pages| !pages.is_empty());
        choice
    }
}

impl Walk {
    fn candidate(&self) -> Candidate {
        let pairs = self.files.iter().zip(&self.digits);
        let files = pairs.clone().map(|((id, contents), digit)| {
            let (_, image) = &contents[*digit];
            (*id, image.clone())
        });
        let image = Image::assemble(self.names.clone(), &self.hashes, files.collect());
        let files = pairs.map(|((id, _), digit)| (*id, super::file_space::count(*digit)));
        Candidate {
            image,
            frame: self.frame,
            files: files.collect(),
        }
    }
}

impl Iterator for Images<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            let walk = match self.current.take() {
                Some(mut walk) => {
                    let files = &walk.files;
                    let more = advance(&mut walk.digits, |place| files[place].1.len());
                    if !more {
                        continue;
                    }
                    walk
                }
                None => {
                    if self.next_frame == self.frames.len() {
                        return None;
                    }
                    self.next_frame += 1;
                    self.walk(self.next_frame - 1)
                }
            };
            let candidate = walk.candidate();
            self.current = Some(walk);
            if self.seen.insert(candidate.image.hash128()) {
                return Some(candidate);
            }
            self.dropped += 1;
        }
    }
}
