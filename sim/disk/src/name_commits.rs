//! What syncs make durable of names.

use std::sync::Arc;

use super::names::{Halves, InodeId, NameOutcome, NameRecord, Names};
use super::profile::RenameRule;
use super::tree::{self, Least};

impl Names {
    /// Commits the records for which `choose` says so, wherever they stand.
    pub(super) fn commit_where(
        &mut self,
        rule: RenameRule,
        mut choose: impl FnMut(&NameRecord) -> bool,
    ) {
        let before = self.least();
        for entry in &mut self.pending {
            if choose(entry) {
                entry.done = Halves::ALL;
            }
        }
        self.settle(before.as_ref(), rule);
    }

    /// Commits what is pending in directory `dir`.
    pub(super) fn commit_directory(&mut self, dir: InodeId, rule: RenameRule) {
        let inside = |entry: &NameRecord| entry.change.slots().all(|slot| slot.dir == dir);
        if self.pending.iter().all(inside) {
            return self.commit_all();
        }
        let before = self.least();
        for entry in &mut self.pending {
            entry.commit_in(dir, rule);
        }
        self.settle(before.as_ref(), rule);
    }

    /// Commits of what is pending in directory `dir` what `choose` says, by the numbers of the records.
    pub(super) fn commit_some(
        &mut self,
        dir: InodeId,
        rule: RenameRule,
        mut choose: impl FnMut(u64) -> bool,
    ) {
        let before = self.least();
        let pending = self.pending.iter_mut();
        for entry in pending.filter(|entry| entry.change.touches(dir)) {
            if choose(entry.record) {
                entry.commit_in(dir, rule);
            }
        }
        self.settle(before.as_ref(), rule);
    }

    /// What there is whatever survives, if there is something pending of directories that could
    /// break a law.
    fn least(&self) -> Option<Least> {
        self.has_directory_records()
            .then(|| Least::new(&self.disk, &self.pending))
    }

    /// Applies what is durable, as far as everything before it is. `before` is what was there for
    /// certain before the sync.
    fn settle(&mut self, before: Option<&Least>, rule: RenameRule) {
        if let Some(before) = before {
            tree::commit_what_follows(before, &self.disk, &mut self.pending, rule);
            tree::drop_entries_of_removed(&mut self.pending, rule);
        }
        let done = self.pending.iter().take_while(|entry| entry.is_durable());
        let done = done.count();
        if done > 0 {
            let disk = Arc::make_mut(&mut self.disk);
            for entry in self.pending.drain(..done) {
                entry.change.apply(disk, NameOutcome::New);
                if let Some(directory) = entry.change.removed_directory() {
                    disk.forget_directory(directory);
                }
            }
        }
    }

    fn has_directory_records(&self) -> bool {
        let mut changes = self.pending.iter().map(|entry| &entry.change);
        changes.any(|change| change.directories().next().is_some())
    }
}
