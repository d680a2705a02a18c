//! openraft as an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beaver::wal::WalOptions;
use beaver::{ManualClock, StoreId, StoreOptions};
use beaver_raft::{FlushWork, Flusher, LogStore, LogStoreOptions, StateMachineStore, check_config};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::impls::BasicNode;
use openraft::raft::ReadPolicy;
use openraft::storage::RaftStateMachine;
use openraft::{Config, ServerState, SnapshotPolicy};

use super::link::{LinkFactory, PeerCalls, RaftPacket, RpcReply, RpcRequest};
use super::machine::ObservedMachine;
use super::observer::ReplicaObserver;
use super::types::{AppliedAnswer, ClusterTypes, index_of, observed, place_of, vote_of};
use crate::entry::NodeId;
use crate::host::{BoxFuture, Host, Message};
use crate::observation::RecoveredState;
use crate::operation::{ClientRequest, ClientResponse};
use crate::replica::{AdminRequest, Engine, Replica};
use crate::replicated_command::ReplicatedCommand;
use crate::replicated_state::ReplicatedState;
use crate::runtime::timeout;

/// How long a change of membership may take.
const CHANGE_PATIENCE: Duration = Duration::from_secs(1);

type Raft = openraft::Raft<ClusterTypes, ObservedMachine>;

/// openraft on Beaver's log and snapshots.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenRaft {
    restores_leaders: bool,
}

impl OpenRaft {
    /// openraft as `beaver-raft` lets it be used.
    #[must_use]
    pub fn new() -> Self {
        OpenRaft::default()
    }

    /// openraft with `enable_leader_restore`, its default, which `beaver-raft` refuses: a leader that
    /// starts again goes on in its term without an election.
    #[must_use]
    pub fn with_leader_restore() -> Self {
        OpenRaft {
            restores_leaders: true,
        }
    }

    /// Timeouts are short, and snapshots and purges frequent, so that a run of seconds sees them all.
    fn config(self) -> Result<Arc<Config>, String> {
        let config = Config {
            heartbeat_interval: 50,
            election_timeout_min: 150,
            election_timeout_max: 300,
            install_snapshot_timeout: 300,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(20),
            max_in_snapshot_log_to_keep: 5,
            purge_batch_size: 1,
            enable_leader_restore: Some(self.restores_leaders),
            ..Config::default()
        };
        if !self.restores_leaders {
            check_config(&config).map_err(text)?;
        }
        config.validate().map(Arc::new).map_err(text)
    }

