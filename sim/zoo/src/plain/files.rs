//! The plain store's way to the disk: whole reads, whole writes, files that appear under their name
//! only when they are whole, and errors with the place where they happened.

use std::io::{self, ErrorKind};

use beaver::{Access, Storage, StorageFile};

use beaver_sim::subject::{Failure, Grave};

pub(super) fn segment_name(epoch: u64) -> String {
    format!("wal-{epoch:010}.jsonl")
}

pub(super) fn snapshot_name(epoch: u64) -> String {
    format!("snapshot-{epoch:010}.json")
}

/// An error that did nothing.
pub(super) fn not_done(file: &str, error: &io::Error) -> Failure {
    Failure {
        grave: if error.kind() == ErrorKind::WouldBlock {
            Grave::Locked
        } else {
            Grave::NotDone
        },
        file: Some(file.to_owned()),
        kind: Some(error.kind()),
        text: format!("{file}: {error}"),
    }
}

/// Data that is refused.
pub(super) fn corrupt(file: &str, why: &str) -> Failure {
    Failure {
        grave: Grave::Corrupt,
        file: (!file.is_empty()).then(|| file.to_owned()),
        kind: None,
        text: format!("{file}: {why}"),
    }
}

pub(super) fn read(disk: &dyn Storage, name: &str) -> Result<Vec<u8>, Failure> {
    let all = || -> io::Result<Vec<u8>> {
        let file = disk.open(name, Access::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
        let mut done = 0;
        while done < bytes.len() {
            match file.read_at(&mut bytes[done..], done as u64) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    };
    all().map_err(|error| not_done(name, &error))
}

pub(super) fn write(file: &dyn StorageFile, bytes: &[u8], offset: u64) -> io::Result<()> {
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
        write(&*file, bytes, 0)?;
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
