//! The host of one process: what its replica sees of the machine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use beaver_disk::SimDisk;
use beaver_storage::Storage;

use crate::draws::Purpose;
use crate::entry::NodeId;
use crate::executor::current;
use crate::host::{BoxFuture, Host, Message};
use crate::network::{AnswerParcel, Arrival, Parcel};
use crate::observation::{Observation, ObservedEvent};
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::runtime::sleep;
use crate::shared::Shared;

/// What a time of day is counted from, in nanoseconds since the Unix epoch: a day in 2023.
const DAY_ZERO: i64 = 1_700_000_000_000_000_000;

/// The host of one process.
pub(crate) struct SimHost {
    process: ProcessId,
    machine: u64,
    disks: [SimDisk; 2],
    storages: [Arc<dyn Storage>; 2],
    /// How far the machine's time of day is off, in nanoseconds.
    day_offset: Arc<AtomicI64>,
    dead: AtomicBool,
    shared: Arc<Shared>,
}

impl fmt::Debug for SimHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SimHost");
        debug
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl SimHost {
    /// The host of a process that starts now on what the disks hold.
    pub(crate) fn new(
        process: ProcessId,
        machine: u64,
        disks: &[SimDisk; 2],
        day_offset: Arc<AtomicI64>,
        shared: Arc<Shared>,
    ) -> Self {
        SimHost {
            process,
            machine,
            disks: disks.clone(),
            storages: [disks[0].storage(), disks[1].storage()],
            day_offset,
            dead: AtomicBool::new(false),
            shared,
        }
    }

    /// From now on nothing that the process does is seen by anybody.
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Whether the process is dead: also while the world has not noticed yet that it died inside a
    /// storage call.
    pub(crate) fn is_dead(&self) -> bool {
        let frozen = |disk: &SimDisk| disk.frozen_at().is_some();
        self.dead.load(Ordering::Relaxed) || self.disks.iter().any(frozen)
    }

    /// Sends an answer to a client.
    pub(crate) fn answer(&self, answer: AnswerParcel) {
        if self.is_dead() {
            return;
        }
        self.check_live();
        let arrival = Arrival {
            from: self.process.node,
            to: 0,
            parcel: Parcel::Answer(answer),
        };
        lock(&self.shared.network).send_once(&current(), arrival);
    }

    /// The check that nothing is sent by a process that is dead: the host says that it lives, and the
    /// network must know it as the one that is up.
    fn check_live(&self) {
        if !lock(&self.shared.network).is_live(self.process) {
            let text = format!("process {} sends though it is dead", self.process.number);
            let (now, node) = (current().now(), self.process.node);
            lock(&self.shared.referee).violation(now, node, "a dead process is silent", text);
        }
    }
}

impl Host for SimHost {
    fn node(&self) -> NodeId {
        self.process.node
    }

    fn log_disk(&self) -> Arc<dyn Storage> {
        self.storages[0].clone()
    }

    fn snapshot_disk(&self) -> Arc<dyn Storage> {
        self.storages[1].clone()
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(current().shown(self.process))
    }

    fn time_of_day(&self) -> Duration {
        let now = i64::try_from(current().now()).unwrap_or(i64::MAX);
        let offset = self.day_offset.load(Ordering::Relaxed);
        let day = DAY_ZERO.saturating_add(now).saturating_add(offset);
        Duration::from_nanos(u64::try_from(day).unwrap_or(0))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        // Not by `is_dead`: a process that died inside a call runs to its next wait.
        if !self.dead.load(Ordering::Relaxed) {
            current().spawn(self.process, task);
        }
    }

    fn send(&self, to: NodeId, message: Message) {
        if self.is_dead() {
            return;
        }
        self.check_live();
        let mut network = lock(&self.shared.network);
        network.send(&current(), self.process.node, to, message);
    }

    fn draw(&self, least: u64, most: u64) -> u64 {
        current().draw(Purpose::Replica, least, most)
    }

    fn sync_delay(&self) -> Duration {
        let range = self.shared.scenario.sync_us;
        let delay = current().draw(Purpose::Sync, range.least * 1_000, range.most * 1_000);
        Duration::from_nanos(delay)
    }

    fn observe(&self, what: Observation) {
        if self.is_dead() {
            return;
        }
        let event = ObservedEvent {
            at: current().now(),
            node: self.process.node,
            process: self.process.number,
            what,
        };
        lock(&self.shared.referee).observe(event, Some(self.machine));
    }

    fn wants_summaries(&self) -> bool {
        self.shared.summaries
    }
}
