//! One run: a cluster, its clients, what goes wrong, and the verdict. A pure function of the scenario,
//! the seed and the chaos.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::chaos::ChaosAction;
use crate::chaos_plan::{draw_chaos, profile_of};
use crate::checkers::ClusterViolation;
use crate::client::RunningClient;
use crate::cluster_node::ClusterNode;
use crate::draws::Draws;
use crate::executor::Executor;
use crate::fold::Fold;
use crate::network::{MessageRecord, Network};
use crate::observation::ObservedEvent;
use crate::operation::{ClientResponse, Operation};
use crate::operator::operate;
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::referee::Referee;
use crate::replica::RaftEngine;
use crate::scenario::ClusterScenario;
use crate::shared::{SharedRun, WantedVoters};
use crate::world::{Cluster, Errand, MS, WorldCounts};

/// How a run is made, besides its scenario and its seed.
#[derive(Clone, Debug, Default)]
pub struct ClusterRunOptions {
    /// What goes wrong; `None`: what the seed draws.
    pub chaos: Option<Vec<ChaosAction>>,
    /// What an earlier run drew, in place of random numbers.
    pub draws: Option<Vec<u64>>,
    /// Whether to write down what is drawn.
    pub record_draws: bool,
    /// Whether to keep the messages.
    pub record_messages: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct ClusterOutcome {
    /// The promises that were broken; none: it passed.
    pub violations: Vec<ClusterViolation>,
    /// A hash of everything that happened.
    pub hash: u64,
    /// What clients asked and learned.
    pub history: Vec<Operation>,
    /// What replicas did.
    pub events: Vec<ObservedEvent>,
    /// The messages between replicas, if they were to be kept.
    pub messages: Option<Vec<MessageRecord>>,
    /// What was drawn, if it was to be recorded: what [`ClusterRunOptions::draws`] takes.
    pub draws: Option<Vec<u64>>,
    /// How much happened.
    pub counts: ClusterCounts,
}

/// How much happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClusterCounts {
    /// How long the run took, in milliseconds of virtual time.
    pub virtual_ms: u64,
    /// How often a task was polled.
    pub polls: u64,
    /// Messages that replicas sent.
    pub messages: u64,
    /// Those of them, or copies of them, that did not arrive.
    pub dropped: u64,
    /// Copies that the network made of messages.
    pub duplicated: u64,
    /// Processes that died, power cuts among them.
    pub crashes: u64,
    /// Processes that died because the power of their machine failed.
    pub power_cuts: u64,
    /// Crashes inside a storage call.
    pub inside: u64,
    /// Machines that lost their disks.
    pub wiped: u64,
    /// Processes that ended by themselves because a disk failed.
    pub gave_up: u64,
    /// Actions that did nothing, because the machine was down or its disks could not be spared.
    pub skipped: u64,
    /// Storage calls on all disks.
    pub storage_calls: u64,
    /// Elections that were won.
    pub elections: u64,
    /// Snapshots that replicas took of their own state machines.
    pub snapshots_built: u64,
    /// Snapshots of other nodes that replicas installed.
    pub snapshots_installed: u64,
    /// Entries that state machines applied, counted on each node.
    pub applied: u64,
    /// Changes that clients know to be done.
    pub acknowledged: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Operations whose outcome the client never learned.
    pub unknown: u64,
}

impl ClusterCounts {
    /// Adds what happened in another run.
    pub fn add(&mut self, other: &ClusterCounts) {
        self.virtual_ms += other.virtual_ms;
        self.polls += other.polls;
        self.messages += other.messages;
        self.dropped += other.dropped;
        self.duplicated += other.duplicated;
        self.crashes += other.crashes;
        self.power_cuts += other.power_cuts;
        self.inside += other.inside;
        self.wiped += other.wiped;
        self.gave_up += other.gave_up;
        self.skipped += other.skipped;
        self.storage_calls += other.storage_calls;
        self.elections += other.elections;
        self.snapshots_built += other.snapshots_built;
        self.snapshots_installed += other.snapshots_installed;
        self.applied += other.applied;
        self.acknowledged += other.acknowledged;
        self.reads += other.reads;
        self.unknown += other.unknown;
    }
}

/// Runs a cluster once. `chaos`: what goes wrong; `None`: what the seed draws.
///
/// # Panics
/// If the scenario makes no sense: see [`ClusterScenario::check`]. If a simulation runs on this thread
/// already.
#[must_use]
pub fn run(
    engine: &dyn RaftEngine,
    scenario: &ClusterScenario,
    seed: u64,
    chaos: Option<Vec<ChaosAction>>,
) -> ClusterOutcome {
    let options = ClusterRunOptions {
        chaos,
        ..ClusterRunOptions::default()
    };
    run_with(engine, scenario, seed, options)
}

