//! openraft's remote calls as one-way messages.
//!
//! ```text
//! Request { call: 7, … }  ─→   the callee handles it, however often it comes
//!                         ←─   Reply { call: 7, … }: the first ends the call, later ones find nobody
//! ```
//!
//! Nothing says that a message is lost: a call ends with its reply, or when its time is over by the
//! clock of the node that waits. A call that failed at once would be made again at once, for ever, at
//! one moment of virtual time.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beaver_raft::check_snapshot;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout};
use openraft::impls::BasicNode;
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};

use super::types::{ClusterTypes, RaftSnapshot, RaftVote};
use crate::entry::NodeId;
use crate::host::{Host, Message};
use crate::ready::lock;
use crate::runtime::{Promise, promise, timeout};

type RpcResult<T> = Result<T, RPCError<ClusterTypes>>;

/// What a message between two replicas holds.
#[derive(Debug)]
pub(super) enum RaftPacket {
    /// A call.
    Request { call: u64, request: RpcRequest },
    /// What came of it.
    Reply { call: u64, reply: RpcReply },
}

/// What is asked of another replica.
#[derive(Clone)]
pub(super) enum RpcRequest {
    Append(AppendEntriesRequest<ClusterTypes>),
    PreVote(VoteRequest<ClusterTypes>),
    Snapshot(RaftVote, RaftSnapshot),
    Transfer(TransferLeaderRequest<ClusterTypes>),
    Vote(VoteRequest<ClusterTypes>),
}

/// What another replica answers.
#[derive(Clone, Debug)]
pub(super) enum RpcReply {
    Append(AppendEntriesResponse<ClusterTypes>),
    Snapshot(SnapshotResponse<ClusterTypes>),
    Transfer(TransferLeaderResponse<ClusterTypes>),
    Vote(VoteResponse<ClusterTypes>),
}

impl RpcRequest {
    fn kind(&self) -> &'static str {
        match self {
            RpcRequest::Append(_) => "append entries",
            RpcRequest::PreVote(_) => "request pre-vote",
            RpcRequest::Snapshot(..) => "install snapshot",
            RpcRequest::Transfer(_) => "transfer leader",
            RpcRequest::Vote(_) => "request vote",
        }
    }
}

impl fmt::Debug for RpcRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RpcRequest::Append(request) => write!(f, "{request}"),
            RpcRequest::PreVote(request) | RpcRequest::Vote(request) => write!(f, "{request}"),
            RpcRequest::Snapshot(vote, snapshot) => write!(f, "{vote}, {}", snapshot.meta),
            RpcRequest::Transfer(request) => write!(f, "{request}"),
        }
    }
}

impl RpcReply {
    fn kind(&self) -> &'static str {
        match self {
            RpcReply::Append(_) => "append entries reply",
            RpcReply::Snapshot(_) => "install snapshot reply",
            RpcReply::Transfer(_) => "transfer leader reply",
            RpcReply::Vote(_) => "vote reply",
        }
    }
}

/// The calls of a process to others.
#[derive(Debug)]
pub(super) struct PeerCalls {
    host: Arc<dyn Host>,
    waiting: Mutex<WaitingPeerCalls>,
}

#[derive(Debug)]
struct WaitingPeerCalls {
    last: u64,
    promises: BTreeMap<u64, Promise<RpcReply>>,
}

impl PeerCalls {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        // A reply to an earlier process of the node must find nobody.
        let last = host.draw(0, u64::MAX);
        let promises = BTreeMap::new();
        PeerCalls {
            host,
            waiting: Mutex::new(WaitingPeerCalls { last, promises }),
        }
    }

    fn send(&self, to: NodeId, kind: &'static str, packet: RaftPacket) {
        let summary = match (&packet, self.host.wants_summaries()) {
            (_, false) => String::new(),
            (RaftPacket::Request { request, .. }, true) => format!("{request:?}"),
            (RaftPacket::Reply { reply, .. }, true) => format!("{reply:?}"),
        };
        let body = Arc::new(packet);
        self.host.send(
            to,
            Message {
                kind,
                summary,
                body,
            },
        );
    }

    /// Answers a call of another replica.
    pub(super) fn reply(&self, to: NodeId, call: u64, reply: RpcReply) {
        self.send(to, reply.kind(), RaftPacket::Reply { call, reply });
    }

    /// A reply came.
    pub(super) fn replied(&self, call: u64, reply: RpcReply) {
        let promise = lock(&self.waiting).promises.remove(&call);
        if let Some(promise) = promise {
            promise.keep(reply);
        }
    }

    /// Asks, and waits for the reply; nothing: none came in time.
    async fn ask(&self, to: NodeId, patience: Duration, request: RpcRequest) -> Option<RpcReply> {
        let (promise, reply) = promise();
        let call = {
            let mut waiting = lock(&self.waiting);
            waiting.last = waiting.last.wrapping_add(1);
            let call = waiting.last;
            waiting.promises.insert(call, promise);
            call
        };
        let _forget = ForgottenWith { calls: self, call };
        self.send(to, request.kind(), RaftPacket::Request { call, request });
        timeout(patience, reply).await.ok()?.ok()
    }
}

