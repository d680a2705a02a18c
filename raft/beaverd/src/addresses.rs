//! What the membership says about a node, and how it is reached by that.

use std::net::SocketAddr;

use crate::peers::Peer;
use crate::types::MemberNode;

/// How node `id` is reached, by `node`, which is what the membership says about it.
///
/// # Errors
/// The membership has no address for it.
pub(crate) fn peer(id: u64, node: &MemberNode) -> Result<Peer, String> {
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
pub(crate) fn member_node(address: SocketAddr, incarnation: String) -> MemberNode {
    MemberNode::new(address, incarnation)
}