    async fn open(
        self,
        host: Arc<dyn Host>,
        founders: BTreeSet<NodeId>,
    ) -> Result<Arc<dyn Replica>, String> {
        let config = self.config()?;
        let observer = Arc::new(ReplicaObserver::new(host.clone()));
        let flusher = Arc::new(HostFlusher(host.clone()));
        let (log, _) = LogStore::<ClusterTypes>::open_observed(
            host.log_disk(),
            log_options(&*host),
            flusher,
            observer.clone(),
        )
        .map_err(text)?;
        let store = StateMachineStore::open_observed(host.snapshot_disk(), observer.clone());
        let machine = ObservedMachine {
            store: store.map_err(text)?,
            observer: observer.clone(),
            host: host.clone(),
        };
        let recovered = recovered_state(&log, &machine).await?;
        let state = machine.store.read(ReplicatedState::hash);
        observer.recovered(recovered, state);

        let calls = Arc::new(PeerCalls::new(host.clone()));
        let links = LinkFactory(calls.clone());
        let raft = Raft::new(host.node(), config, links, log, machine.clone());
        let replica = OpenReplica {
            raft: raft.await.map_err(text)?,
            host: host.clone(),
            machine,
            calls,
            is_changing: Arc::default(),
        };
        host.spawn(Box::pin(watch(replica.raft.clone(), observer)));
        if !founders.is_empty() {
            host.spawn(Box::pin(found(replica.raft.clone(), founders)));
        }
        Ok(Arc::new(replica))
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

fn log_options(host: &dyn Host) -> LogStoreOptions {
    LogStoreOptions {
        store: StoreOptions {
            wal: WalOptions {
                preallocate_bytes: 4096,
                store_id: Some(StoreId(host.draw(1, u64::MAX))),
                clock: Arc::new(ManualClock::new(0)),
                ..WalOptions::default()
            },
            keep_old_snapshots: 0,
            ..StoreOptions::default()
        },
        checkpoint_every: 16,
    }
}

async fn recovered_state(
    log: &LogStore<ClusterTypes>,
    machine: &ObservedMachine,
) -> Result<RecoveredState, String> {
    let (applied, _) = machine.clone().applied_state().await.map_err(text)?;
    log.read(|log| {
        let (term, voted_for) = log.vote().map_or((0, None), vote_of);
        RecoveredState {
            term,
            voted_for,
            purged: place_of(log.purged()),
            log: log.entries(..).map(|entry| observed(entry)).collect(),
            committed: index_of(log.committed()),
            applied: place_of(applied.as_ref()),
        }
    })
    .map_err(text)
}

/// Founds the cluster, if nobody has yet. All founders may: they write the same first entry.
async fn found(raft: Raft, founders: BTreeSet<NodeId>) {
    if raft
        .is_initialized()
        .await
        .is_ok_and(|is_founded| !is_founded)
    {
        let founders = founders
            .into_iter()
            .map(|node| (node, BasicNode::default()));
        // It may have heard of a candidate meanwhile, and then it is not to be founded any more.
        drop(raft.initialize(founders.collect::<BTreeMap<_, _>>()).await);
    }
}

async fn watch(raft: Raft, observer: Arc<ReplicaObserver>) {
    let mut metrics = raft.metrics();
    loop {
        observer.metrics(&metrics.borrow_watched());
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

/// Flushes after the time that a sync takes.
#[derive(Debug)]
struct HostFlusher(Arc<dyn Host>);

impl Flusher for HostFlusher {
    fn schedule(&self, work: FlushWork) {
        let sync = self.0.sleep(self.0.sync_delay());
        self.0.spawn(Box::pin(async move {
            sync.await;
            work();
        }));
    }
}

/// The replica of one process.
#[derive(Clone)]
struct OpenReplica {
    raft: Raft,
    host: Arc<dyn Host>,
    machine: ObservedMachine,
    calls: Arc<PeerCalls>,
    /// Whether a change of membership is under way.
    is_changing: Arc<AtomicBool>,
}

impl fmt::Debug for OpenReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReplica")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl OpenReplica {
    /// Does what another replica asks. A replica that has stopped does not answer.
    async fn serve(&self, request: RpcRequest) -> Option<RpcReply> {
        let raft = &self.raft;
        match request {
            RpcRequest::Append(request) => {
                let reply = raft.append_entries(request).await;
                reply.ok().map(RpcReply::Append)
            }
            RpcRequest::PreVote(request) => raft.pre_vote(request).await.ok().map(RpcReply::Vote),
            RpcRequest::Snapshot(vote, snapshot) => {
                let reply = raft.install_full_snapshot(vote, snapshot).await;
                reply.ok().map(RpcReply::Snapshot)
            }
            RpcRequest::Transfer(request) => {
                let reply = raft.handle_transfer_leader(request).await;
                reply.ok().map(RpcReply::Transfer)
            }
            RpcRequest::Vote(request) => raft.vote(request).await.ok().map(RpcReply::Vote),
        }
    }

    async fn write(&self, command: ReplicatedCommand) -> ClientResponse {
        match self.raft.client_write(command).await {
            Ok(written) => {
                let AppliedAnswer { answer } = written.data;
                answer.unwrap_or_else(|| ClientResponse::Unknown("no answer".to_owned()))
            }
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(leader))) => {
                ClientResponse::NotLeader(leader.leader_id)
            }
            // Its entry may be in the log of a later leader.
            Err(error) => ClientResponse::Unknown(text(error)),
        }
    }

    async fn read(&self, request: &ClientRequest) -> ClientResponse {
        match self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
            Ok(_) => {
                let seen = self.machine.store.read(|state| state.look(request));
                seen.unwrap_or_else(|| ClientResponse::Refused("this is no read".to_owned()))
            }
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(leader))) => {
                ClientResponse::NotLeader(leader.leader_id)
            }
            Err(error) => ClientResponse::Refused(text(error)),
        }
    }

    async fn change(&self, request: AdminRequest) -> Result<(), String> {
        match request {
            AdminRequest::AddLearner(node) => {
                self.change_membership(self.raft.add_learner(node, BasicNode::default(), false))
                    .await
            }
            AdminRequest::ChangeVoters(voters) => {
                self.change_membership(self.raft.change_membership(voters, false))
                    .await
            }
            AdminRequest::TransferLeadership(node) => {
                if !self.leads() {
                    return Err("this node does not lead".to_owned());
                }
                self.raft
                    .trigger()
                    .transfer_leader(node)
                    .await
                    .map_err(text)
            }
            AdminRequest::TakeSnapshot => self.raft.trigger().snapshot().await.map_err(text),
        }
    }

    /// One change at a time, and none by a leader that is no member any more: openraft
    /// 0.10.0-alpha.37 panics in a debug build when such a leader takes another one. A leader that is
    /// a learner goes on, and only another change makes it a voter again.
    async fn change_membership<T, E: fmt::Display>(
        &self,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<(), String> {
        let changing = Changing::begin(&self.is_changing)?;
        if self.leads() && !self.is_member() {
            return Err("the leader was removed".to_owned());
        }
        // While a leader is cut off its change is not answered; the next one must not wait for that.
        let changed = timeout(CHANGE_PATIENCE, change).await;
        drop(changing);
        changed.map_err(text)?.map(drop).map_err(text)
    }

    fn leads(&self) -> bool {
        self.raft.metrics().borrow_watched().state == ServerState::Leader
    }

    fn is_member(&self) -> bool {
        let metrics = self.raft.metrics();
        let membership = &metrics.borrow_watched().membership_config;
        membership
            .membership()
            .get_node(&self.host.node())
            .is_some()
    }
}

