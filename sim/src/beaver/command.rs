//! The commands of the job queue and of its log.

use std::num::NonZeroU32;

use beaver::{JobId, Payload};
use serde::{Deserialize, Serialize};

use super::unacceptable::Unacceptable;

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
    /// How long it waits after a first attempt that failed, and at most, in milliseconds.
    #[serde(default, skip_serializing_if = "waits_never")]
    pub backoff_ms: [u64; 2],
}

fn waits_never(backoff_ms: &[u64; 2]) -> bool {
    *backoff_ms == [0, 0]
}

/// What the queue, or its log, can be told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Enqueue these jobs, all or none.
    Enqueue {
        /// The jobs.
        jobs: Vec<Job>,
    },
    /// Hand out the oldest pending job.
    Dispatch,
    /// Report that the work goes on.
    Heartbeat {
        /// On this job.
        id: String,
        /// In this attempt; in the one that is in flight where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// Report success.
    Ack {
        /// Of this job.
        id: String,
        /// Of this attempt; of the one that is in flight where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// Report failure.
    Fail {
        /// Of this job.
        id: String,
        /// Of this attempt; of the one that is in flight where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// Ask for what no store can take: it is refused and changes nothing.
    Unacceptable {
        /// What is asked for.
        request: Unacceptable,
    },
    /// Let time pass, then look for expired jobs.
    Tick {
        /// How much time, in milliseconds.
        ms: u64,
    },
    /// Put everything in flight back into the queue.
    Requeue,
    /// Put a dead job back into the queue.
    Revive {
        /// This one.
        id: String,
    },
    /// Remove a dead job.
    Drop {
        /// This one.
        id: String,
    },
    /// The clock jumps; nothing is asked of the queue.
    Clock {
        /// How far, in milliseconds; at most back to 1970.
        by_ms: i64,
    },
    /// Make everything that was appended durable; only of a log that syncs on request.
    Sync,
    /// Seal the active segment and begin the next one; only of a log that syncs on request.
    Rotate,
    /// Make everything that was appended durable, and free space after it; only of a log that syncs
    /// on request.
    Preallocate {
        /// How much space.
        bytes: u64,
    },
}

/// The most free space that a disk in memory is asked to hold: 64 MiB.
pub(crate) const MOST_SPACE: u64 = 64 << 20;

impl Command {
    /// Whether it is one of the log alone, not of the queue.
    #[must_use]
    pub const fn is_of_log(&self) -> bool {
        matches!(
            self,
            Command::Sync | Command::Rotate | Command::Preallocate { .. }
        )
    }

    /// The attempt that it is about, where it is about one: to be filled in.
    pub(super) fn attempt_mut(&mut self) -> Option<(&str, &mut Option<u32>)> {
        match self {
            Command::Heartbeat { id, attempt }
            | Command::Ack { id, attempt }
            | Command::Fail { id, attempt } => Some((id, attempt)),
            _ => None,
        }
    }

    /// Every value in it that makes no sense: the field, and why.
    pub(super) fn invalid(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut no = |field: String, message: String| found.push((field, message));
        match self {
            Command::Enqueue { jobs } => {
                for (at, job) in jobs.iter().enumerate() {
                    job.check(&format!(".enqueue.jobs[{at}]"), &mut no);
                }
            }
            Command::Heartbeat { id, .. } => check_id(".heartbeat.id", id, &mut no),
            Command::Ack { id, .. } => check_id(".ack.id", id, &mut no),
            Command::Fail { id, .. } => check_id(".fail.id", id, &mut no),
            Command::Revive { id } => check_id(".revive.id", id, &mut no),
            Command::Drop { id } => check_id(".drop.id", id, &mut no),
            Command::Preallocate { bytes } if *bytes > MOST_SPACE => no(
                ".preallocate.bytes".to_owned(),
                format!("{bytes} bytes are too many: at most {MOST_SPACE}"),
            ),
            _ => {}
        }
        found
    }
}

impl Job {
    fn check(&self, path: &str, no: &mut impl FnMut(String, String)) {
        check_id(&format!("{path}.id"), &self.id, no);
        if let Err(error) = Payload::new(&self.payload) {
            no(format!("{path}.payload"), error.to_string());
        }
        if NonZeroU32::new(self.max_attempts).is_none() {
            let message = "0 leaves no attempt: at least 1";
            no(format!("{path}.max_attempts"), message.to_owned());
        }
    }
}

fn check_id(path: &str, id: &str, no: &mut impl FnMut(String, String)) {
    if let Err(error) = JobId::new(id) {
        no(path.to_owned(), error.to_string());
    }
}
