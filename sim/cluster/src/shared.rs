//! What the world, the hosts of all replicas and the clients of one simulation have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::entry::NodeId;
use crate::executor::current;
use crate::history::RunHistory;
use crate::host::BoxFuture;
use crate::network::{AnswerParcel, Arrival, Network, Parcel};
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::referee::Referee;
use crate::replica::Replica;
use crate::runtime::{promise, timeout};
use crate::scenario::ClusterScenario;

/// The replica of a process that has started, or why it could not.
pub(crate) type StartResult = Result<Arc<dyn Replica>, String>;

/// Who is to vote, as the operator has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedVoters {
    pub(crate) voters: BTreeSet<NodeId>,
    /// Nodes that the cluster may not know yet.
    pub(crate) new: BTreeSet<NodeId>,
    /// One more with each change of plan.
    pub(crate) version: u64,
    /// The plan that is carried out.
    pub(crate) done: u64,
}

/// What one simulation shares. All of it is used by one thread.
pub(crate) struct SharedRun {
    pub(crate) scenario: ClusterScenario,
    /// Whether somebody reads the log of messages.
    pub(crate) summaries: bool,
    pub(crate) network: Mutex<Network>,
    pub(crate) referee: Mutex<Referee>,
    pub(crate) history: Mutex<RunHistory>,
    pub(crate) wanted: Mutex<WantedVoters>,
    /// How many clients are not done yet.
    pub(crate) clients_at_work: AtomicU64,
    /// How many of the reads that end a run were answered.
    pub(crate) last_reads: AtomicU64,
    /// The processes that have started, or not, since the world looked last.
    pub(crate) started: Mutex<Vec<(ProcessId, StartResult)>>,
}

impl fmt::Debug for SharedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRun").finish_non_exhaustive()
    }
}

impl SharedRun {
    /// Asks a replica something over the network, as somebody outside of the cluster. `None`: no answer
    /// came in time, and whether the replica was asked is unknown.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        to: NodeId,
        patience: Duration,
        request: impl FnOnce(Arc<dyn Replica>) -> BoxFuture<R> + Send + 'static,
    ) -> Option<R> {
        let (promise, promised) = promise();
        let request = move |replica: Arc<dyn Replica>| -> BoxFuture<AnswerParcel> {
            let asked = request(replica);
            Box::pin(async move {
                let result = asked.await;
                Box::new(move || promise.keep(result)) as AnswerParcel
            })
        };
        let arrival = Arrival {
            from: 0,
            to,
            parcel: Parcel::Request(Box::new(request)),
        };
        lock(&self.network).send_once(&current(), arrival);
        timeout(patience, promised.kept()).await.ok()
    }

    /// The nodes that there are, up or not.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        lock(&self.network).nodes()
    }
}
