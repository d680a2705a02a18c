//! How a cluster begins.
//!
//! The founding member with the lowest number greets the others until each has answered and none has
//! taken part in a cluster. Then it writes the first membership, with the incarnation of each: a
//! founder whose directory is lost can never found the cluster again, because the others know
//! another incarnation of it. The other founders greet too, so that one that was wiped is told so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use crate::addresses::member_node;
use crate::identity::NodeIdentity;
use crate::members;
use crate::peers::{Peer, PeerError, Peers};
use crate::types::{MemberNode, QueueRaft};
use crate::wire::PeerRefusal;

/// How long between two rounds of greetings, and how long one greeting may take.
const ROUND: Duration = Duration::from_millis(200);

/// Returns when this node knows the members of its cluster.
///
/// # Errors
/// The others refuse this node for good, or the replica has stopped. The text says why.
pub(crate) async fn found(
    raft: &QueueRaft,
    peers: &Peers,
    me: &NodeIdentity,
    founders: &BTreeMap<u64, SocketAddr>,
) -> Result<(), String> {
    let is_first = founders.keys().next() == Some(&me.node);
    while !members::are_known(raft) {
        let members = greet_all(peers, me, founders).await?;
        if let Some(members) = members.filter(|_| is_first) {
            // Refused if this node has heard of a leader meanwhile, which is as good.
            raft.initialize(members).await.ok();
        } else {
            sleep(ROUND).await;
        }
    }
    Ok(())
}

/// The first membership, if every founder is there and new.
async fn greet_all(
    peers: &Peers,
    me: &NodeIdentity,
    founders: &BTreeMap<u64, SocketAddr>,
) -> Result<Option<BTreeMap<u64, MemberNode>>, String> {
    let mut members = BTreeMap::new();
    for (id, address) in founders {
        if *id == me.node {
            members.insert(*id, member_node(*address, me.incarnation.clone()));
            continue;
        }
        let peer = Peer {
            id: *id,
            address: *address,
            incarnation: None,
        };
        match peers.greet(&peer, ROUND).await {
            Ok(state) if !state.initialized => {
                members.insert(*id, member_node(*address, state.incarnation));
            }
            Err(error @ PeerError::Refused { .. }) if is_final(&error) => {
                return Err(error.to_string());
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok((members.len() == founders.len()).then_some(members))
}

/// Whether waiting does not help.
fn is_final(error: &PeerError) -> bool {
    matches!(
        error,
        PeerError::Refused {
            refusal: PeerRefusal::CallerWasWiped { .. }
                | PeerRefusal::Cluster(_)
                | PeerRefusal::Node(_),
            ..
        }
    )
}
