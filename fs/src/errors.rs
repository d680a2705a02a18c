//! Errors that the simulated disk itself has no call for.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// An error of the simulated disk as the system would give it: with its number, where the kind says all
/// there is to it. One with more to say, such as that the process has crashed, stays as it is.
pub(crate) fn numbered(error: io::Error) -> io::Error {
    match error.raw_os_error().is_some() || error.get_ref().is_some() {
        true => error,
        false => plain(error.kind()),
    }
}

/// The error of the system that has this kind.
pub(crate) fn plain(kind: ErrorKind) -> io::Error {
    let number = match kind {
        ErrorKind::AlreadyExists => Errno::EXIST,
        ErrorKind::CrossesDevices => Errno::XDEV,
        ErrorKind::DirectoryNotEmpty => Errno::NOTEMPTY,
        ErrorKind::FileTooLarge => Errno::FBIG,
        ErrorKind::Interrupted => Errno::INTR,
        ErrorKind::InvalidFilename => Errno::NAMETOOLONG,
        ErrorKind::InvalidInput => Errno::INVAL,
        ErrorKind::IsADirectory => Errno::ISDIR,
        ErrorKind::NotADirectory => Errno::NOTDIR,
        ErrorKind::NotFound => Errno::NOENT,
        ErrorKind::OutOfMemory => Errno::NOMEM,
        ErrorKind::PermissionDenied => Errno::ACCESS,
        ErrorKind::QuotaExceeded => Errno::DQUOT,
        ErrorKind::ReadOnlyFilesystem => Errno::ROFS,
        ErrorKind::ResourceBusy => Errno::BUSY,
        ErrorKind::StorageFull => Errno::NOSPC,
        ErrorKind::Unsupported => Errno::OPNOTSUPP,
        ErrorKind::WouldBlock => Errno::WOULDBLOCK,
        other => return other.into(),
    };
    number.into()
}

/// A call that a simulated disk does not have.
pub(crate) fn unsupported(call: &str) -> io::Error {
    let text = format!("{call} is not supported on a simulated disk");
    io::Error::new(ErrorKind::Unsupported, text)
}

/// `EBADF`: the file was not opened for this. The standard library has no public kind for it.
pub(crate) fn not_opened_for_this() -> io::Error {
    Errno::BADF.into()
}

/// `EPERM`: what nobody may do.
pub(crate) fn not_permitted() -> io::Error {
    Errno::PERM.into()
}

/// `ELOOP`. The standard library has no stable kind for it.
pub(crate) fn too_many_links() -> io::Error {
    Errno::LOOP.into()
}

/// A call that waits for another holder of a lock.
pub(crate) fn would_wait() -> io::Error {
    let text = "another handle holds the lock, and on a simulated disk nothing waits for it";
    io::Error::new(ErrorKind::Deadlock, text)
}
