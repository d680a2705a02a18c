//! A run written out: commands, faults, crash points and what survived. It replays from data alone.

use serde::{Deserialize, Serialize};

use super::faults::{Drawn, FaultKind};
use super::step::Step;
use super::survivors::Survivors;

/// Everything that chance decided in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// What goes wrong at which storage call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PlannedFault>,
    /// Crashes inside commands and recoveries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crashes: Vec<PlannedCrash>,
}

/// A fault at a storage call, or between two processes just before one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// The step in which it happens: 0 is the first opening, then the steps from 1 on, then the last
    /// look. Where it is left out, `call` is counted over the whole run, as earlier files do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The process of the step: 0 is the one that began it, and each crash in it begins another.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub process: u32,
    /// The number of the call, counted from 1 from where the process's part of the step begins. Damage
    /// at rest happens before it.
    pub call: u64,
    /// Which kind of fault this is.
    pub kind: FaultKind,
    /// What the disk does.
    pub effect: Effect,
}

/// What the disk does when a fault fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The call itself goes wrong.
    Call(#[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))] beaver_disk::Fault),
    /// Something happens beside the call.
    Event(
        #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
        beaver_disk::DiskEvent,
    ),
    /// From here on the disk has this much room; none: unlimited.
    Space(
        #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
        Option<beaver_disk::Space>,
    ),
    /// Another process holds the lock until the first attempt to open has failed.
    LockHeld,
    /// From here on every change is refused, until the process ends or the file system is mounted
    /// again.
    ReadOnly,
}

impl PlannedFault {
    /// Whether it happens between two processes, not at a call.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self.effect {
            Effect::LockHeld | Effect::ReadOnly => true,
            Effect::Event(_) => self.kind.drawn() == Drawn::Rest,
            Effect::Call(_) | Effect::Space(_) => false,
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// The process is killed; the system goes on.
    Kill,
    /// The power fails.
    PowerCut,
}

/// A crash at a storage call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedCrash {
    /// The step in which it happens, as for a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The process of the step, as for a fault.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub process: u32,
    /// The call, counted as for a fault, and where in it.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub at: beaver_disk::CrashPoint,
    /// How the process ends.
    pub kind: CrashKind,
    /// How far a call that is killed inside gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub progress: Option<beaver_disk::CallEffect>,
    /// What survives a power cut; nothing that is pending where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub image: Option<Survivors>,
}
