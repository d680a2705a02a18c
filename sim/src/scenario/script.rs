//! A run written out: commands, faults, crash points and what survived. It replays from data alone.

use serde::{Deserialize, Serialize};

use super::faults::{Drawn, FaultKind};
use super::step::Step;

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
    /// The number of the call, counted over the whole run from 1. Damage at rest happens before it.
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
    /// From here on there is only so much room; none given: as much as anybody wants.
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
    /// The call, counted over the whole run from 1, and where in it.
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
    pub image: Option<beaver_disk::Choice>,
}
