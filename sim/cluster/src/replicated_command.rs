//! What a replicated log carries: a change of a register, or a command to the job queue with the time
//! that the leader gave it.
//!
//! ```text
//! {"write":{"key":1,"value":7}}
//! {"compare_and_set":{"key":1,"expected":7,"value":8}}
//! {"job":{"now_ms":1200,"command":{"ack":{"id":"job-1","attempt":1}}}}
//! ```

use beaver::event::Backoff;
use beaver::{Command, JobId, JobSpec, Payload};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

use crate::operation::ClientRequest;

/// A change of the replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicatedCommand {
    /// Sets a register.
    Write {
        /// The register.
        key: u64,
        /// Its new value.
        value: u64,
    },
    /// Sets a register if it has the value that is expected.
    CompareAndSet {
        /// The register.
        key: u64,
        /// The value that it must have; `None`: it was never set.
        expected: Option<u64>,
        /// Its new value.
        value: u64,
    },
    /// A command to the job queue.
    Job {
        /// When, by the leader's clock, in milliseconds.
        now_ms: u64,
        /// The command.
        command: JobCommand,
    },
}

/// A [`Command`] in a form that can be written and read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobCommand {
    /// Enqueues these jobs: [`Command::Enqueue`].
    Enqueue(Vec<EnqueuedJob>),
    /// Hands out the job at the front of the queue: [`Command::Dispatch`].
    Dispatch,
    /// Says that the worker of an attempt is alive: [`Command::Heartbeat`].
    Heartbeat {
        /// The job.
        id: String,
        /// Which attempt.
        attempt: u32,
    },
    /// Says that an attempt succeeded: [`Command::Ack`].
    Ack {
        /// The job.
        id: String,
        /// Which attempt.
        attempt: u32,
    },
    /// Says that an attempt failed: [`Command::Fail`].
    Fail {
        /// The job.
        id: String,
        /// Which attempt.
        attempt: u32,
    },
    /// Takes back attempts whose deadline has come, and ends delays that are over: [`Command::Tick`].
    Tick,
    /// Takes back everything in flight: [`Command::RequeueInFlight`].
    RequeueInFlight,
    /// Puts this dead letter back into the queue: [`Command::Revive`].
    Revive(String),
    /// Removes this dead letter: [`Command::Drop`].
    Drop(String),
}

/// A [`JobSpec`] in a form that can be written and read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueuedJob {
    id: String,
    payload: String,
    max_attempts: NonZeroU32,
    timeout_ms: u64,
    /// Both fields of its [`Backoff`].
    backoff: (u64, u64),
}

impl ReplicatedCommand {
    /// What a client's request puts into the log; nothing for one that only looks.
    #[must_use]
    pub fn of_request(request: &ClientRequest, now_ms: u64) -> Option<Self> {
        match request {
            ClientRequest::Read { .. } | ClientRequest::JobStatus { .. } => None,
            ClientRequest::Write { key, value } => Some(ReplicatedCommand::Write {
                key: *key,
                value: *value,
            }),
            ClientRequest::CompareAndSet {
                key,
                expected,
                value,
            } => Some(ReplicatedCommand::CompareAndSet {
                key: *key,
                expected: *expected,
                value: *value,
            }),
            ClientRequest::Job(command) => Some(ReplicatedCommand::Job {
                now_ms,
                command: JobCommand::from(command),
            }),
        }
    }
}

impl From<&Command> for JobCommand {
    fn from(command: &Command) -> Self {
        let text = |id: &JobId| id.as_str().to_owned();
        match command {
            Command::Enqueue(specs) => {
                JobCommand::Enqueue(specs.iter().map(EnqueuedJob::from).collect())
            }
            Command::Dispatch => JobCommand::Dispatch,
            Command::Heartbeat { id, attempt } => JobCommand::Heartbeat {
                id: text(id),
                attempt: *attempt,
            },
            Command::Ack { id, attempt } => JobCommand::Ack {
                id: text(id),
                attempt: *attempt,
            },
            Command::Fail { id, attempt } => JobCommand::Fail {
                id: text(id),
                attempt: *attempt,
            },
            Command::Tick => JobCommand::Tick,
            Command::RequeueInFlight => JobCommand::RequeueInFlight,
            Command::Revive(id) => JobCommand::Revive(text(id)),
            Command::Drop(id) => JobCommand::Drop(text(id)),
        }
    }
}

