//! Everything that one power cut may leave: the decisions, and the image of each choice.
//!
//! Names, lengths and pages are decided each on their own; the rules that tie them together are
//! applied here, so that any vector of decisions, and any [`Choice`], stands for a legal image.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::Change;
use super::choice::{Choice, Tear};
use super::crash::Crash;
use super::cut_damage::CutDamage;
use super::disk::Disk;
use super::fault::CallEffect;
use super::file_space::{FileChoice, FileSpace, SizeRange};
use super::image::{Image, name_hashes};
use super::inode::SizeCause;
use super::names::{InodeId, NameChange, NameOutcome, NameRecord, NameTable};
use super::profile::{Profile, RenameRule};
use super::tree::{self, Least};

/// The images that a power cut may leave.
#[derive(Clone, Debug)]
pub struct ImageSpace {
    profile: Profile,
    base: Arc<NameTable>,
    /// What the laws of directories are held against; nothing where no combination breaks one.
    pub(super) least: Option<Least>,
    /// No name lies in a directory but the root, whatever survives.
    pub(super) flat: bool,
    pub(super) records: Vec<NameRecord>,
    /// Every file that may have a name afterwards.
    pub(super) files: BTreeMap<InodeId, FileSpace>,
    /// `linux-ordered` only: name records and `set_len` of all files, in order.
    pub(super) metadata: Vec<Metadata>,
}

/// One entry of the journal of an ordered file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metadata {
    pub(super) record: u64,
    pub(super) what: MetadataKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum MetadataKind {
    /// Index into the name records.
    Name(usize),
    /// The file, and how many of its lengths are reached with this one.
    SetLen(InodeId, u32),
}

/// A directory that may be left, and what it says about lengths.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) names: Arc<NameTable>,
    pub(super) outcomes: BTreeMap<u64, NameOutcome>,
    pub(super) windows: BTreeMap<InodeId, SizeRange>,
}

impl Disk {
    /// Everything that a power cut now may leave.
    #[must_use]
    pub fn images(&self) -> ImageSpace {
        ImageSpace::new(self, None)
    }
}

impl Crash {
    /// Everything that a power cut at this moment may leave: what the interrupted call changes is
    /// pending like everything else that was not synced.
    #[must_use]
    pub fn images(&self) -> ImageSpace {
        match &self.inside {
            // Until a sync returns, its records are what they were: pending. Any of them may be
            // durable.
            Some(change) if change.is_sync() => ImageSpace::new(&self.before, Some(change)),
            Some(_) => ImageSpace::new(&self.kill(CallEffect::Everything), None),
            None => ImageSpace::new(&self.before, None),
        }
    }
}

impl ImageSpace {
    /// `inside` is the call that the power cut interrupts. It matters for `strict` alone: there
    /// nothing pending survives, except what the interrupted sync was about to make durable.
    fn new(disk: &Disk, inside: Option<&Change>) -> Self {
        let profile = disk.profile();
        let strict = profile == Profile::Strict;
        let synced_dir = match inside {
            Some(Change::SyncDir { dir }) => Some(*dir),
            _ => None,
        };
        let synced = inside.and_then(Change::synced_file);
        let open = |entry: &NameRecord| {
            let about_to_be = synced_dir.is_some_and(|dir| entry.change.touches(dir));
            !strict || entry.is_durable() || about_to_be
        };
        let pending = disk.names.pending.iter().filter(|entry| open(entry));
        let records: Vec<NameRecord> = pending.cloned().collect();
        let new_names = records.iter().filter_map(|r| r.change.names_inode());
        let reachable: BTreeSet<InodeId> = disk.names.disk.inodes().chain(new_names).collect();
        let files = reachable.into_iter().map(|id| {
            let open = !strict || synced == Some(id);
            (id, FileSpace::new(disk.inodes[&id].clone(), open))
        });
        let base = &disk.names.disk;
        let in_root =
            |entry: &NameRecord| entry.change.slots().all(|slot| slot.dir == InodeId::ROOT);
        let flat = base.is_flat() && records.iter().all(in_root);
        let mut changes = records.iter().map(|entry| &entry.change);
        let bound = changes.any(|change| change.directories().next().is_some());
        let mut space = ImageSpace {
            profile,
            base: base.clone(),
            least: bound.then(|| Least::new(base, &records)),
            flat,
            files: files.collect(),
            records,
            metadata: Vec::new(),
        };
        if profile == Profile::LinuxOrdered {
            space.metadata = space.journal();
        }
        space
    }

