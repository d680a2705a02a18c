//! The disk for one who knows files by their numbers: a file system that serves it, and a recording that is carried out again.

use std::io;

use super::change::Change;
use super::directory_calls::OpenDirectory;
use super::disk::{Disk, FileSync};
use super::file_calls::OpenFile;
use super::machine::{HELD, Handle, MachineState, enter};
use super::names::InodeId;
use super::owner::SimDisk;
use super::trace::TraceMode;
use beaver_storage::{Access, FileKind, Op};

impl SimDisk {
    /// Carries out a change as a call of the process that runs: it has its number, its faults, and the room that there is. A
    /// file is open from its creation until it is [let go](Self::let_go). Answers with the number of bytes that a write took,
    /// and with 0 for any other call.
    ///
    /// # Errors
    ///
    /// Those of the call; `NotFound` for a file that is not there.
    pub fn call(&self, change: &Change) -> io::Result<usize> {
        let mut machine = enter(&self.machine);
        let process = machine.process;
        match change {
            Change::Create { dir, name } => {
                let dir = open(*dir, &machine);
                let file = machine.create(process, &dir, name)?;
                let handle = machine.handles.remove(&file.handle);
                let handle = handle.expect("a file that was made is open");
                machine.handles.insert(HELD | file.inode.0, handle);
            }
            Change::CreateDir { dir, name } => {
                let dir = open(*dir, &machine);
                machine.make(process, &dir, name, Op::CreateDir, change)?;
            }
            Change::Symlink { dir, name, .. } => {
                let dir = open(*dir, &machine);
                machine.make(process, &dir, name, Op::Symlink, change)?;
            }
            Change::Link { inode, dir, name } => {
                let dir = open(*dir, &machine);
                machine.disk.kind(*inode).ok_or(io::ErrorKind::NotFound)?;
                machine.link(process, *inode, &dir, name)?;
            }
            Change::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => {
                let (old, new) = (open(*from_dir, &machine), open(*to_dir, &machine));
                machine.rename(process, &old, from, &new, to)?;
            }
            Change::Remove { dir, name } => {
                let dir = open(*dir, &machine);
                machine.remove(process, &dir, name)?;
            }
            Change::RemoveDir { dir, name } => {
                let dir = open(*dir, &machine);
                machine.remove_dir(process, &dir, name)?;
            }
            Change::SyncDir { dir } => {
                let dir = open(*dir, &machine);
                machine.sync_dir(process, &dir)?;
            }
            Change::Write { inode, .. }
            | Change::SetLen { inode, .. }
            | Change::Allocate { inode, .. }
            | Change::SyncData { inode }
            | Change::SyncAll { inode }
            | Change::DropCache { inode } => {
                let file = machine.held(*inode)?;
                return machine.call_on(process, &file, change);
            }
        }
        Ok(0)
    }

    /// Nothing has a file open any more: without a name it is forgotten by the next sync of a directory.
    pub fn let_go(&self, inode: InodeId) {
        enter(&self.machine).handles.remove(&(HELD | inode.0));
    }

    /// Makes everything durable that there is, as sync(2) does.
    pub fn sync(&self) {
        enter(&self.machine).disk.sync();
    }

    /// Looks at the disk without a call.
    pub fn look<T>(&self, look: impl FnOnce(&Disk) -> T) -> T {
        look(&enter(&self.machine).disk)
    }
}

/// Its path is looked for where a trace shows it: it is not at hand.
fn open(dir: InodeId, machine: &MachineState) -> OpenDirectory {
    let shown = dir != InodeId::ROOT && machine.trace.mode == TraceMode::Records;
    let path = shown.then(|| machine.disk.path(dir)).flatten();
    OpenDirectory {
        inode: dir,
        path: path.unwrap_or_default().into(),
    }
}

impl MachineState {
    /// Carries out a change of a file.
    fn call_on(&mut self, process: u64, file: &OpenFile, change: &Change) -> io::Result<usize> {
        let done = match change {
            Change::Write { offset, bytes, .. } => {
                return self.write_at(process, file, bytes, *offset);
            }
            Change::SetLen { len, .. } => self.resize(process, file, *len, Op::SetLen),
            Change::Allocate { len, .. } => self.resize(process, file, *len, Op::Allocate),
            Change::SyncData { .. } => self.sync_file(process, file, FileSync::Data),
            Change::SyncAll { .. } => self.sync_file(process, file, FileSync::All),
            Change::DropCache { .. } => self.drop_cache(process, file),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        };
        done.map(|()| 0)
    }

