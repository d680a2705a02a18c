//! The laws of directories: what the names of a tree may never say, whatever survives.
//!
//! - A directory that was moved is in one place: never in two, and never nowhere. It cannot lie in a
//!   directory that is lost itself, nor in one that lies in it, and nothing else can take its name
//!   before it has left it.
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
type OutcomeOf<'a> = &'a dyn Fn(&NameRecord) -> Option<NameOutcome>;

/// What there is whatever survives: the names, and the inodes that a walk from the root finds by
/// them.
#[derive(Clone, Debug)]
pub(super) struct Least {
    names: NameTable,
    found: BTreeSet<InodeId>,
}

impl Least {
    pub(super) fn new(disk: &NameTable, records: &[NameRecord]) -> Self {
        let mut names = disk.clone();
        for entry in records {
            if let Some(outcome) = entry.least() {
                entry.change.apply(&mut names, outcome);
            }
        }
        let found = found(&names);
        Least { names, found }
    }
}

/// The inodes that a walk from the root finds.
fn found(names: &NameTable) -> BTreeSet<InodeId> {
    let mut found = BTreeSet::from([InodeId::ROOT]);
    let mut next = vec![InodeId::ROOT];
    while let Some(dir) = next.pop() {
        let entries = names.entries(dir).map(|(_, inode)| inode);
        next.extend(entries.filter(|inode| found.insert(*inode)));
    }
    found
}

/// Without the names that no walk from the root finds.
pub(super) fn reachable(mut names: Arc<NameTable>) -> Arc<NameTable> {
    let found = found(&names);
    if !names.directories().all(|dir| found.contains(&dir)) {
        Arc::make_mut(&mut names).keep_directories(|dir| found.contains(&dir));
    }
    names
}

/// The directories whose removal survived.
fn removed(records: &[NameRecord], outcome: OutcomeOf<'_>) -> BTreeSet<InodeId> {
    let survived = records.iter().filter(|entry| outcome(entry).is_some());
    let removed = survived.filter_map(|entry| entry.change.removed_directory());
    removed.collect()
}

/// Whether `names`, which come of `records` as `outcome` says, keep the laws.
pub(super) fn is_lawful(
    least: &Least,
    names: &NameTable,
    records: &[NameRecord],
    rule: RenameRule,
    outcome: OutcomeOf<'_>,
) -> bool {
    let (found, removed) = (found(names), removed(records, outcome));
    let survived = records.iter().filter(|entry| outcome(entry).is_some());
    let moved: BTreeSet<InodeId> = survived
        .filter_map(|entry| entry.change.moved_directory())
        .collect();
    // One that was only made may never have been: but not where its name is durable, and the
    // directory of that name is there.
    let must_be_somewhere = |directory| {
        let durable = least.names.slot_of(directory);
        let held = durable.is_some_and(|(dir, _)| found.contains(&dir));
        held || least.found.contains(&directory) || moved.contains(&directory)
    };
    // Only a directory that was moved or removed can lose its name to another.
    let mut directories = records.iter().flat_map(|entry| entry.change.directories());
    directories.all(|dir| found.contains(&dir) || removed.contains(&dir) || !must_be_somewhere(dir))
        && left_behind(names, records, &removed, rule, outcome).is_none()
}

/// A rename of a file that did not survive, though the directory that it led out of is removed, and
/// the old name with it.
fn left_behind(
    names: &NameTable,
    records: &[NameRecord],
    removed: &BTreeSet<InodeId>,
    rule: RenameRule,
    outcome: OutcomeOf<'_>,
) -> Option<usize> {
    if rule == RenameRule::Independent {
        return None;
    }
    records.iter().position(|entry| match &entry.change {
        NameChange::Rename {
            from,
            inode,
            directory: false,
            ..
        } => {
            outcome(entry).is_none()
                && removed.contains(&from.dir)
                && names.in_slot(from) == Some(*inode)
        }
        _ => false,
    })
}

/// Commits what has to be durable because of what is: a directory that is durably in a new place has
/// that place durably too, and one that was within reach `before` the sync still is.
pub(super) fn commit_what_follows(
    before: &Least,
    disk: &NameTable,
    records: &mut [NameRecord],
    rule: RenameRule,
) {
    while let Some(index) = what_follows(before, disk, records, rule) {
        records[index].done = Halves::ALL;
    }
}

/// The index of a pending record that has to be durable.
fn what_follows(
    before: &Least,
    disk: &NameTable,
    records: &[NameRecord],
    rule: RenameRule,
) -> Option<usize> {
    let least = Least::new(disk, records);
    let removed = removed(records, &NameRecord::least);
    let left = left_behind(&least.names, records, &removed, rule, &NameRecord::least);
    let mut directories = records.iter().flat_map(|entry| {
        let moved = entry
            .change
            .moved_directory()
            .filter(|_| entry.is_durable());
        let known = entry.change.directories();
        moved
            .into_iter()
            .chain(known.filter(|dir| before.found.contains(dir)))
    });
    left.or_else(|| {
        directories.find_map(|directory| {
            let is_lost = !least.found.contains(&directory) && !removed.contains(&directory);
            let way = is_lost.then(|| way_back(directory, &least.names, records, &removed));
            way.flatten()
        })
    })
}

/// The index of the record that is missing on the way up from `directory`, which is out of reach.
fn way_back(
    directory: InodeId,
    names: &NameTable,
    records: &[NameRecord],
    removed: &BTreeSet<InodeId>,
) -> Option<usize> {
    let last = |is_it: &dyn Fn(&NameChange) -> bool| {
        let last = records.iter().rposition(|entry| is_it(&entry.change));
        last.filter(|index| !records[*index].is_durable())
    };
    let place = |dir| last(&|change| change.names_inode() == Some(dir));
    let end = |dir| last(&|change| change.removed_directory() == Some(dir));
    let mut way = vec![directory];
    let mut here = directory;
    loop {
        let Some((up, _)) = names.slot_of(here) else {
            return place(here).or_else(|| end(here));
        };
        if removed.contains(&up) {
            let leaves = |change: &NameChange| {
                change.moved_directory() == Some(here)
                    && change.slots().next().is_some_and(|from| from.dir == up)
            };
            return last(&leaves).or_else(|| end(here));
        }
        if way.contains(&up) {
            // A ring: one of the directories above has gone elsewhere since.
            way.rotate_left(1);
            return way.into_iter().find_map(place);
        }
        way.push(up);
        here = up;
    }
}

/// Forgets what is pending in directories whose removal is durable: nothing of it can be seen again.
/// Half a rename there is as good as durable, but not where it could hide that the other half, which
/// it never survives without, was lost.
pub(super) fn drop_entries_of_removed(records: &mut Vec<NameRecord>, rule: RenameRule) {
    let removed = removed(records, &NameRecord::least);
    let alone = rule == RenameRule::Independent;
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
            entry.done.addition |= alone && removed.contains(&to.dir);
            entry.done.removal |= (alone || entry.done.addition) && removed.contains(&from.dir);
        }
        !moot
    });
}
