//! The crash that is explained: the last power cut that took something, else the last crash.

use beaver_disk::{FileView, Survival};

use super::file_ops::{FileId, FileOpLog};
use crate::run_log::{CrashEvent, LoggedEvent, RunEvent};

/// A crash, and every file on both sides of it.
#[derive(Debug)]
pub(super) struct ExplainedCrash<'w> {
    /// Which crash of the run it is, from 0.
    pub(super) place: usize,
    /// The last call before the power cut before this one: nothing older is pending.
    pub(super) after: u64,
    /// The last call before the crash.
    pub(super) call: u64,
    pub(super) crashed: &'w CrashEvent,
    /// What became of each pending record; empty where the process was killed.
    pub(super) records: Vec<Survival>,
    pub(super) files: Vec<BeforeAfter>,
}

/// A file before and after the crash.
#[derive(Debug)]
pub(super) struct BeforeAfter {
    /// The file, if calls of the run made or opened it.
    pub(super) file: Option<FileId>,
    pub(super) view: FileView,
    /// The bytes that are left; none if no name leads to them.
    pub(super) left: Option<Vec<u8>>,
    /// A name that leads to them, one that did before if there is one.
    pub(super) left_name: Option<String>,
    /// Whether a name that led to them before still does.
    pub(super) named: bool,
}

impl BeforeAfter {
    /// Whether the crash took the file from its reader. Bytes that came back under a name which it
    /// had before a rename are lost to a reader that looks for the new one.
    pub(super) fn is_lost(&self) -> bool {
        !self.named && !self.view.live_names.is_empty()
    }

    /// Whether a reader sees something else than before.
    pub(super) fn changed(&self) -> bool {
        let differs = |left: &Vec<u8>| *left != self.view.live;
        self.is_lost() || self.left.as_ref().is_some_and(differs)
    }
}

impl<'w> ExplainedCrash<'w> {
    /// The crash that explains the failure.
    pub(super) fn find(log: &'w [LoggedEvent], ops: &FileOpLog) -> Option<Self> {
        let events = log.iter().filter_map(|event| match &event.event {
            RunEvent::Crash(crash) => Some((event.call, &**crash)),
            _ => None,
        });
        let crashes: Vec<(u64, &CrashEvent)> = events.collect();
        let costs = |(_, crash): &(u64, &CrashEvent)| {
            crash.choice.is_some() && crash.crash.disk().live() != crash.left
        };
        let place = crashes.iter().rposition(costs);
        let place = place.or_else(|| crashes.len().checked_sub(1))?;
        let earlier = crashes[..place].iter();
        let before = earlier.rev().find(|(_, crash)| crash.choice.is_some());
        let (call, crashed) = crashes[place];
        let records = crashed.choice.as_ref();
        let records = records.map(|choice| crashed.crash.images().describe(choice));
        Some(ExplainedCrash {
            place,
            after: before.map_or(0, |(call, _)| *call),
            call,
            crashed,
            records: records.unwrap_or_default(),
            files: before_and_after(crashed, ops, place),
        })
    }

    /// A file before and after.
    pub(super) fn sides_of(&self, file: FileId) -> Option<&BeforeAfter> {
        self.files.iter().find(|sides| sides.file == Some(file))
    }
}

fn before_and_after(crashed: &CrashEvent, ops: &FileOpLog, place: usize) -> Vec<BeforeAfter> {
    let left = &crashed.left;
    let entries = left.entries();
    let views = crashed.crash.files().into_iter();
    let files = views.map(|view| {
        let leads = |name: &str| left.inode(name) == Some(view.inode);
        let mut paths = entries.iter().filter(|(_, inode)| **inode == view.inode);
        let named = view.live_names.iter().find(|name| leads(name));
        let name = named.or_else(|| paths.next().map(|(path, _)| path));
        BeforeAfter {
            file: ops.file_at(place, view.inode),
            left: name.and_then(|name| left.read(name)),
            left_name: name.cloned(),
            named: named.is_some(),
            view,
        }
    });
    files.collect()
}
