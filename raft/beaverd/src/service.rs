//! Answers calls: as the leader, or through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::raft::ReadPolicy;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use crate::addresses::peer;
use crate::answer::encode;
use crate::call::{Call, CallAnswer, CallError};
use crate::members;
use crate::peers::{Peer, PeerError, Peers};
use crate::proposal::propose;
use crate::queue_view;
use crate::types::{JobsMachine, QueueRaft};
use crate::wire::{PeerReply, PeerRequest};

/// How long a call waits before it looks for the leader again.
const PAUSE: Duration = Duration::from_millis(30);

/// One node's way to answer calls.
#[derive(Clone)]
pub(crate) struct Service {
    /// The replica of this node.
    pub(crate) raft: QueueRaft,
    /// Its state machine.
    pub(crate) machine: JobsMachine,
    /// The other nodes.
    pub(crate) peers: Arc<Peers>,
    /// How long a call may take.
    pub(crate) limit: Duration,
}

impl Service {
    /// Answers a call that came in at this node, whichever node leads. While nothing was done it tries
    /// again: with the next leader, say.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(crate) async fn answer(&self, call: Call) -> CallAnswer {
        let deadline = Instant::now() + self.limit;
        loop {
            let answer = match self.leader() {
                None if !members::are_known(&self.raft) => Err(CallError::NoCluster),
                None => Err(CallError::NoLeader),
                Some(Ok(leader)) if leader.id == *self.raft.node_id() => {
                    self.lead(&call, deadline).await
                }
                Some(Ok(leader)) => self.forward(&leader, &call, deadline).await,
                Some(Err(reason)) => Err(CallError::NotDone(reason)),
            };
            match answer {
                Err(error) if error.is_retriable() && Instant::now() + PAUSE < deadline => {
                    sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Answers a call that another node has passed on, if this node leads.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::NotDone`] if it does not lead.
    pub(crate) async fn answer_for_peer(&self, call: &Call) -> CallAnswer {
        self.lead(call, Instant::now() + self.limit).await
    }

    /// Answers a read from what this node has applied, which may be old.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(crate) fn answer_stale(&self, call: &Call) -> CallAnswer {
        match call {
            Call::Job(id) => self.machine.read(|jobs| queue_view::job(jobs.queue(), id)),
            Call::Stats => self.machine.read(|jobs| queue_view::stats(jobs.queue())),
            Call::Members => members::list(&self.raft),
            _ => Err(CallError::Invalid("only reads can be stale".to_owned())),
        }
    }

    /// What this node knows of itself.
    ///
    /// # Errors
    /// Never: see [`encode`].
    pub(crate) fn describe_node(&self) -> CallAnswer {
        #[derive(Serialize)]
        struct NodeReport {
            id: u64,
            role: String,
            leader: Option<u64>,
            term: u64,
            last_log_index: Option<u64>,
            applied_index: Option<u64>,
            snapshot_index: Option<u64>,
            purged_index: Option<u64>,
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        encode(&NodeReport {
            id: metrics.id,
            role: format!("{:?}", metrics.state).to_lowercase(),
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log_index: metrics.last_log_index,
            applied_index: metrics.last_applied.map(|id| id.index),
            snapshot_index: metrics.snapshot.map(|id| id.index),
            purged_index: metrics.purged.map(|id| id.index),
        })
    }

    /// Has this node begin a snapshot.
    ///
    /// # Errors
    /// [`CallError::Unknown`]: the node has stopped.
    pub(crate) async fn snapshot(&self) -> CallAnswer {
        let begun = self.raft.trigger().snapshot().await;
        begun.map_err(|error| CallError::Unknown(error.to_string()))?;
        self.describe_node()
    }

    /// The leader as far as this node knows, and why it cannot be reached if the membership is odd.
    fn leader(&self) -> Option<Result<Peer, String>> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        let node = metrics.membership_config.membership().get_node(&id)?;
        Some(peer(id, node))
    }

    async fn lead(&self, call: &Call, deadline: Instant) -> CallAnswer {
        match call {
            Call::Command(command) => {
                let proposed = propose(&self.raft, command);
                match timeout_at(deadline, proposed).await {
                    Ok(answer) => answer,
                    Err(_) => Err(self.too_late()),
                }
            }
            Call::Job(_) | Call::Stats | Call::Members => {
                self.read_barrier(deadline).await?;
                self.answer_stale(call)
            }
            Call::AddLearner { .. } | Call::Promote(_) | Call::Remove(_) => {
                match timeout_at(deadline, members::change(&self.raft, &self.peers, call)).await {
                    Ok(answer) => answer,
                    Err(_) => Err(self.too_late()),
                }
            }
            Call::Transfer(to) => self.transfer(*to, deadline).await,
        }
    }

    fn too_late(&self) -> CallError {
        let ms = self.limit.as_millis();
        CallError::Unknown(format!("it was not done within {ms} ms"))
    }

    /// Waits until this node has applied all that was committed when the call came, and knows that
    /// it still leads.
    async fn read_barrier(&self, deadline: Instant) -> Result<(), CallError> {
        let barrier = async {
            let read = self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await;
            let read = read.map_err(|error| match error {
                RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => {
                    CallError::NotDone("the leader has changed".to_owned())
                }
                error => CallError::NotDone(error.to_string()),
            })?;
            let applied = read.await_ready(&self.raft).await;
            applied.map_err(|error| CallError::NotDone(error.to_string()))?;
            Ok(())
        };
        match timeout_at(deadline, barrier).await {
            Ok(result) => result,
            Err(_) => Err(CallError::NoLeader),
        }
    }

    async fn forward(&self, leader: &Peer, call: &Call, deadline: Instant) -> CallAnswer {
        let request = PeerRequest::Call(call.clone());
        let left = deadline.saturating_duration_since(Instant::now());
        match self.peers.call(leader, &request, &[], left).await {
            Ok(PeerReply::Call(answer)) => answer,
            Ok(other) => Err(CallError::Unknown(format!("the leader answers {other:?}"))),
            Err(error @ PeerError::Unanswered { .. }) if call.changes_something() => {
                Err(CallError::Unknown(error.to_string()))
            }
            Err(error) => Err(CallError::NotDone(error.to_string())),
        }
    }

    async fn transfer(&self, to: u64, deadline: Instant) -> CallAnswer {
        #[derive(Serialize)]
        struct Leader {
            leader: u64,
        }
        let voters: BTreeSet<u64> = self.raft.voter_ids().collect();
        if !voters.contains(&to) {
            let text = format!("node {to} is not a voter; the voters are {voters:?}");
            return Err(CallError::Refused(text));
        }
        if !self.raft.is_leader() {
            return Err(CallError::NotDone("the leader has changed".to_owned()));
        }
        if to == *self.raft.node_id() {
            return encode(&Leader { leader: to });
        }
        self.require_able(to).await?;
        let stopped = |error| CallError::Unknown(format!("this node has stopped: {error}"));
        let trigger = self.raft.trigger();
        trigger.transfer_leader(to).await.map_err(stopped)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let led = self.raft.wait(Some(left));
        match led.current_leader(to, "the transfer is done").await {
            Ok(_) => encode(&Leader { leader: to }),
            Err(_) => Err(self.too_late()),
        }
    }

    /// Refuses for now to let a node lead that does not answer or is far behind: openraft
    /// (0.10.0-alpha.37) writes nothing more once it has asked a node to lead, until another does.
    async fn require_able(&self, to: u64) -> Result<(), CallError> {
        let metrics = self.raft.metrics();
        let node = metrics
            .borrow_watched()
            .membership_config
            .membership()
            .get_node(&to)
            .cloned();
        let node = node.ok_or_else(|| CallError::NotDone(format!("node {to} is gone")))?;
        let peer = peer(to, &node).map_err(CallError::NotDone)?;
        let greeted = self.peers.greet(&peer, members::GREETING).await;
        greeted.map_err(|error| CallError::NotDone(error.to_string()))?;
        members::require_close(&self.raft, to)
    }
}
