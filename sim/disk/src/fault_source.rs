//! Where faults come from: a hook that the disk asks where a call begins.
//!
//! A [`FaultPlan`] is the plain one: data, by the number of the call. Others draw from a seed, or
//! follow a script and write down what they did.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::crash_point::Moment;
use super::disk::Disk;
use super::event::DiskEvent;
use super::fault::{Fault, Space};
use super::names::InodeId;
use beaver_storage::Op;

/// Decides what goes wrong on a simulated disk.
pub trait FaultSource: fmt::Debug + Send {
    /// A call is about to begin. What goes wrong is done to `disk`.
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>);
}

/// A storage call that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct StorageCall<'a> {
    /// Its number. Numbers start at 1 and go on through crashes.
    pub number: u64,
    /// Its kind.
    pub op: Op,
    /// The file, if there is one yet.
    pub inode: Option<InodeId>,
    /// The name that the file has now, or the last one that it had; of a rename the new one. Empty
    /// for the directory.
    pub file: &'a str,
    /// Where it reads or writes, or the length that it sets.
    pub offset: u64,
    /// How many bytes it reads or writes.
    pub len: u64,
    /// At which moment of it the process dies.
    pub dies: Option<Moment>,
}

/// What can be done to a disk just before a call.
pub struct Injection<'a> {
    pub(super) disk: &'a mut Disk,
    pub(super) space: &'a mut Option<Space>,
    pub(super) is_open: &'a dyn Fn(InodeId) -> bool,
    pub(super) fault: Option<Fault>,
    /// The words for what happened, in order.
    pub(super) happened: Vec<&'static str>,
    /// Whether something was to happen and changed nothing.
    pub(super) missed: bool,
}

impl Injection<'_> {
    /// The lengths of all files that have a name, added up, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.disk.used()
    }

    /// The call itself goes wrong. The last fault given counts.
    pub fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Something happens to the disk. `false` if it changed nothing.
    pub fn happen(&mut self, event: &DiskEvent) -> bool {
        let happened = self.disk.happen_while(event, self.is_open);
        match happened {
            true => self.happened.push(event.word()),
            false => self.missed = true,
        }
        happened
    }

    /// From now on there is only this much room; `None`: as much as asked for.
    pub fn set_space(&mut self, space: Option<Space>) {
        *self.space = space;
    }
}

impl fmt::Debug for Injection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Injection").field(&self.fault).finish()
    }
}

/// Faults by the number of the call: data that can be printed, stored and shrunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// What goes wrong in a call.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<u64, Fault>,
    /// What happens on its own just before a call.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<u64, Vec<DiskEvent>>,
}

impl FaultSource for FaultPlan {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        for event in self.events.get(&call.number).into_iter().flatten() {
            disk.happen(event);
        }
        if let Some(fault) = self.calls.get(&call.number) {
            disk.fail(fault.clone());
        }
    }
}
