//! The plain store's way to the disk: files that appear under their name only when they are whole,
//! and errors with the place where they happened.

use std::io::{self, ErrorKind};

use beaver_storage::{Storage, StorageFile, read_all, write_all};

use beaver_sim::subject::{ErrorClass, Failure};

pub(super) fn segment_name(epoch: u64) -> String {
    format!("wal-{epoch:010}.jsonl")
}

pub(super) fn snapshot_name(epoch: u64) -> String {
    format!("snapshot-{epoch:010}.json")
}

/// An error that did nothing.
pub(super) fn not_done(file: &str, error: &io::Error) -> Failure {
    let class = match error.kind() {
        ErrorKind::WouldBlock => ErrorClass::Locked,
        _ => ErrorClass::NotDone,
    };
    Failure {
        file: Some(file.to_owned()),
        kind: Some(error.kind()),
        ..Failure::new(class, format!("{file}: {error}"))
    }
}

/// Data that is refused.
pub(super) fn corrupt(file: &str, why: &str) -> Failure {
    Failure {
        file: (!file.is_empty()).then(|| file.to_owned()),
        ..Failure::new(ErrorClass::Corrupt, format!("{file}: {why}"))
    }
}

/// All of a file that is there.
pub(super) fn read(disk: &dyn Storage, name: &str) -> Result<Vec<u8>, Failure> {
    let read = read_all(disk, name).and_then(|read| read.ok_or(ErrorKind::NotFound.into()));
    read.map_err(|error| not_done(name, &error))
}

/// Removes a name; one that is not there is as good as removed.
pub(super) fn remove(disk: &dyn Storage, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a whole, synced file under a temporary name.
pub(super) fn prepare(
    disk: &dyn Storage,
    name: &str,
    bytes: &[u8],
) -> Result<Box<dyn StorageFile>, Failure> {
    let temporary = format!("{name}.tmp");
    let all = || -> io::Result<Box<dyn StorageFile>> {
        remove(disk, &temporary)?;
        let file = disk.create(&temporary)?;
        write_all(&*file, bytes, 0)?;
        file.sync_data()?;
        Ok(file)
    };
    all().map_err(|error| {
        let _ = remove(disk, &temporary);
        not_done(&temporary, &error)
    })
}

/// Gives a prepared file its name, and makes the name durable.
pub(super) fn publish(disk: &dyn Storage, name: &str) -> Result<(), Failure> {
    let temporary = format!("{name}.tmp");
    let published = disk.rename(&temporary, name).and_then(|()| disk.sync_dir());
    published.map_err(|error| {
        let _ = remove(disk, &temporary);
        not_done(name, &error)
    })
}
