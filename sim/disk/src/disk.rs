//! A whole disk as a value: files, names, and what is pending.
//!
//! Nothing here knows of processes, handles, faults or call numbers. A copy costs a reference count
//! a file, so that a search can keep one for every crash point; files and pages are copied when
//! they change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::change::Change;
use super::content::Content;
use super::image::{FileImage, Image, name_hashes};
use super::inode::{Inode, RecordNumbers, SizeCause};
use super::names::{InodeId, NameChange, Names, Slot, Slots as _, check_file_name};
use super::profile::Profile;
use beaver_storage::FileKind;

/// The largest length of a file: what a signed file offset can say.
const MAX_LEN: u64 = i64::MAX as u64;

/// Which of the two syncs of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSync {
    Data,
    All,
}

/// One disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) profile: Profile,
    pub(super) inodes: BTreeMap<InodeId, Arc<Inode>>,
    /// Files with pending records; always those, so that a sync that drags others along need not
    /// look at all.
    pub(super) dirty: BTreeSet<InodeId>,
    /// Files whose last name is gone; always those, so that nobody need look at all to forget some.
    pub(super) nameless: BTreeSet<InodeId>,
    pub(super) names: Names,
    pub(super) records: RecordNumbers,
    pub(super) last_inode: u64,
    /// Since a failed sync the file system refuses every change.
    pub(super) read_only: bool,
    /// The lengths of all files that have a name, added up.
    pub(super) used: u64,
}

impl Image {
    /// A disk on which exactly this is durable and nothing is pending.
    #[must_use]
    pub fn disk(&self, profile: Profile) -> Disk {
        Disk::from_image(self, profile)
    }
}

impl Disk {
    /// A disk without files.
    #[must_use]
    pub fn empty(profile: Profile) -> Self {
        Disk {
            profile,
            inodes: BTreeMap::new(),
            dirty: BTreeSet::new(),
            nameless: BTreeSet::new(),
            names: Names::default(),
            records: RecordNumbers::default(),
            last_inode: 0,
            read_only: false,
            used: 0,
        }
    }

    /// A disk on which exactly `image` is durable and nothing is pending. The files keep their
    /// numbers.
    #[must_use]
    pub fn from_image(image: &Image, profile: Profile) -> Self {
        let mut disk = Disk::empty(profile);
        disk.names.live = image.names.clone();
        disk.names.disk = image.names.clone();
        let hostile = profile == Profile::HostileDevice;
        for (id, file) in &image.files {
            let mut inode = Inode::settled(file.content.clone());
            inode.kind = file.kind;
            inode.unreadable = file.unreadable.clone();
            inode.superseded = hostile.then(BTreeMap::new);
            disk.inodes.insert(*id, Arc::new(inode));
            disk.last_inode = id.0;
        }
        for id in image.names.inodes() {
            let inode = disk.inodes.get_mut(&id).expect("every name has its file");
            Arc::make_mut(inode).links += 1;
        }
        disk.used = image.files.iter().map(|(_, file)| file.content.len()).sum();
        disk
    }

