//! The crash images of the simulated disk against a second, naive account of the crash model.
//!
//! The reference keeps every record for ever, tries every combination of outcomes one by one, and
//! replays the records in order. It has no pages that are shared, no versions that are folded and
//! no counting; it is slow and short. Files are made of cells of 512 bytes, eight to a page, so
//! that shrinks inside a page are covered.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{Change, Disk, DiskEvent, Image, InodeId, Profile};
use proptest::prelude::*;
use proptest::sample::select;

const CELL: u64 = 512;
const PAGE_CELLS: usize = 8;

/// Cells of every file, by name.
type Files = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Create(&'static str),
    Write(&'static str, usize, usize, u8),
    SetLen(&'static str, usize),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    SyncData(&'static str),
    SyncAll(&'static str),
    SyncDir,
    WriteBackPage(&'static str, usize),
    WriteBackSize(&'static str),
}

#[derive(Clone, Debug)]
enum Record {
    Add(&'static str, usize),
    Remove(&'static str),
    Rename(&'static str, &'static str, usize),
    Size(usize, usize, Cause),
    Page(usize, usize, [u8; PAGE_CELLS]),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    Write,
    Grow,
    Shrink,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Old,
    New,
    Both,
    Neither,
}

#[derive(Clone, Debug)]
struct Reference {
    profile: Profile,
    names: BTreeMap<&'static str, usize>,
    /// Live cells of every file ever made.
    live: Vec<Vec<u8>>,
    log: Vec<Record>,
    /// Records that are durable.
    forced: BTreeSet<usize>,
}

impl Reference {
    fn new(profile: Profile) -> Self {
        Reference {
            profile,
            names: BTreeMap::new(),
            live: Vec::new(),
            log: Vec::new(),
            forced: BTreeSet::new(),
        }
    }

    fn force(&mut self, which: impl Fn(&Record) -> bool) {
        let records = self.log.iter().enumerate();
        let chosen = records.filter(|(_, record)| which(record));
        self.forced.extend(chosen.map(|(index, _)| index));
    }

    fn is_pending(&self, which: impl Fn(&Record) -> bool) -> bool {
        let mut records = self.log.iter().enumerate();
        records.any(|(index, record)| which(record) && !self.forced.contains(&index))
    }

    /// Whether a page of the file has a version that is newer than the durable one.
    fn has_pending_page(&self, ino: usize) -> bool {
        let newest = self.log.iter().enumerate().filter_map(|(index, record)| {
            let Record::Page(id, page, _) = record else {
                return None;
            };
            (*id == ino).then_some((*page, index))
        });
        let newest: BTreeMap<usize, usize> = newest.collect();
        newest.values().any(|index| !self.forced.contains(index))
    }

    /// The shrinks before record `index` that cut away the page that it is a version of.
    fn shrinks_before(&self, index: usize) -> Vec<usize> {
        let Record::Page(ino, page, _) = self.log[index] else {
            return Vec::new();
        };
        let cuts = |record: &Record| matches!(record, Record::Size(id, len, Cause::Shrink) if *id == ino && *len <= page * PAGE_CELLS);
        let mut before = self.positions(cuts);
        before.retain(|shrink| *shrink < index);
        before
    }

    /// Carries out a step; `false` if the real disk must refuse it or has nothing to do.
    fn run(&mut self, step: &Step) -> bool {
        match *step {
            Step::Create(name) => {
                if self.names.contains_key(name) {
                    return false;
                }
                let ino = self.live.len();
                self.live.push(Vec::new());
                self.names.insert(name, ino);
                self.log.push(Record::Add(name, ino));
            }
            Step::Rename(from, to) => {
                let Some(ino) = self.names.get(from).copied() else {
                    return false;
                };
                if self.names.get(to) != Some(&ino) {
                    self.names.remove(from);
                    self.names.insert(to, ino);
                    self.log.push(Record::Rename(from, to, ino));
                }
            }
            Step::Remove(name) => {
                if self.names.remove(name).is_none() {
                    return false;
                }
                self.log.push(Record::Remove(name));
            }
            Step::Write(name, at, len, cell) => {
                let Some(ino) = self.names.get(name).copied() else {
                    return false;
                };
                self.write(ino, at, len, cell);
            }
            Step::SetLen(name, len) => {
                let Some(ino) = self.names.get(name).copied() else {
                    return false;
                };
                let shrinks = len < self.live[ino].len();
                self.live[ino].resize(len, 0);
                if shrinks && len % PAGE_CELLS > 0 {
                    self.log_page(ino, len / PAGE_CELLS);
                }
                let cause = if shrinks { Cause::Shrink } else { Cause::Grow };
                self.log.push(Record::Size(ino, len, cause));
            }
            Step::SyncData(name) | Step::SyncAll(name) => {
                let Some(ino) = self.names.get(name).copied() else {
                    return false;
                };
                self.sync(ino, matches!(step, Step::SyncAll(_)));
            }
            Step::SyncDir => {
                if self.profile == Profile::LinuxOrdered && self.is_pending(is_name) {
                    self.commit_journal();
                }
                self.force(is_name);
            }
            Step::WriteBackPage(name, page) => return self.write_back_page(name, page),
            Step::WriteBackSize(name) => return self.write_back_size(name),
        }
        true
    }

    fn write(&mut self, ino: usize, at: usize, len: usize, cell: u8) {
        let old_end = self.live[ino].len();
        let end = at + len;
        if end > old_end {
            self.live[ino].resize(end, 0);
        }
        self.live[ino][at..end].fill(cell);
        for page in at / PAGE_CELLS..end.div_ceil(PAGE_CELLS) {
            self.log_page(ino, page);
        }
        if end > old_end {
            let from = at.max(old_end);
            let borders = (1..).map(|page| page * PAGE_CELLS);
            let borders = borders.take_while(|border| *border < end);
            for border in borders.filter(|border| *border > from) {
                self.log.push(Record::Size(ino, border, Cause::Write));
            }
            self.log.push(Record::Size(ino, end, Cause::Write));
        }
    }

    fn log_page(&mut self, ino: usize, page: usize) {
        let mut cells = [0; PAGE_CELLS];
        let live = self.live[ino].iter().skip(page * PAGE_CELLS);
        cells
            .iter_mut()
            .zip(live)
            .for_each(|(to, from)| *to = *from);
        self.log.push(Record::Page(ino, page, cells));
    }

    fn sync(&mut self, ino: usize, all: bool) {
        let own_metadata = self.is_pending(|record| match record {
            Record::Add(_, id) | Record::Size(id, ..) => *id == ino,
            _ => false,
        });
        let commits = own_metadata || all && self.has_pending_page(ino);
        self.force(|record| match record {
            Record::Size(id, ..) | Record::Page(id, ..) => *id == ino,
            _ => false,
        });
        match self.profile {
            Profile::LinuxOrdered if commits => self.commit_journal(),
            Profile::BtrfsLike => self.force(|record| match record {
                Record::Add(_, id) | Record::Rename(_, _, id) => *id == ino,
                _ => false,
            }),
            _ => {}
        }
    }

    /// Every name and every `set_len` so far.
    fn commit_journal(&mut self) {
        self.force(|record| match record {
            Record::Size(_, _, cause) => *cause != Cause::Write,
            Record::Page(..) => false,
            _ => true,
        });
        self.force_earlier_sizes();
    }

    /// The lengths of one file come in order: a durable one takes the earlier ones with it.
    fn force_earlier_sizes(&mut self) {
        let last: BTreeMap<usize, usize> = self
            .forced
            .iter()
            .filter_map(|index| match self.log[*index] {
                Record::Size(ino, ..) => Some((ino, *index)),
                _ => None,
            })
            .collect();
        for (ino, last) in last {
            for index in 0..last {
                if matches!(self.log[index], Record::Size(id, ..) if id == ino) {
                    self.forced.insert(index);
                }
            }
        }
    }

    fn write_back_page(&mut self, name: &str, page: usize) -> bool {
        let Some(ino) = self.names.get(name).copied() else {
            return false;
        };
        let is_it = |record: &Record| matches!(record, Record::Page(id, index, _) if *id == ino && *index == page);
        let Some(last) = self.log.iter().rposition(is_it) else {
            return false;
        };
        let mut shrinks = self.shrinks_before(last).into_iter();
        if self.forced.contains(&last) || shrinks.any(|shrink| !self.forced.contains(&shrink)) {
            return false;
        }
        self.forced.insert(last);
        true
    }

    fn write_back_size(&mut self, name: &str) -> bool {
        let Some(ino) = self.names.get(name).copied() else {
            return false;
        };
        let mut records = self.log.iter().enumerate();
        let oldest = records.find(|(index, record)| {
            matches!(record, Record::Size(id, ..) if *id == ino) && !self.forced.contains(index)
        });
        let Some((index, Record::Size(_, _, Cause::Write))) = oldest else {
            return false;
        };
        self.forced.insert(index);
        true
    }

    /// Every image that a power cut may leave, or `None` if there are too many combinations to try.
    fn images(&self) -> Option<BTreeSet<Files>> {
        let names: Vec<usize> = self.positions(is_name);
        let mut dimensions: Vec<usize> = Vec::new();
        let outcomes: Vec<Vec<Outcome>> = names.iter().map(|index| self.outcomes(*index)).collect();
        dimensions.extend(outcomes.iter().map(Vec::len));
        let sizes: Vec<Vec<usize>> = (0..self.live.len())
            .map(|ino| self.positions(|r| matches!(r, Record::Size(id, ..) if *id == ino)))
            .collect();
        dimensions.extend(sizes.iter().map(|sizes| sizes.len() + 1));
        let mut pages: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, record) in self.log.iter().enumerate() {
            if let Record::Page(ino, page, _) = record {
                pages.entry((*ino, *page)).or_default().push(index);
            }
        }
        dimensions.extend(pages.values().map(|versions| versions.len() + 1));
        let combinations: usize = dimensions.iter().product();
        if combinations > 30_000 {
            return None;
        }
        let mut images = BTreeSet::new();
        for mut number in 0..combinations {
            let mut digits = dimensions.iter().map(|base| {
                let digit = number % base;
                number /= base;
                digit
            });
            let mut next = || digits.next().unwrap();
            let mut chosen: BTreeMap<usize, Outcome> = BTreeMap::new();
            for (index, outcomes) in names.iter().zip(&outcomes) {
                chosen.insert(*index, outcomes[next()]);
            }
            for sizes in &sizes {
                let reached = next();
                chosen.extend(sizes.iter().enumerate().map(|(place, index)| {
                    let survived = place < reached;
                    (*index, if survived { Outcome::New } else { Outcome::Old })
                }));
            }
            for versions in pages.values() {
                let version = next();
                chosen.extend(versions.iter().enumerate().map(|(place, index)| {
                    let survived = place + 1 == version;
                    (*index, if survived { Outcome::New } else { Outcome::Old })
                }));
            }
            if self.is_legal(&chosen, &pages) {
                images.insert(self.replay(&chosen));
            }
        }
        Some(images)
    }

    fn positions(&self, which: impl Fn(&Record) -> bool) -> Vec<usize> {
        let records = self.log.iter().enumerate();
        let chosen = records.filter(|(_, record)| which(record));
        chosen.map(|(index, _)| index).collect()
    }

    fn outcomes(&self, index: usize) -> Vec<Outcome> {
        use Outcome::{Both, Neither, New, Old};
        let rename = matches!(self.log[index], Record::Rename(..));
        match self.profile {
            _ if self.forced.contains(&index) => vec![New],
            Profile::Strict => vec![Old],
            Profile::Posix | Profile::HostileDevice if rename => vec![Old, New, Both],
            Profile::Alice if rename => vec![Old, New, Both, Neither],
            _ => vec![Old, New],
        }
    }

    fn is_legal(
        &self,
        chosen: &BTreeMap<usize, Outcome>,
        pages: &BTreeMap<(usize, usize), Vec<usize>>,
    ) -> bool {
        let lost = |index: usize| chosen[&index] == Outcome::Old;
        // What is durable is there: of a page, that version or a later one.
        for index in &self.forced {
            match &self.log[*index] {
                Record::Page(ino, page, _) => {
                    let versions = &pages[&(*ino, *page)];
                    if !versions
                        .iter()
                        .any(|version| version >= index && !lost(*version))
                    {
                        return false;
                    }
                }
                _ if lost(*index) => return false,
                _ => {}
            }
        }
        // What was written to a page after a shrink that cut it away is there only if the shrink is.
        for index in (0..self.log.len()).filter(|index| !lost(*index)) {
            if self.shrinks_before(index).into_iter().any(lost) {
                return false;
            }
        }
        match self.profile {
            // Nothing survives that is not durable.
            Profile::Strict => {
                (0..self.log.len()).all(|index| lost(index) || self.forced.contains(&index))
            }
            // Names and set_len survive as a prefix.
            Profile::LinuxOrdered => {
                let metadata = self.positions(|record| {
                    !matches!(record, Record::Page(..) | Record::Size(_, _, Cause::Write))
                });
                let fates: Vec<bool> = metadata.into_iter().map(lost).collect();
                fates.is_sorted()
            }
            _ => true,
        }
    }

    fn replay(&self, chosen: &BTreeMap<usize, Outcome>) -> Files {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let mut cells = vec![vec![0u8; 64]; self.live.len()];
        let mut lens = vec![0; self.live.len()];
        for (index, record) in self.log.iter().enumerate() {
            let outcome = chosen[&index];
            if outcome == Outcome::Old {
                continue;
            }
            match *record {
                Record::Add(name, ino) => {
                    names.insert(name, ino);
                }
                Record::Remove(name) => {
                    names.remove(name);
                }
                Record::Rename(from, to, ino) => {
                    if outcome != Outcome::Both {
                        names.remove(from);
                    }
                    if outcome != Outcome::Neither {
                        names.insert(to, ino);
                    }
                }
                Record::Size(ino, len, cause) => {
                    lens[ino] = len;
                    if cause == Cause::Shrink {
                        cells[ino][len..].fill(0);
                    }
                }
                Record::Page(ino, page, version) => {
                    let start = page * PAGE_CELLS;
                    cells[ino][start..start + PAGE_CELLS].copy_from_slice(&version);
                }
            }
        }
        let files = names.into_iter();
        let files = files.map(|(name, ino)| (name.to_owned(), cells[ino][..lens[ino]].to_vec()));
        files.collect()
    }
}

fn is_name(record: &Record) -> bool {
    matches!(
        record,
        Record::Add(..) | Record::Remove(_) | Record::Rename(..)
    )
}

/// Carries out a step on the simulated disk; `false` if it refuses or has nothing to do.
fn run_on_disk(disk: &mut Disk, step: &Step) -> bool {
    let inode = |disk: &Disk, name: &str| disk.live().inode(name).unwrap_or(InodeId(u64::MAX));
    let change = match *step {
        Step::Create(name) => Change::Create {
            dir: InodeId::ROOT,
            name: name.into(),
        },
        Step::Rename(from, to) => Change::Rename {
            from_dir: InodeId::ROOT,
            to_dir: InodeId::ROOT,
            from: from.into(),
            to: to.into(),
        },
        Step::Remove(name) => Change::Remove {
            dir: InodeId::ROOT,
            name: name.into(),
        },
        Step::SyncDir => Change::SyncDir { dir: InodeId::ROOT },
        Step::Write(name, at, len, cell) => Change::Write {
            inode: inode(disk, name),
            offset: at as u64 * CELL,
            bytes: vec![cell; len * CELL as usize],
        },
        Step::SetLen(name, len) => Change::SetLen {
            inode: inode(disk, name),
            len: len as u64 * CELL,
        },
        Step::SyncData(name) => Change::SyncData {
            inode: inode(disk, name),
        },
        Step::SyncAll(name) => Change::SyncAll {
            inode: inode(disk, name),
        },
        Step::WriteBackPage(name, page) => {
            return disk.happen(&DiskEvent::WritebackPage {
                file: name.into(),
                page: page as u64,
            });
        }
        Step::WriteBackSize(name) => {
            return disk.happen(&DiskEvent::WritebackSize { file: name.into() });
        }
    };
    disk.apply(&change).is_ok()
}

fn cells_of(image: &Image) -> Files {
    let files = image.to_files().into_iter();
    let files = files.map(|(name, bytes)| {
        let cells = bytes.chunks(CELL as usize).map(|cell| {
            assert!(cell.iter().all(|byte| *byte == cell[0]) && cell.len() == CELL as usize);
            cell[0]
        });
        (name, cells.collect())
    });
    files.collect()
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(vec!["a", "b"]);
    let letter = b'A'..=b'Z';
    prop_oneof![
        3 => name().prop_map(Step::Create),
        6 => (name(), 0usize..20, 1usize..14, letter).prop_map(|(n, at, len, c)| Step::Write(n, at, len, c)),
        4 => (name(), 0usize..24).prop_map(|(n, len)| Step::SetLen(n, len)),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Remove),
        2 => name().prop_map(Step::SyncData),
        1 => name().prop_map(Step::SyncAll),
        1 => Just(Step::SyncDir),
        1 => (name(), 0usize..3).prop_map(|(n, page)| Step::WriteBackPage(n, page)),
        1 => name().prop_map(Step::WriteBackSize),
    ]
}

/// A history: often with a file that is durable before it begins, so that it has something to lose.
fn history(len: usize) -> impl Strategy<Value = Vec<Step>> {
    let durable = vec![
        Step::Create("a"),
        Step::Write("a", 0, 11, b'x'),
        Step::SyncData("a"),
        Step::SyncDir,
    ];
    let pending = vec![Step::Create("a"), Step::Create("b")];
    let start = select(vec![vec![], durable.clone(), durable, pending]);
    let steps = prop::collection::vec(step(), 1..len);
    (start, steps).prop_map(|(start, steps)| [start, steps].concat())
}

const PROFILES: [Profile; 5] = [
    Profile::Strict,
    Profile::LinuxOrdered,
    Profile::BtrfsLike,
    Profile::Posix,
    Profile::Alice,
];

/// The images of both, after the same steps.
fn both(profile: Profile, steps: &[Step]) -> Option<(BTreeSet<Files>, BTreeSet<Files>)> {
    let mut reference = Reference::new(profile);
    let mut disk = Disk::empty(profile);
    for step in steps {
        let expected = reference.run(step);
        assert_eq!(run_on_disk(&mut disk, step), expected, "{step:?}");
    }
    let expected = reference.images()?;
    let space = disk.images();
    let images = space.enumerate(100_000)?;
    let found = images.map(|candidate| cells_of(&candidate.image)).collect();
    Some((found, expected))
}

proptest! {
    #[test]
    fn enumeration_is_exactly_what_trying_everything_gives(
        steps in history(8),
        profile in select(&PROFILES[..]),
    ) {
        if let Some((found, expected)) = both(profile, &steps) {
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn milder_profiles_leave_fewer_images(steps in history(6)) {
        let mut sets = Vec::new();
        for profile in PROFILES {
            match both(profile, &steps) {
                Some((found, _)) => sets.push(found),
                None => return Ok(()),
            }
        }
        let [strict, ordered, btrfs, posix, alice] = &sets[..] else { unreachable!() };
        prop_assert!(strict.len() == 1);
        prop_assert!(ordered.is_subset(posix));
        prop_assert!(btrfs.is_subset(posix));
        prop_assert!(posix.is_subset(alice));
        prop_assert!(strict.is_subset(posix));
    }

    #[test]
    fn any_vector_of_decisions_and_any_choice_is_an_image_of_the_space(
        steps in history(8),
        profile in select(&PROFILES[..]),
        draws in prop::collection::vec(any::<u32>(), 30),
    ) {
        let mut disk = Disk::empty(profile);
        for step in &steps {
            run_on_disk(&mut disk, step);
        }
        let space = disk.images();
        let decisions = space.decisions();
        let draws: Vec<u32> = decisions.iter().zip(draws).map(|(d, draw)| draw % d.options).collect();
        let choice = space.resolve(&draws);
        let image = space.image(&choice);
        prop_assert_eq!(&space.settle(&choice), &choice);
        // A choice read by another profile is legal there too, and survives as text.
        let text = serde_json::to_string(&choice).unwrap();
        prop_assert_eq!(&serde_json::from_str::<beaver_disk::Choice>(&text).unwrap(), &choice);
        if let Some(mut images) = space.enumerate(5000) {
            let all: Vec<_> = images.by_ref().collect();
            let found = all.iter().find(|candidate| candidate.image == image);
            let found = found.expect("the image is in the space");
            prop_assert_eq!(space.image(&images.choice(found)), image);
            for corner in space.corners() {
                let image = space.image(&space.corner(corner));
                prop_assert!(all.iter().any(|candidate| candidate.image == image));
            }
            for candidate in &all {
                let choice = images.choice(candidate);
                prop_assert_eq!(&space.image(&choice), &candidate.image);
                prop_assert_eq!(&space.settle(&choice), &choice);
                // Hashes stand for contents.
                let copy = Image::from_files(candidate.image.to_files());
                let linked = candidate.image.names().count() != {
                    let inodes: BTreeSet<_> = candidate.image.names()
                        .map(|name| candidate.image.inode(name)).collect();
                    inodes.len()
                };
                prop_assert!(linked || copy == candidate.image);
            }
        }
    }
}
