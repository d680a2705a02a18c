//! The core on a host: tasks, disks and messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::bug::PlantedBug;
use super::core::{RaftCore, RaftOutput};
use super::message::{RaftMessage, SnapshotFile};
use super::storage::RaftDisks;
use crate::entry::NodeId;
use crate::host::{BoxFuture, Host, Message};
use crate::observation::Observation;
use crate::operation::{ClientRequest, ClientResponse};
use crate::replica::{AdminRequest, RaftEngine, Replica};
use crate::runtime::{Promise, promise};

/// How often the core looks at the clock.
const TICK: Duration = Duration::from_millis(15);

/// A small Raft engine, sound unless a bug is planted into it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SmallRaft {
    bug: Option<PlantedBug>,
}

impl SmallRaft {
    /// The sound engine.
    #[must_use]
    pub fn new() -> Self {
        SmallRaft::default()
    }

    /// The engine with a bug.
    #[must_use]
    pub fn with_bug(bug: PlantedBug) -> Self {
        SmallRaft { bug: Some(bug) }
    }
}

impl RaftEngine for SmallRaft {
    fn is_rejoined_when_wiped(&self) -> bool {
        self.bug == Some(PlantedBug::WipedFollowerRejoins)
    }

    fn start(
        &self,
        host: Arc<dyn Host>,
        founders: BTreeSet<NodeId>,
    ) -> BoxFuture<Result<Arc<dyn Replica>, String>> {
        let bug = self.bug;
        Box::pin(async move {
            let (disks, saved) = RaftDisks::open(&*host, bug)?;
            let (id, seed) = (host.node(), host.draw(0, u64::MAX));
            let core = RaftCore::recover(id, bug, seed, host.now(), saved)?;
            let replica = SmallReplica(Arc::new(ReplicaParts {
                host,
                process: Mutex::new(RaftProcess {
                    core,
                    disks,
                    last_call: 0,
                    calls: BTreeMap::new(),
                    admin_calls: BTreeMap::new(),
                    is_flushing: false,
                    stopped: None,
                }),
            }));
            replica.begin(founders)?;
            Ok(Arc::new(replica) as Arc<dyn Replica>)
        })
    }
}

/// The replica of one process.
#[derive(Clone, Debug)]
struct SmallReplica(Arc<ReplicaParts>);

#[derive(Debug)]
struct ReplicaParts {
    host: Arc<dyn Host>,
    process: Mutex<RaftProcess>,
}

#[derive(Debug)]
struct RaftProcess {
    core: RaftCore,
    disks: RaftDisks,
    last_call: u64,
    calls: BTreeMap<u64, Promise<ClientResponse>>,
    admin_calls: BTreeMap<u64, Promise<Result<(), String>>>,
    is_flushing: bool,
    /// Why it gave up.
    stopped: Option<String>,
}