/// A change of membership is under way as long as this lives.
struct Changing<'a>(&'a AtomicBool);

impl<'a> Changing<'a> {
    fn begin(is_changing: &'a AtomicBool) -> Result<Self, String> {
        match is_changing.swap(true, Ordering::Relaxed) {
            true => Err("another change of membership is under way".to_owned()),
            false => Ok(Changing(is_changing)),
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Engine for OpenRaft {
    fn start(
        &self,
        host: Arc<dyn Host>,
        founders: BTreeSet<NodeId>,
    ) -> BoxFuture<Result<Arc<dyn Replica>, String>> {
        Box::pin(self.open(host, founders))
    }
}

impl Replica for OpenReplica {
    fn deliver(&self, from: NodeId, message: Message) {
        match message.body.downcast_ref::<RaftPacket>() {
            Some(RaftPacket::Request { call, request }) => {
                let (replica, call, request) = (self.clone(), *call, request.clone());
                self.host.spawn(Box::pin(async move {
                    if let Some(reply) = replica.serve(request).await {
                        replica.calls.reply(from, call, reply);
                    }
                }));
            }
            Some(RaftPacket::Reply { call, reply }) => self.calls.replied(*call, reply.clone()),
            None => {}
        }
    }

    fn call(&self, request: ClientRequest) -> BoxFuture<ClientResponse> {
        let replica = self.clone();
        Box::pin(async move {
            let now_ms = replica.host.time_of_day().as_millis();
            let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
            match ReplicatedCommand::of_request(&request, now_ms) {
                Some(command) => replica.write(command).await,
                None => replica.read(&request).await,
            }
        })
    }

    fn admin(&self, request: AdminRequest) -> BoxFuture<Result<(), String>> {
        let replica = self.clone();
        Box::pin(async move { replica.change(request).await })
    }

    fn leader(&self) -> Option<NodeId> {
        self.raft.metrics().borrow_watched().current_leader
    }

    fn applied(&self) -> (u64, u64) {
        self.machine.observer.applied_state()
    }
}
