//! A run written out: commands, faults, crash points and what survived. It replays from data alone.

use serde::{Deserialize, Serialize};

use super::faults::FaultKind;

/// Everything that chance decided in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One command of the workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
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
    /// Close cleanly and open again.
    Reopen,
    /// Kill the process and start it again.
    Kill,
    /// Cut the power and start again.
    PowerCut {
        /// What survives; nothing that is pending where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<Image>,
    },
    /// Let a second process try to open the directory.
    SecondOpener,
    /// Inspect the log while it is in use, and replay it twice.
    Inspect,
    /// Damage a copy of the disk and read it leniently.
    Lenient {
        /// The damage.
        damage: Vec<PlannedFault>,
    },
}

/// A fault at a storage call. Which of the optional fields it uses depends on its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// The number of the call, counted over the whole run from 1; for damage at rest, the next call after it.
    pub call: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// The file that is damaged at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Byte offset in the file, or the new length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes, or which bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// Which pages of the call are hit, by their index in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<u64>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// The process is killed; the system goes on.
    Kill,
    /// The power fails.
    PowerCut,
}

/// Where in a storage call a crash happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before it did anything.
    Before,
    /// In the middle.
    Inside,
    /// When it was done, before its caller learned of it.
    After,
}

/// A crash at a storage call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCrash {
    /// The number of the call, counted over the whole run from 1.
    pub call: u64,
    /// Where in the call.
    pub moment: Moment,
    /// How the process ends.
    pub kind: CrashKind,
    /// What survives a power cut; nothing that is pending where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// What survived one power cut: for each pending record, in order, which of its outcomes came true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {}
