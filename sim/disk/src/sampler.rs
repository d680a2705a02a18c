//! Many choices of one space, one after the other: what all of them need is worked out once, and a hash is had without making
//! the image.

use std::collections::BTreeMap;

use super::choice::{About, Choice, Decision};
use super::file_hash::PageHashes;
use super::file_space::count;
use super::image::{name_hashes, named_hash};
use super::names::{InodeId, NameOutcome};
use super::profile::Profile;
use super::space::{Frame, ImageSpace};

/// At most this many directories are kept for choices that have them again.
const DIRECTORIES: usize = 64;

/// One decision and the numbers of the records that it lets survive, option by option from 1.
pub(super) struct Point {
    pub(super) about: About,
    pub(super) records: Vec<u64>,
}

/// Choices of one space.
pub struct Sampler<'s> {
    pub(super) space: &'s ImageSpace,
    pub(super) points: Vec<Point>,
    directories: BTreeMap<Survived, Directory>,
    /// What pages add to the hash, for the files that have something pending.
    files: BTreeMap<InodeId, Option<PageHashes>>,
}

/// How many entries of a journal, or which names.
type Survived = (usize, BTreeMap<u64, NameOutcome>);

/// A directory that some choices leave.
struct Directory {
    /// The hash of the files that have nothing pending.
    settled: u128,
    /// The others, each with the hash of its names.
    pending: Vec<(InodeId, u128)>,
}

impl ImageSpace {
    /// For many choices, one after the other.
    #[must_use]
    pub fn sampler(&self) -> Sampler<'_> {
        Sampler {
            space: self,
            points: self.points(),
            directories: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    pub(super) fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        if self.profile() == Profile::LinuxOrdered {
            let records: Vec<u64> = self.metadata.iter().map(|entry| entry.record).collect();
            if !records.is_empty() {
                let about = About::Metadata;
                points.push(Point { about, records });
            }
        } else {
            for entry in self.records.iter().filter(|entry| !entry.is_durable()) {
                let record = entry.record;
                points.push(Point {
                    about: About::Name { record },
                    records: vec![record; self.outcomes(entry).len()],
                });
            }
        }
        for (id, file) in &self.files {
            if file.steps() > 0 {
                points.push(Point {
                    about: About::Size { inode: *id },
                    records: file.inode().sizes.iter().map(|step| step.record).collect(),
                });
            }
            points.extend(file.pages().map(|(page, versions)| Point {
                about: About::Page { inode: *id, page },
                records: versions.iter().map(|version| version.record).collect(),
            }));
        }
        points
    }

    /// [`Sampler::decisions`], for a space from which one choice is made.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        self.sampler().decisions()
    }

    /// [`Sampler::resolve`], for a space from which one choice is made.
    #[must_use]
    pub fn resolve(&self, options: &[u32]) -> Choice {
        self.sampler().resolve(options)
    }
}

impl Sampler<'_> {
    /// The space that choices are made of.
    #[must_use]
    pub fn space(&self) -> &ImageSpace {
        self.space
    }

    /// What there is to decide, in a fixed order: names, then file by file the length and the
    /// pages.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let points = self.points.iter().map(|point| Decision {
            about: point.about.clone(),
            options: count(point.records.len()) + 1,
        });
        points.collect()
    }

    /// The choice that a vector of decisions stands for. A missing decision is 0, one that is too
    /// large is the last option; what contradicts another one is brought to the nearest legal
    /// value.
    #[must_use]
    pub fn resolve(&self, options: &[u32]) -> Choice {
        let space = self.space;
        let mut choice = Choice::default();
        let mut survived = 0;
        // Names and pages stand in the order of the points.
        let mut records = space.records.iter();
        let mut files: Vec<(InodeId, Vec<(u64, u32)>)> = Vec::new();
        for (point, option) in self.points.iter().zip(options) {
            let option = (*option).min(count(point.records.len()));
            if option == 0 {
                continue;
            }
            match point.about {
                About::Metadata => survived = option as usize,
                About::Name { record } => {
                    let entry = records.find(|entry| entry.record == record);
                    let entry = entry.expect("the point was made from this record");
                    let outcome = space.outcomes(entry)[option as usize - 1];
                    choice.names.insert(record, outcome);
                }
                About::Size { inode } => {
                    choice.sizes.insert(inode, option);
                }
                About::Page { inode, page } => match files.last_mut() {
                    Some((last, pages)) if *last == inode => pages.push((page, option)),
                    _ => files.push((inode, vec![(page, option)])),
                },
            }
        }
        let files = files.into_iter();
        let pages = files.map(|(inode, pages)| (inode, pages.into_iter().collect()));
        choice.pages = pages.collect();
        let frame = match space.profile() {
            Profile::LinuxOrdered => space.prefix_frame(survived),
            _ => space.frame(&choice.names),
        };
        space.settle_files(&frame, &choice).into_choice(frame)
    }

    /// The hash of the image that a choice leaves: one of this space, to which tears and a fill may have been added.
    pub fn hash(&mut self, choice: &Choice) -> u128 {
        let space = self.space;
        let survived = match space.profile() {
            Profile::LinuxOrdered => (space.surviving_metadata(choice), BTreeMap::new()),
            _ => (0, choice.names.clone()),
        };
        if self.directories.len() >= DIRECTORIES && !self.directories.contains_key(&survived) {
            self.directories.clear();
        }
        let directory = self.directories.entry(survived);
        let directory = directory.or_insert_with(|| Directory::new(space, &space.frame_of(choice)));
        let nothing = BTreeMap::new();
        let tears = space.tears_of(choice);
        let files = directory.pending.iter().map(|(id, names)| {
            let file = &space.files[id];
            let hashes = self.files.entry(*id);
            let hashes = hashes.or_insert_with(|| file.page_hashes());
            let damage = space.damage(*id, choice, &tears);
            let size = choice.sizes.get(id).copied().unwrap_or(0);
            let versions = choice.pages.get(id).unwrap_or(&nothing);
            let file = file.image_hash(size, versions, &damage, hashes.as_ref());
            named_hash(file, *names)
        });
        files.fold(directory.settled, u128::wrapping_add)
    }
}

impl Directory {
    fn new(space: &ImageSpace, frame: &Frame) -> Self {
        let mut directory = Directory {
            settled: 0,
            pending: Vec::new(),
        };
        let device = space.profile() == Profile::HostileDevice;
        for (id, names) in name_hashes(&frame.names) {
            match space.files[&id].settled().filter(|_| !device) {
                Some(file) => {
                    let hash = named_hash(file.hash(), names);
                    directory.settled = directory.settled.wrapping_add(hash);
                }
                None => directory.pending.push((id, names)),
            }
        }
        directory
    }
}
