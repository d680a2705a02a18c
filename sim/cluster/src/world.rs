//! The only loop of a run: it lets tasks run, time pass, messages arrive, and things go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::chaos::{ChaosAction, ChaosKind, CutSurvivors, Death, DiskRole, MachineStrike};
use crate::cluster_node::ClusterNode;
use crate::draws::Purpose;
use crate::entry::NodeId;
use crate::executor::{Installed, Turn};
use crate::network::{Arrival, Parcel};
use crate::observation::{Observation, ObservedEvent};
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::replica::Engine;
use crate::shared::{Shared, StartResult};
use crate::sim_host::SimHost;

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// How often tasks may run without a nanosecond of time.
const POLLS_WITHOUT_TIME: u64 = 100_000;

/// What is to be done at some moment.
#[derive(Debug)]
pub(crate) enum Errand {
    /// An action of the chaos.
    Act(ChaosKind),
    /// Something happens to a machine.
    Strike(u64, MachineStrike),
    /// A machine starts the next process of its node.
    Boot(u64),
    /// A disk has room again.
    MakeRoom(u64, DiskRole),
}

/// What the world counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorldCounts {
    pub(crate) crashes: u64,
    pub(crate) power_cuts: u64,
    pub(crate) inside: u64,
    pub(crate) wiped: u64,
    pub(crate) gave_up: u64,
    /// Storage calls on disks that are gone.
    pub(crate) calls_before: u64,
    pub(crate) skipped: u64,
}

/// A cluster and everything around it.
pub(crate) struct Cluster<'e> {
    pub(crate) engine: &'e dyn Engine,
    pub(crate) executor: Installed,
    pub(crate) shared: Arc<Shared>,
    pub(crate) nodes: Vec<ClusterNode>,
    pub(crate) agenda: BTreeMap<(u64, u64), Errand>,
    pub(crate) last_errand: u64,
    pub(crate) last_node: NodeId,
    pub(crate) counts: WorldCounts,
}

