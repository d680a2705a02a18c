//! What a choice means, in words: one line for each pending record.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::choice::Choice;
use super::inode::SizeCause;
use super::names::{InodeId, NameChange, NameOutcome, Slot};
use super::space::ImageSpace;

/// What became of one pending record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survival {
    /// Its number.
    pub record: u64,
    /// The file it belongs to, if it is about bytes or a new name.
    pub inode: Option<InodeId>,
    /// The name or names of the file: those it has, or may get.
    pub file: String,
    /// What the record says.
    pub what: RecordKind,
    /// How it went.
    pub fate: Fate,
}

/// What a pending record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum RecordKind {
    /// A file, a directory or a symbolic link was made.
    Create,
    /// A file got one name more.
    Link,
    /// A name was removed.
    Remove,
    /// A file got another name.
    Rename {
        /// The new name.
        to: String,
    },
    /// The length became this, because of a write.
    Growth {
        /// In bytes.
        len: u64,
    },
    /// The length was set.
    SetLen {
        /// In bytes.
        len: u64,
    },
    /// A page was written.
    Page {
        /// Its number.
        page: u64,
        /// Which pending version of it this is, from 1.
        version: u32,
    },
}

/// What became of a pending record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is on disk.
    Survived,
    /// It is not.
    Lost,
    /// A rename left both names.
    BothNames,
    /// A rename left neither name.
    NeitherName,
    /// It was on disk, and something later is there now.
    Replaced,
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.what {
            RecordKind::Create => write!(f, "create {file}")?,
            RecordKind::Link => write!(f, "link {file}")?,
            RecordKind::Remove => write!(f, "remove {file}")?,
            RecordKind::Rename { to } => write!(f, "rename {file} to {to}")?,
            RecordKind::Growth { len } => write!(f, "{file}: length {len}")?,
            RecordKind::SetLen { len } => write!(f, "{file}: set_len {len}")?,
            RecordKind::Page { page, version } => {
                write!(f, "{file}: page {page}, version {version}")?
            }
        }
        f.write_str(match self.fate {
            Fate::Survived => " survived",
            Fate::Lost => " was lost",
            Fate::BothNames => " left both names",
            Fate::NeitherName => " left neither name",
            Fate::Replaced => " was replaced by a later one",
        })
    }
}

impl ImageSpace {
    /// What becomes of every pending record under a choice, in the order in which they were made.
    #[must_use]
    pub fn describe(&self, choice: &Choice) -> Vec<Survival> {
        let choice = self.settle(choice);
        let mut lines = self.describe_names(&choice);
        for (id, file) in &self.files {
            let name = self.name_of(*id);
            let size = choice.sizes.get(id).copied().unwrap_or(0);
            let line = |record, what, fate| Survival {
                record,
                inode: Some(*id),
                file: name.clone(),
                what,
                fate,
            };
            let steps = file.inode().sizes.iter().take(file.steps() as usize);
            lines.extend((1..).zip(steps).map(|(step, entry)| {
                let len = entry.len;
                let what = match entry.cause {
                    SizeCause::Write => RecordKind::Growth { len },
                    SizeCause::SetLen => RecordKind::SetLen { len },
                };
                line(entry.record, what, fate(step, size))
            }));
            let chosen = choice.pages.get(id);
            for (page, versions) in file.pages() {
                let newest = chosen.and_then(|pages| pages.get(&page)).copied();
                lines.extend((1..).zip(versions).map(|(version, entry)| {
                    let what = RecordKind::Page { page, version };
                    line(entry.record, what, fate(version, newest.unwrap_or(0)))
                }));
            }
        }
        lines.sort_by_key(|line| line.record);
        lines
    }

    /// Whether everything lies in the root directory, whatever survives. Then several names of one file are separated by `/` in
    /// [`Survival::file`].
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.flat
    }

    fn describe_names(&self, choice: &Choice) -> Vec<Survival> {
        let lines = self.records.iter().map(|entry| {
            let (file, what) = match &entry.change {
                NameChange::Create { slot, .. } => (slot, RecordKind::Create),
                NameChange::Link { slot, .. } => (slot, RecordKind::Link),
                NameChange::Remove { slot, .. } => (slot, RecordKind::Remove),
                NameChange::Rename { from, to, .. } => {
                    let to = self.path_of(to);
                    (from, RecordKind::Rename { to })
                }
            };
            let outcome = choice.names.get(&entry.record).copied();
            Survival {
                record: entry.record,
                inode: entry.change.names_inode(),
                file: self.path_of(file),
                what,
                fate: match outcome.or_else(|| entry.least()) {
                    None => Fate::Lost,
                    Some(NameOutcome::New) => Fate::Survived,
                    Some(NameOutcome::Both) => Fate::BothNames,
                    Some(NameOutcome::Neither) => Fate::NeitherName,
                },
            }
        });
        lines.collect()
    }

    /// The path of a slot, by the oldest names of the directories that it is in.
    pub(super) fn path_of(&self, slot: &Slot) -> String {
        let mut path = slot.name.to_string();
        let mut dir = slot.dir;
        // A directory that was moved into one that it held may seem to be in itself.
        let mut seen = BTreeSet::new();
        while dir != InodeId::ROOT && seen.insert(dir) {
            let Some(up) = self.slots_named(dir).into_iter().next() else {
                break;
            };
            path = format!("{}/{path}", up.name);
            dir = up.dir;
        }
        path
    }

    /// The slots that an inode has or may get, oldest first.
    fn slots_named(&self, inode: InodeId) -> Vec<Slot> {
        let durable = self.base().iter().filter(|(.., id)| *id == inode);
        let durable = durable.map(|(dir, name, _)| Slot {
            dir,
            name: name.clone(),
        });
        let pending = self.records.iter().filter_map(|entry| match &entry.change {
            NameChange::Create { slot, inode: id } | NameChange::Link { slot, inode: id } => {
                (*id == inode).then(|| slot.clone())
            }
            NameChange::Rename { to, inode: id, .. } => (*id == inode).then(|| to.clone()),
            NameChange::Remove { .. } => None,
        });
        let mut slots: Vec<Slot> = durable.chain(pending).collect();
        slots.dedup();
        slots
    }

    /// The names that a file has or may get, oldest first; in a tree its paths.
    pub(super) fn name_of(&self, inode: InodeId) -> String {
        let slots = self.slots_named(inode);
        let names: Vec<String> = slots.iter().map(|slot| self.path_of(slot)).collect();
        names.join(if self.flat { "/" } else { " or " })
    }
}

fn fate(number: u32, reached: u32) -> Fate {
    match number.cmp(&reached) {
        std::cmp::Ordering::Less => Fate::Replaced,
        std::cmp::Ordering::Equal => Fate::Survived,
        std::cmp::Ordering::Greater => Fate::Lost,
    }
}
