//! What a node does in its term.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::entry::NodeId;
use crate::operation::ClientRequest;

#[derive(Debug)]
pub(super) enum RaftRole {
    Follower,
    Candidate(Campaign),
    Leader(Box<Leadership>),
}

#[derive(Debug)]
pub(super) struct Campaign {
    /// The record of the own vote: it counts when that is durable.
    pub(super) own_vote: u64,
    pub(super) votes: BTreeSet<NodeId>,
}

#[derive(Debug)]
pub(super) struct Leadership {
    /// The index of the first entry of the term.
    pub(super) first: u64,
    pub(super) peers: BTreeMap<NodeId, PeerProgress>,
    pub(super) heartbeat_at: Duration,
    /// The last round of heartbeats: what answers it was sent after the round began.
    pub(super) round: u64,
    pub(super) reads: Vec<PendingRead>,
    /// Who waits for which entry.
    pub(super) calls: BTreeMap<u64, WaitingCall>,
    pub(super) change: Option<VoterChange>,
    pub(super) transfer: Option<Handover>,
    /// For a planted bug: it led before its process began.
    pub(super) restored: bool,
}

/// What a leader knows of another node.
#[derive(Debug, Default)]
pub(super) struct PeerProgress {
    /// Up to here it has durably what the leader has.
    pub(super) matched: u64,
    /// What is sent next.
    pub(super) next: u64,
    /// The last round of heartbeats that it has answered.
    pub(super) round: u64,
    /// When it was heard of.
    pub(super) heard: Duration,
    /// Until then a snapshot is taken to be on its way.
    pub(super) installing_until: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct PendingRead {
    pub(super) call: u64,
    pub(super) request: ClientRequest,
    /// What must be applied, and the round that a majority must answer; nothing until an entry of the
    /// term is committed.
    pub(super) point: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum WaitingCall {
    Client(u64),
    Admin(u64),
}

#[derive(Debug)]
pub(super) struct VoterChange {
    pub(super) call: u64,
    pub(super) target: BTreeSet<NodeId>,
    pub(super) until: Duration,
}

#[derive(Debug)]
pub(super) struct Handover {
    pub(super) call: u64,
    pub(super) to: NodeId,
    pub(super) until: Duration,
}
