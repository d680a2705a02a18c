//! Names: which file each name stands for now, which are durable, and the name records between the
//! two.
//!
//! A directory is an inode, and a name is a place in a directory: [`Slot`]. A record stays in the
//! list, in order, until everything before it is durable too. So a name that was committed out of
//! order (a Btrfs file sync does that, and a sync of one directory out of several) is still applied
//! at its place: an older pending removal of the same name cannot take it away.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::profile::RenameRule;

/// The number of a file or directory, in order of creation. It stays with the file whatever its
/// names are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InodeId(pub u64);

impl InodeId {
    /// The root directory, which is always there.
    pub const ROOT: InodeId = InodeId(0);
}

impl fmt::Display for InodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What a power cut made of one name record, if not the old state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameOutcome {
    /// A rename left both names.
    Both,
    /// A rename left neither name.
    Neither,
    /// The change survived.
    New,
}

/// How many bytes of a name file systems keep.
const MAX_NAME: usize = 255;

/// Fails unless `name` can stand in a directory. A [`Storage`](beaver_storage::Storage) accepts
/// fewer: it keeps the name of its lock to itself.
pub(super) fn check_file_name(name: &str) -> io::Result<()> {
    match name {
        "" | "." | ".." => Err(io::ErrorKind::InvalidInput.into()),
        name if name.bytes().any(|byte| matches!(byte, b'/' | 0)) => {
            Err(io::ErrorKind::InvalidInput.into())
        }
        name if name.len() > MAX_NAME => Err(io::ErrorKind::InvalidFilename.into()),
        _ => Ok(()),
    }
}

/// One place for a name: a directory, and the name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) dir: InodeId,
    pub(super) name: Arc<str>,
}

/// What each name stands for, directory by directory. A directory without entries has no table.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameTable(BTreeMap<InodeId, BTreeMap<Arc<str>, InodeId>>);

impl NameTable {
    /// How many names there are.
    fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub(super) fn get(&self, dir: InodeId, name: &str) -> Option<InodeId> {
        self.0.get(&dir)?.get(name).copied()
    }

    pub(super) fn in_slot(&self, slot: &Slot) -> Option<InodeId> {
        self.get(slot.dir, &slot.name)
    }

    /// The entries of one directory, in bytewise order of their names.
    pub(super) fn entries(
        &self,
        dir: InodeId,
    ) -> impl ExactSizeIterator<Item = (&Arc<str>, InodeId)> {
        let names = self.0.get(&dir).map(BTreeMap::iter).unwrap_or_default();
        names.map(|(name, inode)| (name, *inode))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (InodeId, &Arc<str>, InodeId)> {
        let directories = self.0.iter();
        directories.flat_map(|(dir, names)| names.iter().map(|(name, id)| (*dir, name, *id)))
    }

    pub(super) fn inodes(&self) -> impl Iterator<Item = InodeId> {
        self.0.values().flat_map(|names| names.values().copied())
    }

    pub(super) fn is_empty(&self, dir: InodeId) -> bool {
        !self.0.contains_key(&dir)
    }

    /// A slot of the inode; a directory has no other.
    pub(super) fn slot_of(&self, inode: InodeId) -> Option<(InodeId, &Arc<str>)> {
        let mut entries = self.iter();
        let found = entries.find(|(.., id)| *id == inode);
        found.map(|(dir, name, _)| (dir, name))
    }

    /// The path from the root to a name of the inode.
    pub(super) fn path(&self, inode: InodeId) -> Option<String> {
        let (mut dir, name) = self.slot_of(inode)?;
        let mut path = name.to_string();
        while dir != InodeId::ROOT {
            let (up, name) = self.slot_of(dir)?;
            path = format!("{name}/{path}");
            dir = up;
        }
        Some(path)
    }

    /// Whether `dir` is `other` or lies in it.
    pub(super) fn is_inside(&self, mut dir: InodeId, other: InodeId) -> bool {
        while dir != other {
            match self.slot_of(dir) {
                Some((up, _)) => dir = up,
                None => return false,
            }
        }
        true
    }

    /// Forgets the entries of `dir`.
    pub(super) fn forget_directory(&mut self, dir: InodeId) {
        self.0.remove(&dir);
    }

    /// The directories that have entries.
    pub(super) fn directories(&self) -> impl Iterator<Item = InodeId> {
        self.0.keys().copied()
    }

    pub(super) fn is_flat(&self) -> bool {
        self.directories().all(|dir| dir == InodeId::ROOT)
    }

    pub(super) fn keep_directories(&mut self, keep: impl Fn(InodeId) -> bool) {
        self.0.retain(|dir, _| keep(*dir));
    }
}

/// Something that says what names stand for: a whole table, or some slots of one.
pub(super) trait Slots {
    fn set(&mut self, slot: &Slot, inode: Option<InodeId>);

