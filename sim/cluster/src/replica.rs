//! The engine under test.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use crate::entry::NodeId;
use crate::host::{BoxFuture, Host, Message};
use crate::operation::{ClientRequest, ClientResponse};

/// Makes replicas.
pub trait RaftEngine: Debug + Send + Sync {
    /// Starts the replica of a node from what its disks hold. Where they hold nothing and `founders`
    /// is not empty, the cluster is founded with these voters; where it is empty, the node waits to be
    /// added.
    ///
    /// # Errors
    /// It cannot start on these disks; the text says why.
    fn start(
        &self,
        host: Arc<dyn Host>,
        founders: BTreeSet<NodeId>,
    ) -> BoxFuture<Result<Arc<dyn Replica>, String>>;

    /// Whether a machine that lost its disks comes back under its old number, as the voter that it was:
    /// a bug of the cluster's operator, planted with this engine.
    fn is_rejoined_when_wiped(&self) -> bool {
        false
    }
}

/// What an operator asks of the cluster, through one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminRequest {
    /// Adds a node that learns the log and does not vote.
    AddLearner(NodeId),
    /// Makes these nodes the voters.
    ChangeVoters(BTreeSet<NodeId>),
    /// The leader hands its leadership to this node.
    TransferLeadership(NodeId),
    /// The node takes a snapshot of its state machine.
    TakeSnapshot,
}

/// The engine's part of one process of one node.
pub trait Replica: Debug + Send + Sync {
    /// A message arrived.
    fn deliver(&self, from: NodeId, message: Message);
    /// A client asks.
    fn call(&self, request: ClientRequest) -> BoxFuture<ClientResponse>;
    /// An operator asks.
    ///
    /// # Errors
    /// It was not done, or not finished: the text says why.
    fn admin(&self, request: AdminRequest) -> BoxFuture<Result<(), String>>;
    /// The node that this one takes for the leader.
    fn leader(&self) -> Option<NodeId>;
    /// A hash of the state of the state machine, and the index up to which it is applied: equal on all
    /// nodes once the cluster is at rest.
    fn applied(&self) -> (u64, u64);
}
