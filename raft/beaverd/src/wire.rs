//! What nodes say to each other. Each message is the JSON of one [frame](crate::frame).
//!
//! ```text
//! caller ── Hello ──▶ called       who I am, whom I mean
//! caller ◀── Greeting ── called    welcome, or refused and why
//! caller ── PeerRequest ──▶        one at a time
//! caller ◀── PeerReply ──
//! ```

use serde::{Deserialize, Serialize};

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};

use crate::call::{Call, CallAnswer};
use crate::types::{C, SnapshotMeta, Vote};

/// The version of all that follows. Nodes of another one are refused.
pub(crate) const PROTOCOL: u32 = 1;

/// The first message of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// [`PROTOCOL`] of the caller.
    pub(crate) protocol: u32,
    /// The cluster of the caller.
    pub(crate) cluster: String,
    /// The caller.
    pub(crate) from: NodeName,
    /// The number of the node that the caller means.
    pub(crate) to: u64,
    /// Which incarnation of it; `None`: any.
    pub(crate) to_incarnation: Option<String>,
}

/// A node: its number, and which directory stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeName {
    /// Its number.
    pub(crate) id: u64,
    /// Drawn when its directory was made.
    pub(crate) incarnation: String,
}

/// The answer to a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Greeting {
    /// Requests may follow.
    Welcome {
        /// Which incarnation of the node answers.
        incarnation: String,
        /// Whether it knows the members of a cluster: it has taken part.
        initialized: bool,
    },
    /// The connection ends.
    Refused(PeerRefusal),
}

/// Why a connection is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeerRefusal {
    /// Another version.
    #[error("it speaks version {0} of the protocol")]
    Protocol(u32),
    /// Another cluster.
    #[error("it belongs to cluster {0:?}")]
    Cluster(String),
    /// Another number than the caller meant.
    #[error("it is node {0}")]
    Node(u64),
    /// The directory of the called node is another one than the membership names.
    #[error(
        "the node that was called is incarnation {0} of its number, and the membership names another one: its directory was lost. Remove its number, and add it with a new one"
    )]
    CalledWasWiped(String),
    /// The directory of the calling node is another one than the membership names.
    #[error(
        "node {id} of this cluster is incarnation {member}, and the caller is another one: its directory was lost, and with it what it had voted and acknowledged. Remove node {id}, and add this one with a new number"
    )]
    CallerWasWiped {
        /// The number of the caller.
        id: u64,
        /// The incarnation that the membership names.
        member: String,
    },
}

/// What one node asks of another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeerRequest {
    /// AppendEntries, and the heartbeat.
    Append(AppendEntriesRequest<C>),
    /// RequestVote.
    Vote(VoteRequest<C>),
    /// Would you vote for me?
    PreVote(VoteRequest<C>),
    /// InstallSnapshot; the load of the frame is the snapshot.
    Snapshot {
        /// The vote of the leader.
        vote: Vote,
        /// What the snapshot covers.
        meta: SnapshotMeta,
    },
    /// TimeoutNow: become the leader.
    Transfer(TransferLeaderRequest<C>),
    /// A client's call, for the leader.
    Call(Call),
}

/// The answer to a [`PeerRequest`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeerReply {
    /// To [`PeerRequest::Append`].
    Append(AppendEntriesResponse<C>),
    /// To [`PeerRequest::Vote`] and [`PeerRequest::PreVote`].
    Vote(VoteResponse<C>),
    /// To [`PeerRequest::Snapshot`].
    Snapshot(SnapshotResponse<C>),
    /// To [`PeerRequest::Transfer`].
    Transfer(TransferLeaderResponse<C>),
    /// To [`PeerRequest::Call`].
    Call(CallAnswer),
    /// The node has stopped taking part.
    Failed(String),
}
