//! A snapshot that its sender may not send any more.

use openraft::RaftTypeConfig;
use openraft::alias::{SnapshotMetaOf, VoteOf};
use openraft::vote::{RaftLeaderId, RaftVote};

/// Why a snapshot must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the snapshot holds entries of a later leader: the node that sends it in this term leads no more"
)]
pub struct LaterSnapshot;

/// Refuses a snapshot that holds entries of a later leader than the one that sends it. Call it first in
/// `RaftNetworkV2::full_snapshot`, and answer an error with `ReplicationClosed`.
///
/// openraft 0.10.0-alpha.37 reads the snapshot to send when it is about to send it, and does not look
/// whether it still leads (`replication/snapshot_transmitter.rs`). A leader that was deposed, and follows
/// the next one already, so sends that one's entries under its own old vote; a node that still knows the
/// old vote only takes it for a corrupt snapshot and panics (`install_full_snapshot`, in release builds
/// too). Found by the simulated cluster: five nodes, about one run in 20,000.
///
/// # Errors
/// The snapshot is of a later leader.
pub fn check_snapshot<C: RaftTypeConfig>(
    vote: &VoteOf<C>,
    meta: &SnapshotMetaOf<C>,
) -> Result<(), LaterSnapshot> {
    let sender = vote.leader_id().to_committed();
    match &meta.last_log_id {
        Some(last) if *last.committed_leader_id() > sender => Err(LaterSnapshot),
        _ => Ok(()),
    }
}
