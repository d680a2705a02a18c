//! The storage calls of a run, told by file instead of by name.
//!
//! A caller names a file as it did when the file was opened; by now it may have another name, or
//! none, and after a crash a name may lead to another file. The trace carries the inode of each call,
//! so that a question like "was this file synced between its write and that acknowledgement" has an
//! answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaver_disk::{FileKind, Image, InodeId, Op, TraceRecord};

use crate::run_log::{LoggedEvent, RunEvent};

/// A call that changed something, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileOp {
    /// The number of the call.
    pub(super) call: u64,
    /// The kind of call.
    pub(super) op: Op,
    /// The file; none for the directory.
    pub(super) file: Option<FileId>,
    /// The name before a rename or a removal, or that of a new file.
    pub(super) name: Arc<str>,
    /// The name that a rename was to give.
    pub(super) to: Option<Arc<str>>,
    /// Where a write begins, or the new length.
    pub(super) offset: u64,
    /// How many bytes were written.
    pub(super) len: u64,
    /// Whether the caller was told that it was done.
    pub(super) ok: bool,
    /// The process that made it, from 1.
    pub(super) process: u32,
}

impl FileOp {
    /// The name that the file has after it.
    pub(super) fn new_name(&self) -> &str {
        self.to.as_deref().unwrap_or(&self.name)
    }
}

/// A file, whatever its names were. The number of an inode is not enough: what a power cut took, the
/// disk forgets, and the next file gets its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(usize);

/// The calls of a run that change something.
#[derive(Debug, Default)]
pub(super) struct FileOpLog {
    ops: Vec<FileOp>,
    /// The last name of each file.
    names: Vec<Arc<str>>,
    /// Which file each inode was, at each crash.
    crashes: Vec<BTreeMap<InodeId, FileId>>,
    files: BTreeMap<InodeId, FileId>,
    /// The names that there are now, by inode.
    directory: BTreeMap<InodeId, Arc<str>>,
    /// Files whose name was removed, and files that got a second name.
    removed: BTreeSet<InodeId>,
    linked: BTreeSet<InodeId>,
    process: u32,
}

impl FileOpLog {
    /// Reads a run. A call on an open file gets the name that the file has at that call.
    pub(super) fn read(log: &mut [LoggedEvent]) -> Self {
        let mut ops = FileOpLog::default();
        for event in log {
            match &mut event.event {
                RunEvent::Call { record } => ops.take(record),
                RunEvent::Crash(crash) => {
                    ops.crashes.push(ops.files.clone());
                    ops.meet(&crash.left);
                }
                RunEvent::Opening { found } => {
                    ops.process += 1;
                    if ops.is_another_disk(found) {
                        ops.files.clear();
                    }
                    ops.meet(found);
                }
                _ => {}
            }
        }
        ops
    }

    /// The calls after call `after`, up to and with call `until`.
    pub(super) fn between(&self, after: u64, until: u64) -> impl Iterator<Item = &FileOp> + Clone {
        let ops = self.ops.iter();
        ops.filter(move |op| op.call > after && op.call <= until)
    }

    /// The name by which people know a file.
    pub(super) fn name(&self, file: FileId) -> &str {
        &self.names[file.0]
    }

    /// Which file an inode was at a crash, counted from 0.
    pub(super) fn file_at(&self, crash: usize, inode: InodeId) -> Option<FileId> {
        self.crashes.get(crash)?.get(&inode).copied()
    }

    /// Whether a file was synced, and nothing said otherwise, after call `after` and up to `until`.
    pub(super) fn synced(&self, file: FileId, after: u64, until: u64) -> bool {
        self.between(after, until)
            .any(|op| op.op == Op::SyncData && op.file == Some(file) && op.ok)
    }

    /// The first sync of a file that failed after call `after` and up to `until`.
    pub(super) fn failed_sync(&self, file: FileId, after: u64, until: u64) -> Option<u64> {
        let mut ops = self.between(after, until);
        let failed = |op: &&FileOp| op.op == Op::SyncData && op.file == Some(file) && !op.ok;
        ops.find(failed).map(|op| op.call)
    }

    /// The first sync of the directory of `name` that failed after call `after` and up to `until`.
    pub(super) fn failed_dir_sync(&self, name: &str, after: u64, until: u64) -> Option<u64> {
        let mut syncs = self.dir_syncs(name, after, until);
        syncs.find(|sync| !sync.ok).map(|sync| sync.call)
    }

