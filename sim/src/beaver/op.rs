//! The ops of the job queue and of its log.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use beaver::{JobId, Payload};
use serde::{Deserialize, Serialize};

use super::model::{Model, Record, Refusal};
use crate::subject::Expected;

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
            Command::Ack { id } => check_id(".ack.id", id, &mut no),
            Command::Fail { id } => check_id(".fail.id", id, &mut no),
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

/// A command, and what it writes down where it is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Command", into = "Command")]
pub struct QueueOp {
    /// The command.
    pub command: Command,
    /// What it does to the state in which it was given; nothing before that.
    records: Arc<[Record]>,
}

impl From<Command> for QueueOp {
    fn from(command: Command) -> Self {
        QueueOp {
            command,
            records: Arc::new([]),
        }
    }
}

impl From<QueueOp> for Command {
    fn from(op: QueueOp) -> Self {
        op.command
    }
}

impl QueueOp {
    /// What the op writes down: one append.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The op as it is when it is given in this state, and what it must answer.
    pub(super) fn resolved(&self, model: &Model, now_ms: u64) -> (QueueOp, Expected) {
        let planned = model.plan(&self.command, now_ms);
        let text = match (&self.command, &planned) {
            (_, Err(refusal)) => refused(*refusal),
            (Command::Dispatch, Ok(records)) => handed_out(records.first().map(|r| &*r.id)),
            (_, Ok(_)) => String::new(),
        };
        let records = planned.unwrap_or_default();
        let expected = Expected {
            text,
            changes: !records.is_empty(),
            durable: self.command.is_of_log(),
        };
        let op = QueueOp {
            command: self.command.clone(),
            records: records.into(),
        };
        (op, expected)
    }

    /// How far the clock moves before it.
    pub(super) fn takes_ms(&self) -> u64 {
        match self.command {
            Command::Tick { ms } => ms,
            _ => 0,
        }
    }
}

/// The answer of a command that the rules of the queue refuse.
pub(super) fn refused(refusal: Refusal) -> String {
    format!("refused: {refusal:?}")
}

/// The answer of a dispatch.
pub(super) fn handed_out(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!("ok: {id}"))
}

impl fmt::Debug for QueueOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Command::Enqueue { jobs } => {
                let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
                write!(f, "enqueue {}", ids.join(", "))
            }
            Command::Dispatch => f.write_str("dispatch"),
            Command::Ack { id } => write!(f, "ack {id}"),
            Command::Fail { id } => write!(f, "fail {id}"),
            Command::Tick { ms } => write!(f, "tick after {ms} ms"),
            Command::Requeue => f.write_str("requeue what is in flight"),
            Command::Sync => f.write_str("sync"),
            Command::Rotate => f.write_str("rotate"),
            Command::Preallocate { bytes } => write!(f, "sync and make space for {bytes} bytes"),
        }
    }
}
