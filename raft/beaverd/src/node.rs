//! One node from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use beaver_raft::check_config;
use openraft::async_runtime::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::arguments::Arguments;
use crate::founding::found;
use crate::greeter::answer_peers;
use crate::http;
use crate::network::PeerNetwork;
use crate::peers::Peers;
use crate::port;
use crate::service::Service;
use crate::storage::NodeStorage;
use crate::timekeeper::keep_time;
use crate::types::QueueRaft;

/// How long requests that are being answered may take when the node ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long the transfer of a snapshot may take.
const SNAPSHOT_MS: u64 = 120_000;

/// How many entries stay in the log after a snapshot, for nodes that are only a little behind.
const ENTRIES_KEPT: u64 = 1_000;

/// Runs the node that `arguments` describe until it is told to end.
///
/// # Errors
/// It cannot start or go on. The text says where and why.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let founders = arguments.founders()?;
    let routes = arguments.routes()?;
    let config = config(arguments)?;
    let (id, dir) = (arguments.id, &arguments.dir);
    let opened = NodeStorage::open(dir, &arguments.cluster, id);
    let storage = opened.map_err(|error| error.to_string())?;
    let at = arguments.listen;
    let listening = TcpListener::bind(at).await;
    let listener = listening.map_err(|error| format!("--listen {at}: {error}"))?;

    let identity = storage.identity;
    let (log, machine) = (storage.log.clone(), storage.machine.clone());
    let peers = Peers::new(identity.clone(), routes);
    let network = PeerNetwork {
        peers: Arc::clone(&peers),
        append_limit: Duration::from_millis(config.election_timeout_max),
    };
    let raft = QueueRaft::new(id, Arc::new(config), network, storage.log, storage.machine).await;
    let raft = raft.map_err(|error| format!("{}: {error}", dir.display()))?;
    let service = Arc::new(Service {
        raft: raft.clone(),
        machine: machine.clone(),
        peers: Arc::clone(&peers),
        limit: Duration::from_millis(arguments.request_ms),
    });

    let split = port::split(listener).map_err(|error| format!("--listen {at}: {error}"))?;
    let (clients, nodes) = split;
    tokio::spawn(answer_peers(nodes, identity.clone(), Arc::clone(&service)));
    tokio::spawn(keep_time(raft.clone(), machine));
    let (farewell, said) = oneshot::channel::<()>();
    let served = axum::serve(clients, http::router(service)).with_graceful_shutdown(async {
        // A node that goes without a farewell ends its requests too.
        said.await.ok();
    });
    let http = tokio::spawn(served.into_future());
    eprintln!("node {id} of cluster {} listens on {at}", arguments.cluster);

    let founding = async {
        match found(&raft, &peers, &identity, &founders).await {
            Ok(()) => std::future::pending().await,
            Err(reason) => reason,
        }
    };
    let ended = tokio::select! {
        told = told_to_end() => told,
        reason = founding => Err(reason),
        reason = stopped(&raft) => Err(reason),
    };
    drop(farewell);
    timeout(FAREWELL, http).await.ok();
    raft.shutdown().await.ok();
    let closed = log.close();
    ended?;
    closed.map_err(|error| format!("{}: {error}", dir.join("log").display()))
}

fn config(arguments: &Arguments) -> Result<Config, String> {
    let config = Config {
        cluster_name: arguments.cluster.clone(),
        election_timeout_min: arguments.election_ms,
        election_timeout_max: arguments.election_ms * 2,
        heartbeat_interval: arguments.election_ms / 5,
        install_snapshot_timeout: SNAPSHOT_MS,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(arguments.snapshot_every),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    check_config(&config).map_err(|error| error.to_string())?;
    Ok(config)
}

/// Returns when the process is told to end.
async fn told_to_end() -> Result<(), String> {
    let refused = |error: std::io::Error| format!("no signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Returns when the replica has stopped by itself: its disk has failed, most likely.
async fn stopped(raft: &QueueRaft) -> String {
    let mut metrics = raft.metrics();
    loop {
        if let Err(fatal) = &metrics.borrow_watched().running_state {
            return format!("the replica has stopped: {fatal}");
        }
        if metrics.changed().await.is_err() {
            return "the replica has stopped".to_owned();
        }
    }
}
