//! The connections to the other nodes: made when they are needed, kept, and made anew.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::frame::{read_frame, write_frame};
use crate::identity::NodeIdentity;
use crate::wire::{Greeting, Hello, NodeName, PROTOCOL, PeerRefusal, PeerReply, PeerRequest};

/// How many connections to one node wait for their next use.
const IDLE_CONNECTIONS: usize = 64;

/// How long a connection waits for its next use: the other node ends it later.
const IDLE: Duration = Duration::from_secs(300);

/// A connection that waits for its next use, and since when.
type IdleConnection = (Instant, TcpStream);

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    /// Its number.
    pub(crate) id: u64,
    /// Where it is reached.
    pub(crate) address: SocketAddr,
    /// Which incarnation; `None`: any.
    pub(crate) incarnation: Option<String>,
}

/// What another node says when it is greeted.
#[derive(Clone, Debug)]
pub(crate) struct PeerState {
    /// Which incarnation it is.
    pub(crate) incarnation: String,
    /// Whether it knows the members of a cluster.
    pub(crate) initialized: bool,
}

/// Why another node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// It was not asked.
    #[error("node {id} at {address}: {reason}")]
    Unsent {
        /// Which node.
        id: u64,
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// It was not asked, because one of the two refuses the other.
    #[error("node {id} at {address} is refused or refuses: {refusal}")]
    Refused {
        /// Which node.
        id: u64,
        /// Where.
        address: SocketAddr,
        /// Why.
        refusal: PeerRefusal,
    },
    /// It may have been asked, and no answer came.
    #[error("node {id} at {address} has not answered: {reason}")]
    Unanswered {
        /// Which node.
        id: u64,
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
}

/// All connections that this node has made.
#[derive(Debug)]
pub(crate) struct Peers {
    me: NodeIdentity,
    routes: BTreeMap<u64, SocketAddr>,
    idle: Mutex<BTreeMap<Peer, Vec<IdleConnection>>>,
}

impl Peers {
    /// None yet. `routes`: where to reach nodes in place of their addresses in the membership.
    #[must_use]
    pub(crate) fn new(me: NodeIdentity, routes: BTreeMap<u64, SocketAddr>) -> Arc<Self> {
        let idle = Mutex::default();
        Arc::new(Peers { me, routes, idle })
    }

    /// Asks `peer` and waits for its answer, all in `limit`. `load` goes with the request as it is.
    ///
    /// A call that is dropped or times out ends its connection, so that a late answer is not taken
    /// for that of the next request.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub(crate) async fn call(
        &self,
        peer: &Peer,
        request: &PeerRequest,
        load: &[u8],
        limit: Duration,
    ) -> Result<PeerReply, PeerError> {
        let deadline = Instant::now() + limit;
        let mut stream = match self.take_idle(peer) {
            Some(stream) => stream,
            None => self.dial(peer, deadline).await?.0,
        };
        let exchange = async {
            write_frame(&mut stream, request, load).await?;
            read_frame::<PeerReply>(&mut stream, 0).await
        };
        let reason = match timeout_at(deadline, exchange).await {
            Ok(Ok(Some((reply, _)))) => {
                self.keep_idle(peer, stream);
                return Ok(reply);
            }
            Ok(Ok(None)) => "the connection ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("{} ms are over", limit.as_millis()),
        };
        // Connections that were made with this one are likely to be as dead.
        self.lock_idle().remove(peer);
        let Peer { id, address, .. } = *peer;
        Err(PeerError::Unanswered {
            id,
            address,
            reason,
        })
    }

    /// Asks `peer` who it is.
    ///
    /// # Errors
    /// Never [`PeerError::Unanswered`].
    pub(crate) async fn greet(&self, peer: &Peer, limit: Duration) -> Result<PeerState, PeerError> {
        let (_, state) = self.dial(peer, Instant::now() + limit).await?;
        Ok(state)
    }

    async fn dial(
        &self,
        peer: &Peer,
        deadline: Instant,
    ) -> Result<(TcpStream, PeerState), PeerError> {
        let address = *self.routes.get(&peer.id).unwrap_or(&peer.address);
        let hello = Hello {
            protocol: PROTOCOL,
            cluster: self.me.cluster.clone(),
            from: NodeName {
                id: self.me.node,
                incarnation: self.me.incarnation.clone(),
            },
            to: peer.id,
            to_incarnation: peer.incarnation.clone(),
        };
        let greeting = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            write_frame(&mut stream, &hello, &[]).await?;
            let (greeting, _) = read_frame(&mut stream, 0)
                .await?
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok::<(TcpStream, Greeting), io::Error>((stream, greeting))
        };
        let id = peer.id;
        let unsent = |reason| PeerError::Unsent {
            id,
            address,
            reason,
        };
        match timeout_at(deadline, greeting).await {
            Err(_) => Err(unsent("it does not answer in time".to_owned())),
            Ok(Err(error)) => Err(unsent(error.to_string())),
            Ok(Ok((_, Greeting::Refused(refusal)))) => Err(PeerError::Refused {
                id,
                address,
                refusal,
            }),
            Ok(Ok((
                stream,
                Greeting::Welcome {
                    incarnation,
                    initialized,
                },
            ))) => {
                let state = PeerState {
                    incarnation,
                    initialized,
                };
                Ok((stream, state))
            }
        }
    }

    fn take_idle(&self, peer: &Peer) -> Option<TcpStream> {
        let mut idle = self.lock_idle();
        let streams = idle.get_mut(peer)?;
        loop {
            let (since, stream) = streams.pop()?;
            if since.elapsed() > IDLE {
                // Those below it have waited longer.
                streams.clear();
                return None;
            }
            // Nothing is to be read from a connection that waits: what can be read is its end.
            match stream.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(stream),
                _ => drop(stream),
            }
        }
    }

    fn keep_idle(&self, peer: &Peer, stream: TcpStream) {
        let mut idle = self.lock_idle();
        let streams = idle.entry(peer.clone()).or_default();
        if streams.len() < IDLE_CONNECTIONS {
            streams.push((Instant::now(), stream));
        }
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, BTreeMap<Peer, Vec<IdleConnection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
