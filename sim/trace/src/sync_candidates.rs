//! All syncs that a program could have made and did not.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{Change, FileKind, InodeId, PAGE_SIZE, Profile};

use crate::images::first_event;
use crate::log::{Log, LogError, TraceEvent};
use crate::missing_sync::MissingSync;
use crate::replay::LogReplay;
use crate::sync_kind::SyncKind;
use crate::unsynced_mapping::UnsyncedMappings;
use crate::words::{escaped, name_in, path_of};

/// At most this many writes that begin another page of a file are looked at: a sync at each is one more power cut.
const MOST_PAGES: usize = 256;

/// All syncs that could be added to a recording where they may matter, in order.
///
/// # Errors
///
/// The bytes of a write cannot be read.
pub(crate) fn missing_syncs(log: &Log) -> Result<Vec<MissingSync>, LogError> {
    let first = first_event(&log.events);
    let mut replay = LogReplay::new(log, Profile::Posix);
    let mut dirty = Dirty::default();
    let mut mappings = UnsyncedMappings::default();
    while let Some(event) = replay.next() {
        if replay.position() < first {
            replay.step()?;
            continue;
        }
        dirty.propose_before(&replay, event);
        mappings.follow(&replay, event);
        dirty.follow(&replay, event);
        replay.step()?;
    }
    let end = "the end".to_owned();
    dirty.propose_files(&replay, SyncKind::FileBeforeEnd, &end, None);
    dirty.propose_dirs(&replay, SyncKind::DirectoryBeforeEnd, &end);
    let mut found = dirty.found;
    found.extend(mappings.into_syncs());
    found.sort_by_key(|sync| sync.event);
    Ok(found)
}

/// What is not synced, and what was proposed since it was last changed: once for each kind.
#[derive(Default)]
struct Dirty {
    files: BTreeMap<InodeId, BTreeSet<SyncKind>>,
    dirs: BTreeMap<InodeId, BTreeSet<SyncKind>>,
    /// Where the last write to a file ended.
    ends: BTreeMap<InodeId, u64>,
    pages_begun: usize,
    found: Vec<MissingSync>,
}

impl Dirty {
    /// What could be synced before an event.
    fn propose_before(&mut self, replay: &LogReplay<'_>, event: &TraceEvent) {
        use SyncKind as K;
        let change = match event {
            TraceEvent::Ack(line) => {
                let line = escaped(line);
                self.propose_files(replay, K::FileBeforeAck, &line, None);
                self.propose_dirs(replay, K::DirectoryBeforeAck, &line);
                return;
            }
            TraceEvent::Call { change, .. } => change,
            _ => return,
        };
        match change {
            Change::Write { inode, .. }
            | Change::SetLen { inode, .. }
            | Change::Allocate { inode, .. } => {
                let Some(next) = path_of(replay, *inode) else {
                    return;
                };
                if let Change::Write { offset, .. } = change
                    && self.may_come_before_the_last(*inode, *offset)
                {
                    let header = format!("byte {offset}");
                    self.propose_file(replay, *inode, K::FileBeforeItsHeader, &header);
                }
                self.propose_files(replay, K::FileBeforeChange, &next, Some(*inode));
                self.propose_dirs(replay, K::DirectoryBeforeChange, &next);
            }
            Change::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => {
                let (old, next) = (
                    name_in(replay, *from_dir, from),
                    name_in(replay, *to_dir, to),
                );
                let (file, is_dir) = replay.disk().look(|disk| {
                    let file = disk.named(*from_dir, from).ok();
                    let kind = file.and_then(|file| disk.kind(file));
                    (file, kind == Some(FileKind::Directory))
                });
                let what = if is_dir { "the directory " } else { "" };
                let words = format!("{what}`{old}` is renamed to `{next}`");
                self.propose_named(replay, file, (K::FileBeforeItsRename, &next), &words);
            }
            Change::Link { inode, dir, name } => {
                let next = name_in(replay, *dir, name);
                let old = path_of(replay, *inode).unwrap_or_default();
                let words = format!("`{old}` is linked as `{next}`");
                self.propose_named(replay, Some(*inode), (K::FileBeforeItsLink, &next), &words);
            }
            Change::Create { dir, name }
            | Change::CreateDir { dir, name }
            | Change::Symlink { dir, name, .. } => {
                let next = name_in(replay, *dir, name);
                self.propose_files(replay, K::FileBeforeNewName, &next, None);
                self.propose_dirs(replay, K::DirectoryBeforeNewName, &next);
            }
            Change::Remove { dir, name } | Change::RemoveDir { dir, name } => {
                let next = name_in(replay, *dir, name);
                let gone = replay.disk().look(|disk| disk.named(*dir, name).ok());
                self.propose_files(replay, K::FileBeforeChange, &next, gone);
                self.propose_dirs(replay, K::DirectoryBeforeRemoval, &next);
            }
            _ => {}
        }
    }