    /// Whether the directory of `name` was synced after call `after` and up to `until`.
    pub(super) fn dir_synced(&self, name: &str, after: u64, until: u64) -> bool {
        self.dir_syncs(name, after, until).any(|sync| sync.ok)
    }

    fn dir_syncs(&self, name: &str, after: u64, until: u64) -> impl Iterator<Item = &FileOp> {
        let directory = name.rsplit_once('/').map_or(".", |(parent, _)| parent);
        let ops = self.between(after, until);
        ops.filter(move |op| op.op == Op::SyncDir && *op.name == *directory)
    }

    fn take(&mut self, record: &mut TraceRecord) {
        match (record.op, record.inode) {
            (Op::Create, Some(inode)) if !self.directory.contains_key(&inode) => {
                self.new_file(inode, &record.file);
                self.call_it(inode, &record.file);
            }
            (Op::Create | Op::Open, Some(inode)) => self.call_it(inode, &record.file),
            (Op::Rename, Some(inode)) if record.answer.is_ok() => {
                let to = record.to.clone().unwrap_or_default();
                self.move_what_is_in(&record.file, &to);
                self.call_it(inode, &to);
            }
            (Op::Remove, Some(inode)) if record.answer.is_ok() => {
                if self.directory.get(&inode) == Some(&record.file) {
                    self.directory.remove(&inode);
                    self.removed.insert(inode);
                }
            }
            // The trace has the new name alone.
            (Op::Link, Some(inode)) => {
                self.linked.insert(inode);
                if let Some(existing) = self.directory.get(&inode) {
                    record.to = Some(std::mem::replace(&mut record.file, existing.clone()));
                }
            }
            (Op::Rename | Op::Remove | Op::CreateDir | Op::RemoveDir, _) | (_, None) => {}
            (_, Some(inode)) => match self.directory.get(&inode) {
                Some(now) => record.file = now.clone(),
                // A file with several names may still have one of them.
                None if self.removed.contains(&inode) && !self.linked.contains(&inode) => {
                    record.file = format!("{inode} (removed)").into();
                }
                None => {}
            },
        }
        if record.op.changes_something() {
            self.ops.push(FileOp {
                call: record.call,
                op: record.op,
                file: record
                    .inode
                    .and_then(|inode| self.files.get(&inode).copied()),
                name: record.file.clone(),
                to: record.to.clone(),
                offset: record.offset,
                len: match record.answer {
                    Ok(count) if record.op == Op::WriteAt => count,
                    _ => record.len,
                },
                ok: record.answer.is_ok(),
                process: self.process,
            });
        }
    }

    fn new_file(&mut self, inode: InodeId, name: &Arc<str>) {
        self.removed.remove(&inode);
        self.linked.remove(&inode);
        self.files.insert(inode, FileId(self.names.len()));
        self.names.push(name.clone());
    }

    fn call_it(&mut self, inode: InodeId, name: &Arc<str>) {
        let directory = self.directory.iter();
        let replaced = directory.filter(|(_, known)| *known == name);
        self.removed.extend(replaced.map(|(inode, _)| *inode));
        self.directory.retain(|_, known| known != name);
        self.removed.remove(&inode);
        self.directory.insert(inode, name.clone());
        if let Some(file) = self.files.get(&inode) {
            self.names[file.0] = name.clone();
        }
    }

    /// A directory that gets another name takes with it what is in it.
    fn move_what_is_in(&mut self, from: &str, to: &str) {
        for (inode, path) in &mut self.directory {
            let inside = path.strip_prefix(from);
            let Some(rest) = inside.filter(|rest| rest.starts_with('/')) else {
                continue;
            };
            *path = format!("{to}{rest}").into();
            if let Some(file) = self.files.get(inode) {
                self.names[file.0] = path.clone();
            }
        }
    }

    /// Whether a name leads to another inode although no call has changed that.
    fn is_another_disk(&self, found: &Image) -> bool {
        let mut known = self.directory.iter();
        known.any(|(inode, name)| found.inode(name).is_some_and(|now| now != *inode))
    }

    /// What is on the disk now, whatever calls have made of it.
    fn meet(&mut self, image: &Image) {
        self.directory = names_of(image);
        for (inode, name) in self.directory.clone() {
            if !self.files.contains_key(&inode) {
                self.new_file(inode, &name);
            }
        }
    }
}

fn names_of(image: &Image) -> BTreeMap<InodeId, Arc<str>> {
    let entries = image.entries().into_iter();
    let files = entries.filter(|(path, _)| image.kind(path) == Some(FileKind::File));
    files
        .map(|(path, inode)| (inode, Arc::from(path)))
        .collect()
}