impl Cluster<'_> {
    pub(crate) fn now(&self) -> u64 {
        self.executor.now()
    }

    pub(crate) fn is_violated(&self) -> bool {
        !lock(&self.shared.referee).violations.is_empty()
    }

    pub(crate) fn violation(&self, node: NodeId, checker: &'static str, text: String) {
        lock(&self.shared.referee).violation(self.now(), node, checker, text);
    }

    pub(crate) fn plan(&mut self, at: u64, errand: Errand) {
        self.last_errand += 1;
        self.agenda.insert((at, self.last_errand), errand);
    }

    pub(crate) fn plan_chaos(&mut self, actions: Vec<ChaosAction>) {
        for action in actions {
            let at = action.at_us.saturating_mul(1_000);
            self.plan(at, Errand::Act(action.what));
        }
    }

    pub(crate) fn node_on(&mut self, machine: u64) -> Option<&mut ClusterNode> {
        self.nodes.iter_mut().find(|node| node.machine == machine)
    }

    /// Says something about a process that its replica cannot say.
    pub(crate) fn observe(&self, process: ProcessId, what: Observation) {
        let event = ObservedEvent {
            at: self.now(),
            node: process.node,
            process: process.number,
            what,
        };
        lock(&self.shared.referee).observe(event, None);
    }

    /// Starts the next process of a machine's node, if the machine is down.
    pub(crate) fn boot(&mut self, machine: u64) {
        let founding = self.shared.scenario.nodes;
        let Some(place) = self.nodes.iter().position(|node| node.machine == machine) else {
            return;
        };
        let node = &mut self.nodes[place];
        if node.running.is_some() {
            return;
        }
        let process = ProcessId {
            node: node.node,
            number: node.processes + 1,
        };
        let host = SimHost::new(
            process,
            machine,
            &node.disks,
            node.day_offset.clone(),
            self.shared.clone(),
        );
        let host = Arc::new(host);
        node.start(process, host.clone());
        lock(&self.shared.network).comes_up(process);
        let shown = self.executor.draw(Purpose::Clock, 0, 1_000_000 * MS);
        let ppm = self.executor.draw(Purpose::Clock, 0, 2_000);
        let ppm = i64::try_from(ppm).expect("a small number") - 1_000;
        self.executor.set_clock(process, shown, ppm);
        // A node that replaces another one waits until the cluster takes it in.
        let founders: BTreeSet<NodeId> = match process.node <= founding {
            true => (1..=founding).collect(),
            false => BTreeSet::new(),
        };
        let engine = self.engine;
        let start = self
            .executor
            .enter(process, || engine.start(host, founders));
        let shared = self.shared.clone();
        let task = Box::pin(async move {
            let result = start.await;
            lock(&shared.started).push((process, result));
        });
        self.executor.spawn(process, task);
    }

    /// The process of a machine dies, and the machine is down for a while.
    pub(crate) fn crash(&mut self, machine: u64, death: &Death, down_ms: u64) {
        let Some(place) = self.nodes.iter().position(|node| node.machine == machine) else {
            return;
        };
        let node = &mut self.nodes[place];
        let Some(process) = node.process() else {
            return;
        };
        let inside = node.die(&self.executor, death);
        lock(&self.shared.network).goes_down(process);
        let power_cut = matches!(death, Death::PowerCut(_));
        self.counts.crashes += 1;
        self.counts.power_cuts += u64::from(power_cut);
        self.counts.inside += u64::from(inside);
        self.observe(process, Observation::Died { power_cut });
        self.plan(self.now() + down_ms.max(1) * MS, Errand::Boot(machine));
    }

    /// Lets everything happen until `until`, or until a promise is broken.
    pub(crate) fn run_until(&mut self, until: u64) {
        let (mut moment, mut polls) = (self.now(), self.executor.polls());
        while self.now() < until && !self.is_violated() {
            let errand = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let arrival = lock(&self.shared.network).next();
            let limit = errand.into_iter().chain(arrival).fold(until, u64::min);
            match self.executor.turn(limit) {
                Turn::Polled(process) => {
                    self.look_at(process);
                    if self.executor.polls() - polls > POLLS_WITHOUT_TIME && self.now() == moment {
                        let text = format!("{POLLS_WITHOUT_TIME} polls without time moving");
                        self.violation(process.node, "no progress", text);
                    }
                }
                Turn::Panicked(process, text) => self.panicked(process, text),
                Turn::TimePassed | Turn::Idle => self.do_what_is_due(),
            }
            if self.now() > moment {
                (moment, polls) = (self.now(), self.executor.polls());
            }
        }
    }

    fn do_what_is_due(&mut self) {
        let now = self.now();
        loop {
            let arrival = lock(&self.shared.network).take(now);
            match arrival {
                Some(arrival) => self.deliver(arrival),
                None => break,
            }
        }
        while let Some(first) = self.agenda.first_entry()
            && first.key().0 <= now
        {
            match first.remove() {
                Errand::Act(action) => self.act(action),
                Errand::Strike(machine, strike) => self.strike(machine, strike),
                Errand::Boot(machine) => self.boot(machine),
                Errand::MakeRoom(machine, disk) => {
                    if let Some(node) = self.node_on(machine) {
                        node.disks[disk.place()].set_space(None);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, arrival: Arrival) {
        if let Parcel::Answer(answer) = arrival.parcel {
            return answer();
        }
        let node = self.nodes.iter().find(|node| node.node == arrival.to);
        let running = node.and_then(|node| node.running.as_ref());
        let Some((running, replica)) =
            running.and_then(|running| Some((running, running.replica.clone()?)))
        else {
            let now = self.now();
            return lock(&self.shared.network).found_nobody(now, &arrival);
        };
        let host = running.host.clone();
        let from = arrival.from;
        let task: crate::host::BoxFuture<()> = match arrival.parcel {
            Parcel::Message(message) => Box::pin(async move { replica.deliver(from, message) }),
            Parcel::Request(request) => Box::pin(async move {
                let answer = request(replica).await;
                host.answer(answer);
            }),
            Parcel::Answer(_) => return,
        };
        self.executor.spawn(running.id, task);
    }

    /// A task of a process ran: what has become of the process?
    fn look_at(&mut self, process: ProcessId) {
        let started = std::mem::take(&mut *lock(&self.shared.started));
        for (process, result) in started {
            self.started(process, result);
        }
        if process == ProcessId::WORLD {
            return;
        }
        let frozen = self
            .nodes
            .iter_mut()
            .find(|node| node.process() == Some(process));
        if let Some(node) = frozen
            && node.is_frozen()
        {
            let power_cut = Death::PowerCut(CutSurvivors::Nothing);
            let (death, down_ms) = node.planned.take().unwrap_or((power_cut, 1));
            let machine = node.machine;
            self.crash(machine, &death, down_ms);
        }
        let (sprung, stopped) = {
            let mut referee = lock(&self.shared.referee);
            (
                std::mem::take(&mut referee.sprung),
                std::mem::take(&mut referee.stopped),
            )
        };
        for sprung in sprung {
            let at = self.now() + sprung.after_us * 1_000;
            match sprung.after_us {
                0 => self.strike(sprung.machine, sprung.strike),
                _ => self.plan(at, Errand::Strike(sprung.machine, sprung.strike)),
            }
        }
        for (node, error) in stopped {
            self.stopped(node, error);
        }
    }

    fn started(&mut self, process: ProcessId, result: StartResult) {
        let node = self
            .nodes
            .iter_mut()
            .find(|node| node.process() == Some(process));
        let Some(node) = node.filter(|node| !node.is_frozen()) else {
            return;
        };
        let (machine, rotten, excused) = (node.machine, node.rotten, node.is_excused());
        match result {
            Ok(replica) => {
                if let Some(running) = &mut node.running {
                    running.replica = Some(replica);
                }
                // What turned was of no use to anybody, or was put right.
                node.rotten = false;
            }
            Err(_) if rotten => self.wipe(machine, 50),
            // Perhaps the disk refuses everything until the machine starts anew.
            Err(_) if excused => {
                self.counts.gave_up += 1;
                self.crash(machine, &Death::PowerCut(CutSurvivors::Everything), 50);
            }
            Err(error) => {
                self.observe(process, Observation::NotStarted { error });
            }
        }
    }

    /// The replica of a node gave up. After a failure of a disk that is right, and it is started anew.
    fn stopped(&mut self, node: NodeId, error: String) {
        let Some(node) = self.nodes.iter().find(|other| other.node == node) else {
            return;
        };
        let (machine, id) = (node.machine, node.node);
        if node.running.is_none() {
            return;
        }
        if node.is_excused() {
            self.counts.gave_up += 1;
            self.crash(machine, &Death::Kill(beaver_disk::CallEffect::Nothing), 50);
        } else {
            self.violation(id, "no process gives up", error);
        }
    }

    fn panicked(&mut self, process: ProcessId, text: String) {
        let node = self
            .nodes
            .iter()
            .find(|node| node.process() == Some(process));
        // In a process that died inside a storage call the panic was never seen.
        if !node.is_some_and(ClusterNode::is_frozen) {
            self.violation(process.node, "no panic", text);
        }
        self.look_at(process);
    }
}
