//! All images of a space, one after the other.
//!
//! The order is fixed: directories in the order in which their records were made, the old state first; in each of them the
//! files by number, lengths and versions from the oldest up. Equal images are passed over and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::choice::Choice;
use super::file_space::{FileChoice, Window, advance};
use super::image::{FileImage, Image, NameHashes, name_hashes};
use super::inode::InodeId;
use super::names::Directory;
use super::profile::Profile;
use super::space::{Frame, ImageSpace};

/// More directories than this are never enumerated.
const MAX_FRAMES: u64 = 1 << 20;

/// The different images of a space.
#[derive(Debug)]
pub struct Images<'a> {
    space: &'a ImageSpace,
    frames: Vec<Frame>,
    total: u64,
    /// The contents of each file for each range of lengths, made when first needed.
    contents: BTreeMap<(InodeId, Window), Arc<Contents>>,
    seen: BTreeSet<u128>,
    next_frame: usize,
    dropped: u64,
    current: Option<Walk>,
}

type Contents = Vec<(FileChoice, FileImage)>;

/// The combinations of one directory.
#[derive(Debug)]
struct Walk {
    frame: usize,
    names: Arc<Directory>,
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
    /// How many combinations of names, lengths and versions there are; at least the number of different images, and the
    /// largest number there is where they cannot be counted.
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

    /// A choice that leads to `image`, if this space has at most `limit` combinations and one of them does.
    #[must_use]
    pub fn find(&self, image: &Image, limit: u64) -> Option<Choice> {
        let mut images = self.enumerate(limit)?;
        let found = images.find(|candidate| candidate.image == *image)?;
        Some(images.choice(&found))
    }

    fn count_in(&self, frames: &[Frame], limit: u64) -> u64 {
        let mut counts: BTreeMap<(InodeId, Window), u64> = BTreeMap::new();
        let mut total = 0u64;
        for frame in frames {
            let inodes: BTreeSet<InodeId> = frame.names.values().copied().collect();
            let product = inodes.into_iter().fold(1u64, |product, id| {
                let file = &self.files[&id];
                let window = frame.window(id, file);
                let count = counts.entry((id, window));
                product.saturating_mul(*count.or_insert_with(|| file.count(window)))
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
                different(prefixes.map(|survived| self.prefix_frame(survived)))
            }
            _ => self.subset_frames(limit)?,
        };
        (frames.len() as u64 <= limit).then_some(frames)
    }

    fn subset_frames(&self, limit: u64) -> Option<Vec<Frame>> {
        let mut frames = vec![self.prefix_frame(0)];
        for entry in &self.records {
            let outcomes = self.outcomes(entry).iter().map(|outcome| Some(*outcome));
            let old = (!entry.durable).then_some(None);
            let outcomes: Vec<_> = old.into_iter().chain(outcomes).collect();
            let grown = frames.iter().flat_map(|frame| {
                outcomes.iter().map(|outcome| {
                    let mut frame = frame.clone();
                    if let Some(outcome) = outcome {
                        let names = Arc::make_mut(&mut frame.names);
                        entry.change.apply(names, Some(*outcome));
                        if !entry.durable {
                            frame.outcomes.insert(entry.record, *outcome);
                        }
                    }
                    frame
                })
            });
            frames = different(grown);
            if frames.len() as u64 > limit {
                return None;
            }
        }
        Some(frames)
    }
}

/// Drops frames that say the same as an earlier one.
fn different(frames: impl Iterator<Item = Frame>) -> Vec<Frame> {
    let mut seen: BTreeSet<(Arc<Directory>, BTreeMap<InodeId, Window>)> = BTreeSet::new();
    let kept = frames.filter(|frame| seen.insert((frame.names.clone(), frame.windows.clone())));
    kept.collect()
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
    #[must_use]
    pub fn choice(&self, candidate: &Candidate) -> Choice {
        let frame = &self.frames[candidate.frame];
        let mut choice = Choice {
            names: frame.outcomes.clone(),
            ..Choice::default()
        };
        // A file without a name keeps the lengths that the directory forces on it.
        for (id, window) in &frame.windows {
            if window.0 > 0 {
                choice.sizes.insert(*id, window.0);
            }
        }
        for (id, place) in &candidate.files {
            let window = frame.window(*id, &self.space.files[id]);
            let (file, _) = &self.contents[&(*id, window)][*place as usize];
            choice.sizes.insert(*id, file.size);
            choice.pages.insert(*id, file.pages.clone());
        }
        choice.sizes.retain(|_, size| *size > 0);
        choice.pages.retain(|_, pages| !pages.is_empty());
        choice
    }

    fn walk(&mut self, frame_index: usize) -> Walk {
        let frame = &self.frames[frame_index];
        let hashes = name_hashes(&frame.names);
        let files = hashes.iter().map(|(id, _)| {
            let file = &self.space.files[id];
            let window = frame.window(*id, file);
            let contents = self.contents.entry((*id, window));
            let contents = contents.or_insert_with(|| Arc::new(file.contents(*id, window)));
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