    /// Carries out `change` as a call without faults would.
    ///
    /// # Errors
    ///
    /// Those of the call; `NotFound` for a file that is not there.
    pub fn apply(&mut self, change: &Change) -> io::Result<()> {
        if change
            .inode()
            .is_some_and(|id| !self.inodes.contains_key(&id))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        match change {
            Change::Create { dir, name } => self.create(*dir, name).map(|_| ()),
            Change::CreateDir { dir, name } => self.create_dir(*dir, name).map(|_| ()),
            Change::Symlink { dir, name, target } => self.symlink(*dir, name, target).map(|_| ()),
            Change::Link { inode, dir, name } => self.link(*inode, *dir, name),
            Change::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => self.rename(*from_dir, from, *to_dir, to),
            Change::Remove { dir, name } => self.remove(*dir, name),
            Change::RemoveDir { dir, name } => self.remove_dir(*dir, name),
            Change::Write {
                inode,
                offset,
                bytes,
            } => self.write(*inode, bytes, *offset),
            Change::SetLen { inode, len } => self.set_len(*inode, *len),
            Change::Allocate { inode, len } => self.allocate(*inode, *len),
            Change::SyncData { inode } => self.sync_file(*inode, FileSync::Data),
            Change::SyncAll { inode } => self.sync_file(*inode, FileSync::All),
            Change::SyncDir { dir } => match self.kind(*dir) {
                Some(FileKind::Directory) => self.sync_dir(*dir),
                _ => Err(io::ErrorKind::NotADirectory.into()),
            },
            Change::DropCache { inode } => {
                self.inode_mut(*inode).drop_clean_pages();
                Ok(())
            }
        }
    }

    /// The kind of file system this is.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// What a reader sees now: the live view.
    #[must_use]
    pub fn live(&self) -> Image {
        let hashes = name_hashes(&self.names.live);
        let files = hashes.iter().map(|(id, _)| {
            let inode = &self.inodes[id];
            let mut file = FileImage::new(inode.kind, inode.live.clone());
            file.unreadable = inode.unreadable.clone();
            (*id, file)
        });
        let files = files.collect();
        Image::assemble(self.names.live.clone(), &hashes, files)
    }

