//! New files appear whole or not at all: content before name, name before use.
//!
//! ```text
//! create x.tmp │ write │ sync x.tmp │ rename x.tmp → x │ sync directory │ use x
//! ```
//!
//! A crash before the rename leaves a temporary file, which open removes. A crash after it leaves
//! the old name, the new one or both; the content behind the new name is always whole, because it
//! was synced before.

use std::io::{self, ErrorKind};

use crate::directory;
use crate::error::{Error, Result};
use crate::names;
pub(crate) use crate::storage::write_all;
use crate::storage::{Storage, StorageFile};

/// A whole, synced file that does not have its name yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    name: String,
    temporary: String,
    file: Box<dyn StorageFile>,
}

/// Where a test may let each step fail.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) create: fn() -> io::Result<()>,
    pub(crate) write: fn() -> io::Result<()>,
    pub(crate) sync: fn() -> io::Result<()>,
    pub(crate) rename: fn() -> io::Result<()>,
}

/// Writes `content` to a temporary file for `name` and syncs it. After an error nothing is left
/// but, at worst, a temporary file.
pub(crate) fn prepare(
    storage: &dyn Storage,
    name: &str,
    content: &[u8],
    steps: Steps,
) -> Result<Prepared> {
    let temporary = names::temporary(name);
    let file = create_anew(storage, &temporary, steps)?;
    let written = (steps.write)()
        .and_then(|()| write_all(&*file, content, 0))
        .map_err(|error| Error::storage("write_at", &temporary, error))
        .and_then(|()| {
            // A sync that fails here is not made again: the file, and its inode with it, is thrown
            // away.
            let synced = (steps.sync)().and_then(|()| file.sync_data());
            synced.map_err(|error| Error::storage("sync_data", &temporary, error))
        });
    match written {
        Ok(()) => Ok(Prepared {
            name: name.to_owned(),
            temporary,
            file,
        }),
        Err(error) => {
            drop(file);
            discard(storage, &temporary);
            Err(error)
        }
    }
}

/// Creates the temporary file. One that is there already is never used again: a sync of it may have
/// failed.
fn create_anew(
    storage: &dyn Storage,
    temporary: &str,
    steps: Steps,
) -> Result<Box<dyn StorageFile>> {
    let mut created = (steps.create)().and_then(|()| storage.create(temporary));
    if created
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
    {
        directory::remove(storage, temporary)?;
        created = storage.create(temporary);
    }
    created.map_err(|error| {
        // It may have been created all the same.
        discard(storage, temporary);
        Error::storage("create", temporary, error)
    })
}

impl Prepared {
    /// Gives the file its name, which is not durable before the directory is synced. After an error
    /// the name may be there.
    pub(crate) fn rename(
        self,
        storage: &dyn Storage,
        steps: Steps,
    ) -> Result<Box<dyn StorageFile>> {
        let renamed = (steps.rename)().and_then(|()| storage.rename(&self.temporary, &self.name));
        match renamed {
            Ok(()) => Ok(self.file),
            Err(error) => {
                discard(storage, &self.temporary);
                Err(Error::storage("rename", &self.name, error))
            }
        }
    }
}

/// Removes a temporary file as far as that is possible; what is left is removed by the next open.
fn discard(storage: &dyn Storage, temporary: &str) {
    if let Err(error) = directory::remove(storage, temporary) {
        tracing::warn!(file = temporary, %error, "a temporary file is left behind");
    }
}

/// Cuts or grows a file. An interrupted call did nothing and is made again: a length set twice is
/// the same length.
pub(crate) fn set_len(file: &dyn StorageFile, len: u64) -> io::Result<()> {
    loop {
        match file.set_len(len) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