    /// Takes away every name of a directory.
    fn unname(&mut self, directory: InodeId);
}

impl Slots for NameTable {
    fn set(&mut self, slot: &Slot, inode: Option<InodeId>) {
        match inode {
            Some(inode) => {
                let names = self.0.entry(slot.dir).or_default();
                names.insert(slot.name.clone(), inode);
            }
            None => {
                if let Some(names) = self.0.get_mut(&slot.dir) {
                    names.remove(&slot.name);
                    if names.is_empty() {
                        self.0.remove(&slot.dir);
                    }
                }
            }
        }
    }

    fn unname(&mut self, directory: InodeId) {
        for names in self.0.values_mut() {
            names.retain(|_, inode| *inode != directory);
        }
        self.0.retain(|_, names| !names.is_empty());
    }
}

impl Slots for BTreeMap<Slot, Option<InodeId>> {
    fn set(&mut self, slot: &Slot, inode: Option<InodeId>) {
        self.insert(slot.clone(), inode);
    }

    fn unname(&mut self, directory: InodeId) {
        let named = self.values_mut().filter(|inode| **inode == Some(directory));
        named.for_each(|inode| *inode = None);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Shared with images and snapshots; copied when it changes.
    pub(super) live: Arc<NameTable>,
    pub(super) disk: Arc<NameTable>,
    pub(super) pending: Vec<NameRecord>,
}

/// One change of names that is not durable yet, or not all of it, or not all before it.
#[derive(Clone, Debug)]
pub(super) struct NameRecord {
    pub(super) record: u64,
    pub(super) change: NameChange,
    /// What is durable ahead of an older record.
    pub(super) done: Halves,
}

/// The two halves of a rename: each belongs to a directory. Every other change is done as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Halves {
    /// The old name is gone.
    pub(super) removal: bool,
    /// The new name is there.
    pub(super) addition: bool,
}

impl Halves {
    pub(super) const ALL: Halves = Halves {
        removal: true,
        addition: true,
    };
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameChange {
    /// A new inode gets its first name.
    Create { slot: Slot, inode: InodeId },
    /// A file gets one name more.
    Link { slot: Slot, inode: InodeId },
    Remove {
        slot: Slot,
        /// What was removed, if it was a directory.
        directory: Option<InodeId>,
    },
    Rename {
        from: Slot,
        to: Slot,
        inode: InodeId,
        /// Whether it is a directory that is moved. It replaces an empty one at most.
        directory: bool,
        /// The directory that is replaced.
        replaced: Option<InodeId>,
    },
}

impl NameChange {
    /// The file that gets a new name by this change.
    pub(super) fn names_inode(&self) -> Option<InodeId> {
        match self {
            NameChange::Create { inode, .. }
            | NameChange::Link { inode, .. }
            | NameChange::Rename { inode, .. } => Some(*inode),
            NameChange::Remove { .. } => None,
        }
    }

    /// The slots that the change is about.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let (first, second) = match self {
            NameChange::Create { slot, .. }
            | NameChange::Link { slot, .. }
            | NameChange::Remove { slot, .. } => (slot, None),
            NameChange::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether a name in `dir` changes.
    pub(super) fn touches(&self, dir: InodeId) -> bool {
        self.slots().any(|slot| slot.dir == dir)
    }

    /// The directory that ceases to be by this change.
    pub(super) fn removed_directory(&self) -> Option<InodeId> {
        match self {
            NameChange::Remove { directory, .. } => *directory,
            NameChange::Rename { replaced, .. } => *replaced,
            NameChange::Create { .. } | NameChange::Link { .. } => None,
        }
    }