/// Forgets a call when nobody waits for it any more.
struct ForgottenWith<'a> {
    calls: &'a PeerCalls,
    call: u64,
}

impl Drop for ForgottenWith<'_> {
    fn drop(&mut self) {
        let gone = lock(&self.calls.waiting).promises.remove(&self.call);
        drop(gone);
    }
}

/// Makes openraft's links to other nodes.
#[derive(Debug)]
pub(super) struct LinkFactory(pub(super) Arc<PeerCalls>);

/// openraft's link to another node.
#[derive(Debug)]
pub(super) struct PeerLink {
    calls: Arc<PeerCalls>,
    to: NodeId,
}

impl RaftNetworkFactory<ClusterTypes> for LinkFactory {
    type Network = PeerLink;

    async fn new_client(&mut self, to: u64, _: &BasicNode) -> PeerLink {
        let calls = self.0.clone();
        PeerLink { calls, to }
    }
}

impl PeerLink {
    /// `take` finds the answer in the reply; a reply to another question is none.
    async fn call<T>(
        &self,
        action: RPCTypes,
        option: &RPCOption,
        request: RpcRequest,
        take: impl FnOnce(RpcReply) -> Option<T>,
    ) -> RpcResult<T> {
        let timeout = option.soft_ttl();
        let reply = self.calls.ask(self.to, timeout, request).await;
        reply.and_then(take).ok_or_else(|| {
            RPCError::Timeout(Timeout {
                action,
                id: self.calls.host.node(),
                target: self.to,
                timeout,
            })
        })
    }
}

impl RaftNetworkV2<ClusterTypes> for PeerLink {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<ClusterTypes>,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<ClusterTypes>> {
        let request = RpcRequest::Append(request);
        let take = |reply| match reply {
            RpcReply::Append(reply) => Some(reply),
            _ => None,
        };
        self.call(RPCTypes::AppendEntries, &option, request, take)
            .await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<ClusterTypes>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<ClusterTypes>> {
        let request = RpcRequest::Vote(request);
        self.call(RPCTypes::Vote, &option, request, take_vote).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<ClusterTypes>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<ClusterTypes>> {
        let request = RpcRequest::PreVote(request);
        self.call(RPCTypes::Vote, &option, request, take_vote).await
    }

    async fn full_snapshot(
        &mut self,
        vote: RaftVote,
        snapshot: RaftSnapshot,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<ClusterTypes>, StreamingError<ClusterTypes>> {
        check_snapshot::<ClusterTypes>(&vote, &snapshot.meta).map_err(ReplicationClosed::new)?;
        let request = RpcRequest::Snapshot(vote, snapshot);
        let take = |reply| match reply {
            RpcReply::Snapshot(reply) => Some(reply),
            _ => None,
        };
        let reply = self.call(RPCTypes::InstallSnapshot, &option, request, take);
        Ok(reply.await?)
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<ClusterTypes>,
        option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse<ClusterTypes>> {
        let request = RpcRequest::Transfer(request);
        let take = |reply| match reply {
            RpcReply::Transfer(reply) => Some(reply),
            _ => None,
        };
        self.call(RPCTypes::TransferLeader, &option, request, take)
            .await
    }
}

fn take_vote(reply: RpcReply) -> Option<VoteResponse<ClusterTypes>> {
    match reply {
        RpcReply::Vote(reply) => Some(reply),
        _ => None,
    }
}
