//! The crash that is explained: the last power cut that took something, else the last crash.

use beaver_disk::{FileView, Survival};

use super::ledger::{FileNumber, Ledger};
use crate::run::Watched;
use crate::tape::{Crashed, Happening};

/// A crash, and every file on both sides of it.
#[derive(Debug)]
pub(super) struct Cut<'w> {
    /// Which crash of the run it is, from 0.
    pub(super) place: usize,
    /// The last call before the power cut before this one: nothing older is pending.
    pub(super) after: u64,
    /// The last call before the crash.
    pub(super) call: u64,
    pub(super) crashed: &'w Crashed,
    /// What became of each pending record; empty where the process was killed.
    pub(super) records: Vec<Survival>,
    pub(super) files: Vec<Sides>,
}

/// A file before and after the crash.
#[derive(Debug)]
pub(super) struct Sides {
    /// The file, if calls of the run made or opened it.
    pub(super) file: Option<FileNumber>,
    pub(super) view: FileView,
    /// The bytes that are left; none if no name leads to them.
    pub(super) left: Option<Vec<u8>>,
}

impl Sides {
    /// Whether a reader sees something else than before.
    pub(super) fn changed(&self) -> bool {
        match &self.left {
            Some(left) => *left != self.view.live,
            None => !self.view.live_names.is_empty(),
        }
    }
}

impl<'w> Cut<'w> {
    /// The crash that explains the failure.
    pub(super) fn find(watched: &'w Watched, ledger: &Ledger) -> Option<Self> {
        let entries = watched.tape.iter().filter_map(|entry| match &entry.what {
            Happening::Crashed(crashed) => Some((entry.call, &**crashed)),
            _ => None,
        });
        let crashes: Vec<(u64, &Crashed)> = entries.collect();
        let costs = |(_, crashed): &(u64, &Crashed)| {
            crashed.choice.is_some() && crashed.crash.disk().live() != crashed.left
        };
        let place = crashes.iter().rposition(costs);
        let place = place.or_else(|| crashes.len().checked_sub(1))?;
        let earlier = crashes[..place].iter();
        let before = earlier.rev().find(|(_, crashed)| crashed.choice.is_some());
        let (call, crashed) = crashes[place];
        let records = crashed.choice.as_ref();
        let records = records.map(|choice| crashed.crash.images().describe(choice));
        Some(Cut {
            place,
            after: before.map_or(0, |(call, _)| *call),
            call,
            crashed,
            records: records.unwrap_or_default(),
            files: sides(crashed, ledger, place),
        })
    }

    /// A file on both sides.
    pub(super) fn sides_of(&self, file: FileNumber) -> Option<&Sides> {
        self.files.iter().find(|sides| sides.file == Some(file))
    }
}

fn sides(crashed: &Crashed, ledger: &Ledger, place: usize) -> Vec<Sides> {
    let left = &crashed.left;
    let views = crashed.crash.files().into_iter();
    let sides = views.map(|view| {
        let name = left
            .names()
            .find(|name| left.inode(name) == Some(view.inode));
        Sides {
            file: ledger.file_at(place, view.inode),
            left: name.and_then(|name| left.read(name)),
            view,
        }
    });
    sides.collect()
}
