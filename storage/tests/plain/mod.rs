//! The plainest storage that keeps the contract, with one planted bug where a test asks for it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use beaver_storage::check_name;
use beaver_storage::{Access, Storage, StorageFile, StorageLock};

macro_rules! bugs {
    ($($bug:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Bug { $($bug),* }

        pub(crate) const BUGS: &[Bug] = &[$(Bug::$bug),*];
    };
}

bugs! {
    CreateReplaces,
    NewFilesHaveAByte,
    OpenCreates,
    ListIsInOrderOfCreation,
    ListShowsTheLock,
    NamesAreNotChecked,
    DotNamesAreRefused,
    RenameCopies,
    RenameRefusesATakenName,
    RenameOfNothingSucceeds,
    RenameOntoItselfRemoves,
    RemoveEmptiesTheFile,
    RemoveOfNothingSucceeds,
    NamesKeepTheirFile,
    SyncOfAnEmptyDirectoryFails,
    HandlesHaveTheirOwnCopy,
    HandlesBelongToTheirThread,
    ReadsBeyondTheEndFail,
    GapsKeepGarbage,
    EmptyWritesGrow,
    WritesCut,
    LongWritesLoseTheirEnd,
    CutBytesComeBack,
    CutBytesCanBeRead,
    SetLenOnlyCuts,
    SetLenToTheSameLengthEmpties,
    AllocateCuts,
    AllocateEmpties,
    AllocateAddsGarbage,
    ReadHandlesWrite,
    ReadHandlesAreRefusedOtherwise,
    SyncOfAnEmptyFileFails,
    DropCacheLosesTheEnd,
    DropCacheFails,
    TheLockIsShared,
    TheLockStays,
    TheLockHindersItsHolder,
}

#[derive(Debug, Default)]
pub(crate) struct Plain {
    bug: Option<Bug>,
    files: Mutex<Vec<(String, Arc<Inode>)>>,
    removed: Mutex<BTreeMap<String, Arc<Inode>>>,
    locked: Arc<AtomicBool>,
}

/// The bytes, and how many of them are in the file: what comes after was cut and may come back.
type Inode = Mutex<(Vec<u8>, usize)>;

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plain {
    pub(crate) fn with(bug: Bug) -> Self {
        Plain {
            bug: Some(bug),
            ..Plain::default()
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn check(&self, name: &str) -> io::Result<()> {
        if self.has(Bug::DotNamesAreRefused) && name.starts_with('.') {
            return Err(ErrorKind::InvalidInput.into());
        }
        match self.has(Bug::NamesAreNotChecked) {
            true => Ok(()),
            false => check_name(name),
        }
    }

    fn find(&self, name: &str) -> io::Result<Arc<Inode>> {
        let files = hold(&self.files);
        let found = files.iter().find(|(taken, _)| taken == name);
        found
            .map(|(_, inode)| Arc::clone(inode))
            .ok_or(ErrorKind::NotFound.into())
    }

    fn drop_name(&self, name: &str) {
        hold(&self.files).retain(|(taken, _)| taken != name);
    }

    fn handle(&self, inode: Arc<Inode>, access: Access) -> Box<dyn StorageFile> {
        Box::new(Handle {
            bug: self.bug,
            inode,
            access,
            thread: std::thread::current().id(),
        })
    }
}

impl Storage for Plain {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.check(name)?;
        if self.has(Bug::TheLockHindersItsHolder) && self.locked.load(Ordering::SeqCst) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.find(name).is_ok() {
            if !self.has(Bug::CreateReplaces) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            self.drop_name(name);
        }
        let inode = match hold(&self.removed).get(name) {
            Some(inode) if self.has(Bug::NamesKeepTheirFile) => Arc::clone(inode),
            _ if self.has(Bug::NewFilesHaveAByte) => Arc::new(Mutex::new((vec![b'\n'], 1))),
            _ => Arc::default(),
        };
        hold(&self.files).push((name.to_owned(), Arc::clone(&inode)));
        Ok(self.handle(inode, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.check(name)?;
        match self.find(name) {
            Err(_) if self.has(Bug::OpenCreates) => self.create(name),
            Ok(inode) if self.has(Bug::HandlesHaveTheirOwnCopy) => {
                let copy = hold(&inode).clone();
                Ok(self.handle(Arc::new(Mutex::new(copy)), access))
            }
            found => Ok(self.handle(found?, access)),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<_> = hold(&self.files)
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        if !self.has(Bug::ListIsInOrderOfCreation) {
            names.sort_unstable();
        }
        if self.has(Bug::ListShowsTheLock) && self.locked.load(Ordering::SeqCst) {
            names.push("LOCK".to_owned());
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check(from)?;
        self.check(to)?;
        let mut inode = match self.find(from) {
            Err(_) if self.has(Bug::RenameOfNothingSucceeds) => return Ok(()),
            found => found?,
        };
        if self.find(to).is_ok() && self.has(Bug::RenameRefusesATakenName) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if from == to && !self.has(Bug::RenameOntoItselfRemoves) {
            return Ok(());
        }
        if self.has(Bug::RenameCopies) {
            let copy = hold(&inode).clone();
            inode = Arc::new(Mutex::new(copy));
        }
        self.drop_name(to);
        self.drop_name(from);
        if from != to {
            hold(&self.files).push((to.to_owned(), inode));
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check(name)?;
        let inode = match self.find(name) {
            Err(_) if self.has(Bug::RemoveOfNothingSucceeds) => return Ok(()),
            found => found?,
        };
        if self.has(Bug::RemoveEmptiesTheFile) {
            *hold(&inode) = (Vec::new(), 0);
        }
        hold(&self.removed).insert(name.to_owned(), inode);
        self.drop_name(name);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        match hold(&self.files).is_empty() && self.has(Bug::SyncOfAnEmptyDirectoryFails) {
            true => Err(ErrorKind::InvalidInput.into()),
            false => Ok(()),
        }
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        if self.locked.swap(true, Ordering::SeqCst) && !self.has(Bug::TheLockIsShared) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let locked = match self.has(Bug::TheLockStays) {
            true => Arc::default(),
            false => Arc::clone(&self.locked),
        };
        Ok(Box::new(Guard { locked }))
    }
}

#[derive(Debug)]
struct Guard {
    locked: Arc<AtomicBool>,
}

impl StorageLock for Guard {}

impl Drop for Guard {
    fn drop(&mut self) {
        self.locked.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Handle {
    bug: Option<Bug>,
    inode: Arc<Inode>,
    access: Access,
    thread: ThreadId,
}

impl Handle {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn check_thread(&self) -> io::Result<()> {
        let other = std::thread::current().id() != self.thread;
        match other && self.has(Bug::HandlesBelongToTheirThread) {
            true => Err(ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        self.check_thread()?;
        if self.access == Access::Write || self.has(Bug::ReadHandlesWrite) {
            return Ok(());
        }
        match self.has(Bug::ReadHandlesAreRefusedOtherwise) {
            true => Err(ErrorKind::Unsupported.into()),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Makes the file `len` bytes long; what is new is `fill`, or what was cut where that is the
    /// bug.
    fn grow(&self, file: &mut (Vec<u8>, usize), len: usize, fill: u8) {
        if !self.has(Bug::CutBytesComeBack) {
            file.0.truncate(file.1);
        }
        if file.0.len() < len {
            file.0.resize(len, fill);
        }
        file.1 = len;
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("the tests stay small")
}

impl StorageFile for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(hold(&self.inode).1 as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.check_thread()?;
        let file = hold(&self.inode);
        let bytes = &file.0;
        let len = match self.has(Bug::CutBytesCanBeRead) {
            true => bytes.len(),
            false => file.1,
        };
        if size(offset) > len && self.has(Bug::ReadsBeyondTheEndFail) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let start = size(offset).min(len);
        let count = buf.len().min(len - start);
        buf[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        if buf.is_empty() && !self.has(Bug::EmptyWritesGrow) {
            return Ok(0);
        }
        let mut file = hold(&self.inode);
        let end = size(offset) + buf.len();
        if end > file.1 {
            let fill = u8::from(self.has(Bug::GapsKeepGarbage));
            self.grow(&mut file, end, fill);
        }
        if self.has(Bug::WritesCut) {
            file.1 = end;
        }
        let kept = match self.has(Bug::LongWritesLoseTheirEnd) {
            true => buf.len().min(1 << 15),
            false => buf.len(),
        };
        file.0[size(offset)..][..kept].copy_from_slice(&buf[..kept]);
        Ok(buf.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut file = hold(&self.inode);
        if size(len) > file.1 {
            if !self.has(Bug::SetLenOnlyCuts) {
                self.grow(&mut file, size(len), 0);
            }
        } else {
            if size(len) == file.1 && self.has(Bug::SetLenToTheSameLengthEmpties) {
                file.0.fill(0);
            }
            file.1 = size(len);
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut file = hold(&self.inode);
        if self.has(Bug::AllocateEmpties) {
            file.0.fill(0);
        }
        if size(len) > file.1 {
            let fill = u8::from(self.has(Bug::AllocateAddsGarbage));
            self.grow(&mut file, size(len), fill);
        } else if self.has(Bug::AllocateCuts) {
            file.1 = size(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match hold(&self.inode).1 {
            0 if self.has(Bug::SyncOfAnEmptyFileFails) => Err(ErrorKind::InvalidInput.into()),
            _ => Ok(()),
        }
    }

    fn drop_cache(&self) -> io::Result<()> {
        if self.has(Bug::DropCacheFails) {
            return Err(ErrorKind::InvalidInput.into());
        }
        if self.has(Bug::DropCacheLosesTheEnd) {
            let mut file = hold(&self.inode);
            file.1 = file.1.saturating_sub(1);
            return Ok(());
        }
        Err(ErrorKind::Unsupported.into())
    }
}