    /// The lengths of all files that have a name, added up, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[&id]
    }

    /// The file to change. Its length counts towards `used` again by [`changed`](Self::changed).
    pub(super) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        let inode = self.inodes.get_mut(&id);
        Arc::make_mut(inode.expect("a file stays as long as a handle or a name does"))
    }

    /// Changes a file and takes note of it.
    pub(super) fn change_file<T>(
        &mut self,
        id: InodeId,
        change: impl FnOnce(&mut Inode, &mut RecordNumbers) -> T,
    ) -> T {
        let inode = self.inodes.get_mut(&id).expect("an open file stays");
        let old_len = inode.live.len();
        let done = change(Arc::make_mut(inode), &mut self.records);
        self.changed(id, old_len);
        done
    }

    /// Takes note of a change of `id`, whose length was `old_len`.
    pub(super) fn changed(&mut self, id: InodeId, old_len: u64) {
        let inode = &self.inodes[&id];
        if inode.is_dirty() {
            self.dirty.insert(id);
        } else {
            self.dirty.remove(&id);
        }
        if inode.links > 0 {
            self.used = self.used - old_len + inode.live.len();
        }
    }

    pub(super) fn write(&mut self, id: InodeId, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let len = bytes.len() as u64;
        if offset > MAX_LEN || len > MAX_LEN - offset {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.change_file(id, |inode, records| inode.write(records, bytes, offset));
        Ok(())
    }

    pub(super) fn set_len(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.check_writable()?;
        if len > MAX_LEN {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.change_file(id, |inode, records| inode.set_len(records, len));
        Ok(())
    }

    pub(super) fn allocate(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.check_writable()?;
        if len > self.inode(id).live.len() {
            return self.set_len(id, len);
        }
        Ok(())
    }

    /// `sync_data`, or `sync_all`, which differs only in what makes the journal of `linux-ordered`
    /// commit: a pending write moves the time of the file.
    pub(super) fn sync_file(&mut self, id: InodeId, sync: FileSync) -> io::Result<()> {
        self.check_writable()?;
        let inode = self.inode(id);
        let (written, len) = (!inode.pages.is_empty(), inode.disk.len());
        let sized = !inode.sizes.is_empty();
        self.commit_file(id);
        match self.profile {
            Profile::LinuxOrdered => {
                let resized = sized || self.inode(id).disk.len() != len;
                let touched = sync == FileSync::All && written;
                if resized || touched || self.names.is_creation_pending(id) {
                    self.commit_metadata();
                }
            }
            Profile::BtrfsLike => {
                let own = |change: &NameChange| change.names_inode() == Some(id);
                let rule = self.profile.rename_rule();
                self.names.commit_where(rule, |entry| own(&entry.change));
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: InodeId) -> io::Result<()> {
        self.check_writable()?;
        if self.profile == Profile::LinuxOrdered && self.names.is_change_pending(dir) {
            self.commit_metadata();
        }
        let rule = self.profile.rename_rule();
        self.names.commit_directory(dir, rule);
        Ok(())
    }

    /// Makes all pending content and lengths of one file durable, and nothing else.
    pub(super) fn commit_file(&mut self, id: InodeId) {
        if self.dirty.remove(&id) {
            self.inode_mut(id).commit_all();
        }
    }

    /// Commits every name and every `set_len`, of all files.
    pub(super) fn commit_metadata(&mut self) {
        self.names.commit_all();
        let dirty: Vec<InodeId> = self.dirty.iter().copied().collect();
        for id in dirty {
            let count = self.inode(id).sizes_to_last_set_len();
            if count > 0 {
                self.change_file(id, |inode, _| inode.commit_sizes(count));
            }
        }
    }

    pub(super) fn check_writable(&self) -> io::Result<()> {
        match self.read_only {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    /// Forgets files that have no name, now or after a power cut, and are not open.
    pub(super) fn forget_unreachable(&mut self, is_open: impl Fn(InodeId) -> bool) {
        let names = &self.names;
        let nameless = self.nameless.iter().copied();
        let gone = nameless.filter(|id| !is_open(*id) && !names.mention(*id));
        for id in gone.collect::<Vec<_>>() {
            self.nameless.remove(&id);
            self.dirty.remove(&id);
            self.inodes.remove(&id);
        }
    }

    /// Everything that could be written back in the background now, in order: pages, then the
    /// oldest length, file by file.
    pub(super) fn write_back_candidates(&self) -> Vec<(InodeId, Option<u64>)> {
        let mut candidates = Vec::new();
        for id in &self.dirty {
            let inode = self.inode(*id);
            for (index, versions) in &inode.pages {
                let last = versions.last();
                if last.is_some_and(|last| !inode.waits_for_shrink(*index, last.record)) {
                    candidates.push((*id, Some(*index)));
                }
            }
            for (index, record) in &inode.retry.pages {
                if !inode.waits_for_shrink(*index, *record) {
                    candidates.push((*id, Some(*index)));
                }
            }
            let oldest = inode.sizes.first();
            if oldest.is_some_and(|step| step.cause == SizeCause::Write) {
                candidates.push((*id, None));
            }
        }
        candidates
    }

    /// Writes back one page (`Some`) or the oldest length (`None`). `false` if there was nothing to
    /// do.
    pub(super) fn write_back(&mut self, id: InodeId, page: Option<u64>) -> bool {
        self.change_file(id, |inode, _| match page {
            Some(index) => inode.write_back_page(index),
            None => inode.write_back_size(),
        })
    }

    /// Adds a file that is durable at once, with its name. `false` if the name is taken or no name,
    /// or its directory is not durable.
    pub(super) fn add_durable(&mut self, path: &str, bytes: &[u8]) -> bool {
        let Ok((dir, name)) = self.parent_of(path) else {
            return false;
        };
        let durable = dir == InodeId::ROOT || self.names.disk.slot_of(dir).is_some();
        if !durable || check_file_name(name).is_err() || self.names.live.get(dir, name).is_some() {
            return false;
        }
        let id = self.add_inode(FileKind::File, Arc::new(Content::from_bytes(bytes)));
        self.used += bytes.len() as u64;
        let name = Arc::from(name);
        let slot = Slot { dir, name };
        for names in [&mut self.names.live, &mut self.names.disk] {
            Arc::make_mut(names).set(&slot, Some(id));
        }
        true
    }
}