    /// The handle by which a file is held open; one that stood on the disk at the start is opened here.
    fn held(&mut self, inode: InodeId) -> io::Result<OpenFile> {
        match self.disk.kind(inode).ok_or(io::ErrorKind::NotFound)? {
            FileKind::File => {}
            FileKind::Directory => return Err(io::ErrorKind::IsADirectory.into()),
            FileKind::Symlink => return Err(io::ErrorKind::InvalidInput.into()),
        }
        let number = HELD | inode.0;
        let disk = &self.disk;
        let handle = self.handles.entry(number).or_insert_with(|| Handle {
            inode,
            name: disk.path(inode).unwrap_or_default().into(),
            seen_errors: disk.inode(inode).sync_errors,
        });
        Ok(OpenFile {
            handle: number,
            inode,
            name: handle.name.clone(),
            access: Access::Write,
        })
    }
}

/// What a reader finds, by numbers.
impl Disk {
    /// What has this name in a directory.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `NotADirectory` where `dir` is none.
    pub fn named(&self, dir: InodeId, name: &str) -> io::Result<InodeId> {
        self.lookup(dir, name)
    }

    /// Everything in a directory, in bytewise order of the names.
    pub fn entries(&self, dir: InodeId) -> impl Iterator<Item = (&str, InodeId)> {
        let entries = self.names.live.entries(dir);
        entries.map(|(name, inode)| (&**name, inode))
    }

    /// How many names a file has.
    #[must_use]
    pub fn links(&self, inode: InodeId) -> u64 {
        self.inodes
            .get(&inode)
            .map_or(0, |inode| u64::from(inode.links))
    }

    /// The length in bytes: of a file, or of the target of a symbolic link. 0 for a directory.
    #[must_use]
    pub fn len_of(&self, inode: InodeId) -> u64 {
        self.inodes.get(&inode).map_or(0, |inode| inode.live.len())
    }

    /// Reads what there is of a file, or of the target of a symbolic link, from `offset` on, and says how many bytes that was.
    #[must_use]
    pub fn read(&self, inode: InodeId, buf: &mut [u8], offset: u64) -> usize {
        let inode = self.inodes.get(&inode);
        inode.map_or(0, |inode| inode.live.read(buf, offset))
    }

    /// Makes everything durable that there is, as sync(2) does.
    pub fn sync(&mut self) {
        self.commit_metadata();
        let dirty: Vec<InodeId> = self.dirty.iter().copied().collect();
        dirty.into_iter().for_each(|id| self.commit_file(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, FaultPlan, Profile, SimOptions};

    fn create(dir: InodeId, name: &str) -> Change {
        Change::Create {
            dir,
            name: name.to_owned(),
        }
    }

    fn write(inode: InodeId, bytes: &[u8]) -> Change {
        Change::Write {
            inode,
            offset: 0,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn a_file_without_a_name_is_there_until_it_is_let_go() {
        let disk = SimDisk::new(Disk::empty(Profile::LinuxOrdered), SimOptions::default());
        let root = InodeId::ROOT;
        disk.call(&create(root, "a")).unwrap();
        let file = disk.look(|disk| disk.named(root, "a")).unwrap();
        let remove = Change::Remove {
            dir: root,
            name: "a".to_owned(),
        };
        disk.call(&remove).unwrap();
        disk.call(&Change::SyncDir { dir: root }).unwrap();
        assert_eq!(disk.call(&write(file, b"hello")).unwrap(), 5);
        let mut buf = [0; 8];
        assert_eq!(disk.look(|disk| disk.read(file, &mut buf, 1)), 4);
        assert_eq!(&buf[..4], b"ello");
        disk.let_go(file);
        disk.call(&Change::SyncDir { dir: root }).unwrap();
        let gone = disk.call(&write(file, b"hello")).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn everything_is_durable_after_a_sync_of_everything() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let root = InodeId::ROOT;
        let dir = Change::CreateDir {
            dir: root,
            name: "d".to_owned(),
        };
        disk.call(&dir).unwrap();
        let dir = disk.look(|disk| disk.named(root, "d")).unwrap();
        disk.call(&create(dir, "a")).unwrap();
        let file = disk.look(|disk| disk.named(dir, "a")).unwrap();
        disk.call(&write(file, b"hello")).unwrap();
        assert!(disk.crash_between_calls().images().count() > 1);
        disk.sync();
        let space = disk.crash_between_calls().images();
        assert_eq!(space.count(), 1);
        let image = space.image(&space.resolve(&[]));
        assert_eq!(image.read("d/a").unwrap(), b"hello");
    }

    #[test]
    fn faults_strike_by_the_number_of_the_call() {
        let fault = Fault::ShortWrite { bytes: 2 };
        let options = SimOptions {
            plan: FaultPlan {
                calls: [(2, fault)].into(),
                ..FaultPlan::default()
            },
            ..SimOptions::default()
        };
        let disk = SimDisk::new(Disk::empty(Profile::LinuxOrdered), options);
        disk.call(&create(InodeId::ROOT, "a")).unwrap();
        assert_eq!(disk.call(&write(InodeId(1), b"hello")).unwrap(), 2);
    }
}
