//! The storage calls of a run, told by file instead of by name.
//!
//! A trace names a file as its caller did when it was opened; the file may have another name by
//! now, or none, and after a crash a name may lead to another file. The ledger follows names
//! through creates, renames, removals and crashes, so that a question like "was this file synced
//! between its write and that acknowledgement" has an answer.

use std::collections::BTreeMap;

use beaver_disk::{Image, InodeId, Op, TraceRecord};

use crate::run::Watched;
use crate::tape::{Crashed, Happening};

/// A call that changed something, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    /// The number of the call.
    pub(super) call: u64,
    /// The kind of call.
    pub(super) op: Op,
    /// The file; none for the directory.
    pub(super) file: Option<FileNumber>,
    /// The name before a rename or a removal, or that of a new file.
    pub(super) name: String,
    /// Where a write begins, or the new length.
    pub(super) offset: u64,
    /// How many bytes were written.
    pub(super) len: u64,
    /// Whether the caller was told that it was done.
    pub(super) ok: bool,
    /// Whether the call went wrong because a fault struck.
    pub(super) fault: Option<&'static str>,
    /// The process that made it, from 1.
    pub(super) process: u32,
}

/// A file, whatever its names were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNumber(usize);

/// The calls of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    deeds: Vec<Deed>,
    /// The last name that is not a temporary one, else the last, by file.
    names: Vec<String>,
    /// Which file each inode is, at each crash.
    crashes: Vec<BTreeMap<InodeId, FileNumber>>,
    /// How many names each call stood for: the name of the file at the time of the call.
    called: BTreeMap<u64, String>,
    directory: BTreeMap<String, FileNumber>,
    opened: BTreeMap<String, FileNumber>,
    inodes: BTreeMap<InodeId, FileNumber>,
    process: u32,
}

impl Ledger {
    /// Reads a run.
    pub(super) fn read(watched: &Watched) -> Self {
        let mut ledger = Ledger::default();
        let mut calls = watched.calls.iter().peekable();
        for entry in &watched.tape {
            while let Some(call) = calls.next_if(|call| call.call <= entry.call) {
                ledger.take(call);
            }
            match &entry.what {
                Happening::Crashed(crashed) => ledger.crash(crashed),
                Happening::Opening { found } => {
                    ledger.process += 1;
                    ledger.meet(found);
                }
                _ => {}
            }
        }
        calls.for_each(|call| ledger.take(call));
        ledger
    }

    /// The calls behind call `after`, up to and with call `until`.
    pub(super) fn between(&self, after: u64, until: u64) -> impl Iterator<Item = &Deed> + Clone {
        let deeds = self.deeds.iter();
        deeds.filter(move |deed| deed.call > after && deed.call <= until)
    }

    /// The name by which people know a file.
    pub(super) fn name(&self, file: FileNumber) -> &str {
        &self.names[file.0]
    }

    /// The name that a file had at a call.
    pub(super) fn name_at(&self, call: u64) -> Option<&str> {
        self.called.get(&call).map(String::as_str)
    }

    /// Which file an inode was at a crash, counted from 0.
    pub(super) fn file_at(&self, crash: usize, inode: InodeId) -> Option<FileNumber> {
        self.crashes.get(crash)?.get(&inode).copied()
    }

    /// Whether a file was synced, and nothing said otherwise, behind call `after` and up to `until`.
    pub(super) fn synced(&self, file: FileNumber, after: u64, until: u64) -> bool {
        self.between(after, until)
            .any(|deed| deed.op == Op::SyncData && deed.file == Some(file) && deed.ok)
    }

    /// Whether the directory was synced behind call `after` and up to `until`.
    pub(super) fn dir_synced(&self, after: u64, until: u64) -> bool {
        self.between(after, until)
            .any(|deed| deed.op == Op::SyncDir && deed.ok)
    }

    fn new_file(&mut self, name: &str) -> FileNumber {
        self.names.push(name.to_owned());
        FileNumber(self.names.len() - 1)
    }

    fn take(&mut self, record: &TraceRecord) {
        let name = record.file.to_string();
        let done = record.answer.is_ok() || record.fault == Some("error-with-effect");
        let file = match record.op {
            Op::Create if done => {
                let file = self.new_file(&name);
                self.directory.insert(name.clone(), file);
                self.opened.insert(name.clone(), file);
                Some(file)
            }
            Op::Open => {
                let file = self.directory.get(&name).copied();
                self.opened.extend(file.map(|file| (name.clone(), file)));
                file
            }
            Op::Rename => self.rename(record, &name, done),
            Op::Remove if done => self.directory.remove(&name),
            Op::Create | Op::Remove | Op::List | Op::SyncDir | Op::Lock => None,
            _ => self.opened.get(&name).copied(),
        };
        self.remember_name(record, file);
        if record.op.changes_something() {
            self.deeds.push(Deed {
                call: record.call,
                op: record.op,
                file,
                name,
                offset: record.offset,
                len: match record.answer {
                    Ok(count) if record.op == Op::WriteAt => count,
                    _ => record.len,
                },
                ok: record.answer.is_ok(),
                fault: record.fault,
                process: self.process,
            });
        }
    }

    fn rename(&mut self, record: &TraceRecord, from: &str, done: bool) -> Option<FileNumber> {
        let to = record.to.as_deref().unwrap_or_default();
        let file = self.directory.get(from).copied()?;
        if done {
            self.directory.remove(from);
            self.directory.insert(to.to_owned(), file);
            to.clone_into(&mut self.names[file.0]);
        }
        Some(file)
    }

    /// The name of a file at this call, if it is not the one that the trace gives.
    fn remember_name(&mut self, record: &TraceRecord, file: Option<FileNumber>) {
        let by_name = matches!(record.op, Op::Rename | Op::Remove | Op::Create | Op::Open);
        let Some(file) = file.filter(|_| !by_name) else {
            return;
        };
        let name = self.directory.iter().find(|(_, known)| **known == file);
        if let Some((name, _)) = name.filter(|(name, _)| ***name != *record.file) {
            self.called.insert(record.call, name.clone());
        }
    }

    fn crash(&mut self, crashed: &Crashed) {
        for view in crashed.crash.files() {
            let mut known = view.live_names.iter();
            let known = known.find_map(|name| self.directory.get(name).copied());
            self.inodes.extend(known.map(|file| (view.inode, file)));
        }
        self.crashes.push(self.inodes.clone());
        self.directory.clear();
        self.opened.clear();
        for name in crashed.left.names() {
            let inode = crashed.left.inode(name);
            let known = inode.and_then(|inode| self.inodes.get(&inode).copied());
            let file = known.unwrap_or_else(|| self.new_file(name));
            self.inodes.extend(inode.map(|inode| (inode, file)));
            self.directory.insert(name.to_owned(), file);
        }
    }

    /// Files that somebody put there.
    fn meet(&mut self, found: &Image) {
        for name in found.names() {
            if !self.directory.contains_key(name) {
                let file = self.new_file(name);
                self.directory.insert(name.to_owned(), file);
            }
        }
    }
}