impl From<&JobSpec> for EnqueuedJob {
    fn from(spec: &JobSpec) -> Self {
        EnqueuedJob {
            id: spec.id.as_str().to_owned(),
            payload: spec.payload.as_str().to_owned(),
            max_attempts: spec.max_attempts,
            timeout_ms: spec.timeout_ms,
            backoff: (spec.backoff.first_ms, spec.backoff.max_ms),
        }
    }
}

impl JobCommand {
    /// The command that was written.
    ///
    /// # Errors
    /// A name or a payload is not valid: it was not written by this code.
    pub fn to_command(&self) -> Result<Command, String> {
        let name = |id: &String| JobId::new(id).map_err(|error| error.to_string());
        Ok(match self {
            JobCommand::Enqueue(jobs) => {
                let specs = jobs.iter().map(EnqueuedJob::to_spec);
                Command::Enqueue(specs.collect::<Result<_, _>>()?)
            }
            JobCommand::Dispatch => Command::Dispatch,
            JobCommand::Heartbeat { id, attempt } => Command::Heartbeat {
                id: name(id)?,
                attempt: *attempt,
            },
            JobCommand::Ack { id, attempt } => Command::Ack {
                id: name(id)?,
                attempt: *attempt,
            },
            JobCommand::Fail { id, attempt } => Command::Fail {
                id: name(id)?,
                attempt: *attempt,
            },
            JobCommand::Tick => Command::Tick,
            JobCommand::RequeueInFlight => Command::RequeueInFlight,
            JobCommand::Revive(id) => Command::Revive(name(id)?),
            JobCommand::Drop(id) => Command::Drop(name(id)?),
        })
    }
}

impl EnqueuedJob {
    fn to_spec(&self) -> Result<JobSpec, String> {
        let id = JobId::new(&self.id).map_err(|error| error.to_string())?;
        let payload = Payload::new(&self.payload).map_err(|error| error.to_string())?;
        let (first_ms, max_ms) = self.backoff;
        Ok(JobSpec::new(id, payload)
            .with_max_attempts(self.max_attempts)
            .with_timeout_ms(self.timeout_ms)
            .with_backoff(Backoff::new(first_ms, max_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let id = JobId::new("job-1").unwrap();
        let spec = JobSpec::new(id.clone(), Payload::new(r#"{"a":[1]}"#).unwrap())
            .with_max_attempts(NonZeroU32::new(7).unwrap())
            .with_timeout_ms(9)
            .with_backoff(Backoff::new(3, 5));
        let (id, attempt) = (|| id.clone(), 2);
        for command in [
            Command::Enqueue(vec![spec]),
            Command::Dispatch,
            Command::Heartbeat { id: id(), attempt },
            Command::Ack { id: id(), attempt },
            Command::Fail { id: id(), attempt },
            Command::Tick,
            Command::RequeueInFlight,
            Command::Revive(id()),
            Command::Drop(id()),
        ] {
            let request = ClientRequest::Job(command.clone());
            let written = ReplicatedCommand::of_request(&request, 12).unwrap();
            let json = serde_json::to_string(&written).unwrap();
            let read: ReplicatedCommand = serde_json::from_str(&json).unwrap();
            assert_eq!(read, written, "{json}");
            let ReplicatedCommand::Job {
                now_ms,
                command: read,
            } = read
            else {
                panic!("{json}");
            };
            assert_eq!((now_ms, read.to_command()), (12, Ok(command)), "{json}");
        }
    }
}