    /// Whether a write may reach the disk before the last one to its file. Within a page it cannot.
    fn may_come_before_the_last(&mut self, inode: InodeId, offset: u64) -> bool {
        let Some(end) = self.ends.get(&inode).copied() else {
            return false;
        };
        if offset < end {
            return true;
        }
        let begins_page = offset / PAGE_SIZE > end.saturating_sub(1) / PAGE_SIZE;
        self.pages_begun += usize::from(begins_page);
        begins_page && self.pages_begun <= MOST_PAGES
    }

    /// Before a file gets another name, as `words` say.
    fn propose_named(
        &mut self,
        replay: &LogReplay<'_>,
        file: Option<InodeId>,
        (kind, next): (SyncKind, &str),
        words: &str,
    ) {
        self.propose_files(replay, SyncKind::FileBeforeChange, next, file);
        if let Some(file) = file {
            self.propose_file(replay, file, kind, next);
        }
        self.propose_dirs(replay, SyncKind::DirectoryBeforeRename, words);
    }

    fn propose_files(
        &mut self,
        replay: &LogReplay<'_>,
        kind: SyncKind,
        next: &str,
        but: Option<InodeId>,
    ) {
        let files: Vec<InodeId> = self.files.keys().copied().collect();
        for file in files.into_iter().filter(|file| Some(*file) != but) {
            self.propose_file(replay, file, kind, next);
        }
    }

    fn propose_file(&mut self, replay: &LogReplay<'_>, inode: InodeId, kind: SyncKind, next: &str) {
        let new = self
            .files
            .get_mut(&inode)
            .is_some_and(|known| known.insert(kind));
        let path = new.then(|| path_of(replay, inode)).flatten();
        self.found.extend(path.map(|path| MissingSync {
            kind,
            event: replay.position(),
            path,
            next: next.to_owned(),
            change: Change::SyncAll { inode },
            brings: Vec::new(),
        }));
    }

    fn propose_dirs(&mut self, replay: &LogReplay<'_>, kind: SyncKind, next: &str) {
        for (dir, known) in &mut self.dirs {
            let path = known.insert(kind).then(|| path_of(replay, *dir)).flatten();
            self.found.extend(path.map(|path| MissingSync {
                kind,
                event: replay.position(),
                path,
                next: next.to_owned(),
                change: Change::SyncDir { dir: *dir },
                brings: Vec::new(),
            }));
        }
    }

    /// What an event makes dirty or clean.
    fn follow(&mut self, replay: &LogReplay<'_>, event: &TraceEvent) {
        let (change, len, fails) = match event {
            TraceEvent::Call {
                change,
                bytes,
                fault,
                ..
            } => {
                let len = bytes.map_or(0, |(_, len)| len);
                (change, len, fault.is_some())
            }
            TraceEvent::Sync | TraceEvent::Begin => {
                self.files.clear();
                self.dirs.clear();
                return;
            }
            _ => return,
        };
        match change {
            Change::Write { inode, offset, .. } => {
                self.files.insert(*inode, BTreeSet::new());
                self.ends.insert(*inode, offset + len);
            }
            Change::SetLen { inode, .. } | Change::Allocate { inode, .. } => {
                self.files.insert(*inode, BTreeSet::new());
            }
            Change::SyncData { inode } | Change::SyncAll { inode } if !fails => {
                self.files.remove(inode);
            }
            Change::SyncDir { dir } if !fails => {
                self.dirs.remove(dir);
            }
            Change::CreateDir { dir, name } => {
                self.names_changed(*dir);
                self.propose_parent(replay, *dir, name);
            }
            Change::Create { dir, .. }
            | Change::Symlink { dir, .. }
            | Change::Link { dir, .. }
            | Change::Remove { dir, .. } => self.names_changed(*dir),
            Change::RemoveDir { dir, name } => {
                self.names_changed(*dir);
                let gone = replay.disk().look(|disk| disk.named(*dir, name).ok());
                gone.map(|gone| self.dirs.remove(&gone));
            }
            Change::Rename {
                from_dir, to_dir, ..
            } => {
                self.names_changed(*from_dir);
                self.names_changed(*to_dir);
            }
            _ => {}
        }
    }

    fn names_changed(&mut self, dir: InodeId) {
        self.dirs.insert(dir, BTreeSet::new());
    }

    fn propose_parent(&mut self, replay: &LogReplay<'_>, dir: InodeId, name: &str) {
        let there = replay
            .disk()
            .look(|disk| disk.kind(dir) == Some(FileKind::Directory));
        let path = path_of(replay, dir).filter(|_| there || dir == InodeId::ROOT);
        self.found.extend(path.map(|path| MissingSync {
            kind: SyncKind::ParentOfNewDirectory,
            event: replay.position() + 1,
            path,
            next: name_in(replay, dir, name),
            change: Change::SyncDir { dir },
            brings: Vec::new(),
        }));
    }
}