impl SmallReplica {
    fn lock(&self) -> MutexGuard<'_, RaftProcess> {
        let process = self.0.process.lock();
        process.expect("nothing panics while it holds a process")
    }

    /// Takes part from now on.
    fn begin(&self, founders: BTreeSet<NodeId>) -> Result<(), String> {
        let mut process = self.lock();
        // What recovery has repaired must be durable before anybody learns of the node.
        let outputs = process.core.take_outputs();
        let (records, others): (Vec<_>, Vec<_>) = outputs
            .into_iter()
            .partition(|output| matches!(output, RaftOutput::Record(_)));
        self.carry_out(&mut process, records);
        let written = process.disks.flush()?;
        self.carry_out(&mut process, others);
        process.core.flushed(self.0.host.now(), written);
        process.core.found(founders);
        self.settle(&mut process);
        drop(process);
        let replica = self.clone();
        self.0.host.spawn(Box::pin(async move {
            while replica.lock().stopped.is_none() {
                replica.0.host.sleep(TICK).await;
                replica.step(|core, now| core.tick(now));
            }
        }));
        Ok(())
    }

    /// Hands something to the core, and does what it asks for.
    fn step(&self, input: impl FnOnce(&mut RaftCore, Duration)) {
        let mut process = self.lock();
        if process.stopped.is_none() {
            input(&mut process.core, self.0.host.now());
            self.settle(&mut process);
        }
    }

    fn settle(&self, process: &mut RaftProcess) {
        let outputs = process.core.take_outputs();
        self.carry_out(process, outputs);
        if process.core.wants_flush() && !process.is_flushing {
            process.is_flushing = true;
            self.flush_later();
        }
    }

    fn carry_out(&self, process: &mut RaftProcess, outputs: Vec<RaftOutput>) {
        for output in outputs {
            match output {
                RaftOutput::Record(record) => process.disks.record(record),
                RaftOutput::OwnWrite => process.disks.end_write(),
                RaftOutput::Send { to, message } => {
                    let message = Message {
                        kind: message.body.kind(),
                        summary: if self.0.host.wants_summaries() {
                            message.summary()
                        } else {
                            String::new()
                        },
                        body: Arc::new(message),
                    };
                    self.0.host.send(to, message);
                }
                RaftOutput::SaveSnapshot(file) => self.save_later(file),
                RaftOutput::Answer { call, response } => {
                    if let Some(slot) = process.calls.remove(&call) {
                        slot.keep(response);
                    }
                }
                RaftOutput::AdminAnswer { call, result } => {
                    if let Some(slot) = process.admin_calls.remove(&call) {
                        slot.keep(result);
                    }
                }
                RaftOutput::Observe(what) => self.0.host.observe(what),
            }
        }
    }

    fn flush_later(&self) {
        let replica = self.clone();
        let delay = self.0.host.sync_delay();
        self.0.host.spawn(Box::pin(async move {
            replica.0.host.sleep(delay).await;
            let mut process = replica.lock();
            process.is_flushing = false;
            match process.disks.flush() {
                Ok(written) => process.core.flushed(replica.0.host.now(), written),
                Err(error) => return replica.stop(&mut process, error),
            }
            replica.settle(&mut process);
        }));
    }

    fn save_later(&self, file: SnapshotFile) {
        let replica = self.clone();
        let delay = self.0.host.sync_delay();
        self.0.host.spawn(Box::pin(async move {
            replica.0.host.sleep(delay).await;
            let mut process = replica.lock();
            let now = replica.0.host.now();
            let saved = process.disks.save_snapshot(&file);
            match saved.and_then(|()| process.core.snapshot_saved(now)) {
                Ok(()) => replica.settle(&mut process),
                Err(error) => replica.stop(&mut process, error),
            }
        }));
    }

    /// Gives up: after a failed write only a restart can tell what is on the disks.
    fn stop(&self, process: &mut RaftProcess, error: String) {
        if process.stopped.is_some() {
            return;
        }
        process.stopped = Some(error.clone());
        for slot in std::mem::take(&mut process.calls).into_values() {
            slot.keep(ClientResponse::Unknown(error.clone()));
        }
        for slot in std::mem::take(&mut process.admin_calls).into_values() {
            slot.keep(Err(error.clone()));
        }
        self.0.host.observe(Observation::Stopped { error });
    }
}

impl Replica for SmallReplica {
    fn deliver(&self, from: NodeId, message: Message) {
        if let Some(message) = message.body.downcast_ref::<RaftMessage>() {
            let message = message.clone();
            self.step(|core, now| core.receive(now, from, message));
        }
    }

    fn call(&self, request: ClientRequest) -> BoxFuture<ClientResponse> {
        let (slot, answer) = promise();
        let answer = Box::pin(answer.kept());
        let mut process = self.lock();
        if let Some(error) = &process.stopped {
            slot.keep(ClientResponse::Refused(error.clone()));
            return answer;
        }
        process.last_call += 1;
        let call = process.last_call;
        process.calls.insert(call, slot);
        let (now, time_of_day) = (self.0.host.now(), self.0.host.time_of_day());
        process.core.call(now, time_of_day, call, request);
        self.settle(&mut process);
        answer
    }

    fn admin(&self, request: AdminRequest) -> BoxFuture<Result<(), String>> {
        let (slot, answer) = promise();
        let answer = Box::pin(answer.kept());
        let mut process = self.lock();
        if let Some(error) = &process.stopped {
            slot.keep(Err(error.clone()));
            return answer;
        }
        process.last_call += 1;
        let call = process.last_call;
        process.admin_calls.insert(call, slot);
        process.core.admin(self.0.host.now(), call, request);
        self.settle(&mut process);
        answer
    }

    fn leader(&self) -> Option<NodeId> {
        self.lock().core.leader()
    }

    fn applied(&self) -> (u64, u64) {
        self.lock().core.applied()
    }
}
