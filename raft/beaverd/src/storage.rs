//! A node's directory: whose it is, its log, its snapshots.
//!
//! ```text
//! DIR/identity.json    see `identity`
//! DIR/log              the Raft log
//! DIR/snapshots        snapshots of the queue
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver_raft::{FlushThread, LogStore, LogStoreOptions};

use crate::identity::{IdentityError, NodeIdentity};
use crate::types::{C, JobsMachine};

/// What a node keeps.
pub(crate) struct NodeStorage {
    /// Who it is.
    pub(crate) identity: NodeIdentity,
    /// Its Raft log.
    pub(crate) log: LogStore<C>,
    /// The queue as of its newest snapshot.
    pub(crate) machine: JobsMachine,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageUnusable {
    /// It is not this node's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file system refuses.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What is there is in use, damaged, or not to be read.
    #[error("{path}: {error}", path = path.display())]
    Store {
        /// Where.
        path: PathBuf,
        /// Why.
        error: beaver::Error,
    },
    /// The log begins after the newest snapshot.
    #[error("{path}: the log was purged up to entry {purged}, and the newest snapshot covers {covered}: snapshots are lost", path = path.display())]
    SnapshotLost {
        /// Where.
        path: PathBuf,
        /// The last entry that the log no longer has.
        purged: u64,
        /// What the newest snapshot covers.
        covered: String,
    },
}

impl NodeStorage {
    /// Opens the directory, or makes it.
    ///
    /// # Errors
    /// See [`StorageUnusable`].
    pub(crate) fn open(dir: &Path, cluster: &str, node: u64) -> Result<Self, StorageUnusable> {
        fs::create_dir_all(dir).map_err(|error| io_error(dir, error))?;
        let known = NodeIdentity::load(dir, cluster, node)?;
        let log = match open_log(&dir.join("log"), known.is_some()) {
            Err(StorageUnusable::Store {
                error: beaver::Error::NoStore { reason },
                ..
            }) if known.is_some() => {
                let path = dir.to_owned();
                return Err(IdentityError::LogLost { path, node, reason }.into());
            }
            opened => opened?,
        };
        let machine = open_machine(&dir.join("snapshots"))?;
        let identity = match known {
            Some(identity) => identity,
            None if is_unused(&log, &machine) => NodeIdentity::create(dir, cluster, node)?,
            None => {
                let path = dir.to_owned();
                return Err(IdentityError::IdentityLost { path }.into());
            }
        };
        let storage = NodeStorage {
            identity,
            log,
            machine,
        };
        storage.check_snapshot(dir)?;
        Ok(storage)
    }

    /// Refuses a log whose beginning is in no snapshot.
    fn check_snapshot(&self, dir: &Path) -> Result<(), StorageUnusable> {
        let applied = self.machine.last_applied();
        let purged = self.log.read_durable(|log| log.purged().copied());
        match purged {
            Some(purged) if applied.is_none_or(|applied| applied.index < purged.index) => {
                Err(StorageUnusable::SnapshotLost {
                    path: dir.join("snapshots"),
                    purged: purged.index,
                    covered: applied.map_or("nothing".to_owned(), |id| id.index.to_string()),
                })
            }
            _ => Ok(()),
        }
    }
}

fn is_unused(log: &LogStore<C>, machine: &JobsMachine) -> bool {
    let is_empty = log.read_durable(|log| log.vote().is_none() && log.last().is_none());
    is_empty && machine.last_applied().is_none()
}

/// Opens the log, or makes one unless it must be there.
fn open_log(path: &Path, must_exist: bool) -> Result<LogStore<C>, StorageUnusable> {
    let disk = DiskStorage::open(path).map_err(|error| io_error(path, error))?;
    let flusher = FlushThread::start().map_err(|error| io_error(path, error))?;
    let mut options = LogStoreOptions::default();
    options.store.wal.must_exist = must_exist;
    let opened = LogStore::open(Arc::new(disk), options, Arc::new(flusher));
    Ok(opened.map_err(|error| store_error(path, error))?.0)
}

fn open_machine(path: &Path) -> Result<JobsMachine, StorageUnusable> {
    let disk = DiskStorage::open(path).map_err(|error| io_error(path, error))?;
    JobsMachine::open(Arc::new(disk)).map_err(|error| store_error(path, error))
}

fn io_error(path: &Path, error: std::io::Error) -> StorageUnusable {
    let path = path.to_owned();
    StorageUnusable::Io { path, error }
}

fn store_error(path: &Path, error: beaver::Error) -> StorageUnusable {
    let path = path.to_owned();
    StorageUnusable::Store { path, error }
}
