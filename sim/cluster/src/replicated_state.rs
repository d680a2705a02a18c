//! The replicated state: registers and the job queue, a pure fold over commands.

use std::collections::BTreeMap;

use beaver::job_queue::Job;
use beaver::{Command, JobError, JobId, JobQueue, StateMachine};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::operation::{ClientRequest, ClientResponse, JobAnswer};
use crate::replicated_command::ReplicatedCommand;

/// Registers and jobs.
#[derive(Clone, Debug, Default)]
pub struct ReplicatedState {
    registers: BTreeMap<u64, u64>,
    jobs: JobQueue,
}

/// The state as JSON.
#[derive(Serialize, Deserialize)]
struct StateJson {
    registers: Vec<(u64, u64)>,
    jobs: Box<RawValue>,
}

impl ReplicatedState {
    /// Carries out a command and answers it.
    pub fn apply(&mut self, command: &ReplicatedCommand) -> ClientResponse {
        match command {
            ReplicatedCommand::Write { key, value } => {
                self.registers.insert(*key, *value);
                ClientResponse::Written
            }
            ReplicatedCommand::CompareAndSet {
                key,
                expected,
                value,
            } => {
                let is_expected = self.registers.get(key) == expected.as_ref();
                if is_expected {
                    self.registers.insert(*key, *value);
                }
                ClientResponse::Compared(is_expected)
            }
            ReplicatedCommand::Job { now_ms, command } => match command.to_command() {
                Ok(command) => ClientResponse::Job(self.apply_job(*now_ms, &command)),
                Err(error) => ClientResponse::Refused(error),
            },
        }
    }

    fn apply_job(&mut self, now_ms: u64, command: &Command) -> JobAnswer {
        let events = match self.jobs.plan(command, now_ms) {
            Ok(events) => events,
            Err(error) => {
                let id = named_in(&error).map_or_else(String::new, |id| id.as_str().to_owned());
                let reason = error.to_string();
                return JobAnswer::Refused { id, reason };
            }
        };
        for event in &events {
            let applied = StateMachine::apply(&mut self.jobs, event);
            applied.expect("the queue has planned it for this state");
        }
        let jobs = events.iter().map(|event| event.job_id.as_str().to_owned());
        match (command, events.first()) {
            (_, None) => JobAnswer::Nothing,
            (Command::Dispatch, Some(event)) => JobAnswer::Dispatched {
                id: event.job_id.as_str().to_owned(),
                attempt: self.jobs.job(&event.job_id).map_or(0, Job::attempts),
            },
            _ => JobAnswer::Accepted {
                jobs: jobs.collect(),
            },
        }
    }

    /// Answers a request that only looks; `None` for one that changes something.
    #[must_use]
    pub fn look(&self, request: &ClientRequest) -> Option<ClientResponse> {
        match request {
            ClientRequest::Read { key } => {
                Some(ClientResponse::Value(self.registers.get(key).copied()))
            }
            ClientRequest::JobStatus { id } => {
                let status = JobId::new(id).ok().and_then(|id| self.jobs.status(&id));
                Some(ClientResponse::Job(JobAnswer::Status(status)))
            }
            _ => None,
        }
    }

    /// The state as JSON on one line: equal states give equal text.
    #[must_use]
    pub fn to_json(&self) -> Box<RawValue> {
        let mut jobs = Vec::new();
        self.jobs.snapshot(&mut jobs);
        let jobs = serde_json::from_slice(&jobs).expect("a snapshot of the queue is JSON");
        let registers = self.registers.iter().map(|(key, value)| (*key, *value));
        let registers = registers.collect();
        let json = serde_json::value::to_raw_value(&StateJson { registers, jobs });
        json.expect("numbers and text can be written")
    }

    /// The state that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// It was not written by this code.
    pub fn from_json(json: &RawValue) -> Result<Self, String> {
        let json: StateJson =
            serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
        let jobs = JobQueue::restore(json.jobs.get().as_bytes());
        Ok(ReplicatedState {
            registers: json.registers.into_iter().collect(),
            jobs: jobs.map_err(|error| error.to_string())?,
        })
    }

    /// A hash of the state: equal states have equal hashes.
    #[must_use]
    pub fn hash(&self) -> u64 {
        hash_of(self.to_json().get().as_bytes())
    }
}

/// FNV-1a, the same in every process.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The job that an error is about.
fn named_in(error: &JobError) -> Option<&JobId> {
    match error {
        JobError::AlreadyEnqueued { id, .. }
        | JobError::Repeated { id }
        | JobError::Unknown { id }
        | JobError::WrongStatus { id, .. }
        | JobError::WrongAttempt { id, .. }
        | JobError::OutOfTurn { id, .. }
        | JobError::NoAttemptsLeft { id, .. } => Some(id),
        _ => None,
    }
}
