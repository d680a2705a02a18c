//! Whose directory this is: the file `identity.json`.
//!
//! ```text
//! {"format":1,"cluster":"beaver","node":1,"incarnation":"d1f0c2b3a4958677"}
//! ```
//! The incarnation is drawn when the directory is made. The membership of the cluster names it, so
//! that a node which comes back with an empty directory is known not to be the one that voted and
//! acknowledged under its number. The file is written after the log was made and before the node
//! speaks to anybody: a directory with an identity and no log, or the other way round, has lost one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use beaver::StoreId;
use serde::{Deserialize, Serialize};

const FORMAT: u32 = 1;
const FILE: &str = "identity.json";

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeIdentity {
    format: u32,
    /// The name of its cluster.
    pub(crate) cluster: String,
    /// Its number.
    pub(crate) node: u64,
    /// Drawn when its directory was made: 16 hex digits.
    pub(crate) incarnation: String,
}

/// Why a directory is not this node's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The file system refuses.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no identity of a node.
    #[error("{path} is not the identity of a node: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The directory is somebody else's.
    #[error("{path} belongs to node {node} of cluster {cluster:?}, not to node {asked_node} of cluster {asked_cluster:?}", path = path.display())]
    Another {
        /// The directory.
        path: PathBuf,
        /// The node that it belongs to.
        node: u64,
        /// The cluster of that node.
        cluster: String,
        /// The node that it should belong to.
        asked_node: u64,
        /// The cluster of that node.
        asked_cluster: String,
    },
    /// There is an identity and no log.
    #[error("{path} has an identity and no log ({reason}): what this node has voted and acknowledged is lost. Remove the directory, remove node {node} from the cluster, and add it with a new number", path = path.display())]
    LogLost {
        /// The directory.
        path: PathBuf,
        /// Which node.
        node: u64,
        /// What is in the directory of the log.
        reason: String,
    },
    /// There is a log that was used, or a snapshot, and no identity.
    #[error("{path} has a log or a snapshot and no identity: it is not known which node it belongs to", path = path.display())]
    IdentityLost {
        /// The directory.
        path: PathBuf,
    },
}

impl NodeIdentity {
    /// The identity in `dir`, if there is one.
    ///
    /// # Errors
    /// It is not to be read, or is the identity of another node or cluster.
    pub(crate) fn load(
        dir: &Path,
        cluster: &str,
        node: u64,
    ) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IdentityError::Io { path, error }),
        };
        let found: NodeIdentity = match serde_json::from_slice(&text) {
            Ok(found) => found,
            Err(error) => {
                let reason = error.to_string();
                return Err(IdentityError::Unreadable { path, reason });
            }
        };
        if found.format != FORMAT {
            let reason = format!("its format is {}, and {FORMAT} is known", found.format);
            return Err(IdentityError::Unreadable { path, reason });
        }
        if (found.cluster.as_str(), found.node) != (cluster, node) {
            return Err(IdentityError::Another {
                path: dir.to_owned(),
                node: found.node,
                cluster: found.cluster,
                asked_node: node,
                asked_cluster: cluster.to_owned(),
            });
        }
        Ok(Some(found))
    }

    /// Draws an identity and makes it durable in `dir`.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn create(dir: &Path, cluster: &str, node: u64) -> Result<Self, IdentityError> {
        let identity = NodeIdentity {
            format: FORMAT,
            cluster: cluster.to_owned(),
            node,
            incarnation: StoreId::random().to_string(),
        };
        let path = dir.join(FILE);
        match identity.write(dir, &path) {
            Ok(()) => Ok(identity),
            Err(error) => Err(IdentityError::Io { path, error }),
        }
    }

    fn write(&self, dir: &Path, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        // The bytes before the name, so that the name never stands for half of them.
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(NodeIdentity::load(dir.path(), "c", 1).unwrap(), None);
        let made = NodeIdentity::create(dir.path(), "c", 1).unwrap();
        assert_eq!(NodeIdentity::load(dir.path(), "c", 1).unwrap(), Some(made));
    }

    #[test]
    fn the_directory_of_another_node_or_cluster_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        NodeIdentity::create(dir.path(), "c", 1).unwrap();
        for (cluster, node) in [("c", 2), ("d", 1)] {
            let error = NodeIdentity::load(dir.path(), cluster, node).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("belongs to node 1 of cluster \"c\""),
                "{error}"
            );
        }
    }

    #[test]
    fn half_an_identity_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"{\"format\":1").unwrap();
        let error = NodeIdentity::load(dir.path(), "c", 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(FILE) && error.contains("not the identity"),
            "{error}"
        );
    }
}