    /// The profile whose rules apply.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) fn base(&self) -> &NameTable {
        &self.base
    }

    fn journal(&self) -> Vec<Metadata> {
        let names = self
            .records
            .iter()
            .enumerate()
            .map(|(index, entry)| Metadata {
                record: entry.record,
                what: MetadataKind::Name(index),
            });
        let mut journal: Vec<Metadata> = names.collect();
        for (id, file) in &self.files {
            for (reached, step) in (1..).zip(&file.inode().sizes) {
                if step.cause == SizeCause::SetLen {
                    journal.push(Metadata {
                        record: step.record,
                        what: MetadataKind::SetLen(*id, reached),
                    });
                }
            }
        }
        journal.sort_by_key(|entry| entry.record);
        journal
    }

    /// What may become of a name record that is not durable, besides the least that is there: in
    /// order of how much survives.
    pub(super) fn outcomes(&self, entry: &NameRecord) -> &'static [NameOutcome] {
        use NameOutcome::{Both, Neither, New};
        let rule = match (&entry.change, entry.least()) {
            (
                NameChange::Rename {
                    directory: false, ..
                },
                None,
            ) => self.profile.rename_rule(),
            // Half of it is there, or it has no halves.
            _ => RenameRule::Atomic,
        };
        match rule {
            RenameRule::Atomic => &[New],
            RenameRule::AdditionFirst => &[Both, New],
            RenameRule::Independent => &[Both, Neither, New],
        }
    }

    /// The image that a choice leaves. A choice that is not legal is brought to the nearest one
    /// that is.
    #[must_use]
    pub fn image(&self, choice: &Choice) -> Image {
        let frame = self.frame_of(choice);
        let files = self.settle_files(&frame, choice);
        let hashes = name_hashes(&frame.names);
        let tears = self.tears_of(choice);
        let nothing = FileChoice::default();
        let images = hashes.iter().map(|(id, _)| {
            let file = files.0.get(id).unwrap_or(&nothing);
            let damage = self.damage(*id, choice, &tears);
            (*id, self.files[id].image(file, &damage))
        });
        let images = images.collect();
        Image::assemble(frame.names, &hashes, images)
    }

    /// The tears of a choice that the profile permits.
    pub(super) fn tears_of(&self, choice: &Choice) -> Vec<Tear> {
        let tears = choice.tears.iter();
        let tears = tears.filter(|tear| self.may_tear(tear.inode, tear.page));
        tears.cloned().collect()
    }

    /// What happens to the bytes of one file besides.
    pub(super) fn damage<'d>(
        &self,
        id: InodeId,
        choice: &'d Choice,
        tears: &'d [Tear],
    ) -> CutDamage<'d> {
        CutDamage {
            id,
            tears,
            fill: choice.fill,
            device: match self.profile {
                Profile::HostileDevice => &choice.device,
                _ => &[],
            },
        }
    }

    /// The same choice with nothing in it that changes nothing, and nothing that is not legal.
    /// Tears, fill and device extras stay as they are.
    #[must_use]
    pub fn settle(&self, choice: &Choice) -> Choice {
        let frame = self.frame_of(choice);
        let settled = self.settle_files(&frame, choice).into_choice(frame);
        Choice {
            tears: choice.tears.clone(),
            fill: choice.fill,
            device: choice.device.clone(),
            ..settled
        }
    }

    /// The choice for each file that has something pending.
    pub(super) fn settle_files(&self, frame: &Frame, choice: &Choice) -> SettledFiles {
        let files = self.files.iter();
        let files = files.filter(|(_, file)| file.settled().is_none());
        let files = files.map(|(id, file)| {
            let size = choice.sizes.get(id).copied().unwrap_or(0);
            let window = frame.window(*id, file);
            (*id, file.settle(size, choice.pages.get(id), window))
        });
        SettledFiles(files.collect())
    }

    /// The directory and the lengths that a choice permits.
    pub(super) fn frame_of(&self, choice: &Choice) -> Frame {
        match self.profile {
            Profile::LinuxOrdered => self.prefix_frame(self.surviving_metadata(choice)),
            _ => self.frame(&choice.names),
        }
    }

    /// How many of the metadata records, in order, survive by a choice.
    pub(super) fn surviving_metadata(&self, choice: &Choice) -> usize {
        let survived = self.metadata.iter().take_while(|entry| match entry.what {
            MetadataKind::Name(index) => choice.names.contains_key(&self.records[index].record),
            MetadataKind::SetLen(inode, reached) => choice
                .sizes
                .get(&inode)
                .is_some_and(|size| *size >= reached),
        });
        survived.count()
    }

    /// The frame of some outcomes, without those that the profile does not know, and without the
    /// newest of those that break a law of directories together.
    pub(super) fn frame(&self, chosen: &BTreeMap<u64, NameOutcome>) -> Frame {
        let pending = self.records.iter().filter(|entry| !entry.is_durable());
        let outcomes = pending.filter_map(|entry| {
            let chosen = *chosen.get(&entry.record)?;
            let legal = self.outcomes(entry).contains(&chosen);
            Some((entry.record, if legal { chosen } else { NameOutcome::New }))
        });
        let mut outcomes: BTreeMap<u64, NameOutcome> = outcomes.collect();
        loop {
            match self.frame_if_lawful(&outcomes) {
                Some(frame) => return frame,
                // What is durable alone breaks no law: the loop ends there.
                None => outcomes.pop_last(),
            };
        }
    }

    /// The frame of these outcomes, if the names keep the laws of directories.
    pub(super) fn frame_if_lawful(&self, outcomes: &BTreeMap<u64, NameOutcome>) -> Option<Frame> {
        let names = self.names_of(outcomes);
        if let Some(least) = &self.least {
            let rule = self.profile.rename_rule();
            let outcome = |entry: &NameRecord| outcome_of(entry, outcomes);
            let lawful = tree::is_lawful(least, &names, &self.records, rule, &outcome);
            if !lawful && !outcomes.is_empty() {
                return None;
            }
        }
        let names = match self.flat {
            true => names,
            false => tree::reachable(names),
        };
        Some(Frame {
            names,
            outcomes: outcomes.clone(),
            windows: BTreeMap::new(),
        })
    }

    fn names_of(&self, outcomes: &BTreeMap<u64, NameOutcome>) -> Arc<NameTable> {
        let mut names = self.base.clone();
        for entry in &self.records {
            if let Some(outcome) = outcome_of(entry, outcomes) {
                entry.change.apply(Arc::make_mut(&mut names), outcome);
            }
        }
        names
    }

    /// The frame in which the first `survived` metadata records are durable and the others are not.
    pub(super) fn prefix_frame(&self, survived: usize) -> Frame {
        let mut names = self.base.clone();
        let mut outcomes = BTreeMap::new();
        let mut windows = BTreeMap::new();
        for (place, entry) in self.metadata.iter().enumerate() {
            match entry.what {
                MetadataKind::Name(index) if place < survived => {
                    let change = &self.records[index].change;
                    change.apply(Arc::make_mut(&mut names), NameOutcome::New);
                    outcomes.insert(entry.record, NameOutcome::New);
                }
                MetadataKind::Name(_) => {}
                MetadataKind::SetLen(inode, reached) => {
                    let steps = self.files[&inode].steps();
                    let window = windows.entry(inode).or_insert((0, steps));
                    if place < survived {
                        window.0 = reached;
                    } else {
                        window.1 = window.1.min(reached - 1);
                    }
                }
            }
        }
        let names = match self.flat {
            true => names,
            false => tree::reachable(names),
        };
        Frame {
            names,
            outcomes,
            windows,
        }
    }
}

/// What becomes of a record where `outcomes` says it of those that are not durable.
fn outcome_of(entry: &NameRecord, outcomes: &BTreeMap<u64, NameOutcome>) -> Option<NameOutcome> {
    let chosen = outcomes.get(&entry.record).copied();
    chosen.or_else(|| entry.least())
}

pub(super) struct SettledFiles(BTreeMap<InodeId, FileChoice>);

impl SettledFiles {
    pub(super) fn into_choice(self, frame: Frame) -> Choice {
        let mut choice = Choice {
            names: frame.outcomes,
            ..Choice::default()
        };
        for (id, file) in self.0 {
            if file.size > 0 {
                choice.sizes.insert(id, file.size);
            }
            if !file.pages.is_empty() {
                choice.pages.insert(id, file.pages);
            }
        }
        choice
    }
}

impl Frame {
    /// The lengths that the frame permits for a file.
    pub(super) fn window(&self, id: InodeId, file: &FileSpace) -> SizeRange {
        let window = self.windows.get(&id).copied();
        window.unwrap_or((0, file.steps()))
    }
}
