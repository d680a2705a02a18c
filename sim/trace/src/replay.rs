//! A recording carried out again on a simulated disk, event by event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use beaver_disk::{
    Disk, Fault, FaultSource, Injection, InodeId, Profile, SimDisk, SimOptions, StorageCall,
    TraceMode,
};

use crate::log::{Log, LogError, TraceEvent};

/// A recording that is being carried out.
pub struct LogReplay<'l> {
    log: &'l Log,
    events: &'l [TraceEvent],
    disk: SimDisk,
    fault: Arc<Mutex<NextFault>>,
    /// The number of the event that comes next.
    next: usize,
    acks: usize,
    modes: BTreeMap<InodeId, u32>,
}

/// What goes wrong in the next call.
#[derive(Debug, Default)]
struct NextFault(Option<Fault>);

impl FaultSource for NextFault {
    fn before(&mut self, _call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        if let Some(fault) = self.0.take() {
            disk.fail(fault);
        }
    }
}

impl<'l> LogReplay<'l> {
    /// The recording from its beginning, on a disk of this profile.
    #[must_use]
    pub fn new(log: &'l Log, profile: Profile) -> Self {
        LogReplay::of(log, &log.events, profile)
    }

    /// Carries out `events` in place of those of `log`: the same ones, with syncs that it lacks.
    #[must_use]
    pub fn of(log: &'l Log, events: &'l [TraceEvent], profile: Profile) -> Self {
        LogReplay::with(log, events, profile, TraceMode::Off)
    }

    /// As [`of`](LogReplay::of), with a trace of all calls.
    #[must_use]
    pub fn traced(log: &'l Log, events: &'l [TraceEvent], profile: Profile) -> Self {
        LogReplay::with(log, events, profile, TraceMode::Records)
    }

    fn with(log: &'l Log, events: &'l [TraceEvent], profile: Profile, trace: TraceMode) -> Self {
        let options = SimOptions {
            space: log.format.space.clone(),
            trace,
            ..SimOptions::default()
        };
        let disk = SimDisk::new(Disk::empty(profile), options);
        let fault = Arc::new(Mutex::new(NextFault::default()));
        disk.set_faults(Some(fault.clone()));
        LogReplay {
            log,
            events,
            disk,
            fault,
            next: 0,
            acks: 0,
            modes: BTreeMap::new(),
        }
    }

    /// Whether each call must do what it did when it was recorded. How much a disk holds is a little different from profile to
    /// profile.
    fn is_whole(&self) -> bool {
        std::ptr::eq(self.events, &raw const *self.log.events) && self.log.format.space.is_none()
    }

    /// The event that comes next.
    #[must_use]
    pub fn next(&self) -> Option<&'l TraceEvent> {
        self.events.get(self.next)
    }

    /// The number of the event that comes next, from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.next
    }

    /// The disk now.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// How many lines the program has said so far.
    #[must_use]
    pub fn acks(&self) -> usize {
        self.acks
    }

    /// The permissions of what has others than usual.
    #[must_use]
    pub fn modes(&self) -> &BTreeMap<InodeId, u32> {
        &self.modes
    }

    /// Carries out the next event. A call fails where it failed when it was recorded.
    ///
    /// # Errors
    ///
    /// The bytes of a write cannot be read, or the recording is damaged: the call cannot be carried out.
    pub fn step(&mut self) -> Result<(), LogError> {
        let Some(event) = self.next() else {
            return Ok(());
        };
        self.next += 1;
        match event {
            TraceEvent::Call {
                change,
                bytes,
                fault,
                ..
            } => {
                let change = self.log.change(change, *bytes)?;
                let mut next = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                next.0.clone_from(fault);
                drop(next);
                // It answered so too when it was recorded: what failed by itself is not in a recording.
                if let Err(error) = self.disk.call(&change)
                    && fault.is_none()
                    && self.is_whole()
                {
                    return Err(self.log.cannot_be(self.next - 1, &error));
                }
            }
            TraceEvent::Sync | TraceEvent::Begin => self.disk.sync(),
            TraceEvent::Ack(_) => self.acks += 1,
            TraceEvent::LetGo(inode) => self.disk.let_go(*inode),
            TraceEvent::Mode { inode, mode } => {
                self.modes.insert(*inode, *mode);
            }
        }
        Ok(())
    }
}
