//! New files appear whole or not at all: content before name, name before use.
//!
//! ```text
//! create x.tmp │ write │ sync x.tmp │ rename x.tmp → x │ sync directory │ use x
//! ```
//!
//! A crash before the rename leaves a temporary file, which open removes. A crash after it leaves
//! the old name, the new one or both; the content under the new name is always whole, because it
//! was synced before.

use std::io::{self, ErrorKind};

use crate::directory;
use crate::error::{Error, Result};
use crate::names;
use crate::storage::{Storage, StorageFile, write_all};

/// A whole, synced file that does not have its name yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    name: String,
    temporary: String,
    file: Box<dyn StorageFile>,
}

/// Writes `content` to a temporary file for `name` and syncs it. After an error nothing is left
/// but, at worst, a temporary file.
pub(crate) fn prepare(storage: &dyn Storage, name: &str, content: &[u8]) -> Result<Prepared> {
    let temporary = names::temporary(name);
    let file = create_anew(storage, &temporary)?;
    let failed = temporary.as_str();
    let error = |operation| move |error| Error::storage(operation, failed, error);
    let written = write_all(&*file, content, 0)
        .map_err(error("write_at"))
        // A sync that fails here is not made again: the file is thrown away, and its inode with it.
        .and_then(|()| file.sync_data().map_err(error("sync_data")));
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
fn create_anew(storage: &dyn Storage, temporary: &str) -> Result<Box<dyn StorageFile>> {
    let mut created = storage.create(temporary);
    if matches!(&created, Err(error) if error.kind() == ErrorKind::AlreadyExists) {
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
    pub(crate) fn rename(self, storage: &dyn Storage) -> Result<Box<dyn StorageFile>> {
        match storage.rename(&self.temporary, &self.name) {
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
