//! What calls do to names: files, directories and links are made, renamed and removed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::content::Content;
use super::disk::Disk;
use super::inode::Inode;
use super::names::{InodeId, NameChange, Slot, check_file_name};
use super::profile::Profile;
use beaver_storage::FileKind;

impl Disk {
    /// What a path leads to from the root. Names are separated by `/`; symbolic links are not
    /// followed.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `NotADirectory` for a file that is not the last name.
    pub fn find(&self, path: &str) -> io::Result<InodeId> {
        let (dir, name) = self.parent_of(path)?;
        self.lookup(dir, name)
    }

    /// The directory that the last name of a path stands in, and that name.
    pub(super) fn parent_of<'p>(&self, path: &'p str) -> io::Result<(InodeId, &'p str)> {
        let mut dir = InodeId::ROOT;
        let mut rest = path;
        while let Some((name, behind)) = rest.split_once('/') {
            dir = self.lookup(dir, name)?;
            rest = behind;
        }
        Ok((dir, rest))
    }

    pub(super) fn lookup(&self, dir: InodeId, name: &str) -> io::Result<InodeId> {
        if let Some(inode) = self.names.live.get(dir, name) {
            return Ok(inode);
        }
        self.check_directory(dir)?;
        check_file_name(name)?;
        Err(io::ErrorKind::NotFound.into())
    }

    /// What an inode is.
    #[must_use]
    pub fn kind(&self, id: InodeId) -> Option<FileKind> {
        match id {
            InodeId::ROOT => Some(FileKind::Directory),
            id => self.inodes.get(&id).map(|inode| inode.kind),
        }
    }

    /// The path by which a file is found, the first one in order of directories and names; of a file
    /// without a name nothing.
    #[must_use]
    pub fn path(&self, id: InodeId) -> Option<String> {
        self.names.live.path(id)
    }

    /// Fails unless names can stand in `dir`.
    fn check_directory(&self, dir: InodeId) -> io::Result<()> {
        if dir == InodeId::ROOT {
            return Ok(());
        }
        let inode = self.inodes.get(&dir);
        let inode = inode.filter(|inode| inode.links > 0);
        match inode.ok_or(io::ErrorKind::NotFound)?.kind {
            FileKind::Directory => Ok(()),
            FileKind::File | FileKind::Symlink => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn create(&mut self, dir: InodeId, name: &str) -> io::Result<InodeId> {
        self.add(dir, name, FileKind::File, Content::default())
    }

    pub(super) fn create_dir(&mut self, dir: InodeId, name: &str) -> io::Result<InodeId> {
        self.add(dir, name, FileKind::Directory, Content::default())
    }

    pub(super) fn symlink(
        &mut self,
        dir: InodeId,
        name: &str,
        target: &str,
    ) -> io::Result<InodeId> {
        if target.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let content = Content::from_bytes(target.as_bytes());
        self.add(dir, name, FileKind::Symlink, content)
    }

    fn add(
        &mut self,
        dir: InodeId,
        name: &str,
        kind: FileKind,
        content: Content,
    ) -> io::Result<InodeId> {
        let slot = self.free_slot(dir, name)?;
        let len = content.len();
        let inode = self.add_inode(kind, Arc::new(content));
        self.used += len;
        self.change_names(NameChange::Create { slot, inode });
        Ok(inode)
    }

    /// The place for a name that is not there yet.
    fn free_slot(&self, dir: InodeId, name: &str) -> io::Result<Slot> {
        match self.lookup(dir, name) {
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.check_directory(dir)?,
            Err(error) => return Err(error),
        }
        self.check_writable()?;
        Ok(slot(dir, name))
    }

    /// A new inode that is about to have one name.
    pub(super) fn add_inode(&mut self, kind: FileKind, content: Arc<Content>) -> InodeId {
        self.last_inode += 1;
        let id = InodeId(self.last_inode);
        let mut inode = Inode::settled(content);
        inode.kind = kind;
        inode.links = 1;
        inode.superseded = (self.profile == Profile::HostileDevice).then(BTreeMap::new);
        self.inodes.insert(id, Arc::new(inode));
        id
    }

    /// One name more for a file. A directory has one name only.
    pub(super) fn link(&mut self, inode: InodeId, dir: InodeId, name: &str) -> io::Result<()> {
        let slot = self.free_slot(dir, name)?;
        if self.kind(inode) == Some(FileKind::Directory) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        // A file whose last name is gone does not come back.
        if self.inodes.get(&inode).is_none_or(|file| file.links == 0) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.inode_mut(inode).links += 1;
        self.change_names(NameChange::Link { slot, inode });
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        from_dir: InodeId,
        from: &str,
        to_dir: InodeId,
        to: &str,
    ) -> io::Result<()> {
        self.check_writable()?;
        let inode = self.lookup(from_dir, from)?;
        check_file_name(to)?;
        self.check_directory(to_dir)?;
        let replaced = self.names.live.get(to_dir, to);
        // Two names of one file: rename(2) does nothing and says Ok.
        if replaced == Some(inode) {
            return Ok(());
        }
        let directory = self.kind(inode) == Some(FileKind::Directory);
        self.check_move(inode, directory, [from_dir, to_dir], replaced)?;
        self.change_names(NameChange::Rename {
            from: slot(from_dir, from),
            to: slot(to_dir, to),
            inode,
            directory,
            replaced: replaced.filter(|_| directory),
        });
        if let Some(replaced) = replaced {
            self.unlink(replaced);
        }
        Ok(())
    }

    /// Fails where rename(2) does: a directory goes only over an empty one, and never into itself.
    fn check_move(
        &self,
        inode: InodeId,
        directory: bool,
        [from_dir, to_dir]: [InodeId; 2],
        replaced: Option<InodeId>,
    ) -> io::Result<()> {
        if directory && self.names.live.is_inside(to_dir, inode) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let Some(replaced) = replaced else {
            return Ok(());
        };
        let over_directory = self.kind(replaced) == Some(FileKind::Directory);
        if over_directory && self.names.live.is_inside(from_dir, replaced) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        match (directory, over_directory) {
            (true, false) => Err(io::ErrorKind::NotADirectory.into()),
            (false, true) => Err(io::ErrorKind::IsADirectory.into()),
            (true, true) => self.check_empty(replaced),
            (false, false) => Ok(()),
        }
    }

    fn check_empty(&self, dir: InodeId) -> io::Result<()> {
        match self.names.live.is_empty(dir) {
            true => Ok(()),
            false => Err(io::ErrorKind::DirectoryNotEmpty.into()),
        }
    }

    pub(super) fn remove(&mut self, dir: InodeId, name: &str) -> io::Result<()> {
        self.check_writable()?;
        let inode = self.lookup(dir, name)?;
        if self.kind(inode) == Some(FileKind::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.change_names(NameChange::Remove {
            slot: slot(dir, name),
            directory: None,
        });
        self.unlink(inode);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, dir: InodeId, name: &str) -> io::Result<()> {
        self.check_writable()?;
        let inode = self.lookup(dir, name)?;
        if self.kind(inode) != Some(FileKind::Directory) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.check_empty(inode)?;
        self.change_names(NameChange::Remove {
            slot: slot(dir, name),
            directory: Some(inode),
        });
        self.unlink(inode);
        Ok(())
    }

    fn change_names(&mut self, change: NameChange) {
        let record = self.records.next();
        self.names.change(record, change);
    }

    fn unlink(&mut self, id: InodeId) {
        let inode = self.inode_mut(id);
        inode.links -= 1;
        if inode.links == 0 {
            let len = inode.live.len();
            self.used -= len;
            self.nameless.insert(id);
        }
    }
}

fn slot(dir: InodeId, name: &str) -> Slot {
    let name = Arc::from(name);
    Slot { dir, name }
}
