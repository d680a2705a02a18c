//! Which names a storage accepts: plain file names, so that nothing leaves the directory.

use std::io;

/// The name that the lock of a directory goes by. It belongs to the storage, not to its caller: it
/// is not listed, and every method of [`Storage`](crate::Storage) that takes a name refuses it.
pub const LOCK_NAME: &str = "LOCK";

/// Fails with `InvalidInput` unless `name` is the plain name of a file: not empty, not `.` or `..`,
/// without `/`, `\` and NUL, and not [`LOCK_NAME`].
///
/// A backslash is refused although Unix permits it, so that a store can be copied to a system where
/// it is a separator.
///
/// # Errors
///
/// `InvalidInput`, with the name and the reason in its text.
pub fn check_name(name: &str) -> io::Result<()> {
    let reason = match name {
        "" => "it is empty",
        "." | ".." => "it is a directory",
        LOCK_NAME => "it is the lock of the directory",
        _ => match name.bytes().find(|byte| matches!(byte, b'/' | b'\\' | 0)) {
            Some(0) => "it has a NUL byte",
            Some(_) => "it has a separator",
            None => return Ok(()),
        },
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{name:?} is not a file name: {reason}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "", ".", "..", "/", "/a", "a/", "a/b", "../a", "a\\b", "a\0", LOCK_NAME,
        ] {
            let kind = check_name(name).map_err(|e| e.kind());
            assert_eq!(kind, Err(io::ErrorKind::InvalidInput), "{name:?}");
        }
    }

    #[test]
    fn names_that_only_look_special_are_accepted() {
        for name in [
            "...", ".a", "a.", "a..b", " ", "-", "~", "ü", "lock", "LOCK.tmp",
        ] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }
}
