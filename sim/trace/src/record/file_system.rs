//! What the kernel asks, handed to the [`Server`]. There is no behaviour here but flags and answers.
//!
//! Between the program and this stands the page cache. Reads come from it, and writes go through it: write(2) returns after
//! they were answered here. Only what is written to a mapping stays there until msync(2), fsync(2), close(2) or the system
//! writes it back; then it comes with a flag of its own. So a recording may have such bytes later than the program stored
//! them, and never earlier.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use beaver_disk::Change;
use fuser::{
    BsdFileFlags, Errno, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{FallocateFlags, FileType as Kind};

use super::answers::{FOREVER, attr, durable, empty, entry, opened_with};
use super::awake::Awake;
use super::files::{Durable, Wanted};
use super::names::Listed;
use super::server::{Server, lock};

/// Blocks of a disk on which there is as much room as anybody asks for.
const ENOUGH: u64 = 1 << 28;
const BLOCK: u32 = 4096;

/// The simulated disk as a file system.
pub(super) struct ServedDisk {
    server: Arc<Mutex<Server>>,
    /// Who is told of each request, if that makes the answers faster.
    awake: Option<Awake>,
    /// What is listed by each directory that is being read.
    listings: Mutex<BTreeMap<u64, Vec<Listed>>>,
    last_listing: Mutex<u64>,
}

impl ServedDisk {
    pub(super) fn new(server: Arc<Mutex<Server>>, awake: Option<Awake>) -> Self {
        ServedDisk {
            server,
            awake,
            listings: Mutex::new(BTreeMap::new()),
            last_listing: Mutex::new(0),
        }
    }
}

impl ServedDisk {
    /// The server, for a request that has come.
    fn server(&self) -> MutexGuard<'_, Server> {
        if let Some(awake) = &self.awake {
            awake.request();
        }
        lock(&self.server)
    }
}

impl Filesystem for ServedDisk {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Without the first the kernel cuts writes into pages. An older kernel may lack one.
        for wanted in [InitFlags::FUSE_BIG_WRITES, InitFlags::FUSE_CACHE_SYMLINKS] {
            let _ = config.add_capabilities(wanted);
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.server().lookup(parent.0, name));
    }

    fn forget(&self, _: &Request, ino: INodeNo, lookups: u64) {
        self.server().forget(ino.0, lookups);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attr(reply, self.server().told(ino.0));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        len: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let wanted = Wanted {
            mode,
            uid,
            gid,
            len,
            accessed,
            modified,
        };
        attr(reply, self.server().set(ino.0, wanted));
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.server().read(ino.0, u32::MAX, 0) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let mut server = self.server();
        let (place, permissions) = ((parent.0, name), mode & !umask);
        let made = match Kind::from_raw_mode(mode) {
            Kind::RegularFile => server.make(request, place, permissions, |dir, name| {
                Change::Create { dir, name }
            }),
            Kind::Socket => server.make_special(request, place, permissions, FileType::Socket),
            Kind::Fifo => server.make_special(request, place, permissions, FileType::NamedPipe),
            _ => Err(Errno::EPERM),
        };
        drop(server);
        entry(reply, made);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let made = self
            .server()
            .make(request, (parent.0, name), mode & !umask, |dir, name| {
                Change::CreateDir { dir, name }
            });
        entry(reply, made);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.server().remove(parent.0, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.server().remove_dir(parent.0, name));
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let mut server = self.server();
        let target = server.text(target.as_os_str()).map(str::to_owned);
        let made = target.and_then(|target| {
            server.make(request, (parent.0, name), 0o777, |dir, name| {
                Change::Symlink { dir, name, target }
            })
        });
        drop(server);
        entry(reply, made);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mut server = self.server();
        let known = RenameFlags::RENAME_NOREPLACE;
        let renamed = if known.contains(flags) {
            let replaces = !flags.contains(known);
            server.rename((parent.0, name), (new_parent.0, new_name), replaces)
        } else {
            server.warn(format!(
                "a rename of {name:?} that exchanges two files was refused (EINVAL), as some file systems do"
            ));
            Err(Errno::EINVAL)
        };
        drop(server);
        empty(reply, renamed);
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.server().link(ino.0, parent.0, name));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut server = self.server();
        let made = server.make(request, (parent.0, name), mode & !umask, |dir, name| {
            Change::Create { dir, name }
        });
        if let Ok(told) = &made {
            server.opened(told.ino.0);
        }
        drop(server);
        match made {
            Ok(told) => {
                let flags = opened_with(told.ino.0);
                reply.created(&FOREVER, &told, Generation(0), FileHandle(0), flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.server().opened(ino.0);
        reply.opened(FileHandle(0), opened_with(ino.0));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.server().read(ino.0, size, offset);
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mapped = write_flags.contains(WriteFlags::FUSE_WRITE_CACHE);
        let mut server = self.server();
        let mut written = server.write(request, (ino.0, offset), data, mapped);
        // What the system writes back goes by the flags of any opener.
        if written.is_ok() && !mapped {
            written = server.sync_written(ino.0, durable(flags)).and(written);
        }
        drop(server);
        match written {
            Ok(count) => reply.written(u32::try_from(count).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // The kernel asks this once, and closes files without asking from then on.
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.server().released(ino.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, data: bool, reply: ReplyEmpty) {
        let durable = match data {
            true => Durable::Data,
            false => Durable::All,
        };
        empty(reply, self.server().sync(ino.0, durable));
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let mut last = lock(&self.last_listing);
        *last += 1;
        self.server().opened(ino.0);
        reply.opened(FileHandle(*last), FopenFlags::empty());
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut listings = lock(&self.listings);
        if offset == 0 {
            match self.server().list(ino.0) {
                Ok(listing) => listings.insert(handle.0, listing),
                Err(error) => return reply.error(error),
            };
        }
        let listing = listings.get(&handle.0).map_or(&[][..], Vec::as_slice);
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        for (next, listed) in (1..).zip(listing).skip(first) {
            if reply.add(INodeNo(listed.number), next, listed.kind, &listed.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        lock(&self.listings).remove(&handle.0);
        self.server().released(ino.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.server().sync_dir(ino.0));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (all, free) = match self.server().room() {
            Some((all, free)) => (all / u64::from(BLOCK), free / u64::from(BLOCK)),
            None => (ENOUGH, ENOUGH / 2),
        };
        reply.statfs(all, free, free, ENOUGH, ENOUGH, BLOCK, 255, BLOCK);
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // Holes and ranges of zeros are for the program to do without, as on many file systems.
        let flags = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        let done = match offset.checked_add(length) {
            Some(end) if flags.is_empty() => self.server().allocate(ino.0, end),
            Some(_) if flags == FallocateFlags::KEEP_SIZE => self.server().reserve(ino.0),
            Some(_) => Err(Errno::EOPNOTSUPP),
            None => Err(Errno::EFBIG),
        };
        empty(reply, done);
    }

    // Where the answer is ENOSYS, the kernel asks no more and does it, or refuses it, by itself.

    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _: i64, _: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: fuser::CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        self.server().warn(format!(
            "the extended attribute {name:?} was refused (EOPNOTSUPP), and so are all others"
        ));
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: fuser::IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: fuser::ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }
}
