//! The laws of directories: what the names of a tree may never say, whatever survives.
//!
//! - A directory that was moved is in one place: never in two, and never nowhere. It cannot lie in a
//!   directory that is lost itself, nor in one that lies in it.
//! - What left a directory before that was removed has left it: where the removal of the directory
//!   survives, so does the new name of a file that was renamed out of it, unless the two halves of a
//!   rename go their own ways.
//!
//! Records of names are independent otherwise, so a combination of them can break a law; such a
//! combination is no image. A file has no such law: one whose directory is lost is gone with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names::{Halves, InodeId, NameChange, NameOutcome, NameRecord, NameTable};
use super::profile::RenameRule;

/// What became of a record; nothing if it did not survive.
type Outcome<'a> = &'a dyn Fn(&NameRecord) -> Option<NameOutcome>;

/// Without the names that no walk from the root finds.
pub(super) fn reachable(mut names: Arc<NameTable>) -> Arc<NameTable> {
    let mut found = BTreeSet::from([InodeId::ROOT]);
    let mut next = vec![InodeId::ROOT];
    while let Some(dir) = next.pop() {
        let entries = names.entries(dir).map(|(_, inode)| inode);
        next.extend(entries.filter(|inode| found.insert(*inode)));
    }
    if !names.directories().all(|dir| found.contains(&dir)) {
        Arc::make_mut(&mut names).keep_directories(|dir| found.contains(&dir));
    }
    names
}

/// The record that must not have gone as it did, or that has to survive for this state to be one.
enum Broken {
    /// The directories from a lost one up to where the way ends, none of which is the root.
    Nowhere(BTreeSet<InodeId>),
    /// The number of the record of a rename.
    LeftBehind(u64),
}

/// Whether `names`, which come of `records` as `outcome` says, keep the laws. `least` is what is
/// there whatever survives.
pub(super) fn is_lawful(
    least: &NameTable,
    names: &NameTable,
    records: &[NameRecord],
    rule: RenameRule,
    outcome: Outcome<'_>,
) -> bool {
    broken(least, names, records, rule, outcome).is_none()
}

fn broken(
    least: &NameTable,
    names: &NameTable,
    records: &[NameRecord],
    rule: RenameRule,
    outcome: Outcome<'_>,
) -> Option<Broken> {
    let moved = records
        .iter()
        .filter_map(|entry| entry.change.moved_directory());
    let nowhere = moved
        .filter(|directory| least.slot_of(*directory).is_some())
        .find_map(|directory| way_to_nowhere(names, directory));
    let stays = || match rule {
        RenameRule::Independent => None,
        RenameRule::Atomic | RenameRule::AdditionFirst => left_behind(names, records, outcome),
    };
    nowhere
        .map(Broken::Nowhere)
        .or_else(|| stays().map(Broken::LeftBehind))
}

/// The directories on the way up from `directory`, if it has a name and the way does not lead to the
/// root.
fn way_to_nowhere(names: &NameTable, directory: InodeId) -> Option<BTreeSet<InodeId>> {
    let mut way = BTreeSet::new();
    let (mut dir, _) = names.slot_of(directory)?;
    way.insert(directory);
    while dir != InodeId::ROOT {
        if !way.insert(dir) {
            return Some(way);
        }
        match names.slot_of(dir) {
            Some((up, _)) => dir = up,
            None => return Some(way),
        }
    }
    None
}

/// A rename of a file that did not survive, though the directory that it led out of is removed.
fn left_behind(names: &NameTable, records: &[NameRecord], outcome: Outcome<'_>) -> Option<u64> {
    let survived = records.iter().filter(|entry| outcome(entry).is_some());
    let removed: BTreeSet<InodeId> = survived
        .filter_map(|entry| entry.change.removed_directory())
        .collect();
    let lost = records.iter().filter(|entry| outcome(entry).is_none());
    let mut left = lost.filter(|entry| match &entry.change {
        NameChange::Rename {
            from,
            inode,
            directory: false,
            ..
        } => removed.contains(&from.dir) && names.in_slot(from) == Some(*inode),
        _ => false,
    });
    left.next().map(|entry| entry.record)
}

/// Commits what has to be durable because of what is: a directory that is durably in a new place has
/// that place durably too.
pub(super) fn commit_what_follows(disk: &NameTable, records: &mut [NameRecord], rule: RenameRule) {
    loop {
        let mut least = disk.clone();
        for entry in records.iter() {
            if let Some(outcome) = entry.least() {
                entry.change.apply(&mut least, outcome);
            }
        }
        let Some(broken) = broken(&least, &least, records, rule, &NameRecord::least) else {
            return;
        };
        let mut pending = records.iter_mut().rev().filter(|entry| !entry.is_durable());
        let follows = match broken {
            Broken::Nowhere(way) => pending.find(|entry| {
                let named = entry.change.names_inode();
                named.is_some_and(|inode| way.contains(&inode))
            }),
            Broken::LeftBehind(record) => pending.find(|entry| entry.record == record),
        };
        match follows {
            Some(entry) => entry.done = Halves::ALL,
            None => return,
        }
    }
}

/// Forgets what is pending in directories whose removal is durable: nothing of it can be seen again.
pub(super) fn drop_entries_of_removed(records: &mut Vec<NameRecord>) {
    let durable = records.iter().filter(|entry| entry.is_durable());
    let removed: BTreeSet<InodeId> = durable
        .filter_map(|entry| entry.change.removed_directory())
        .collect();
    records.retain_mut(|entry| {
        let mut slots = entry.change.slots();
        let moot = slots.all(|slot| removed.contains(&slot.dir));
        if let NameChange::Rename {
            from,
            to,
            directory: false,
            ..
        } = &entry.change
        {
            entry.done.removal |= removed.contains(&from.dir);
            entry.done.addition |= removed.contains(&to.dir);
        }
        !moot
    });
}
