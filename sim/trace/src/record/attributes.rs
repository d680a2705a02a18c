//! What the simulated disk does not keep: owners, permissions and times. No crash changes them.

use std::io;
use std::time::SystemTime;

use beaver_disk::{FileKind, InodeId};
use fuser::{Errno, FileAttr, FileType, INodeNo, TimeOrNow};

/// The permissions that most files have. Others are recorded.
const USUAL_FILE: u32 = 0o644;
/// The same for directories.
const USUAL_DIRECTORY: u32 = 0o755;
/// The number of the file that is the standard output of the program, far above those of the disk.
pub(super) const STDOUT: u64 = 1 << 62;

/// Of one file or directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) accessed: SystemTime,
    pub(super) modified: SystemTime,
    pub(super) changed: SystemTime,
}

impl Attributes {
    pub(super) fn new(mode: u32, uid: u32, gid: u32) -> Self {
        let now = now();
        Attributes {
            mode: mode & 0o7777,
            uid,
            gid,
            accessed: now,
            modified: now,
            changed: now,
        }
    }

    pub(super) fn touch(&mut self) {
        self.modified = now();
        self.changed = self.modified;
    }

    /// As the kernel wants them.
    pub(super) fn told(&self, number: u64, kind: FileType, len: u64, links: u32) -> FileAttr {
        FileAttr {
            ino: INodeNo(number),
            size: len,
            blocks: len.div_ceil(512),
            atime: self.accessed,
            mtime: self.modified,
            ctime: self.changed,
            crtime: self.changed,
            kind,
            perm: u16::try_from(self.mode & 0o7777).expect("twelve bits fit"),
            nlink: links,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// The permissions that a recording need not mention.
pub(super) fn usual_mode(kind: FileKind) -> u32 {
    match kind {
        FileKind::File => USUAL_FILE,
        FileKind::Directory => USUAL_DIRECTORY,
        FileKind::Symlink => 0o777,
    }
}

/// The time of a change. Nothing that is recorded depends on it.
#[expect(
    clippy::disallowed_methods,
    reason = "programs look at the times of their files; the recording has none"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

pub(super) fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => now(),
    }
}

/// The number by which the kernel knows something on the disk: it keeps 1 for the root.
pub(super) fn number(inode: InodeId) -> u64 {
    inode.0 + 1
}

/// What on the disk has this number.
pub(super) fn inode(number: u64) -> Result<InodeId, Errno> {
    match number {
        1..STDOUT => Ok(InodeId(number - 1)),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

pub(super) fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
    }
}

/// The number of an error of the simulated disk.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(super) fn errno(error: io::Error) -> Errno {
    if let Some(number) = error.raw_os_error() {
        return Errno::from_i32(number);
    }
    match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::AlreadyExists => Errno::EEXIST,
        io::ErrorKind::DirectoryNotEmpty => Errno::ENOTEMPTY,
        io::ErrorKind::NotADirectory => Errno::ENOTDIR,
        io::ErrorKind::IsADirectory => Errno::EISDIR,
        io::ErrorKind::InvalidInput => Errno::EINVAL,
        io::ErrorKind::InvalidFilename => Errno::ENAMETOOLONG,
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        io::ErrorKind::QuotaExceeded => Errno::EDQUOT,
        io::ErrorKind::FileTooLarge => Errno::EFBIG,
        io::ErrorKind::Interrupted => Errno::EINTR,
        io::ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::WouldBlock => Errno::EAGAIN,
        io::ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        _ => Errno::EIO,
    }
}
