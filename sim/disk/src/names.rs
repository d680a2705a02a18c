//! The directory: what it says now, what is durable, and the name records between the two.
//!
//! A record stays in the list, in order, until everything before it is durable too. So a name that
//! was committed out of order (a Btrfs file sync does that) is still applied at its place: an older
//! pending removal of the same name cannot take it away.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The number of a file, in order of creation. It stays with the file whatever its names are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InodeId(pub u64);

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

pub(super) type NameTable = BTreeMap<Arc<str>, InodeId>;

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Shared with images and snapshots; copied when it changes.
    pub(super) live: Arc<NameTable>,
    pub(super) disk: Arc<NameTable>,
    pub(super) pending: Vec<NameRecord>,
}

#[derive(Clone, Debug)]
pub(super) struct NameRecord {
    pub(super) record: u64,
    pub(super) change: NameChange,
    /// Committed ahead of an older record.
    pub(super) durable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameChange {
    Create {
        name: Arc<str>,
        inode: InodeId,
    },
    Remove {
        name: Arc<str>,
    },
    Rename {
        from: Arc<str>,
        to: Arc<str>,
        inode: InodeId,
    },
}

impl NameChange {
    /// The file that gets a new name by this change.
    pub(super) fn names_inode(&self) -> Option<InodeId> {
        match self {
            NameChange::Create { inode, .. } | NameChange::Rename { inode, .. } => Some(*inode),
            NameChange::Remove { .. } => None,
        }
    }

    /// The names that the change is about.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Arc<str>> {
        let (first, second) = match self {
            NameChange::Create { name, .. } | NameChange::Remove { name } => (name, None),
            NameChange::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    /// Tells `set` what each name stands for after the change went as `outcome` says.
    pub(super) fn apply_to(
        &self,
        outcome: NameOutcome,
        mut set: impl FnMut(&Arc<str>, Option<InodeId>),
    ) {
        match self {
            NameChange::Create { name, inode } => set(name, Some(*inode)),
            NameChange::Remove { name } => set(name, None),
            NameChange::Rename { from, to, inode } => {
                if outcome != NameOutcome::Both {
                    set(from, None);
                }
                if outcome != NameOutcome::Neither {
                    set(to, Some(*inode));
                }
            }
        }
    }

    /// Applies the change to a whole directory.
    pub(super) fn apply(&self, directory: &mut NameTable, outcome: NameOutcome) {
        self.apply_to(outcome, |name, inode| {
            match inode {
                Some(inode) => directory.insert(name.clone(), inode),
                None => directory.remove(name),
            };
        });
    }
}

impl Names {
    pub(super) fn change(&mut self, record: u64, change: NameChange) {
        change.apply(Arc::make_mut(&mut self.live), NameOutcome::New);
        self.pending.push(NameRecord {
            record,
            change,
            durable: false,
        });
    }

    pub(super) fn commit_all(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.clear();
        self.disk = self.live.clone();
    }

    /// Commits the records for which `choose` says so, wherever they stand.
    pub(super) fn commit_where(&mut self, mut choose: impl FnMut(&NameRecord) -> bool) {
        for entry in &mut self.pending {
            entry.durable = entry.durable || choose(entry);
        }
        let done = self.pending.iter().take_while(|entry| entry.durable);
        let done = done.count();
        if done > 0 {
            let disk = Arc::make_mut(&mut self.disk);
            for entry in self.pending.drain(..done) {
                entry.change.apply(disk, NameOutcome::New);
            }
        }
    }

    /// Whether the creation of the file is not durable yet.
    pub(super) fn is_creation_pending(&self, id: InodeId) -> bool {
        self.pending.iter().any(|entry| {
            let creation = matches!(entry.change, NameChange::Create { inode, .. } if inode == id);
            creation && !entry.durable
        })
    }

    /// Whether the file has a name now, or may have one after a power cut.
    pub(super) fn mention(&self, inode: InodeId) -> bool {
        self.live.values().any(|id| *id == inode)
            || self.disk.values().any(|id| *id == inode)
            || self
                .pending
                .iter()
                .any(|entry| entry.change.names_inode() == Some(inode))
    }
}