/// Runs a cluster once, with everything that can be set.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_with(
    engine: &dyn RaftEngine,
    scenario: &ClusterScenario,
    seed: u64,
    options: ClusterRunOptions,
) -> ClusterOutcome {
    if let Err(rule) = scenario.check() {
        panic!("this scenario makes no sense: {rule}");
    }
    let draws = match options.draws {
        Some(list) => Draws::replay(list, options.record_draws),
        None => Draws::new(seed, options.record_draws),
    };
    let mut cluster = Cluster {
        engine,
        executor: Executor::install(draws),
        shared: share(scenario, options.record_messages),
        nodes: Vec::new(),
        agenda: [].into(),
        last_errand: 0,
        last_node: scenario.nodes,
        counts: WorldCounts::default(),
    };
    let profile = profile_of(scenario, seed);
    for machine in 1..=scenario.nodes {
        cluster
            .nodes
            .push(ClusterNode::new(machine, machine, profile));
        cluster.plan(0, Errand::Boot(machine));
    }
    cluster.plan_chaos(options.chaos.unwrap_or_else(|| draw_chaos(scenario, seed)));
    cluster.live_through(scenario);
    cluster.outcome()
}

fn share(scenario: &ClusterScenario, summaries: bool) -> Arc<SharedRun> {
    let mut network = Network::new(summaries);
    for machine in 1..=scenario.nodes {
        network.settle(machine, machine);
    }
    Arc::new(SharedRun {
        scenario: scenario.clone(),
        summaries,
        network: network.into(),
        referee: Referee::default().into(),
        history: Default::default(),
        wanted: WantedVoters {
            voters: (1..=scenario.nodes).collect(),
            ..WantedVoters::default()
        }
        .into(),
        clients_at_work: AtomicU64::new(0),
        last_reads: AtomicU64::new(0),
        started: Default::default(),
    })
}

impl Cluster<'_> {
    /// The run from its beginning to its end.
    fn live_through(&mut self, scenario: &ClusterScenario) {
        self.executor
            .spawn(ProcessId::WORLD, Box::pin(operate(self.shared.clone())));
        self.run_until(scenario.warm_up_ms * MS);
        let end = (scenario.warm_up_ms + scenario.chaos_ms) * MS;
        for _ in 0..scenario.clients {
            let client = RunningClient::new(&self.shared);
            self.shared.clients_at_work.fetch_add(1, Ordering::Relaxed);
            self.executor
                .spawn(ProcessId::WORLD, Box::pin(client.work(end + 300 * MS)));
        }
        self.run_until(end);
        self.heal();
        self.wait_until("agreement", Self::agrees);
        self.read_all();
        if self.is_violated() {
            return;
        }
        self.check_disks();
        lock(&self.shared.referee).finish();
        self.judge_history();
    }

    fn outcome(self) -> ClusterOutcome {
        let executor = &self.executor;
        let history = std::mem::take(&mut lock(&self.shared.history).operations);
        let mut referee = lock(&self.shared.referee);
        let mut network = lock(&self.shared.network);
        let mut counts = ClusterCounts {
            virtual_ms: executor.now() / MS,
            polls: executor.polls(),
            messages: network.traffic.messages,
            dropped: network.traffic.dropped,
            duplicated: network.traffic.duplicated,
            crashes: self.counts.crashes,
            power_cuts: self.counts.power_cuts,
            inside: self.counts.inside,
            wiped: self.counts.wiped,
            gave_up: self.counts.gave_up,
            skipped: self.counts.skipped,
            storage_calls: self.counts.calls_before,
            elections: referee.seen.elections,
            snapshots_built: referee.seen.snapshots_built,
            snapshots_installed: referee.seen.snapshots_installed,
            applied: referee.seen.applied,
            ..ClusterCounts::default()
        };
        let mut hash = Fold::default();
        hash.number(executor.hash());
        hash.number(referee.hash());
        hash.number(counts.messages);
        for operation in &history {
            hash.printed(operation);
            match &operation.response {
                Some(ClientResponse::Value(_)) => counts.reads += 1,
                Some(
                    ClientResponse::Written | ClientResponse::Compared(_) | ClientResponse::Job(_),
                ) => counts.acknowledged += 1,
                None | Some(ClientResponse::Unknown(_)) => counts.unknown += 1,
                Some(ClientResponse::NotLeader(_) | ClientResponse::Refused(_)) => {}
            }
        }
        for disk in self.nodes.iter().flat_map(|node| &node.disks) {
            counts.storage_calls += disk.calls();
            hash.number(disk.trace_hash());
        }
        ClusterOutcome {
            violations: std::mem::take(&mut referee.violations),
            hash: hash.hash(),
            history,
            events: std::mem::take(&mut referee.events),
            messages: network.take_log(),
            draws: executor.take_recorded(),
            counts,
        }
    }
}
