//! The images that the plain enumeration leaves out: with one torn page, and with garbage where data was lost.
//!
//! A torn image is a combination of names, lengths and versions like the plain ones, in which one page has its first sectors
//! of its version and the rest of an older one. Where the profile fills lost pages with garbage, each combination in which
//! data was lost is there once more with garbage, and so is each torn one whose older version was lost.
//!
//! They are counted before any of them is made. Sectors are compared first: most writes end in the sector in which they
//! begin, and such a page cannot be torn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::choice::{Choice, Fill, Tear};
use super::cut_damage::CutDamage;
use super::file_space::{FileChoice, FileSpace, SizeRange};
use super::image::{FileImage, Image, NameHashes, name_hashes};
use super::images::{Contents, Images};
use super::names::InodeId;
use super::page::{PAGE_BYTES, Page, SECTOR_BYTES, SECTORS};
use super::space::ImageSpace;

/// What lost pages show in the images with garbage.
const GARBAGE: Fill = Fill::Garbage(TornImages::GARBAGE_SEED);

/// The torn images of a space and those with garbage, without those that are among the plain ones.
#[derive(Debug)]
pub struct TornImages<'a> {
    plain: Images<'a>,
    sections: Vec<Section>,
    total: u64,
    /// How many of them are looked at: evenly spread, if not all.
    looked_at: u64,
    next: u64,
    dropped: u64,
    /// The names of the section that was looked at last.
    hashes: Option<(usize, NameHashes)>,
    /// Torn files that were made: several directories have them.
    built: BTreeMap<(InodeId, SizeRange, Fill, u64), FileImage>,
}

/// One image, and the combination that leads to it.
#[derive(Clone, Debug)]
pub struct TornCandidate {
    /// What survived.
    pub image: Image,
    index: u64,
}

/// The combinations of one directory in which the file `lead` is torn, or is the first one with garbage.
#[derive(Debug)]
struct Section {
    frame: usize,
    fill: Fill,
    lead: usize,
    files: Vec<(InodeId, Variants)>,
    /// How many combinations there are up to the end of this section.
    end: u64,
}

/// What one file can be in a section.
#[derive(Clone, Debug)]
enum Variants {
    /// Pages are whole.
    Whole(Arc<Contents>),
    /// One page is torn.
    Torn(Arc<TornFile>),
}

/// What one file can hold with garbage in lost pages.
#[derive(Debug)]
struct FilledFile {
    all: Arc<Contents>,
    /// Those in which garbage shows.
    with_garbage: Arc<Contents>,
    without_garbage: Arc<Contents>,
}

/// Everything that one file can hold with one torn page.
#[derive(Debug, Default)]
struct TornFile {
    blocks: Vec<TearBlock>,
    count: u64,
}

/// The tears of one page at one length, with every combination of the other pages.
#[derive(Debug)]
struct TearBlock {
    size: u32,
    page: u64,
    tears: Vec<PageTear>,
    others: Vec<(u64, Vec<u32>)>,
    /// How many combinations of the others there are.
    of_each: u64,
}

/// The first `sectors` of one version, the rest of an older one.
#[derive(Clone, Copy, Debug)]
struct PageTear {
    newer: u32,
    older: u32,
    sectors: usize,
}

impl<'a> Images<'a> {
    /// The images with one torn page, and with garbage where the profile fills with it. If there are more than `limit`
    /// combinations, that many of them, evenly spread. What is left of this enumeration is passed over.
    #[must_use]
    pub fn torn(mut self, limit: u64) -> TornImages<'a> {
        while self.next().is_some() {}
        let sections = sections(&self);
        let total = sections.last().map_or(0, |section| section.end);
        TornImages {
            plain: self,
            sections,
            total,
            looked_at: total.min(limit),
            next: 0,
            dropped: 0,
            hashes: None,
            built: BTreeMap::new(),
        }
    }
}

fn sections(plain: &Images<'_>) -> Vec<Section> {
    let mut sections = Vec::new();
    let torn = torn_files(plain, Fill::Zeros);
    add_torn(plain, Fill::Zeros, &torn, &plain.contents, &mut sections);
    if plain.space.profile().fills_with_garbage() {
        add_filled(plain, &mut sections);
    }
    sections
}

type ByFile<T> = BTreeMap<(InodeId, SizeRange), T>;

fn torn_files(plain: &Images<'_>, fill: Fill) -> ByFile<Arc<TornFile>> {
    let files = plain.contents.keys().map(|(id, window)| {
        let torn = TornFile::new(plain.space, *id, *window, fill);
        ((*id, *window), Arc::new(torn))
    });
    files.filter(|(_, torn)| torn.count > 0).collect()
}

