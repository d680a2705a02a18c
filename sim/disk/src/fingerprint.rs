//! Whether two disks are the same, pending records included: what a search needs to remember where it has been.
//!
//! Two disks with equal fingerprints behave alike for ever: every read, every failure of a sync and every power cut leaves
//! the same. The numbers of records and files do not count, only their order does.

use super::change::Change;
use super::crash::Crash;
use super::disk::Disk;
use super::image::{file_hash, name_hashes};
use super::inode::Inode;
use super::mixing::{hash128, mix128};
use super::names::{InodeId, NameChange, NameTable};

impl Disk {
    /// Whether a power cut now leaves exactly what a reader sees: nothing is pending, and the cache shows what the disk has.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty()
            && self.names.pending.is_empty()
            && !self.read_only
            && self.inodes.values().all(|inode| inode.is_settled())
    }

    /// A hash of everything that can make a difference later. Of a settled disk it is the hash of its
    /// [image](super::Image::hash128).
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        match self.is_settled() {
            true => self.hash_of_live(),
            false => self.fingerprint_of_pending(),
        }
    }

    /// The hash of the live view, without making an image of it.
    fn hash_of_live(&self) -> u128 {
        let files = name_hashes(&self.names.live)
            .into_iter()
            .map(|(id, names)| {
                let inode = &self.inodes[&id];
                mix128(
                    file_hash(inode.kind, inode.live.hash(), &inode.unreadable),
                    names,
                )
            });
        files.fold(0, u128::wrapping_add)
    }

    fn fingerprint_of_pending(&self) -> u128 {
        let mut hash = Hash(u128::from(self.read_only));
        let inodes: Vec<InodeId> = self.inodes.keys().copied().collect();
        // The root is none of them, and nothing else comes before it.
        let place = |id: InodeId| match id {
            InodeId::ROOT => u64::MAX,
            id => inodes.partition_point(|other| *other < id) as u64,
        };
        let mut records: Vec<u64> = self
            .names
            .pending
            .iter()
            .map(|entry| entry.record)
            .collect();
        for inode in self.inodes.values() {
            records.extend(inode.sizes.iter().map(|step| step.record));
            let versions = inode.pages.values().flatten();
            records.extend(versions.map(|version| version.record));
            records.extend(inode.retry.pages.values());
            records.extend(inode.newer.values());
        }
        records.sort_unstable();
        let rank = |record: u64| records.partition_point(|other| *other < record) as u64;
        for names in [&self.names.live, &self.names.disk] {
            hash.names(names, &place);
        }
        for entry in &self.names.pending {
            let done = u64::from(entry.done.removal) << 1 | u64::from(entry.done.addition);
            hash.number(rank(entry.record) << 2 | done);
            hash.change(&entry.change, &place);
        }
        for inode in self.inodes.values() {
            hash.inode(inode, &rank);
        }
        hash.0
    }
}

impl Crash {
    /// A hash of the disk, as [`Disk::fingerprint`], and of the bytes that were being written, if any were.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let disk = self.disk().fingerprint();
        match self.inside() {
            Some(Change::Write {
                inode,
                offset,
                bytes,
            }) => {
                let place = u128::from(inode.0) << 64 | u128::from(*offset);
                mix128(mix128(disk, place), hash128(bytes))
            }
            _ => disk,
        }
    }
}

impl Inode {
    fn is_settled(&self) -> bool {
        let cached = !self.unsaved.is_empty() || !self.unwritten.is_empty();
        !self.is_dirty() && !cached && self.live.hash() == self.disk.hash()
    }
}

struct Hash(u128);

impl Hash {
    fn mix(&mut self, value: u128) {
        self.0 = mix128(self.0, value);
    }

    fn number(&mut self, value: u64) {
        self.mix(u128::from(value));
    }

    fn text(&mut self, text: &str) {
        self.mix(hash128(text.as_bytes()));
    }

    fn names(&mut self, names: &NameTable, place: &impl Fn(InodeId) -> u64) {
        for dir in names.directories() {
            let entries = names.entries(dir);
            self.mix(u128::from(place(dir)) << 64 | entries.len() as u128);
            for (name, inode) in entries {
                self.mix(hash128(name.as_bytes()).wrapping_add(u128::from(place(inode))));
            }
        }
        // No directory has this place: the list ends.
        self.number(0);
    }

    fn change(&mut self, change: &NameChange, place: &impl Fn(InodeId) -> u64) {
        for slot in change.slots() {
            self.number(place(slot.dir));
            self.text(&slot.name);
        }
        // Which of the changes it is: what it names, what it removes, and whether from elsewhere.
        self.number(change.names_inode().map_or(u64::MAX, place));
        self.number(change.slots().count() as u64);
        for directory in change.directories() {
            self.number(place(directory));
        }
    }

    fn inode(&mut self, inode: &Inode, rank: &impl Fn(u64) -> u64) {
        self.number(inode.kind as u64);
        self.mix(inode.live.hash());
        self.mix(inode.disk.hash());
        self.number(inode.sizes.len() as u64);
        for step in &inode.sizes {
            self.number(rank(step.record));
            self.number(step.len);
            self.number(step.cause as u64);
        }
        self.number(inode.pages.len() as u64);
        for (index, versions) in &inode.pages {
            self.number(*index);
            self.number(versions.len() as u64);
            for version in versions {
                self.number(rank(version.record));
                self.mix(version.page.as_ref().map_or(0, |page| page.hash()));
            }
        }
        self.number(u64::from(inode.retry.length));
        for pages in [&inode.retry.pages, &inode.newer] {
            self.number(pages.len() as u64);
            for (index, record) in pages {
                self.number(*index);
                self.number(rank(*record));
            }
        }
        for numbers in [&inode.unsaved, &inode.unwritten, &inode.unreadable] {
            self.number(numbers.len() as u64);
            numbers.iter().for_each(|number| self.number(*number));
        }
        let superseded = inode.superseded.as_ref();
        self.number(superseded.map_or(0, |pages| pages.len() as u64));
        for (index, page) in superseded.into_iter().flatten() {
            self.number(*index);
            self.mix(page.as_ref().map_or(0, |page| page.hash()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::notation::FileHistory;
    use super::super::profile::Profile;

    fn fingerprint(history: &str) -> u128 {
        let history = FileHistory::parse(history).unwrap();
        history.run(Profile::Posix).unwrap().fingerprint()
    }

    #[test]
    fn same_bytes_with_other_things_pending_are_another_disk() {
        let synced = "create f; write f 0 A; sync f; sync_dir";
        let histories = [
            synced,
            "create f; write f 0 A; sync f",
            "create f; write f 0 A; sync_dir",
            "create f; write f 0 B; write f 0 A; sync_dir",
        ];
        let all: std::collections::BTreeSet<u128> = histories
            .iter()
            .map(|history| fingerprint(history))
            .collect();
        assert_eq!(all.len(), histories.len());
        assert_eq!(fingerprint(synced), fingerprint("f=A"));
        let again = "create g; remove g; create f; write f 0 A; sync f; sync_dir";
        assert_eq!(fingerprint(synced), fingerprint(again));
    }

    #[test]
    fn settled_disk_has_the_fingerprint_of_its_image() {
        let history = FileHistory::parse("f=A; create g; sync_dir").unwrap();
        let disk = history.run(Profile::Posix).unwrap();
        assert!(disk.is_settled());
        assert_eq!(disk.fingerprint(), disk.live().hash128());
    }
}
