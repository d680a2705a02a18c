//! Whole reads and writes: a call that is short goes on with the rest, one that was interrupted did
//! nothing and is made again.

use std::io::{self, ErrorKind};

use crate::{Access, Storage, StorageFile};

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
            // The file was cut meanwhile.
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(done);
    Ok(Some(bytes))
}
