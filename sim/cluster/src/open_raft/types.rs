//! What openraft is told about the cluster: its types, and their form in the words of the checkers.

use std::fmt;

use openraft::EntryPayload;
use openraft::alias::{EntryOf, LogIdOf, SnapshotOf, VoteOf};
use serde::{Deserialize, Serialize};

use super::runtime::VirtualRuntime;
use crate::entry::{EntryId, EntryKind, NodeId, ObservedEntry};
use crate::operation::ClientResponse;
use crate::replicated_command::ReplicatedCommand;
use crate::replicated_state::hash_of;

openraft::declare_raft_types!(
    /// openraft's type configuration: at most one leader a term, as in the Raft paper.
    pub ClusterTypes:
        D = ReplicatedCommand,
        R = AppliedAnswer,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = VirtualRuntime,
);

pub(super) type RaftVote = VoteOf<ClusterTypes>;
pub(super) type RaftLogId = LogIdOf<ClusterTypes>;
pub(super) type RaftEntry = EntryOf<ClusterTypes>;
pub(super) type RaftSnapshot = SnapshotOf<ClusterTypes, Vec<u8>>;

/// What the state machine answered; nothing where an entry has no command.
///
/// openraft asks that it can be written, for applications that forward requests. Here an answer never
/// leaves the process in which its client waits, so nothing of it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AppliedAnswer {
    #[serde(skip)]
    pub(super) answer: Option<ClientResponse>,
}

impl fmt::Display for ReplicatedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplicatedCommand::Write { key, value } => write!(f, "{key} = {value}"),
            ReplicatedCommand::CompareAndSet {
                key,
                expected: Some(expected),
                value,
            } => write!(f, "{key} = {value} if {expected}"),
            ReplicatedCommand::CompareAndSet { key, value, .. } => {
                write!(f, "{key} = {value} if unset")
            }
            ReplicatedCommand::Job { now_ms, command } => write!(f, "{command:?} at {now_ms}"),
        }
    }
}

/// openraft counts entries from 0, the paper from 1.
pub(super) fn index_of(id: Option<&RaftLogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

/// The place of an entry; of none, the place before the first.
pub(super) fn place_of(id: Option<&RaftLogId>) -> EntryId {
    let place = |id: &RaftLogId| EntryId::new(**id.committed_leader_id(), id.index + 1);
    id.map(place).unwrap_or_default()
}

/// An entry as checkers see it.
pub(super) fn observed(entry: &RaftEntry) -> ObservedEntry {
    let kind = match &entry.payload {
        EntryPayload::Blank => EntryKind::Blank,
        EntryPayload::Normal(command) => {
            let json = serde_json::to_vec(command);
            EntryKind::Command(hash_of(&json.expect("a command can be written")))
        }
        EntryPayload::Membership(membership) => {
            EntryKind::Membership(membership.get_joint_config().clone())
        }
    };
    ObservedEntry {
        id: place_of(Some(&entry.log_id)),
        kind,
    }
}

/// The term of a vote, and for whom it is.
pub(super) fn vote_of(vote: &RaftVote) -> (u64, Option<NodeId>) {
    (vote.leader_id.term, Some(vote.leader_id.voted_for))
}