/// Adds the combinations with one torn page; the other files are like in `whole`.
fn add_torn(
    plain: &Images<'_>,
    fill: Fill,
    torn: &ByFile<Arc<TornFile>>,
    whole: &ByFile<Arc<Contents>>,
    sections: &mut Vec<Section>,
) {
    if torn.is_empty() {
        return;
    }
    for frame in 0..plain.frames.len() {
        let keys = keys_of(plain, frame);
        for (lead, key) in keys.iter().enumerate() {
            let Some(torn) = torn.get(key) else {
                continue;
            };
            let files = keys.iter().enumerate().map(|(place, key)| match place {
                place if place == lead => Variants::Torn(torn.clone()),
                _ => Variants::Whole(whole[key].clone()),
            });
            add_section(sections, frame, fill, lead, &keys, files);
        }
    }
}

/// Adds the combinations in which garbage shows.
fn add_filled(plain: &Images<'_>, sections: &mut Vec<Section>) {
    let filled = plain.contents.iter().map(|(key, zeros)| {
        let file = FilledFile::new(&plain.space.files[&key.0], *key, zeros);
        (*key, file)
    });
    let filled: ByFile<FilledFile> = filled.collect();
    if filled.values().all(|file| file.with_garbage.is_empty()) {
        return;
    }
    for frame in 0..plain.frames.len() {
        let keys = keys_of(plain, frame);
        for lead in 0..keys.len() {
            let files = keys.iter().enumerate().map(|(place, key)| {
                let file = &filled[key];
                Variants::Whole(match place.cmp(&lead) {
                    std::cmp::Ordering::Less => file.without_garbage.clone(),
                    std::cmp::Ordering::Equal => file.with_garbage.clone(),
                    std::cmp::Ordering::Greater => file.all.clone(),
                })
            });
            add_section(sections, frame, GARBAGE, lead, &keys, files);
        }
    }
    let all = filled.iter().map(|(key, file)| (*key, file.all.clone()));
    let torn = torn_files(plain, GARBAGE);
    add_torn(plain, GARBAGE, &torn, &all.collect(), sections);
}

/// The files of a directory, each with the lengths that the directory permits.
fn keys_of(plain: &Images<'_>, frame: usize) -> Vec<(InodeId, SizeRange)> {
    let frame = &plain.frames[frame];
    let inodes: BTreeSet<InodeId> = frame.names.inodes().collect();
    let keys = inodes
        .into_iter()
        .map(|id| (id, frame.window(id, &plain.space.files[&id])));
    keys.collect()
}

fn add_section(
    sections: &mut Vec<Section>,
    frame: usize,
    fill: Fill,
    lead: usize,
    keys: &[(InodeId, SizeRange)],
    files: impl Iterator<Item = Variants>,
) {
    let files = keys.iter().map(|(id, _)| *id).zip(files);
    let files: Vec<(InodeId, Variants)> = files.collect();
    let counts = files.iter().map(|(_, variants)| variants.count());
    let count = counts.fold(1, u64::saturating_mul);
    if count > 0 {
        let before = sections.last().map_or(0, |section| section.end);
        sections.push(Section {
            frame,
            fill,
            lead,
            files,
            end: before.saturating_add(count),
        });
    }
}

impl Variants {
    fn count(&self) -> u64 {
        match self {
            Variants::Whole(contents) => contents.len() as u64,
            Variants::Torn(torn) => torn.count,
        }
    }
}

impl FilledFile {
    fn new(file: &FileSpace, (id, window): (InodeId, SizeRange), zeros: &Contents) -> Self {
        let zeros: BTreeSet<u128> = zeros.iter().map(|(_, image)| image.hash()).collect();
        let all = file.contents(window, &CutDamage::fill(id, GARBAGE));
        let (without, with): (Contents, Contents) = all
            .iter()
            .cloned()
            .partition(|(_, image)| zeros.contains(&image.hash()));
        FilledFile {
            all: Arc::new(all),
            with_garbage: Arc::new(with),
            without_garbage: Arc::new(without),
        }
    }
}

impl TornFile {
    fn new(space: &ImageSpace, id: InodeId, window: SizeRange, fill: Fill) -> Self {
        let file = &space.files[&id];
        let damage = CutDamage::fill(id, fill);
        let pages = file.pages().map(|(page, _)| page);
        let pages: Vec<u64> = pages.filter(|page| space.may_tear(id, *page)).collect();
        let mut torn = TornFile::default();
        if pages.is_empty() {
            return torn;
        }
        for size in window.0..=window.1 {
            let mut options = None;
            for page in &pages {
                let tears = file.tears_at(*page, size, &damage);
                if tears.is_empty() {
                    continue;
                }
                let options = options.get_or_insert_with(|| file.options_at(size, &damage));
                let others = options.iter().filter(|(other, _)| other != page);
                torn.add(TearBlock::new(
                    size,
                    *page,
                    tears,
                    others.cloned().collect(),
                ));
            }
        }
        torn
    }

