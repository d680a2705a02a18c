//! Directory trees of the simulated disk against a second, naive account of the crash model.
//!
//! The reference keeps every record for ever, tries every combination of outcomes one by one,
//! replays the records in order and throws away what a law forbids. It speaks the notation of the
//! vectors, so that it answers for `tree_vectors.jsonl` too. What bytes and lengths may become in
//! the corners is the business of `reference.rs`; here they are whole pages and only few.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::Profile;
use beaver_disk::notation::{FileHistory, render};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::Deserialize;

/// Combinations of outcomes that one history may have: more take too long one by one.
const COMBINATIONS: usize = 20_000;

type Ino = usize;
/// A name: the directory that it is in, and how it is called there.
type Slot = (Ino, String);
type Slots = BTreeMap<Slot, Ino>;

const ROOT: Ino = 0;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Directory,
    File,
    Symlink(String),
}

#[derive(Clone, Debug)]
enum Record {
    /// Create, mkdir, symlink or link.
    Add {
        slot: Slot,
        ino: Ino,
    },
    Remove {
        slot: Slot,
    },
    RemoveDir {
        slot: Slot,
        ino: Ino,
    },
    /// A rename of a file.
    Rename {
        from: Slot,
        to: Slot,
        ino: Ino,
    },
    /// A rename of a directory, and the empty one that it replaced.
    Move {
        from: Slot,
        to: Slot,
        ino: Ino,
        replaced: Option<Ino>,
    },
    Size(Ino, usize, Cause),
    Page(Ino, usize, u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    Write,
    SetLen,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Old,
    New,
    Both,
    Neither,
}

/// A combination: what became of each record.
type Chosen = BTreeMap<usize, Outcome>;

/// What a combination leaves before anybody looks from the root.
#[derive(Debug, Default)]
struct Left {
    slots: Slots,
    /// Directories whose rmdir, or replacement by a rename, survived.
    ended: BTreeSet<Ino>,
    /// The last record that survived of those that gave a directory its place.
    placed_by: BTreeMap<Ino, usize>,
    content: Vec<Vec<u8>>,
}

impl Left {
    /// The directories that a path leads to.
    fn reachable(&self) -> BTreeSet<Ino> {
        let mut found = BTreeSet::from([ROOT]);
        loop {
            let inside = self.slots.iter();
            let inside = inside.filter(|((dir, _), _)| found.contains(dir));
            let more: BTreeSet<Ino> = inside.map(|(_, ino)| *ino).collect();
            let more = &(&more - &self.ended) - &found;
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    fn slot_of(&self, ino: Ino) -> Option<&Slot> {
        let mut slots = self.slots.iter();
        slots
            .find(|(_, other)| **other == ino)
            .map(|(slot, _)| slot)
    }

    fn render(&self, kinds: &[Kind]) -> String {
        let mut lines = BTreeMap::new();
        self.render_inside(ROOT, "", kinds, &mut lines);
        match lines.is_empty() {
            true => "(none)".to_owned(),
            false => lines.into_values().collect::<Vec<_>>().join(","),
        }
    }

    fn render_inside(
        &self,
        dir: Ino,
        prefix: &str,
        kinds: &[Kind],
        lines: &mut BTreeMap<String, String>,
    ) {
        for ((_, name), ino) in self.slots.iter().filter(|((other, _), _)| *other == dir) {
            let path = format!("{prefix}{name}");
            let line = match &kinds[*ino] {
                Kind::Directory if self.ended.contains(ino) => continue,
                Kind::Directory => {
                    let before = lines.len();
                    self.render_inside(*ino, &format!("{path}/"), kinds, lines);
                    if lines.len() > before {
                        continue;
                    }
                    format!("{path}/")
                }
                Kind::Symlink(target) => format!("{path}->{target}"),
                Kind::File if self.content[*ino].is_empty() => format!("{path}=\"\""),
                Kind::File => {
                    let pages = self.content[*ino].iter().map(|page| char::from(*page));
                    format!("{path}={}", pages.collect::<String>())
                }
            };
            lines.insert(path, line);
        }
    }
}

#[derive(Clone, Debug)]
struct Reference {
    profile: Profile,
    kinds: Vec<Kind>,
    /// What was there and durable before the first step.
    base: (Slots, Vec<Vec<u8>>),
    slots: Slots,
    content: Vec<Vec<u8>>,
    log: Vec<Record>,
    /// Records that are durable; of a rename of a file, those whose old name is durably gone.
    removed: BTreeSet<usize>,
    /// Records that are durable; of a rename of a file, those whose new name is durable.
    added: BTreeSet<usize>,
    /// Directories that a sync, or the start, left durable and within reach.
    certain: BTreeSet<Ino>,
}

impl Reference {
    fn new(profile: Profile, files: &BTreeMap<String, String>) -> Self {
        let mut reference = Reference {
            profile,
            kinds: vec![Kind::Directory],
            base: Default::default(),
            slots: Slots::new(),
            content: vec![Vec::new()],
            log: Vec::new(),
            removed: BTreeSet::new(),
            added: BTreeSet::new(),
            certain: BTreeSet::new(),
        };
        for (path, pages) in files {
            let names: Vec<&str> = path.split('/').collect();
            let (file, dirs) = names.split_last().unwrap();
            let mut dir = ROOT;
            for name in dirs {
                let slot = (dir, (*name).to_owned());
                let known = reference.slots.get(&slot).copied();
                dir = known.unwrap_or_else(|| reference.make(slot, Kind::Directory));
            }
            if !file.is_empty() {
                let ino = reference.make((dir, (*file).to_owned()), Kind::File);
                reference.content[ino] = pages.bytes().collect();
            }
        }
        reference.log.clear();
        reference.base = (reference.slots.clone(), reference.content.clone());
        reference.settle();
        reference
    }

    /// Gives a new inode its first name.
    fn make(&mut self, slot: Slot, kind: Kind) -> Ino {
        let ino = self.kinds.len();
        self.kinds.push(kind);
        self.content.push(Vec::new());
        self.add(slot, ino);
        ino
    }

    fn add(&mut self, slot: Slot, ino: Ino) {
        self.slots.insert(slot.clone(), ino);
        self.log.push(Record::Add { slot, ino });
    }

    fn find(&self, path: &str) -> Option<Ino> {
        let mut names = path.split('/');
        names.try_fold(ROOT, |dir, name| {
            self.slots.get(&(dir, name.to_owned())).copied()
        })
    }

    fn is_dir(&self, ino: Ino) -> bool {
        self.kinds[ino] == Kind::Directory
    }

    fn is_empty(&self, dir: Ino) -> bool {
        !self.slots.keys().any(|(parent, _)| *parent == dir)
    }

    /// The place that a path names, if it is in a directory.
    fn slot(&self, path: &str) -> Option<Slot> {
        let (dir, name) = match path.rsplit_once('/') {
            Some((parent, name)) => (self.find(parent)?, name),
            None => (ROOT, path),
        };
        self.is_dir(dir).then(|| (dir, name.to_owned()))
    }

    fn file(&self, path: &str) -> Option<Ino> {
        self.find(path).filter(|ino| self.kinds[*ino] == Kind::File)
    }

    /// Carries out a step; `None` if the real disk must refuse it.
    fn run(&mut self, step: &str) -> Option<()> {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["create" | "mkdir" | "symlink", .., path] => {
                let slot = self.slot(path)?;
                if self.slots.contains_key(&slot) {
                    return None;
                }
                let kind = match words[0] {
                    "create" => Kind::File,
                    "mkdir" => Kind::Directory,
                    _ => Kind::Symlink(words[1].to_owned()),
                };
                self.make(slot, kind);
            }
            ["link", path, new] => {
                let (ino, slot) = (self.file(path)?, self.slot(new)?);
                if self.slots.contains_key(&slot) {
                    return None;
                }
                self.add(slot, ino);
            }
            ["rename", from, to] => self.rename(self.slot(from)?, self.slot(to)?)?,
            ["remove", path] => {
                let slot = self.slot(path)?;
                if self.is_dir(*self.slots.get(&slot)?) {
                    return None;
                }
                self.slots.remove(&slot);
                self.log.push(Record::Remove { slot });
            }
            ["rmdir", path] => {
                let slot = self.slot(path)?;
                let ino = *self.slots.get(&slot)?;
                if !self.is_dir(ino) || !self.is_empty(ino) {
                    return None;
                }
                self.slots.remove(&slot);
                self.log.push(Record::RemoveDir { slot, ino });
            }
            ["write", path, offset, pages] => {
                let ino = self.file(path)?;
                self.write(ino, offset.parse().unwrap(), pages.as_bytes());
            }
            ["set_len", path, len] => {
                let (ino, len) = (self.file(path)?, len.parse().unwrap());
                self.content[ino].resize(len, b'0');
                self.log.push(Record::Size(ino, len, Cause::SetLen));
            }
            ["sync", path] => self.sync(self.file(path)?),
            ["sync_dir"] => self.sync_dir(ROOT),
            ["sync_dir", path] => {
                let dir = self.find(path).filter(|ino| self.is_dir(*ino))?;
                self.sync_dir(dir);
            }
            _ => unreachable!("{step}"),
        }
        Some(())
    }

    fn rename(&mut self, from: Slot, to: Slot) -> Option<()> {
        let ino = *self.slots.get(&from)?;
        let target = self.slots.get(&to).copied();
        if target == Some(ino) {
            // Two names of one file, or the same name twice: nothing is done.
            return Some(());
        }
        let is_dir = self.is_dir(ino);
        if let Some(target) = target
            && (self.is_dir(target) != is_dir || is_dir && !self.is_empty(target))
        {
            return None;
        }
        let mut above = to.0;
        while above != ROOT {
            if above == ino {
                return None;
            }
            above = self.slots.iter().find(|(_, other)| **other == above)?.0.0;
        }
        self.slots.remove(&from);
        self.slots.insert(to.clone(), ino);
        self.log.push(match is_dir {
            true => Record::Move {
                from,
                to,
                ino,
                replaced: target,
            },
            false => Record::Rename { from, to, ino },
        });
        Some(())
    }

    fn write(&mut self, ino: Ino, at: usize, pages: &[u8]) {
        let old_end = self.content[ino].len();
        let end = at + pages.len();
        if end > old_end {
            self.content[ino].resize(end, b'0');
        }
        self.content[ino][at..end].copy_from_slice(pages);
        for (index, page) in (at..).zip(pages) {
            self.log.push(Record::Page(ino, index, *page));
        }
        for size in at.max(old_end) + 1..=end {
            self.log.push(Record::Size(ino, size, Cause::Write));
        }
    }

    /// All there is, by its path; that of the root is empty and comes first.
    fn paths(&self) -> Vec<(Ino, String)> {
        let mut paths = vec![(ROOT, String::new())];
        let mut done = 0;
        while let Some((dir, path)) = paths.get(done).cloned() {
            let inside = self.slots.iter().filter(|((up, _), _)| *up == dir);
            paths.extend(inside.map(|((_, name), ino)| match dir {
                ROOT => (*ino, name.clone()),
                _ => (*ino, format!("{path}/{name}")),
            }));
            done += 1;
        }
        paths
    }

    fn is_durable(&self, index: usize) -> bool {
        self.removed.contains(&index) && self.added.contains(&index)
    }

    fn force(&mut self, which: impl Fn(&Record) -> bool) {
        let chosen = self.positions(which);
        self.removed.extend(&chosen);
        self.added.extend(chosen);
    }

    fn sync(&mut self, ino: Ino) {
        let own = |record: &Record| matches!(record, Record::Size(id, ..) if *id == ino);
        let created = self.positions(|r| matches!(r, Record::Add { ino: id, .. } if *id == ino));
        let mut own_metadata = self.positions(own).into_iter().chain(
            // Later names are links.
            created
                .first()
                .filter(|_| ino >= self.base.1.len())
                .copied(),
        );
        let is_clean = own_metadata.all(|index| self.is_durable(index));
        self.force(|record| own(record) || matches!(record, Record::Page(id, ..) if *id == ino));
        match self.profile {
            Profile::LinuxOrdered => self.commit_metadata(is_clean),
            Profile::BtrfsLike => self.force(|record| match record {
                Record::Add { ino: id, .. } | Record::Rename { ino: id, .. } => *id == ino,
                _ => false,
            }),
            _ => {}
        }
        self.settle();
    }

    fn sync_dir(&mut self, dir: Ino) {
        let mut is_clean = true;
        for index in 0..self.log.len() {
            let (removes, adds) = match &self.log[index] {
                Record::Add { slot, .. }
                | Record::Remove { slot }
                | Record::RemoveDir { slot, .. } => (slot.0 == dir, slot.0 == dir),
                Record::Move { from, to, .. } => {
                    let touched = from.0 == dir || to.0 == dir;
                    (touched, touched)
                }
                Record::Rename { from, to, .. } => match self.profile {
                    Profile::Posix | Profile::HostileDevice => {
                        (from.0 == dir, from.0 == dir || to.0 == dir)
                    }
                    Profile::Alice => (from.0 == dir, to.0 == dir),
                    _ => {
                        let touched = from.0 == dir || to.0 == dir;
                        (touched, touched)
                    }
                },
                Record::Size(..) | Record::Page(..) => (false, false),
            };
            is_clean &= !(removes || adds) || self.is_durable(index);
            self.removed.extend(removes.then_some(index));
            self.added.extend(adds.then_some(index));
        }
        if self.profile == Profile::LinuxOrdered {
            self.commit_metadata(is_clean);
        }
        self.settle();
    }

    /// What a sync drags along in `linux-ordered`: nothing where what it syncs has no metadata of its
    /// own pending.
    fn commit_metadata(&mut self, is_clean: bool) {
        if is_clean {
            return;
        }
        self.force(|record| match record {
            Record::Size(_, _, cause) => *cause == Cause::SetLen,
            record => !matches!(record, Record::Page(..)),
        });
        // The lengths of one file come in order: a durable one takes the earlier ones with it.
        for index in (0..self.log.len()).rev() {
            if let Record::Size(ino, ..) = self.log[index]
                && self.is_durable(index)
            {
                let sizes = self.positions(|r| matches!(r, Record::Size(id, ..) if *id == ino));
                let earlier = sizes.into_iter().filter(|other| *other < index);
                let earlier: Vec<usize> = earlier.collect();
                self.removed.extend(&earlier);
                self.added.extend(earlier);
            }
        }
    }

    /// Makes durable what a durable record cannot be without, and notes which directories are
    /// durable now.
    fn settle(&mut self) {
        while let Some(index) = self.needed() {
            self.removed.insert(index);
            self.added.insert(index);
        }
        let durable = self.replay(&self.durable());
        let reachable = durable.reachable().into_iter();
        let reachable: Vec<Ino> = reachable.filter(|ino| self.is_dir(*ino)).collect();
        self.certain.extend(reachable);
    }

    fn durable(&self) -> Chosen {
        let outcomes = (0..self.log.len()).map(|index| {
            let durable = (self.removed.contains(&index), self.added.contains(&index));
            let outcome = match durable {
                (true, true) => Outcome::New,
                (false, true) => Outcome::Both,
                (true, false) => Outcome::Neither,
                (false, false) => Outcome::Old,
            };
            (index, outcome)
        });
        outcomes.collect()
    }

    /// A pending record that must be durable because others are.
    fn needed(&self) -> Option<usize> {
        let chosen = self.durable();
        let left = self.replay(&chosen);
        if let Some(rename) = self.torn(&chosen, &left) {
            return Some(rename);
        }
        let reachable = left.reachable();
        let lost = left.placed_by.iter().filter(|(_, index)| {
            // Of a directory that was only made, the sync committed a name, not the way there.
            matches!(self.log[**index], Record::Move { .. })
        });
        let lost = lost.map(|(dir, _)| dir).chain(&self.certain);
        let lost = lost.filter(|dir| !reachable.contains(dir) && !left.ended.contains(dir));
        lost.copied().find_map(|dir| self.way_to(dir, &left))
    }

    /// The pending record that is missing on the way up from a directory that is out of reach.
    fn way_to(&self, dir: Ino, left: &Left) -> Option<usize> {
        let mut way = vec![dir];
        loop {
            let here = *way.last().unwrap();
            let Some(slot) = left.slot_of(here) else {
                let place = self.last_pending_place(here);
                return place.or_else(|| self.pending_end(here));
            };
            if left.ended.contains(&slot.0) {
                // It was moved out, or removed, before its directory was removed.
                let moves = self.positions(
                    |r| matches!(r, Record::Move { from, ino, .. } if from.0 == slot.0 && *ino == here),
                );
                let mut moves = moves.into_iter().rev();
                let moved_out = moves.find(|index| !self.is_durable(*index));
                return moved_out.or_else(|| self.pending_end(here));
            }
            if way.contains(&slot.0) {
                // A ring: some directory in it has gone elsewhere since.
                way.rotate_left(1);
                let mut pending = way.iter().filter_map(|dir| self.last_pending_place(*dir));
                return pending.next();
            }
            way.push(slot.0);
        }
    }

    /// The record that gave a directory its place last, if it is pending.
    fn last_pending_place(&self, dir: Ino) -> Option<usize> {
        let places = self.positions(|record| placed_by(record) == Some(dir));
        places
            .last()
            .copied()
            .filter(|index| !self.is_durable(*index))
    }

    /// The record that makes an end of a directory, if it is pending.
    fn pending_end(&self, dir: Ino) -> Option<usize> {
        let mut ends = self.positions(|r| ended_by(r) == Some(dir)).into_iter();
        ends.find(|index| !self.is_durable(*index))
    }

    /// A rename that was lost of a file whose old name went with its directory: the removal never
    /// survives without the addition. A file whose old name never was there loses nothing.
    fn torn(&self, chosen: &Chosen, left: &Left) -> Option<usize> {
        if self.profile == Profile::Alice {
            return None;
        }
        let lost = (0..self.log.len()).filter(|index| chosen[index] == Outcome::Old);
        let mut torn = lost.filter(|index| match &self.log[*index] {
            Record::Rename { from, ino, .. } => {
                left.ended.contains(&from.0) && left.slots.get(from) == Some(ino)
            }
            _ => false,
        });
        torn.next()
    }

    fn positions(&self, which: impl Fn(&Record) -> bool) -> Vec<usize> {
        let records = self.log.iter().enumerate();
        let chosen = records.filter(|(_, record)| which(record));
        chosen.map(|(index, _)| index).collect()
    }

    /// Every image that a power cut may leave, or `None` if there are too many combinations to try.
    fn images(&self) -> Option<BTreeSet<String>> {
        let is_name = |r: &Record| !matches!(r, Record::Size(..) | Record::Page(..));
        let names = self.positions(is_name);
        let outcomes: Vec<Vec<Outcome>> = names.iter().map(|index| self.outcomes(*index)).collect();
        let mut sizes: BTreeMap<Ino, Vec<usize>> = BTreeMap::new();
        let mut pages: BTreeMap<(Ino, usize), Vec<usize>> = BTreeMap::new();
        for (index, record) in self.log.iter().enumerate() {
            match record {
                Record::Size(ino, ..) => sizes.entry(*ino).or_default().push(index),
                Record::Page(ino, page, _) => pages.entry((*ino, *page)).or_default().push(index),
                _ => {}
            }
        }
        let mut dimensions: Vec<usize> = outcomes.iter().map(Vec::len).collect();
        dimensions.extend(sizes.values().map(|sizes| sizes.len() + 1));
        dimensions.extend(pages.values().map(|versions| versions.len() + 1));
        let combinations: usize = dimensions.iter().product();
        if combinations > COMBINATIONS {
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
            let mut chosen = Chosen::new();
            for (index, outcomes) in names.iter().zip(&outcomes) {
                chosen.insert(*index, outcomes[next()]);
            }
            let survival = |survived| match survived {
                true => Outcome::New,
                false => Outcome::Old,
            };
            for sizes in sizes.values() {
                let reached = next();
                let sizes = sizes.iter().enumerate();
                chosen.extend(sizes.map(|(place, index)| (*index, survival(place < reached))));
            }
            for versions in pages.values() {
                let version = next();
                let versions = versions.iter().enumerate();
                chosen.extend(
                    versions.map(|(place, index)| (*index, survival(place + 1 == version))),
                );
            }
            if self.is_legal(&chosen, &pages) {
                let left = self.replay(&chosen);
                if !self.loses_a_directory(&left) && self.torn(&chosen, &left).is_none() {
                    images.insert(left.render(&self.kinds));
                }
            }
        }
        Some(images)
    }

    fn outcomes(&self, index: usize) -> Vec<Outcome> {
        use Outcome::{Both, Neither, New, Old};
        let (removed, added) = (self.removed.contains(&index), self.added.contains(&index));
        let is_rename = matches!(self.log[index], Record::Rename { .. });
        let mut outcomes = match self.profile {
            Profile::Posix | Profile::HostileDevice if is_rename => vec![Old, Both, New],
            Profile::Alice if is_rename => vec![Old, Both, Neither, New],
            Profile::Strict if !added => vec![Old],
            _ => vec![Old, New],
        };
        outcomes.retain(|outcome| match outcome {
            Old => !removed && !added,
            Both => !removed,
            Neither => !added,
            New => true,
        });
        outcomes
    }

    fn is_legal(&self, chosen: &Chosen, pages: &BTreeMap<(Ino, usize), Vec<usize>>) -> bool {
        let lost = |index: usize| chosen[&index] == Outcome::Old;
        // What is durable is there: of a page, that version or a later one.
        for index in self.added.iter().copied() {
            let is_there = match &self.log[index] {
                Record::Page(ino, page, _) => {
                    let mut versions = pages[&(*ino, *page)].iter();
                    versions.any(|version| *version >= index && !lost(*version))
                }
                _ => !lost(index),
            };
            if !is_there {
                return false;
            }
        }
        match self.profile {
            // Nothing survives that is not durable.
            Profile::Strict => {
                (0..self.log.len()).all(|index| lost(index) || self.added.contains(&index))
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

    /// Whether a directory is out of reach that must be somewhere.
    fn loses_a_directory(&self, left: &Left) -> bool {
        let reachable = left.reachable();
        let dirs = (0..self.kinds.len()).filter(|ino| self.is_dir(*ino));
        let mut lost = dirs.filter(|dir| !reachable.contains(dir) && !left.ended.contains(dir));
        lost.any(|dir| {
            let placed_by = left.placed_by.get(&dir);
            self.certain.contains(&dir)
                || placed_by.is_some_and(|index| match &self.log[*index] {
                    // Its name is durable and the directory that holds the name is there.
                    Record::Add { slot, .. } => {
                        self.is_durable(*index) && reachable.contains(&slot.0)
                    }
                    _ => true,
                })
        })
    }

    fn replay(&self, chosen: &Chosen) -> Left {
        let mut left = Left {
            slots: self.base.0.clone(),
            content: self.base.1.clone(),
            ..Left::default()
        };
        left.content.resize(self.kinds.len(), Vec::new());
        // A page may be there without its length: the files are cut at the end.
        let mut lens: Vec<usize> = left.content.iter().map(Vec::len).collect();
        left.content
            .iter_mut()
            .for_each(|pages| pages.resize(16, b'0'));
        for (index, record) in self.log.iter().enumerate() {
            let outcome = chosen[&index];
            if outcome == Outcome::Old {
                continue;
            }
            if let Some(dir) = placed_by(record).filter(|ino| self.is_dir(*ino)) {
                left.placed_by.insert(dir, index);
            }
            left.ended.extend(ended_by(record));
            match record {
                Record::Add { slot, ino } => {
                    left.slots.insert(slot.clone(), *ino);
                }
                Record::Remove { slot } | Record::RemoveDir { slot, .. } => {
                    left.slots.remove(slot);
                }
                Record::Rename { from, to, ino } => {
                    if outcome != Outcome::Both {
                        left.slots.remove(from);
                    }
                    if outcome != Outcome::Neither {
                        left.slots.insert(to.clone(), *ino);
                    }
                }
                Record::Move { from, to, ino, .. } => {
                    left.slots.remove(from);
                    // It may still be where an earlier move that was lost took it from.
                    left.slots.retain(|_, other| other != ino);
                    left.slots.insert(to.clone(), *ino);
                }
                Record::Size(ino, len, cause) => {
                    if *cause == Cause::SetLen {
                        left.content[*ino][*len..].fill(b'0');
                    }
                    lens[*ino] = *len;
                }
                Record::Page(ino, page, letter) => left.content[*ino][*page] = *letter,
            }
        }
        for (pages, len) in left.content.iter_mut().zip(lens) {
            pages.truncate(len);
        }
        left
    }
}

/// The directory or file that a record gives a place.
fn placed_by(record: &Record) -> Option<Ino> {
    match record {
        Record::Add { ino, .. } | Record::Move { ino, .. } => Some(*ino),
        _ => None,
    }
}

/// The directory that a record makes an end of.
fn ended_by(record: &Record) -> Option<Ino> {
    match record {
        Record::RemoveDir { ino, .. } => Some(*ino),
        Record::Move { replaced, .. } => *replaced,
        _ => None,
    }
}

/// The trees that histories begin with.
const TREES: [&[(&str, &str)]; 6] = [
    &[],
    &[("d/", "")],
    &[("d/", ""), ("e/", "")],
    &[("d/f", "A"), ("e/", "")],
    &[("d/e/f", "A"), ("g", "B")],
    &[("d/f", "A"), ("e/d/", ""), ("g", "B")],
];

/// Directories that a history may have at a time, the root included.
const DIRECTORIES: usize = 5;

/// A step of a history, before it is known what there is for it to work on.
#[derive(Clone, Debug)]
struct Draft {
    verb: &'static str,
    picks: [usize; 3],
}

fn draft() -> impl Strategy<Value = Draft> {
    let verb = prop_oneof![
        3 => Just("create"),
        6 => Just("mkdir"),
        2 => Just("link"),
        1 => Just("symlink"),
        6 => Just("rename"),
        9 => Just("move"),
        2 => Just("remove"),
        4 => Just("rmdir"),
        2 => Just("write"),
        1 => Just("set_len"),
        2 => Just("sync"),
        6 => Just("sync_dir"),
    ];
    let picks = [0usize..60, 0..60, 0..60];
    (verb, picks).prop_map(|(verb, picks)| Draft { verb, picks })
}

fn drafts() -> impl Strategy<Value = (usize, Vec<Draft>)> {
    (0..TREES.len(), prop::collection::vec(draft(), 4..10))
}

#[derive(Clone, Debug, Default)]
struct History {
    files: BTreeMap<String, String>,
    steps: Vec<String>,
}

impl History {
    /// Fits drafts to the tree that they find, and leaves out what the disk refuses, with `check`
    /// told of each step and whether the reference takes it.
    fn of(tree: usize, drafts: &[Draft], check: impl Fn(&History, bool)) -> Self {
        let files = TREES[tree].iter();
        let mut history = History {
            files: files
                .map(|(path, pages)| ((*path).to_owned(), (*pages).to_owned()))
                .collect(),
            steps: Vec::new(),
        };
        let mut tree = Reference::new(Profile::Posix, &history.files);
        for (draft, letter) in drafts.iter().zip('P'..) {
            let Some(step) = fit(draft, letter, &tree) else {
                continue;
            };
            let is_taken = tree.run(&step).is_some();
            history.steps.push(step);
            check(&history, is_taken);
            if !is_taken {
                history.steps.pop();
            }
        }
        history
    }

    fn reference(&self, profile: Profile) -> Reference {
        let mut reference = Reference::new(profile, &self.files);
        for step in &self.steps {
            reference.run(step).unwrap();
        }
        reference
    }

    fn parse(&self) -> FileHistory {
        FileHistory::from_parts(&self.files, &self.steps).unwrap()
    }
}

/// The step that a draft stands for in this tree; `None` if there is nothing for it to work on.
fn fit(draft: &Draft, letter: char, tree: &Reference) -> Option<String> {
    let [a, b, c] = draft.picks;
    let paths = tree.paths();
    let all = |which: &dyn Fn(Ino) -> bool| {
        let chosen = paths.iter().filter(|(ino, _)| which(*ino));
        chosen.map(|(_, path)| path.clone()).collect::<Vec<_>>()
    };
    let pick =
        |from: &[String], pick: usize| (!from.is_empty()).then(|| from[pick % from.len()].clone());
    let dirs = all(&|ino| tree.is_dir(ino));
    let inner_dirs = &dirs[1..];
    let entries = all(&|ino| !tree.is_dir(ino));
    let files = all(&|ino| tree.kinds[ino] == Kind::File);
    // Names are few, so that they are used again.
    let new_path = |name: usize, dir: usize, names: &[&str]| {
        let name = names[name % names.len()];
        match pick(&dirs, dir).unwrap().as_str() {
            "" => name.to_owned(),
            dir => format!("{dir}/{name}"),
        }
    };
    let step = match draft.verb {
        "create" => format!("create {}", new_path(a, b, &["f", "g", "d"])),
        "mkdir" if dirs.len() < DIRECTORIES => {
            format!("mkdir {}", new_path(a, b, &["d", "e", "h"]))
        }
        "mkdir" => return None,
        "link" => format!("link {} {}", pick(&files, a)?, new_path(b, c, &["f", "g"])),
        "symlink" => format!("symlink t {}", new_path(a, b, &["f", "s"])),
        "rename" => format!(
            "rename {} {}",
            pick(&entries, a)?,
            new_path(b, c, &["f", "g", "d"])
        ),
        // Every other one goes into the newest directory, which is the likeliest to be lost.
        "move" => {
            let newest = inner_dirs.iter().max_by_key(|path| tree.find(path));
            let from = pick(inner_dirs, a)?;
            match newest.filter(|dir| c % 2 == 0 && **dir != from) {
                Some(dir) => format!("rename {from} {dir}/e"),
                None => format!("rename {from} {}", new_path(b, c / 2, &["d", "e", "h"])),
            }
        }
        "remove" => format!("remove {}", pick(&entries, a)?),
        "rmdir" => format!("rmdir {}", pick(inner_dirs, a)?),
        "sync" => format!("sync {}", pick(&files, a)?),
        "sync_dir" => format!("sync_dir {}", pick(&dirs, a)?)
            .trim_end()
            .to_owned(),
        verb => {
            let file = pick(&files, a)?;
            let ino = tree.find(&file)?;
            let is_cut = |r: &Record| matches!(r, Record::Size(id, _, Cause::SetLen) if *id == ino);
            match verb {
                // What is written after a shrink is no business of trees.
                _ if !tree.positions(is_cut).is_empty() => return None,
                "write" => format!("write {file} {} {letter}", b % 2),
                _ => format!("set_len {file} {}", b % 3),
            }
        }
    };
    Some(step)
}

proptest! {
    #[test]
    fn the_images_of_a_tree_are_exactly_what_trying_everything_gives(
        (tree, drafts) in drafts(),
        draws in prop::collection::vec(any::<u32>(), 40),
    ) {
        let history = History::of(tree, &drafts, |history, is_taken| {
            let is_taken_by_the_disk = history.parse().run(Profile::Posix).is_ok();
            assert_eq!(is_taken_by_the_disk, is_taken, "{history:?}");
        });
        for profile in Profile::ALL {
            let Some(expected) = history.reference(profile).images() else {
                continue;
            };
            let space = history.parse().run(profile).unwrap().images();
            let images = space.enumerate(1_000_000).expect("the reference has tried them all");
            let found: BTreeSet<String> = images.map(|found| render(&found.image)).collect();
            prop_assert_eq!(&found, &expected, "{:?} under {}", history, profile);
            for shift in 0..4 {
                let decisions = space.decisions();
                let draws = draws.iter().cycle().skip(shift);
                let draws = decisions.iter().zip(draws).map(|(d, draw)| draw % d.options);
                let image = render(&space.image(&space.resolve(&draws.collect::<Vec<_>>())));
                prop_assert!(expected.contains(&image), "{} of {:?} under {}", image, history, profile);
            }
        }
    }
}

/// The histories are worth trying: most leave something open, and many do what trees are about.
#[test]
fn the_histories_have_moves_and_ends_in_them() {
    let mut runner = TestRunner::deterministic();
    let (mut open, mut across, mut moved, mut into_new, mut ended) = (0, 0, 0, 0, 0);
    for _ in 0..1000 {
        let (tree, drafts) = drafts().new_tree(&mut runner).unwrap().current();
        let history = History::of(tree, &drafts, |_, _| ());
        let reference = history.reference(Profile::Posix);
        let any = |which: &dyn Fn(&Record) -> bool| !reference.positions(which).is_empty();
        let is_new = |dir: Ino| dir >= reference.base.1.len();
        open += usize::from(reference.images().is_none_or(|images| images.len() > 2));
        across += usize::from(any(
            &|r| matches!(r, Record::Rename { from, to, .. } if from.0 != to.0),
        ));
        moved += usize::from(any(&|r| matches!(r, Record::Move { .. })));
        into_new += usize::from(any(
            &|r| matches!(r, Record::Move { to, .. } if is_new(to.0)),
        ));
        ended += usize::from(any(&|r| ended_by(r).is_some()));
    }
    assert!(open > 500, "{open}");
    assert!(across > 100, "{across}");
    assert!(moved > 300, "{moved}");
    assert!(into_new > 50, "{into_new}");
    assert!(ended > 150, "{ended}");
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    files: BTreeMap<String, String>,
    steps: Vec<String>,
    images: BTreeMap<String, BTreeSet<String>>,
}

/// The vectors were argued one by one; the reference knows nothing of the arguments.
#[test]
fn the_reference_gives_the_vectors_their_images() {
    for line in include_str!("data/tree_vectors.jsonl").lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let history = History {
            files: vector.files,
            steps: vector.steps,
        };
        for (profile, expected) in vector.images {
            let found = history
                .reference(Profile::named(&profile).unwrap())
                .images();
            assert_eq!(found, Some(expected), "{} under {profile}", vector.id);
        }
    }
}
