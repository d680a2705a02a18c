//! Whole reads and writes: a call that is short goes on with the rest, one that was interrupted did
//! nothing and is made again.

use std::io::{self, ErrorKind};

use super::{Access, Storage, StorageFile};

/// Writes all of `bytes` at `offset`. Makes nothing durable.
///
/// # Errors
/// The first that is not `Interrupted`; `WriteZero` if the file takes nothing. Any prefix may be
/// written.
pub fn write_all(file: &dyn StorageFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Everything in the file `name`; `None` if there is no such file.
///
/// # Errors
/// The first that is not `Interrupted`; `OutOfMemory` if the file does not fit into memory.
pub fn read_all(storage: &dyn Storage, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match storage.open(name, Access::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let len = usize::try_from(file.len()?).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match file.read_at(&mut bytes[done..], done as u64) {
            // Somebody has cut it meanwhile.
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(done);
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::{Disk, Effect, Failure, Fault, Plan, Profile, SimDisk, SimOptions};

    #[test]
    fn short_calls_are_carried_on() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        let file = storage.create("f").unwrap();
        let faults = [
            (2, Fault::ShortWrite { bytes: 3 }),
            (6, Fault::ShortRead { bytes: 1 }),
        ];
        disk.set_plan(Plan {
            calls: faults.into(),
            ..Plan::default()
        });
        write_all(&*file, b"abcdef", 1).unwrap();
        let read = read_all(&*storage, "f").unwrap();
        assert_eq!(read.as_deref(), Some(&b"\0abcdef"[..]));
        assert_eq!(disk.calls(), 7, "each short call is followed by another");
        assert_eq!(read_all(&*storage, "g").unwrap(), None);
    }

    #[test]
    fn an_interrupted_read_is_made_again_and_any_other_error_is_the_answer() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        write_all(&*storage.create("f").unwrap(), b"abc", 0).unwrap();
        let failing = |error| Fault::Error {
            error,
            effect: Effect::Nothing,
            sticky: false,
        };
        let faults = [
            (5, failing(Failure::Interrupted)),
            (7, failing(Failure::Io)),
            (10, failing(Failure::Io)),
        ];
        disk.set_plan(Plan {
            calls: faults.into(),
            ..Plan::default()
        });
        let read = read_all(&*storage, "f").unwrap();
        assert_eq!(read.as_deref(), Some(&b"abc"[..]));
        assert_eq!(disk.calls(), 6, "open, len, and the read twice");
        read_all(&*storage, "f").expect_err("the file cannot be opened");
        read_all(&*storage, "f").expect_err("the file cannot be read");
    }
}