    /// The directory that gets another place by this change.
    pub(super) fn moved_directory(&self) -> Option<InodeId> {
        match self {
            NameChange::Rename {
                inode,
                directory: true,
                ..
            } => Some(*inode),
            _ => None,
        }
    }

    /// The directories whose place in the tree the change decides.
    pub(super) fn directories(&self) -> impl Iterator<Item = InodeId> {
        self.removed_directory()
            .into_iter()
            .chain(self.moved_directory())
    }

    /// Tells `names` what each slot stands for after the change went as `outcome` says. A directory
    /// is in one place at most, whichever of its moves survived.
    pub(super) fn apply(&self, names: &mut impl Slots, outcome: NameOutcome) {
        for directory in self.directories() {
            names.unname(directory);
        }
        match self {
            NameChange::Create { slot, inode } | NameChange::Link { slot, inode } => {
                names.set(slot, Some(*inode));
            }
            NameChange::Remove { slot, .. } => names.set(slot, None),
            NameChange::Rename {
                from, to, inode, ..
            } => {
                if outcome != NameOutcome::Both {
                    names.set(from, None);
                }
                if outcome != NameOutcome::Neither {
                    names.set(to, Some(*inode));
                }
            }
        }
    }
}

impl NameRecord {
    pub(super) fn is_durable(&self) -> bool {
        self.done == Halves::ALL
    }

    /// What is on disk of it whatever else survives.
    pub(super) fn least(&self) -> Option<NameOutcome> {
        match self.done {
            Halves::ALL => Some(NameOutcome::New),
            Halves { addition: true, .. } => Some(NameOutcome::Both),
            Halves { removal: true, .. } => Some(NameOutcome::Neither),
            _ => None,
        }
    }

    /// Takes note that `dir` was synced.
    pub(super) fn commit_in(&mut self, dir: InodeId, rule: RenameRule) {
        let touches = |slot: &Slot| slot.dir == dir;
        match &self.change {
            NameChange::Rename {
                from,
                to,
                directory: false,
                ..
            } if rule != RenameRule::Atomic => {
                let addition = rule == RenameRule::AdditionFirst;
                self.done.removal |= touches(from);
                self.done.addition |= touches(to) || addition && touches(from);
            }
            change => {
                if change.slots().any(touches) {
                    self.done = Halves::ALL;
                }
            }
        }
    }
}

impl Names {
    pub(super) fn change(&mut self, record: u64, change: NameChange) {
        change.apply(Arc::make_mut(&mut self.live), NameOutcome::New);
        self.pending.push(NameRecord {
            record,
            change,
            done: Halves::default(),
        });
    }

    pub(super) fn commit_all(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match Arc::get_mut(&mut self.disk) {
            // A table that is shared is copied by the next change: a program that syncs each of many files would wait for
            // that each time.
            Some(disk) if self.pending.len() < self.live.len() / 8 => {
                for entry in self.pending.drain(..) {
                    entry.change.apply(disk, NameOutcome::New);
                }
                debug_assert_eq!(self.disk, self.live, "every change went as it did live");
            }
            _ => {
                self.pending.clear();
                self.disk = self.live.clone();
            }
        }
    }

    /// Whether the creation of the file is not durable yet.
    pub(super) fn is_creation_pending(&self, id: InodeId) -> bool {
        self.pending.iter().any(|entry| {
            let creation = matches!(entry.change, NameChange::Create { inode, .. } if inode == id);
            creation && !entry.is_durable()
        })
    }

    /// Whether a change of a name in `dir` is not durable yet.
    pub(super) fn is_change_pending(&self, dir: InodeId) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|entry| entry.change.touches(dir) && !entry.is_durable())
    }

    /// Whether the file has a name now, or may have one after a power cut.
    pub(super) fn mention(&self, inode: InodeId) -> bool {
        let mut named = self.live.inodes().chain(self.disk.inodes());
        let mut pending = self.pending.iter();
        named.any(|id| id == inode)
            || pending.any(|entry| entry.change.names_inode() == Some(inode))
    }
}
