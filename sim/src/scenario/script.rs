//! A run written out: commands, faults, crash points and what survived. It replays from data alone.

use serde::{Deserialize, Serialize};

use super::faults::{Drawn, FaultKind};

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

/// One job to enqueue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its payload, as JSON text that must survive byte for byte.
    pub payload: String,
    /// How often it may be tried.
    pub max_attempts: u32,
    /// How long a worker may take, in milliseconds.
    pub timeout_ms: u64,
}

impl Job {
    /// A command by number, for a store that keeps commands of its own; `words` says what it is.
    #[must_use]
    pub fn numbered(number: u64, words: &str) -> Self {
        Job {
            id: number.to_string(),
            payload: serde_json::Value::from(words).to_string(),
            max_attempts: 1,
            timeout_ms: 0,
        }
    }

    /// The job in a few words: its id, and what the command is that it stands for, if it does.
    pub(crate) fn describe(&self) -> String {
        let words = self.id.parse::<u64>().ok();
        let words = words.and_then(|_| serde_json::from_str::<String>(&self.payload).ok());
        match words {
            Some(words) => format!("{}: {words}", self.id),
            None => self.id.clone(),
        }
    }
}

/// One command of the workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Enqueue these jobs, all or none.
    Enqueue {
        /// The jobs.
        jobs: Vec<Job>,
    },
    /// Hand out the oldest pending job.
    Dispatch,
    /// Report success.
    Ack {
        /// Of this job.
        id: String,
    },
    /// Report failure.
    Fail {
        /// Of this job.
        id: String,
    },
    /// Let time pass, then look for expired jobs.
    Tick {
        /// How much time, in milliseconds.
        ms: u64,
    },
    /// Put everything in flight back into the queue.
    Requeue,
    /// Submit these commands as so many callers, then flush once.
    Group {
        /// Enqueue, dispatch, ack, fail, tick and requeue only.
        steps: Vec<Step>,
    },
    /// Rotate, snapshot, prune.
    Checkpoint,
    /// A checkpoint with commands between its steps.
    SlowCheckpoint {
        /// Run after the rotate, before the snapshot is written.
        before_write: Vec<Step>,
        /// Run after the snapshot is written, before anything is pruned.
        before_finish: Vec<Step>,
    },
    /// A checkpoint that begins when these callers have submitted and nobody has flushed: their sync
    /// comes behind its first step. Then as a slow checkpoint.
    QueuedCheckpoint {
        /// Enqueue, dispatch, ack, fail, tick and requeue only.
        steps: Vec<Step>,
        /// Run after that sync, before the snapshot is written.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before_write: Vec<Step>,
        /// Run after the snapshot is written, before anything is pruned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before_finish: Vec<Step>,
    },
    /// A checkpoint with commands in the middle of its second step.
    CheckpointAmid {
        /// What is run while the snapshot is written, in order.
        during_write: Vec<Meanwhile>,
    },
    /// Close cleanly and open again.
    Reopen,
    /// Submit these commands as so many callers, close before anybody has flushed, and open again.
    CloseQueued {
        /// Enqueue, dispatch, ack, fail, tick and requeue only.
        steps: Vec<Step>,
    },
    /// Kill the process and start it again.
    Kill,
    /// Cut the power and start again.
    PowerCut {
        /// What survives; nothing that is pending where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
        image: Option<beaver_disk::Choice>,
    },
    /// Let a second process try to open the directory.
    SecondOpener,
    /// Inspect the log while it is in use, and replay it twice. Where it syncs on request, its owner reads what is
    /// durable.
    Inspect,
    /// Damage a copy of the disk and read it leniently.
    Lenient {
        /// The damage; drawn when the command runs where it is left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Value>"))]
        damage: Vec<beaver_disk::DiskEvent>,
    },
    /// Make everything that was appended durable; only of a log that syncs on request.
    Sync,
    /// Seal the active segment and begin the next one; only of a log that syncs on request.
    Rotate,
    /// Make everything that was appended durable, and free space behind it; only of a log that syncs on request.
    Preallocate {
        /// How much space.
        bytes: u64,
    },
}

/// A command between two storage calls of a checkpoint's second step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Meanwhile {
    /// It is run just before this storage call of the step, counted from 1; behind the step if that makes fewer.
    pub before_call: u64,
    /// Enqueue, dispatch, ack, fail, tick and requeue only.
    pub step: Step,
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
