//! Files that were replaced by a rename: after a power cut each is one that was there at some moment, never empty and never a
//! mixture. That needs no check of the user's.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{Change, FileKind, Image, InodeId, Profile};

use crate::images::first_event;
use crate::log::{Log, LogError, TraceEvent};
use crate::replay::LogReplay;

/// What may be in each file that was replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct ReplacedFiles(BTreeMap<String, BTreeSet<u128>>);

impl ReplacedFiles {
    /// Of a recording. A file that was also written to under that name is not among them: it may be a mixture.
    ///
    /// # Errors
    ///
    /// The bytes of a write cannot be read.
    pub fn of(log: &Log) -> Result<Self, LogError> {
        let first = first_event(&log.events);
        let mut replay = LogReplay::new(log, Profile::Posix);
        let mut contents: BTreeMap<String, BTreeSet<u128>> = BTreeMap::new();
        let mut written: BTreeSet<String> = BTreeSet::new();
        while let Some(event) = replay.next() {
            let at = replay.position();
            let target = replay.disk().look(|disk| match event {
                TraceEvent::Call {
                    change: Change::Rename { to_dir, to, .. },
                    ..
                } => {
                    disk.named(*to_dir, to).ok()?;
                    Some(path(disk.path(*to_dir), to))
                }
                _ => None,
            });
            let inode = written_to(event).filter(|_| at >= first);
            if let Some(path) = inode.and_then(|inode| path_of(&replay, inode)) {
                written.insert(path);
            }
            let target = target.filter(|_| at >= first);
            if let Some(path) = &target {
                remember(&replay.disk().live(), path, &mut contents);
            }
            replay.step()?;
            if let Some(path) = &target {
                remember(&replay.disk().live(), path, &mut contents);
            }
        }
        contents.retain(|path, _| !written.contains(path));
        Ok(ReplacedFiles(contents))
    }

    /// What is wrong with an image, if one of the files is neither old nor new in it.
    #[must_use]
    pub fn neither_old_nor_new(&self, image: &Image) -> Option<String> {
        self.0.iter().find_map(|(path, contents)| {
            let there = image.content_hash(path)?;
            let wrong = !contents.contains(&there);
            wrong.then(|| match image.len_of(path) {
                Some(0) => format!("`{path}` was replaced by a rename, and is empty"),
                _ => format!("`{path}` was replaced by a rename, and is neither old nor new"),
            })
        })
    }
}

fn remember(live: &Image, path: &str, contents: &mut BTreeMap<String, BTreeSet<u128>>) {
    if live.kind(path) == Some(FileKind::File)
        && let Some(content) = live.content_hash(path)
    {
        contents.entry(path.to_owned()).or_default().insert(content);
    }
}

fn written_to(event: &TraceEvent) -> Option<InodeId> {
    match event {
        TraceEvent::Call { change, .. } if !change.is_sync() => change.inode(),
        _ => None,
    }
}

fn path_of(replay: &LogReplay<'_>, inode: InodeId) -> Option<String> {
    replay.disk().look(|disk| disk.path(inode))
}

fn path(dir: Option<String>, name: &str) -> String {
    match dir.unwrap_or_default() {
        root if root.is_empty() => name.to_owned(),
        dir => format!("{dir}/{name}"),
    }
}