    fn add(&mut self, block: TearBlock) {
        self.count = self.count.saturating_add(block.count());
        self.blocks.push(block);
    }

    /// One of the combinations.
    fn at(&self, mut index: u64) -> (FileChoice, u64, PageTear) {
        for block in &self.blocks {
            if index < block.count() {
                return block.at(index);
            }
            index -= block.count();
        }
        unreachable!("the index is below the count");
    }
}

impl TearBlock {
    fn new(size: u32, page: u64, tears: Vec<PageTear>, others: Vec<(u64, Vec<u32>)>) -> Self {
        let counts = others.iter().map(|(_, versions)| versions.len() as u64);
        TearBlock {
            size,
            page,
            tears,
            of_each: counts.fold(1, u64::saturating_mul),
            others,
        }
    }

    fn count(&self) -> u64 {
        self.of_each.saturating_mul(self.tears.len() as u64)
    }

    fn at(&self, index: u64) -> (FileChoice, u64, PageTear) {
        let tear = self.tears[place(index / self.of_each)];
        let mut pages = BTreeMap::from([(self.page, tear.newer)]);
        let mut rest = index % self.of_each;
        for (page, versions) in self.others.iter().rev() {
            let version = versions[digit(&mut rest, versions.len() as u64)];
            if version > 0 {
                pages.insert(*page, version);
            }
        }
        let choice = FileChoice {
            size: self.size,
            pages,
        };
        (choice, self.page, tear)
    }
}

impl FileSpace {
    /// The tears of a page that give bytes which none of its versions has, each of them once. With garbage only those whose
    /// older version was lost.
    fn tears_at(&self, page: u64, size: u32, damage: &CutDamage<'_>) -> Vec<PageTear> {
        let newest = self.permitted(page, u32::MAX, size);
        let versions = (0..=newest).map(|version| self.shown_at(page, version, size, damage));
        let versions: Vec<Option<Page>> = versions.collect();
        let is_older = |older: u32| match damage.fill {
            Fill::Zeros => true,
            Fill::Garbage(_) => !self.lost_at(page, older, size).is_empty(),
        };
        let mut seen = BTreeSet::new();
        let mut tears = Vec::new();
        for (newer, above) in (0..).zip(&versions) {
            for (older, below) in (0..newer).zip(&versions) {
                let differing = differing_sectors(above.as_ref(), below.as_ref());
                if differing.count_ones() < 2 || !is_older(older) {
                    continue;
                }
                if seen.is_empty() {
                    seen.extend(versions.iter().map(|page| hash(page.as_ref())));
                }
                for sectors in boundaries(differing) {
                    let torn = torn(above.as_ref(), below.as_ref(), sectors);
                    if seen.insert(hash(Some(&torn))) {
                        tears.push(PageTear {
                            newer,
                            older,
                            sectors,
                        });
                    }
                }
            }
        }
        tears
    }
}

/// Bit i: sector i of the two pages differs.
fn differing_sectors(one: Option<&Page>, other: Option<&Page>) -> u8 {
    if let (Some(one), Some(other)) = (one, other)
        && one.is_same(other)
    {
        return 0;
    }
    let (one, other) = (bytes(one), bytes(other));
    let extent = one.len().max(other.len()).div_ceil(SECTOR_BYTES);
    (0..extent).fold(0, |bits, sector| {
        let range = |bytes: &[u8]| {
            let end = bytes.len().min((sector + 1) * SECTOR_BYTES);
            (sector * SECTOR_BYTES).min(end)..end
        };
        let (one, other) = (&one[range(one)], &other[range(other)]);
        let (shorter, longer) = match one.len() <= other.len() {
            true => (one, other),
            false => (other, one),
        };
        let (same, behind) = longer.split_at(shorter.len());
        let differs = same != shorter || behind.iter().any(|byte| *byte != 0);
        bits | u8::from(differs) << sector
    })
}

/// After how many sectors a tear gives something that neither version is, each such page once: right after a sector that
/// differs, with another one after it that differs too.
fn boundaries(differing: u8) -> impl Iterator<Item = usize> {
    (1..SECTORS)
        .filter(move |sectors| differing >> (sectors - 1) & 1 == 1 && differing >> sectors != 0)
}

/// The first `sectors` of one page, the rest of another.
fn torn(newer: Option<&Page>, older: Option<&Page>, sectors: usize) -> Page {
    let (newer, older) = (bytes(newer), bytes(older));
    let boundary = sectors * SECTOR_BYTES;
    let mut mixed = [0; PAGE_BYTES];
    mixed[..older.len()].copy_from_slice(older);
    mixed[..boundary].fill(0);
    let kept = newer.len().min(boundary);
    mixed[..kept].copy_from_slice(&newer[..kept]);
    Page::new(&mixed)
}

