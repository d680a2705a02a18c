//! The types that openraft is used with.

use std::net::SocketAddr;

use beaver_raft::{QueueAnswer, QueueRequest, ReplicatedQueue, StateMachineStore};
use openraft::NodeInfo;

use crate::peers::Peer;

openraft::declare_raft_types!(
    /// The job queue, replicated by openraft on tokio.
    pub C:
        D = QueueRequest,
        R = QueueAnswer,
        Node = NodeInfo,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = openraft::impls::TokioRuntime,
);

/// What the membership says about a node: its address, and as data the incarnation of its directory.
pub(crate) type Node = NodeInfo;
/// A vote.
pub(crate) type Vote = openraft::alias::VoteOf<C>;
/// What a snapshot covers.
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<C>;
/// A snapshot.
pub(crate) type Snapshot = openraft::alias::SnapshotOf<C, Vec<u8>>;
/// The queue as far as this node has applied the log.
pub(crate) type JobsMachine = StateMachineStore<C, ReplicatedQueue>;
/// A replica.
pub(crate) type Raft = openraft::Raft<C, JobsMachine>;

/// How node `id`, of which the membership says `node`, is reached.
///
/// # Errors
/// The membership has no address for it.
pub(crate) fn peer(id: u64, node: &Node) -> Result<Peer, String> {
    let address = &node.raft_addr;
    match address.parse() {
        Ok(address) => Ok(Peer {
            id,
            address,
            incarnation: Some(node.data.clone()),
        }),
        Err(_) => Err(format!(
            "node {id} has the address {address:?} in the membership"
        )),
    }
}

/// What the membership is to say about a node.
#[must_use]
pub(crate) fn member_node(address: SocketAddr, incarnation: String) -> Node {
    NodeInfo::new(address, incarnation)
}
