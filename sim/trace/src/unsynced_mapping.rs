//! Syncs of mappings that are missing. What a program stores in a mapping is written when the system does so, often after the
//! line that promised it: a sync before that line would have written it before.

use std::collections::BTreeMap;

use beaver_disk::{Change, InodeId};

use crate::log::TraceEvent;
use crate::missing_sync::MissingSync;
use crate::replay::LogReplay;
use crate::sync_kind::SyncKind;
use crate::words::{escaped, path_of};

/// At most this many of the last lines could have promised a write to a mapping.
const LINES: usize = 64;

/// Mapped files, and what was said while they were not synced.
#[derive(Default)]
pub(crate) struct UnsyncedMappings {
    /// The lines, each with its place.
    said: Vec<(usize, String)>,
    /// Since when the bytes of each file may have stood in its mapping: since it was synced, or got its length.
    since: BTreeMap<InodeId, usize>,
    found: BTreeMap<(usize, InodeId), MissingSync>,
}

impl UnsyncedMappings {
    /// An event that has not been carried out yet.
    pub(crate) fn follow(&mut self, replay: &LogReplay<'_>, event: &TraceEvent) {
        let place = replay.position();
        match event {
            TraceEvent::Ack(line) => self.said.push((place, escaped(line).into_owned())),
            TraceEvent::Call {
                change: Change::Write { inode, .. },
                mapped: true,
                ..
            } => self.bring(replay, *inode, place),
            TraceEvent::Call {
                change:
                    Change::SetLen { inode, .. }
                    | Change::Allocate { inode, .. }
                    | Change::SyncData { inode }
                    | Change::SyncAll { inode },
                ..
            } => {
                self.since.insert(*inode, place);
            }
            // Where a file was made is known by its first length: an empty one cannot be mapped.
            _ => {}
        }
    }

    /// A write to a mapping: it could have come before each line that was said meanwhile.
    fn bring(&mut self, replay: &LogReplay<'_>, inode: InodeId, place: usize) {
        let since = self.since.get(&inode).copied().unwrap_or_default();
        let said = self.said.iter().rev().take_while(|(line, _)| *line > since);
        let Some(path) = path_of(replay, inode) else {
            return;
        };
        for (event, line) in said.take(LINES) {
            let sync = self.found.entry((*event, inode));
            let sync = sync.or_insert_with(|| MissingSync {
                kind: SyncKind::MappingBeforeAck,
                event: *event,
                path: path.clone(),
                next: line.clone(),
                change: Change::SyncAll { inode },
                brings: Vec::new(),
            });
            sync.brings.push(place);
        }
    }

    pub(crate) fn into_syncs(self) -> impl Iterator<Item = MissingSync> {
        self.found.into_values()
    }
}
