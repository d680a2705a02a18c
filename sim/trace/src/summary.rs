//! What a recording has in it, counted: a table that a person reads.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{Change, Disk, InodeId};
use serde::Serialize;

use crate::log::TraceEvent;

/// What a program did from the end of its setup on, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The calls that changed something, or were made to fail, by their kinds.
    pub calls: BTreeMap<&'static str, u64>,
    /// Those among them that sync.
    pub syncs: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Writes that the system made from a mapping.
    pub mapped_writes: u64,
    /// Calls that were made to fail.
    pub faults: u64,
    /// Lines that the program said.
    pub acks: u64,
    /// Paths whose directory was not synced after they got there: after a power cut they may be missing.
    pub names_never_synced: Vec<String>,
    /// Files that were not synced after their last change: after a power cut they may have old bytes, or none.
    pub files_never_synced: Vec<String>,
}

/// Counts events as they come.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    summary: Summary,
    names: BTreeMap<InodeId, BTreeSet<String>>,
    files: BTreeSet<InodeId>,
}

impl Counter {
    pub(crate) fn note(&mut self, event: &TraceEvent) {
        match event {
            TraceEvent::Call {
                change,
                fault,
                mapped,
                ..
            } => {
                let summary = &mut self.summary;
                *summary.calls.entry(word(change)).or_default() += 1;
                summary.syncs += u64::from(change.is_sync());
                summary.mapped_writes += u64::from(*mapped);
                summary.faults += u64::from(fault.is_some());
                if fault.is_none() {
                    self.change(change);
                }
            }
            TraceEvent::Ack(_) => self.summary.acks += 1,
            TraceEvent::Sync => {
                self.names.clear();
                self.files.clear();
            }
            TraceEvent::Begin => *self = Counter::default(),
            TraceEvent::LetGo(inode) => {
                self.files.remove(inode);
            }
            TraceEvent::Mode { .. } => {}
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Create { dir, name }
            | Change::CreateDir { dir, name }
            | Change::Symlink { dir, name, .. }
            | Change::Link { dir, name, .. } => self.add(*dir, name),
            Change::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => {
                self.remove(*from_dir, from);
                self.add(*to_dir, to);
            }
            Change::Remove { dir, name } | Change::RemoveDir { dir, name } => {
                self.remove(*dir, name);
            }
            Change::Write { inode, bytes, .. } => {
                self.summary.bytes += bytes.len() as u64;
                self.files.insert(*inode);
            }
            Change::SetLen { inode, .. } | Change::Allocate { inode, .. } => {
                self.files.insert(*inode);
            }
            Change::SyncData { inode } | Change::SyncAll { inode } => {
                self.files.remove(inode);
            }
            Change::SyncDir { dir } => {
                self.names.remove(dir);
            }
            Change::DropCache { .. } => {}
        }
    }

    fn add(&mut self, dir: InodeId, name: &str) {
        self.names.entry(dir).or_default().insert(name.to_owned());
    }

    fn remove(&mut self, dir: InodeId, name: &str) {
        if let Some(names) = self.names.get_mut(&dir) {
            names.remove(name);
        }
    }

    /// What was counted, with the paths that there are at the end.
    pub(crate) fn finish(self, disk: &Disk) -> Summary {
        let mut summary = self.summary;
        for (dir, names) in self.names {
            let path = match dir {
                InodeId::ROOT => Some(String::new()),
                dir => disk.path(dir).map(|path| path + "/"),
            };
            let paths = path.into_iter().flat_map(|path| {
                let named = names.iter();
                let paths: Vec<_> = named.map(|name| format!("{path}{name}")).collect();
                paths
            });
            summary.names_never_synced.extend(paths);
        }
        summary.names_never_synced.sort();
        let files = self.files.into_iter();
        summary.files_never_synced = files.filter_map(|file| disk.path(file)).collect();
        summary.files_never_synced.sort();
        summary
    }
}

/// What a kind of call is called.
fn word(change: &Change) -> &'static str {
    match change {
        Change::Create { .. } => "create",
        Change::CreateDir { .. } => "mkdir",
        Change::Symlink { .. } => "symlink",
        Change::Link { .. } => "link",
        Change::Rename { .. } => "rename",
        Change::Remove { .. } => "remove",
        Change::RemoveDir { .. } => "rmdir",
        Change::Write { .. } => "write",
        Change::SetLen { .. } => "truncate",
        Change::Allocate { .. } => "allocate",
        Change::SyncData { .. } => "fdatasync",
        Change::SyncAll { .. } => "fsync",
        Change::DropCache { .. } => "drop-cache",
        Change::SyncDir { .. } => "fsync-dir",
    }
}
