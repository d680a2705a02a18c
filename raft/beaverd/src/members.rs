//! Who is a member, and changes of that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use serde::Serialize;

use crate::addresses::member_node;
use crate::answer::encode;
use crate::call::{Call, CallAnswer, CallError};
use crate::peers::{Peer, Peers};
use crate::types::{C, MemberNode, QueueRaft};

/// How long a node may take to answer when it is added, or is to lead.
pub(crate) const GREETING: Duration = Duration::from_secs(2);

/// A node may be behind by this many entries when it is promoted or is to lead: until it has them, it
/// is of no use to a majority, and cannot lead.
const CLOSE: u64 = 1_000;

/// Whether this node knows the members of a cluster: it belongs to it, or did.
pub(crate) fn are_known(raft: &QueueRaft) -> bool {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let members = metrics.membership_config.membership();
    members.nodes().next().is_some() || metrics.last_log_index.is_some()
}

#[derive(Serialize)]
struct MemberList {
    leader: Option<u64>,
    term: u64,
    members: Vec<MemberRow>,
}

#[derive(Serialize)]
struct MemberRow {
    id: u64,
    address: String,
    incarnation: String,
    votes: bool,
    /// On the leader: the last entry that the node is known to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicated: Option<u64>,
}

/// The members as this node knows them.
///
/// # Errors
/// Never: see [`encode`].
pub(crate) fn list(raft: &QueueRaft) -> CallAnswer {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let membership = metrics.membership_config.membership();
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let replicated = |id| {
        let of_all = metrics.replication.as_ref()?;
        of_all.get(id)?.as_ref().map(|log_id| log_id.index)
    };
    let rows = membership.nodes().map(|(id, node)| MemberRow {
        id: *id,
        address: node.raft_addr.clone(),
        incarnation: node.data.clone(),
        votes: voters.contains(id),
        replicated: replicated(id),
    });
    encode(&MemberList {
        leader: metrics.current_leader,
        term: metrics.current_term,
        members: rows.collect(),
    })
}

/// Carries out a change of the members, on the leader.
///
/// # Errors
/// See [`CallError`].
pub(crate) async fn change(raft: &QueueRaft, peers: &Peers, call: &Call) -> CallAnswer {
    if !raft.is_leader() {
        return Err(CallError::NotDone("the leader has changed".to_owned()));
    }
    let metrics = raft.metrics();
    let known = metrics
        .borrow_watched()
        .membership_config
        .membership()
        .clone();
    let is_voter = |id: &u64| known.voter_ids().any(|voter| voter == *id);
    let change = match call {
        Call::AddLearner { id, address } => {
            if known.get_node(id).is_some() {
                let text = format!("node {id} is a member already");
                return Err(CallError::Refused(text));
            }
            let peer = Peer {
                id: *id,
                address: *address,
                incarnation: None,
            };
            ChangeMembers::AddNodes(BTreeMap::from([(*id, newcomer(peers, &peer).await?)]))
        }
        Call::Promote(id) => {
            if known.get_node(id).is_none() {
                return Err(no_member(*id));
            }
            // Until a change of the voters is whole, it votes only for a part.
            if is_voter(id) && known.get_joint_config().len() == 1 {
                return list(raft);
            }
            require_close(raft, *id)?;
            ChangeMembers::AddVoterIds(BTreeSet::from([*id]))
        }
        Call::Remove(id) if is_voter(id) => ChangeMembers::RemoveVoters(BTreeSet::from([*id])),
        Call::Remove(id) if known.get_node(id).is_some() => {
            ChangeMembers::RemoveNodes(BTreeSet::from([*id]))
        }
        Call::Remove(id) => return Err(no_member(*id)),
        _ => return Err(CallError::Invalid("it changes no members".to_owned())),
    };
    let before = *metrics.borrow_watched().membership_config.log_id();
    match raft.change_membership(change, false).await {
        Ok(_) => list(raft),
        Err(error) => {
            let is_begun = *metrics.borrow_watched().membership_config.log_id() != before;
            Err(why(error, is_begun))
        }
    }
}

fn no_member(id: u64) -> CallError {
    CallError::NotFound(format!("node {id} is not a member"))
}

/// Asks a node that is to be added who it is.
async fn newcomer(peers: &Peers, peer: &Peer) -> Result<MemberNode, CallError> {
    let greeted = peers.greet(peer, GREETING).await;
    let state = greeted.map_err(|error| CallError::Refused(error.to_string()))?;
    if state.initialized {
        let text = format!(
            "node {} at {} was a member of a cluster before: give it an empty directory and a new number",
            peer.id, peer.address
        );
        return Err(CallError::Refused(text));
    }
    Ok(member_node(peer.address, state.incarnation))
}

/// Refuses for now a node that is far behind, on the leader.
///
/// # Errors
/// [`CallError::NotDone`].
pub(crate) fn require_close(raft: &QueueRaft, id: u64) -> Result<(), CallError> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let last = metrics.last_log_index.unwrap_or(0);
    let has = metrics.replication.as_ref().and_then(|all| all.get(&id));
    match has {
        Some(Some(log_id)) if log_id.index + CLOSE >= last => Ok(()),
        _ => {
            let text = format!("node {id} has not yet caught up with the log");
            Err(CallError::NotDone(text))
        }
    }
}

/// A change of the voters is two entries: if the second one is refused, the first may be done.
fn why(error: RaftError<C, ClientWriteError<C>>, is_begun: bool) -> CallError {
    match error {
        error if is_begun => CallError::Unknown(error.to_string()),
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            CallError::NotDone("the leader has changed".to_owned())
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(
            error @ (ChangeMembershipError::InProgress(_)
            | ChangeMembershipError::UncommittedLeaderLog(_)),
        )) => CallError::NotDone(error.to_string()),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            CallError::Refused(error.to_string())
        }
        error => CallError::Unknown(error.to_string()),
    }
}
