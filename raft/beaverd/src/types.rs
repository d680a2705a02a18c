//! The types that openraft is used with.

use beaver_raft::{QueueAnswer, QueueRequest, ReplicatedQueue, StateMachineStore};
use openraft::NodeInfo;

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
pub(crate) type MemberNode = NodeInfo;
/// A vote.
pub(crate) type Vote = openraft::alias::VoteOf<C>;
/// What a snapshot covers.
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<C>;
/// A snapshot.
pub(crate) type SentSnapshot = openraft::alias::SnapshotOf<C, Vec<u8>>;
/// The queue as far as this node has applied the log.
pub(crate) type JobsMachine = StateMachineStore<C, ReplicatedQueue>;
/// A replica.
pub(crate) type QueueRaft = openraft::Raft<C, JobsMachine>;
