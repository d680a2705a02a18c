//! One machine of the cluster: two disks, and the process of the node that runs on it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use beaver_disk::{Disk, Moment, Profile, SimDisk, SimOptions};

use crate::chaos::{Death, DiskRole};
use crate::disk_faults::CallFaults;
use crate::entry::NodeId;
use crate::executor::Executor;
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::replica::Replica;
use crate::sim_host::SimHost;
use crate::survivors::choice_of;

/// What a process is when it runs.
#[derive(Debug)]
pub(crate) struct RunningProcess {
    pub(crate) id: ProcessId,
    pub(crate) host: Arc<SimHost>,
    /// None until it has started.
    pub(crate) replica: Option<Arc<dyn Replica>>,
    /// How many storage calls had failed before it.
    failures_before: u64,
}

/// A machine and its node.
#[derive(Debug)]
pub(crate) struct ClusterNode {
    pub(crate) machine: u64,
    pub(crate) node: NodeId,
    /// How many processes of the node there were.
    pub(crate) processes: u64,
    pub(crate) disks: [SimDisk; 2],
    pub(crate) faults: [Arc<Mutex<CallFaults>>; 2],
    pub(crate) day_offset: Arc<AtomicI64>,
    pub(crate) running: Option<RunningProcess>,
    /// How the process dies if it dies inside a storage call, and how long the machine is down then.
    pub(crate) planned: Option<(Death, u64)>,
    /// A bit of a durable file has turned.
    pub(crate) rotten: bool,
    /// How often a disk had begun to refuse every change before the power was cut the last time.
    refusals_before: u64,
}

impl ClusterNode {
    /// A machine with empty disks.
    pub(crate) fn new(machine: u64, node: NodeId, profile: Profile) -> Self {
        let faults: [Arc<Mutex<CallFaults>>; 2] = Default::default();
        let disks = faults.each_ref().map(|faults| {
            let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
            disk.set_faults(Some(faults.clone()));
            disk
        });
        ClusterNode {
            machine,
            node,
            processes: 0,
            disks,
            faults,
            day_offset: Arc::default(),
            running: None,
            planned: None,
            rotten: false,
            refusals_before: 0,
        }
    }

    pub(crate) fn process(&self) -> Option<ProcessId> {
        self.running.as_ref().map(|running| running.id)
    }

    /// Its replica, if it has started.
    pub(crate) fn replica(&self) -> Option<&Arc<dyn Replica>> {
        self.running.as_ref()?.replica.as_ref()
    }

    /// A new process of the node.
    pub(crate) fn start(&mut self, id: ProcessId, host: Arc<SimHost>) {
        self.processes = id.number;
        self.running = Some(RunningProcess {
            id,
            host,
            replica: None,
            failures_before: self.failures(),
        });
    }

    /// Whether the process has died inside a storage call.
    pub(crate) fn is_frozen(&self) -> bool {
        let mut disks = self.disks.iter();
        self.running.is_some() && disks.any(|disk| disk.frozen_at().is_some())
    }

    /// Whether something went wrong on its disks that its process may give up for.
    pub(crate) fn is_excused(&self) -> bool {
        let running = self.running.as_ref();
        let before = running.map_or(0, |running| running.failures_before);
        // A file system that refuses every change does so until the machine starts anew.
        let refuses = self.refusals() > self.refusals_before;
        self.rotten || refuses || self.failures() > before
    }

    /// How many storage calls have failed so far.
    fn failures(&self) -> u64 {
        // Nothing fails by these.
        self.fired(|word| !["short-read", "short-write", "writeback", "cache-drop"].contains(&word))
    }

    fn refusals(&self) -> u64 {
        self.fired(|word| word == "failed-sync-read-only")
    }

    fn fired(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let fired = |disk: &SimDisk| -> BTreeMap<&'static str, u64> { disk.fired() };
        let fired = self.disks.iter().flat_map(fired);
        let fired = fired.filter(|(word, _)| counts(word));
        fired.map(|(_, count)| count).sum()
    }

    /// The process dies, and with it everything that is not on the disks. Whether it died inside a call.
    pub(crate) fn die(&mut self, executor: &Executor, death: &Death) -> bool {
        let crashes = self.disks.each_ref().map(SimDisk::crash);
        let inside = crashes
            .iter()
            .any(|crash| crash.point().moment == Moment::Inside);
        if let Some(running) = self.running.take() {
            running.host.die();
            executor.kill(running.id);
        }
        self.planned = None;
        if let Death::PowerCut(_) = death {
            self.refusals_before = self.refusals();
        }
        for ((disk, crash), role) in self
            .disks
            .iter()
            .zip(&crashes)
            .zip([DiskRole::Log, DiskRole::Snapshots])
        {
            disk.crash_at(None);
            match death {
                Death::Kill(effect) => disk.kill(*effect),
                Death::PowerCut(survivors) => {
                    let space = crash.images();
                    let choice = choice_of(survivors, role, &space);
                    disk.boot_image(&space.image(&choice));
                }
            }
        }
        inside
    }

    /// Nothing goes wrong on its disks any more.
    pub(crate) fn heal_disks(&mut self) {
        for (disk, faults) in self.disks.iter().zip(&self.faults) {
            disk.crash_at(None);
            disk.set_space(None);
            lock(faults).clear();
        }
        self.planned = None;
    }
}
