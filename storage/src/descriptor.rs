//! File descriptors that nothing else in the process takes for its own.
//!
//! A process that has closed its standard input, output or error gets these numbers for the next
//! files that it opens, and code that writes by number (a message to standard error) would write
//! into a segment. So no file of a store has a number below 3, not even for a moment.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{self as sys, Mode, OFlags};
use rustix::io::fcntl_dupfd_cloexec;

/// The first number that is not that of a standard stream.
const FIRST: i32 = 3;

/// Opens the directory `path`, or the one of that name in `directory`.
pub(super) fn open_directory(
    directory: impl AsFd,
    path: impl rustix::path::Arg,
) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = sys::openat(directory, path, flags, Mode::empty())?;
    // Nothing can be written through it, so it may have had another number before.
    above_standard_streams(opened)
}

/// Opens, or creates, a file in `directory`, without following a link.
pub(super) fn open_file(directory: &File, name: &str, flags: OFlags) -> io::Result<File> {
    // For as long as the file is opened the low numbers are taken: by the directory, through which
    // nothing can be written. Moved afterwards, a file could be written to before it is moved.
    let mut taken = Vec::new();
    loop {
        let low = fcntl_dupfd_cloexec(directory, 0)?;
        if low.as_raw_fd() >= FIRST {
            break;
        }
        taken.push(low);
    }
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = sys::openat(directory, name, flags, Mode::from_raw_mode(0o666))?;
    above_standard_streams(opened)
}

/// The same file under a number that no standard stream has.
fn above_standard_streams(opened: OwnedFd) -> io::Result<File> {
    if opened.as_raw_fd() >= FIRST {
        return Ok(File::from(opened));
    }
    Ok(File::from(fcntl_dupfd_cloexec(&opened, FIRST)?))
}
