//! Answers other nodes: greets them, refuses strangers and nodes that forgot, and passes their
//! requests on to the replica.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::frame::{MAX_LOAD, read_frame, write_frame};
use crate::identity::NodeIdentity;
use crate::members;
use crate::port::Connections;
use crate::service::Service;
use crate::types::{QueueRaft, SentSnapshot};
use crate::wire::{Greeting, Hello, PROTOCOL, PeerRefusal, PeerReply, PeerRequest};

/// The refusals that were told of. A node that is refused comes again and again.
type Told = Mutex<BTreeSet<String>>;

/// How many refusals are told of.
const MAX_TOLD: usize = 1_000;

/// How long a caller may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// How long a connection is kept on which no request comes: longer than callers keep one, so that
/// none sends a request on a connection that is being ended.
const IDLE: Duration = Duration::from_secs(600);

/// Answers every connection until there are no more.
pub(crate) async fn answer_peers(
    mut connections: Connections,
    me: NodeIdentity,
    service: Arc<Service>,
) {
    let told = Arc::<Told>::default();
    while let Some((stream, _)) = connections.next().await {
        let (me, service, told) = (me.clone(), Arc::clone(&service), Arc::clone(&told));
        tokio::spawn(async move {
            // A connection that breaks is made anew by the node that needs it.
            serve(stream, &me, &service, &told).await.ok();
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    me: &NodeIdentity,
    service: &Service,
    told: &Told,
) -> io::Result<()> {
    let introduction = read_frame::<Hello>(&mut stream, 0);
    let Some((hello, _)) = timeout(INTRODUCTION, introduction).await?? else {
        return Ok(());
    };
    let greeting = match refusal(&hello, me, &service.raft) {
        Some(refusal) => Greeting::Refused(refusal),
        None => Greeting::Welcome {
            incarnation: me.incarnation.clone(),
            initialized: members::are_known(&service.raft),
        },
    };
    write_frame(&mut stream, &greeting, &[]).await?;
    if let Greeting::Refused(refusal) = greeting {
        tell(
            told,
            format!("node {} is refused: {refusal}", hello.from.id),
        );
        return Ok(());
    }
    loop {
        let request = read_frame::<PeerRequest>(&mut stream, MAX_LOAD);
        let Some((request, load)) = timeout(IDLE, request).await?? else {
            return Ok(());
        };
        let reply = answer(request, load, service).await;
        write_frame(&mut stream, &reply, &[]).await?;
    }
}

/// Says it on standard error, once.
fn tell(told: &Told, text: String) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.contains(&text) && told.len() < MAX_TOLD {
        eprintln!("beaverd: {text}");
        told.insert(text);
    }
}

fn refusal(hello: &Hello, me: &NodeIdentity, raft: &QueueRaft) -> Option<PeerRefusal> {
    if hello.protocol != PROTOCOL {
        return Some(PeerRefusal::Protocol(PROTOCOL));
    }
    if hello.cluster != me.cluster {
        return Some(PeerRefusal::Cluster(me.cluster.clone()));
    }
    if hello.to != me.node {
        return Some(PeerRefusal::Node(me.node));
    }
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let id = hello.from.id;
    let member = metrics.membership_config.membership().get_node(&id);
    if let Some(member) = member.filter(|member| member.data != hello.from.incarnation) {
        let member = member.data.clone();
        return Some(PeerRefusal::CallerWasWiped { id, member });
    }
    let meant = hello.to_incarnation.as_ref();
    if meant.is_some_and(|meant| *meant != me.incarnation) {
        return Some(PeerRefusal::CalledWasWiped(me.incarnation.clone()));
    }
    None
}

async fn answer(request: PeerRequest, load: Vec<u8>, service: &Service) -> PeerReply {
    let raft = &service.raft;
    let failed = |error: &dyn std::fmt::Display| PeerReply::Failed(error.to_string());
    match request {
        PeerRequest::Append(rpc) => match raft.append_entries(rpc).await {
            Ok(reply) => PeerReply::Append(reply),
            Err(error) => failed(&error),
        },
        PeerRequest::Vote(rpc) => match raft.vote(rpc).await {
            Ok(reply) => PeerReply::Vote(reply),
            Err(error) => failed(&error),
        },
        PeerRequest::PreVote(rpc) => match raft.pre_vote(rpc).await {
            Ok(reply) => PeerReply::Vote(reply),
            Err(error) => failed(&error),
        },
        PeerRequest::Snapshot { vote, meta } => {
            let snapshot = SentSnapshot {
                meta,
                snapshot: load,
            };
            match raft.install_full_snapshot(vote, snapshot).await {
                Ok(reply) => PeerReply::Snapshot(reply),
                Err(error) => failed(&error),
            }
        }
        PeerRequest::Transfer(rpc) => match raft.handle_transfer_leader(rpc).await {
            Ok(reply) => PeerReply::Transfer(reply),
            Err(error) => failed(&error),
        },
        PeerRequest::Call(call) => PeerReply::Call(service.answer_for_peer(&call).await),
    }
}
