//! Errors that the simulated disk itself has no call for.

use std::io;

/// A call that a simulated disk does not have.
pub(crate) fn unsupported(call: &str) -> io::Error {
    let text = format!("{call} is not supported on a simulated disk");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// `EBADF`: the file was not opened for this. The standard library has no public kind for it.
pub(crate) fn not_opened_for_this() -> io::Error {
    rustix::io::Errno::BADF.into()
}

/// `ELOOP`. The standard library has no stable kind for it.
pub(crate) fn too_many_links() -> io::Error {
    rustix::io::Errno::LOOP.into()
}

/// A call that waits for another holder of a lock.
pub(crate) fn would_wait() -> io::Error {
    let text = "another handle holds the lock, and on a simulated disk nothing waits for it";
    io::Error::new(io::ErrorKind::Deadlock, text)
}
