//! Sockets and FIFOs: they stand beside the disk. The kernel makes them work, no crash changes them, and no recording has them.

use std::collections::BTreeMap;

use beaver_disk::InodeId;
use fuser::FileType;

use super::attributes::STDOUT;

#[derive(Debug, Default)]
pub(super) struct Specials {
    names: BTreeMap<InodeId, BTreeMap<String, u64>>,
    kinds: BTreeMap<u64, FileType>,
    made: u64,
}

impl Specials {
    pub(super) fn named(&self, dir: InodeId, name: &str) -> Option<u64> {
        self.names.get(&dir)?.get(name).copied()
    }

    pub(super) fn kind(&self, number: u64) -> Option<FileType> {
        self.kinds.get(&number).copied()
    }

    pub(super) fn make(&mut self, dir: InodeId, name: &str, kind: FileType) -> u64 {
        self.made += 1;
        let number = STDOUT + self.made;
        self.kinds.insert(number, kind);
        self.put(dir, name, number);
        number
    }

    pub(super) fn put(&mut self, dir: InodeId, name: &str, number: u64) {
        let names = self.names.entry(dir).or_default();
        names.insert(name.to_owned(), number);
    }

    /// Takes the name away. What had it stays: it may be open.
    pub(super) fn take(&mut self, dir: InodeId, name: &str) -> Option<u64> {
        let names = self.names.get_mut(&dir)?;
        let number = names.remove(name);
        if names.is_empty() {
            self.names.remove(&dir);
        }
        number
    }

    /// Everything in a directory.
    pub(super) fn entries(&self, dir: InodeId) -> impl Iterator<Item = (&str, u64)> {
        let names = self.names.get(&dir).into_iter().flatten();
        names.map(|(name, number)| (name.as_str(), *number))
    }
}
