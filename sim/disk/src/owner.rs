//! The owner's side of a simulated disk: it starts processes, kills them, and cuts the power.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::choice::Choice;
use super::crash::Crash;
use super::crash_point::{CrashPoint, Moment};
use super::disk::Disk;
use super::event::DiskEvent;
use super::fault::{CallEffect, Space};
use super::fault_source::{FaultPlan, FaultSource};
use super::image::Image;
use super::machine::{MachineState, SharedMachine, SimOptions, enter};
use super::names::InodeId;
use super::trace::TraceRecord;

/// A machine with a disk that runs one process after the other. A clone is another handle of the
/// same machine.
#[derive(Clone)]
pub struct SimDisk {
    pub(super) machine: SharedMachine,
}

impl SimDisk {
    /// A machine that is about to run its first process on `disk`.
    #[must_use]
    pub fn new(disk: Disk, options: SimOptions) -> Self {
        SimDisk {
            machine: Arc::new(Mutex::new(MachineState::new(disk, options))),
        }
    }

    /// Sets or clears the point at which the process dies. A point that has passed is never
    /// reached.
    pub fn crash_at(&self, point: Option<CrashPoint>) {
        enter(&self.machine).crash_at = point;
    }

    /// Where the machine froze, if it did.
    #[must_use]
    pub fn frozen_at(&self) -> Option<CrashPoint> {
        enter(&self.machine).frozen.as_ref().map(Crash::point)
    }

    /// The state at the crash point. If none was reached, the process dies here and now, between
    /// two calls.
    #[must_use]
    pub fn crash(&self) -> Crash {
        let mut machine = enter(&self.machine);
        if machine.frozen.is_none() {
            let calls = machine.calls;
            machine.trace.note("crash", calls);
            machine.frozen = Some(machine.crash_now(calls, Moment::After, None, None));
        }
        machine.frozen.clone().expect("it is frozen")
    }

    /// What [`crash`](Self::crash) would answer between two calls, without letting the process die.
    #[must_use]
    pub fn crash_between_calls(&self) -> Crash {
        let machine = enter(&self.machine);
        machine.crash_now(machine.calls, Moment::After, None, None)
    }

    /// Kills the process, at the crash point if one was reached, and starts the next one. The live view goes on; what was
    /// pending stays pending.
    pub fn kill(&self, effect: CallEffect) {
        let disk = self.crash().kill(effect);
        enter(&self.machine).start_process(disk);
    }

    /// Cuts the power, at the crash point if one was reached, and starts the next process on what
    /// `choice` leaves.
    pub fn power_cut(&self, choice: &Choice) -> Image {
        let image = self.crash().images().image(choice);
        self.boot_image(&image);
        image
    }

    /// Cuts the power and starts the next process on an image that was chosen by other means.
    pub fn boot_image(&self, image: &Image) {
        let profile = enter(&self.machine).disk.profile();
        self.boot(image.disk(profile));
    }

    /// Starts the next process on any disk. The numbers of calls go on. A lock that another process
    /// held is gone.
    pub fn boot(&self, disk: Disk) {
        let mut machine = enter(&self.machine);
        machine.lock_taken = false;
        let hash = disk.live().hash128();
        machine.start_process(disk);
        machine.trace.note(&format!("{hash:032x}"), 0);
    }

    /// An independent machine in the same state: disk, numbers, counts, trace and a crash that was
    /// reached. Nothing goes wrong on it, and handles belong to the machine that they were opened
    /// on.
    #[must_use]
    pub fn fork(&self) -> SimDisk {
        let mut machine = enter(&self.machine).clone();
        machine.process += 1;
        machine.handles.clear();
        machine.locks.clear();
        machine.file_locks.clear();
        machine.faults = None;
        machine.space = None;
        SimDisk {
            machine: Arc::new(Mutex::new(machine)),
        }
    }

    /// Whether to keep the state before and inside every call that changes something, from now on.
    pub fn record_crash_points(&self, on: bool) {
        enter(&self.machine).recorded = on.then(Vec::new);
    }

