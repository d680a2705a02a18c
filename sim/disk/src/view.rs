//! The two sides of every file at a crash: what a reader saw, and what is durable. Made for people
//! who look at a disk; the simulator itself has no use for it.

use std::collections::{BTreeMap, BTreeSet};

use super::crash::Crash;
use super::disk::Disk;
use super::fault::CallEffect;
use super::names::{InodeId, NameTable};

/// One file or directory at a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileView {
    /// Its number.
    pub inode: InodeId,
    /// The paths by which a reader found it, in bytewise order.
    pub live_names: Vec<String>,
    /// The paths that are durable.
    pub durable_names: Vec<String>,
    /// The bytes that a reader saw.
    pub live: Vec<u8>,
    /// The bytes that are durable.
    pub durable: Vec<u8>,
    /// How many versions of each page are pending; pages without any are left out.
    pub pending_pages: BTreeMap<u64, u32>,
    /// How many lengths are pending.
    pub pending_sizes: u32,
    /// Pages that a failed sync left clean but different: not pending, and not what is durable.
    pub unsaved_pages: BTreeSet<u64>,
    /// Pages that a failed sync left unwritten: they never reach the disk, whatever is written to them and synced.
    pub unwritten_pages: BTreeSet<u64>,
}

impl Crash {
    /// Every file that has a name, live or durable, in order of creation. What the interrupted call
    /// changes counts as live and pending, as in [`images`](Crash::images).
    #[must_use]
    pub fn files(&self) -> Vec<FileView> {
        match self.inside() {
            Some(change) if !change.is_sync() => self.kill(CallEffect::Everything).files(),
            _ => self.disk().files(),
        }
    }
}

impl Disk {
    /// Every file that has a name, live or durable, in order of creation.
    #[must_use]
    pub fn files(&self) -> Vec<FileView> {
        let files = self.inodes.iter().map(|(id, inode)| {
            let pages = inode.pages.iter();
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            FileView {
                inode: *id,
                live_names: paths_of(&self.names.live, *id),
                durable_names: paths_of(&self.names.disk, *id),
                live: inode.live.to_bytes(),
                durable: inode.disk.to_bytes(),
                pending_pages: pages
                    .map(|(page, versions)| (*page, count(versions.len())))
                    .collect(),
                pending_sizes: count(inode.sizes.len()),
                unsaved_pages: inode.clean_but_different(),
                unwritten_pages: inode.unwritten.clone(),
            }
        });
        files
            .filter(|file| !file.live_names.is_empty() || !file.durable_names.is_empty())
            .collect()
    }
}

/// The paths by which `names` lead to a file, in bytewise order.
fn paths_of(names: &NameTable, inode: InodeId) -> Vec<String> {
    let slots = names.iter().filter(|(.., id)| *id == inode);
    let paths = slots.filter_map(|(dir, name, _)| match dir {
        InodeId::ROOT => Some(name.to_string()),
        dir => Some(format!("{}/{name}", names.path(dir)?)),
    });
    let mut paths: Vec<String> = paths.collect();
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Profile, SimDisk, SimOptions};

    #[test]
    fn a_file_shows_what_a_reader_saw_and_what_is_durable() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        let file = storage.create("a").unwrap();
        file.write_at(b"kept", 0).unwrap();
        file.sync_data().unwrap();
        storage.sync_dir().unwrap();
        file.write_at(b" and not", 4).unwrap();
        storage.rename("a", "b").unwrap();
        let files = disk.crash().files();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].live_names, ["b"]);
        assert_eq!(files[0].durable_names, ["a"]);
        assert_eq!(files[0].live, b"kept and not");
        assert_eq!(files[0].durable, b"kept");
        assert_eq!(files[0].pending_pages, [(0, 1)].into());
        assert_eq!(files[0].pending_sizes, 1);
    }

    #[test]
    fn a_file_without_any_name_is_left_out() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        let _open = storage.create("a").unwrap();
        storage.remove("a").unwrap();
        assert_eq!(disk.crash().files(), []);
    }
}