fn bytes(page: Option<&Page>) -> &[u8] {
    page.map_or(&[], Page::bytes)
}

/// The hash of a page, 0 of a blank one.
fn hash(page: Option<&Page>) -> u128 {
    let page = page.filter(|page| !page.is_blank());
    page.map_or(0, Page::hash)
}

/// Takes the last digit, below `base`, off a number.
fn digit(number: &mut u64, base: u64) -> usize {
    let digit = *number % base;
    *number /= base;
    place(digit)
}

fn place(index: u64) -> usize {
    usize::try_from(index).expect("an index into something in memory fits")
}

impl TornImages<'_> {
    /// The number that garbage is a function of in all these images.
    pub const GARBAGE_SEED: u64 = 0;

    /// How many combinations there are; equal images count as often as they come about.
    #[must_use]
    pub fn combinations(&self) -> u64 {
        self.total
    }

    /// Whether there are more combinations than are looked at.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.looked_at < self.total
    }

    /// How many combinations so far gave an image that had been there before, torn or whole.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The choice that leads to an image of this enumeration.
    #[must_use]
    pub fn choice(&self, candidate: &TornCandidate) -> Choice {
        let (section, digits) = self.combination(candidate.index);
        let section = &self.sections[section];
        let mut tears = Vec::new();
        let files = section.files.iter().zip(&digits);
        let files = files.map(|((id, variants), digit)| match variants {
            Variants::Whole(contents) => (*id, contents[place(*digit)].0.clone()),
            Variants::Torn(torn) => {
                let (choice, page, tear) = torn.at(*digit);
                tears.push(tear.of(*id, page));
                (*id, choice)
            }
        });
        let choice = self.plain.frames[section.frame].choice(files);
        Choice {
            tears,
            fill: section.fill,
            ..choice
        }
    }

    /// The section of a combination, and which variant it has of each file. The variant of the leading file changes last.
    fn combination(&self, index: u64) -> (usize, Vec<u64>) {
        let at = self
            .sections
            .partition_point(|section| section.end <= index);
        let before = at
            .checked_sub(1)
            .map_or(0, |before| self.sections[before].end);
        let section = &self.sections[at];
        let mut rest = index - before;
        let mut digits = vec![0; section.files.len()];
        for (file, (_, variants)) in section.files.iter().enumerate().rev() {
            if file != section.lead {
                digits[file] = digit(&mut rest, variants.count()) as u64;
            }
        }
        digits[section.lead] = rest;
        (at, digits)
    }

    fn image(&mut self, index: u64) -> Image {
        let (at, digits) = self.combination(index);
        let section = &self.sections[at];
        let frame = &self.plain.frames[section.frame];
        if self.hashes.as_ref().is_none_or(|(known, _)| *known != at) {
            self.hashes = Some((at, name_hashes(&frame.names)));
        }
        let files = section.files.iter().zip(&digits);
        let files = files.map(|((id, variants), digit)| match variants {
            Variants::Whole(contents) => (*id, contents[place(*digit)].1.clone()),
            Variants::Torn(torn) => {
                let file = &self.plain.space.files[id];
                let key = (*id, frame.window(*id, file), section.fill, *digit);
                let built = self.built.entry(key);
                let image = built.or_insert_with(|| torn.image(file, *id, section.fill, *digit));
                (*id, image.clone())
            }
        });
        let files = files.collect();
        let (_, hashes) = self.hashes.as_ref().expect("they were just made");
        Image::assemble(frame.names.clone(), hashes, files)
    }
}

impl TornFile {
    fn image(&self, file: &FileSpace, id: InodeId, fill: Fill, index: u64) -> FileImage {
        let (choice, page, tear) = self.at(index);
        let damage = CutDamage {
            tears: &[tear.of(id, page)],
            ..CutDamage::fill(id, fill)
        };
        file.image(&choice, &damage)
    }
}

impl PageTear {
    fn of(self, inode: InodeId, page: u64) -> Tear {
        Tear {
            inode,
            page,
            newer_sectors: (1 << self.sectors) - 1,
            older: self.older,
        }
    }
}

impl Iterator for TornImages<'_> {
    type Item = TornCandidate;

    fn next(&mut self) -> Option<TornCandidate> {
        while self.next < self.looked_at {
            let index = u128::from(self.next) * u128::from(self.total) / u128::from(self.looked_at);
            let index =
                u64::try_from(index).expect("the index is below the number of combinations");
            self.next += 1;
            let image = self.image(index);
            if self.plain.seen.insert(image.hash128()) {
                return Some(TornCandidate { image, index });
            }
            self.dropped += 1;
        }
        None
    }
}