    /// The states that were kept: `Before` and `Inside` each call that changes something. Before and inside any other call the
    /// disk is as it was before the next of these.
    #[must_use]
    pub fn take_crash_points(&self) -> Vec<Crash> {
        let mut machine = enter(&self.machine);
        machine
            .recorded
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The disk as it is now.
    #[must_use]
    pub fn disk(&self) -> Disk {
        enter(&self.machine).disk.clone()
    }

    /// What a reader sees now.
    #[must_use]
    pub fn live(&self) -> Image {
        self.disk().live()
    }

    /// Makes an event happen now: damage at rest, say, between two processes. `false` if it changed
    /// nothing; then it is not counted. Files that the process has open keep their length when the
    /// cache is dropped.
    pub fn happen(&self, event: &DiskEvent) -> bool {
        let mut machine = enter(&self.machine);
        let machine = &mut *machine;
        let handles = &machine.handles;
        let is_open = |id| handles.values().any(|handle| handle.inode == id);
        let happened = machine.disk.happen_while(event, &is_open);
        if happened {
            machine.count(event.word());
        }
        happened
    }

    /// From now on `faults` decides what goes wrong; `None`: nothing does.
    pub fn set_faults(&self, faults: Option<Arc<Mutex<dyn FaultSource>>>) {
        enter(&self.machine).faults = faults;
    }

    /// From now on goes wrong what `plan` says.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.set_faults(Some(Arc::new(Mutex::new(plan))));
    }

    /// Changes how much room there is; `None`: as much as asked for.
    pub fn set_space(&self, space: Option<Space>) {
        enter(&self.machine).space = space;
    }

    /// Changes the number of calls after which every further one fails.
    pub fn set_max_calls(&self, max_calls: Option<u64>) {
        let mut machine = enter(&self.machine);
        machine.max_calls = max_calls;
        machine.out_of_calls = false;
    }

    /// Another process takes the lock of the root directory. `false` if it is held.
    #[must_use]
    pub fn hold_lock(&self) -> bool {
        let mut machine = enter(&self.machine);
        let free = !machine.locks.contains_key(&InodeId::ROOT) && !machine.lock_taken;
        machine.lock_taken |= free;
        free
    }

    /// Another process removes the lock file of the root directory, which the process that runs
    /// has locked, and locks a new one. From now on the process that runs changes nothing: see
    /// [`Storage::lock`](beaver_storage::Storage::lock). `false` if it does not hold the lock.
    #[must_use]
    pub fn steal_lock(&self) -> bool {
        let mut machine = enter(&self.machine);
        let stolen = machine.locks.remove(&InodeId::ROOT).is_some();
        machine.lock_taken |= stolen;
        machine.lock_lost |= stolen;
        stolen
    }

    /// The other process gives the lock back.
    pub fn release_lock(&self) {
        enter(&self.machine).lock_taken = false;
    }

    /// The number of the last call.
    #[must_use]
    pub fn calls(&self) -> u64 {
        enter(&self.machine).calls
    }

    /// Whether a call failed because all calls were used up.
    #[must_use]
    pub fn is_out_of_calls(&self) -> bool {
        enter(&self.machine).out_of_calls
    }

    /// How often each fault and event struck, by its word.
    #[must_use]
    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        enter(&self.machine).fired.clone()
    }

    /// The calls at which something was to go wrong that did not fit the call, or that would have
    /// changed nothing.
    #[must_use]
    pub fn missed(&self) -> Vec<u64> {
        enter(&self.machine).missed.clone()
    }

    /// The calls so far, if they are recorded.
    #[must_use]
    pub fn trace(&self) -> Vec<TraceRecord> {
        enter(&self.machine).trace.records.clone()
    }

    /// Takes the calls that were recorded since the last time, and forgets them.
    #[must_use]
    pub fn take_trace(&self) -> Vec<TraceRecord> {
        std::mem::take(&mut enter(&self.machine).trace.records)
    }

    /// A hash of all calls, answers, faults and crashes so far. 0 when tracing is off.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        enter(&self.machine).trace.hash
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = enter(&self.machine);
        f.debug_struct("SimDisk")
            .field("process", &machine.process)
            .field("calls", &machine.calls)
            .field("live", &machine.disk.live())
            .finish_non_exhaustive()
    }
}
