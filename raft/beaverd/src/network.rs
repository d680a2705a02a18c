//! openraft's requests to other nodes, over [`Peers`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use beaver_raft::check_snapshot;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use crate::addresses::peer;
use crate::peers::{Peer, PeerError, Peers};
use crate::types::{C, MemberNode, SentSnapshot, Vote};
use crate::wire::{PeerReply, PeerRequest};

/// The entries of one request have this many bytes of JSON at most, or it carries one entry.
const APPEND_BYTES: usize = 4 << 20;

/// Makes a [`PeerRoute`] for each node.
#[derive(Clone, Debug)]
pub(crate) struct PeerNetwork {
    /// The connections.
    pub(crate) peers: Arc<Peers>,
    /// How long a node may take to make entries durable. openraft's own limit is that of a
    /// heartbeat, which a disk may well exceed.
    pub(crate) append_limit: Duration,
}

/// The way to one node.
#[derive(Debug)]
pub(crate) struct PeerRoute {
    peers: Arc<Peers>,
    peer: Result<Peer, String>,
    append_limit: Duration,
}

impl RaftNetworkFactory<C> for PeerNetwork {
    type Network = PeerRoute;

    async fn new_client(&mut self, target: u64, node: &MemberNode) -> PeerRoute {
        PeerRoute {
            peers: Arc::clone(&self.peers),
            peer: peer(target, node),
            append_limit: self.append_limit,
        }
    }
}

impl PeerRoute {
    async fn ask(
        &self,
        request: &PeerRequest,
        load: &[u8],
        limit: Duration,
    ) -> Result<PeerReply, RPCError<C>> {
        let peer = self.peer.as_ref().map_err(Unreachable::from_string)?;
        match self.peers.call(peer, request, load, limit).await {
            Ok(PeerReply::Failed(reason)) => Err(Unreachable::from_string(reason).into()),
            Ok(reply) => Ok(reply),
            // openraft waits a while before it tries an unreachable node again.
            Err(error @ (PeerError::Unsent { .. } | PeerError::Refused { .. })) => {
                Err(Unreachable::from_string(error).into())
            }
            Err(error @ PeerError::Unanswered { .. }) => {
                Err(NetworkError::from_string(error).into())
            }
        }
    }
}

fn out_of_turn(reply: &PeerReply) -> RPCError<C> {
    let text = format!("an answer to another request: {reply:?}");
    RPCError::Unreachable(Unreachable::from_string(text))
}

impl RaftNetworkV2<C> for PeerRoute {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        mut rpc: AppendEntriesRequest<C>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<C>, RPCError<C>> {
        let all = rpc.entries.len();
        rpc.entries.truncate(fitting(&rpc)?);
        let sent = rpc.entries.last().map(|entry| entry.log_id);
        let is_cut = rpc.entries.len() < all;
        let limit = match sent {
            Some(_) => option.soft_ttl().max(self.append_limit),
            None => option.soft_ttl(),
        };
        let request = PeerRequest::Append(rpc);
        match self.ask(&request, &[], limit).await? {
            PeerReply::Append(AppendEntriesResponse::Success) if is_cut => {
                Ok(AppendEntriesResponse::PartialSuccess(sent))
            }
            PeerReply::Append(reply) => Ok(reply),
            other => Err(out_of_turn(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<C>,
        option: RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let request = PeerRequest::Vote(rpc);
        match self.ask(&request, &[], option.soft_ttl()).await? {
            PeerReply::Vote(reply) => Ok(reply),
            other => Err(out_of_turn(&other)),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<C>,
        option: RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let request = PeerRequest::PreVote(rpc);
        match self.ask(&request, &[], option.soft_ttl()).await? {
            PeerReply::Vote(reply) => Ok(reply),
            other => Err(out_of_turn(&other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SentSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<C>, StreamingError<C>> {
        let meta = snapshot.meta;
        check_snapshot::<C>(&vote, &meta).map_err(ReplicationClosed::new)?;
        let request = PeerRequest::Snapshot { vote, meta };
        let asked = self.ask(&request, &snapshot.snapshot, option.soft_ttl());
        let reply = tokio::select! {
            reply = asked => reply?,
            closed = cancel => return Err(closed.into()),
        };
        match reply {
            PeerReply::Snapshot(reply) => Ok(reply),
            other => Err(out_of_turn(&other).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<C>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<C>, RPCError<C>> {
        let request = PeerRequest::Transfer(req);
        match self.ask(&request, &[], option.soft_ttl()).await? {
            PeerReply::Transfer(reply) => Ok(reply),
            other => Err(out_of_turn(&other)),
        }
    }
}

/// How many of the request's entries go into one message.
fn fitting(rpc: &AppendEntriesRequest<C>) -> Result<usize, RPCError<C>> {
    let mut bytes = 0;
    for (count, entry) in rpc.entries.iter().enumerate() {
        let mut counter = ByteCounter(0);
        serde_json::to_writer(&mut counter, entry).map_err(Unreachable::from_string)?;
        bytes += counter.0;
        if bytes > APPEND_BYTES {
            return Ok(count.max(1));
        }
    }
    Ok(rpc.entries.len())
}

/// Counts the bytes that are written to it.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
