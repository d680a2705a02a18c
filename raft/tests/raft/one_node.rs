//! A cluster of one node: what it has answered is there after its process is gone.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use beaver::{Command, JobId, JobSpec, JobStatus, Payload, Storage};
use beaver_disk::Choice;
use beaver_raft::{FlushThread, QueueAnswer, QueueRequest, StateMachineStore, check_config};
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BasicNode;
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{
    AsyncRuntime, Config, OptionalSend, Raft, RaftNetworkFactory, RaftNetworkV2, SnapshotPolicy,
};
use openraft_rt_tokio::TokioRuntime;

use crate::disks::*;
use crate::support::*;

/// There is no other node.
struct Nobody;

impl RaftNetworkFactory<QueueConfig> for Nobody {
    type Network = Nobody;

    async fn new_client(&mut self, _target: u64, _node: &BasicNode) -> Nobody {
        Nobody
    }
}

fn unreachable() -> Unreachable<QueueConfig> {
    Unreachable::from_string("there is no other node")
}

impl RaftNetworkV2<QueueConfig> for Nobody {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<QueueConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<QueueConfig>, RPCError<QueueConfig>> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<QueueConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<QueueConfig>, RPCError<QueueConfig>> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: VoteOf<QueueConfig>,
        _snapshot: SnapshotOf<QueueConfig, Vec<u8>>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<QueueConfig>, StreamingError<QueueConfig>> {
        Err(StreamingError::Unreachable(unreachable()))
    }
}

fn config() -> Arc<Config> {
    let config = Config {
        enable_leader_restore: Some(false),
        heartbeat_interval: 20,
        election_timeout_min: 60,
        election_timeout_max: 90,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(6),
        max_in_snapshot_log_to_keep: 2,
        ..Config::default()
    };
    check_config(&config).unwrap();
    Arc::new(config)
}

struct Node {
    raft: Raft<QueueConfig, QueueMachine>,
    log: QueueLog,
    machine: QueueMachine,
}

impl Node {
    async fn start(log: Arc<dyn Storage>, snapshots: Arc<dyn Storage>) -> Self {
        let log = open_log(log, FlushThread::start().unwrap());
        let machine = StateMachineStore::open(snapshots).unwrap();
        let raft = Raft::new(1, config(), Nobody, log.clone(), machine.clone());
        let raft = raft.await.unwrap();
        Node { raft, log, machine }
    }

    async fn lead(&self) {
        let wait = self.raft.wait(Some(Duration::from_secs(20)));
        wait.current_leader(1, "it is alone").await.unwrap();
    }

    async fn ask(&self, command: Command) -> QueueAnswer {
        let request = QueueRequest { command, now_ms: 1 };
        self.raft
            .client_write(request)
            .await
            .unwrap()
            .response()
            .clone()
    }

    async fn stop(self) {
        self.raft.shutdown().await.unwrap();
        // Tasks of the runtime may still have their clones.
        self.log.close().unwrap();
    }
}

fn name(number: u64) -> JobId {
    JobId::new(format!("job-{number}")).unwrap()
}

fn enqueue(number: u64) -> Command {
    let payload = Payload::new(format!("[ {number} ]")).unwrap();
    Command::Enqueue(vec![JobSpec::new(name(number), payload)])
}

async fn work(log: Arc<dyn Storage>, snapshots: Arc<dyn Storage>) {
    let node = Node::start(log, snapshots).await;
    let nodes = BTreeMap::from([(1_u64, BasicNode::new("here"))]);
    node.raft.initialize(nodes).await.unwrap();
    node.lead().await;
    for number in 0..20 {
        assert_eq!(node.ask(enqueue(number)).await, QueueAnswer::Done(1));
    }
    let rejected = node.ask(enqueue(3)).await;
    assert!(matches!(rejected, QueueAnswer::Rejected(_)), "{rejected}");
    let dispatched = node.ask(Command::Dispatch).await;
    let expected = QueueAnswer::Dispatched {
        id: name(0),
        attempt: 1,
        payload: Payload::new("[ 0 ]").unwrap(),
    };
    assert_eq!(dispatched, expected);
    // The log was purged after a snapshot.
    let wait = node.raft.wait(Some(Duration::from_secs(20)));
    let purged = |metrics: &openraft::RaftMetrics<QueueConfig>| metrics.purged.is_some();
    wait.metrics(purged, "purged").await.unwrap();
    node.stop().await;
}

async fn check(log: Arc<dyn Storage>, snapshots: Arc<dyn Storage>) {
    let node = Node::start(log, snapshots).await;
    assert!(node.log.read_durable(|log| log.purged().is_some()));
    node.lead().await;
    assert_eq!(node.ask(Command::Tick).await, QueueAnswer::Done(0));
    node.machine.read(|machine| {
        let counts = machine.queue().counts();
        assert_eq!((counts.pending, counts.in_flight), (19, 1));
        let status = machine.queue().status(&name(0));
        assert!(matches!(status, Some(JobStatus::InFlight { .. })));
    });
    node.stop().await;
}

#[test]
fn what_one_node_has_answered_is_there_after_a_power_cut() {
    let disks = [sim_disk(), sim_disk()];
    TokioRuntime::run(work(disks[0].storage(), disks[1].storage()));
    for _ in 0..2 {
        for disk in &disks {
            disk.power_cut(&Choice::default());
        }
        TokioRuntime::run(check(disks[0].storage(), disks[1].storage()));
    }
}

#[test]
fn one_node_runs_on_real_files() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let storages = || (real(folders[0].path()), real(folders[1].path()));
    let (log, snapshots) = storages();
    TokioRuntime::run(work(log, snapshots));
    let (log, snapshots) = storages();
    TokioRuntime::run(check(log, snapshots));
}
