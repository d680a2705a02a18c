//! What the calls on names do.

use std::ffi::OsStr;

use beaver_disk::{Change, FileKind, InodeId};
use fuser::{Errno, FileAttr, FileType, Request};

use super::attributes::{Attributes, STDOUT, errno, file_type, inode, number, usual_mode};
use super::server::Server;
use super::standard_output::STDOUT_NAME;

/// One entry of a directory that is being read.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) kind: FileType,
}

impl Server {
    /// A name as text; what is not UTF-8 is refused, because a recording has no place for it.
    pub(super) fn text<'n>(&mut self, name: &'n OsStr) -> Result<&'n str, Errno> {
        name.to_str().ok_or_else(|| {
            self.warn(format!(
                "the name {name:?} was refused (EILSEQ): names must be UTF-8"
            ));
            Errno::EILSEQ
        })
    }

    /// What has this name.
    fn named(&self, dir: InodeId, name: &str) -> Result<u64, Errno> {
        if dir == InodeId::ROOT && name == STDOUT_NAME {
            return Ok(STDOUT);
        }
        if let Some(number) = self.specials.named(dir, name) {
            return Ok(number);
        }
        let found = self.disk.look(|disk| disk.named(dir, name));
        found.map(number).map_err(errno)
    }

    pub(super) fn lookup(&mut self, dir: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let name = self.text(name)?;
        let number = self.named(inode(dir)?, name)?;
        self.told_of(number)
    }

    /// Makes a file, a directory or a symbolic link: what `change` says of a directory and a name.
    pub(super) fn make(
        &mut self,
        request: &Request,
        (dir, name): (u64, &OsStr),
        mode: u32,
        change: impl FnOnce(InodeId, String) -> Change,
    ) -> Result<FileAttr, Errno> {
        self.note_caller(request.pid());
        let name = self.text(name)?;
        let parent = inode(dir)?;
        if self.named(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.change(change(parent, name.to_owned()), false)?;
        let found = self.disk.look(|disk| {
            let id = disk.named(parent, name)?;
            Ok((id, disk.kind(id)))
        });
        let (id, kind) = found.map_err(errno)?;
        let attributes = Attributes::new(mode, request.uid(), request.gid());
        self.attributes.insert(number(id), attributes);
        self.touch(dir);
        let kind = kind.ok_or(Errno::ENOENT)?;
        if kind != FileKind::Symlink && attributes.mode != usual_mode(kind) {
            self.set_mode(id, attributes.mode)?;
        }
        self.told_of(number(id))
    }

    /// Makes a socket or a FIFO.
    pub(super) fn make_special(
        &mut self,
        request: &Request,
        (dir, name): (u64, &OsStr),
        mode: u32,
        kind: FileType,
    ) -> Result<FileAttr, Errno> {
        let name = self.text(name)?;
        let parent = inode(dir)?;
        if self.named(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = self.specials.make(parent, name, kind);
        let attributes = Attributes::new(mode, request.uid(), request.gid());
        self.attributes.insert(number, attributes);
        self.told_of(number)
    }

    pub(super) fn link(&mut self, file: u64, dir: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let name = self.text(name)?;
        let (file_id, dir_id) = (inode(file)?, inode(dir)?);
        if self.named(dir_id, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let change = Change::Link {
            inode: file_id,
            dir: dir_id,
            name: name.to_owned(),
        };
        self.change(change, false)?;
        self.touch(dir);
        self.told_of(file)
    }

    pub(super) fn remove(&mut self, dir: u64, name: &OsStr) -> Result<(), Errno> {
        let name = self.text(name)?;
        let parent = inode(dir)?;
        if self.specials.take(parent, name).is_some() {
            return Ok(());
        }
        let removed = self.named(parent, name)?;
        let change = Change::Remove {
            dir: inode(dir)?,
            name: name.to_owned(),
        };
        // The standard output is no file of the disk.
        inode(removed)?;
        self.change(change, false)?;
        self.touch(dir);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, dir: u64, name: &OsStr) -> Result<(), Errno> {
        let name = self.text(name)?;
        let parent = inode(dir)?;
        let removed = inode(self.named(parent, name)?)?;
        if self.specials.entries(removed).next().is_some() {
            return Err(Errno::ENOTEMPTY);
        }
        let change = Change::RemoveDir {
            dir: parent,
            name: name.to_owned(),
        };
        self.change(change, false)?;
        self.touch(dir);
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        (from_dir, from): (u64, &OsStr),
        (to_dir, to): (u64, &OsStr),
        replaces: bool,
    ) -> Result<(), Errno> {
        let (from, to) = (self.text(from)?, self.text(to)?);
        let (old, new) = (inode(from_dir)?, inode(to_dir)?);
        let moved = self.named(old, from)?;
        let replaced = self.named(new, to).ok();
        if replaced == Some(moved) {
            return Ok(());
        }
        if replaced.is_some() && !replaces {
            return Err(Errno::EEXIST);
        }
        if [Some(moved), replaced].contains(&Some(STDOUT)) {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.specials.kind(moved).is_some() {
            if replaced.is_some_and(|replaced| self.specials.kind(replaced).is_none()) {
                let name = to.to_owned();
                self.change(Change::Remove { dir: new, name }, false)?;
            }
            self.specials.take(old, from);
            self.specials.put(new, to, moved);
            return Ok(());
        }
        let emptied = replaced.map(inode).and_then(Result::ok);
        let holds = |dir| self.specials.entries(dir).next().is_some();
        if emptied.is_some_and(holds) {
            return Err(Errno::ENOTEMPTY);
        }
        let change = Change::Rename {
            from_dir: old,
            from: from.to_owned(),
            to_dir: new,
            to: to.to_owned(),
        };
        self.change(change, false)?;
        self.specials.take(new, to);
        self.touch(from_dir);
        self.touch(to_dir);
        Ok(())
    }

    /// Everything in a directory, as it is now: entries that are removed while it is read do not shift the others.
    pub(super) fn list(&self, dir: u64) -> Result<Vec<Listed>, Errno> {
        let id = inode(dir)?;
        let dots = [".", ".."].map(|name| Listed {
            name: name.to_owned(),
            number: dir,
            kind: FileType::Directory,
        });
        let special = self.specials.entries(id).map(|(name, number)| Listed {
            name: name.to_owned(),
            number,
            kind: self.specials.kind(number).unwrap_or(FileType::RegularFile),
        });
        Ok(self.disk.look(|disk| {
            let entries = disk.entries(id).map(|(name, entry)| Listed {
                name: name.to_owned(),
                number: number(entry),
                kind: file_type(disk.kind(entry).unwrap_or(FileKind::File)),
            });
            dots.into_iter().chain(entries).chain(special).collect()
        }))
    }

    /// Something changed now.
    pub(super) fn touch(&mut self, number: u64) {
        if let Some(attributes) = self.attributes.get_mut(&number) {
            attributes.touch();
        }
    }
}
