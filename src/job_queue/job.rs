//! One job, and how it is doing.

use std::num::NonZeroU32;

use crate::event::{DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, JobId, Payload};

/// What a caller asks for when it enqueues a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Its name, never used before.
    pub id: JobId,
    /// What it carries.
    pub payload: Payload,
    /// How often it may be dispatched.
    pub max_attempts: NonZeroU32,
    /// How long one attempt may take, in milliseconds. 0: due at the next tick; a deadline past
    /// 2^64 ms never comes.
    pub timeout_ms: u64,
}

impl JobSpec {
    /// A job that may be dispatched 3 times for 60 seconds each.
    #[must_use]
    pub fn new(id: JobId, payload: Payload) -> Self {
        JobSpec {
            id,
            payload,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            timeout_ms: DEFAULT_TIMEOUT_MS,
        }
    }

    /// The same job with another limit of attempts.
    #[must_use]
    pub fn with_max_attempts(self, max_attempts: NonZeroU32) -> Self {
        JobSpec {
            max_attempts,
            ..self
        }
    }

    /// The same job with another time limit for one attempt.
    #[must_use]
    pub fn with_timeout_ms(self, timeout_ms: u64) -> Self {
        JobSpec { timeout_ms, ..self }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits in the queue.
    Pending,
    /// It was handed out and nothing was heard of it yet.
    InFlight {
        /// When the attempt has taken too long, in milliseconds since the Unix epoch.
        deadline_ms: u64,
    },
    /// It succeeded. Only its name is kept.
    Completed,
    /// It was given up: a dead letter.
    Dead,
}

impl JobStatus {
    /// One word for messages: `pending`, `in flight`, `completed` or `dead`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::InFlight { .. } => "in flight",
            JobStatus::Completed => "completed",
            JobStatus::Dead => "dead",
        }
    }
}

/// A job that is not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub(super) payload: Payload,
    pub(super) max_attempts: NonZeroU32,
    pub(super) timeout_ms: u64,
    pub(super) attempts: u32,
    pub(super) stage: Stage,
}

/// The status of a job that is not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    InFlight { deadline_ms: u64 },
    Dead,
}

impl Job {
    /// What it carries.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// How often it may be dispatched.
    #[must_use]
    pub fn max_attempts(&self) -> NonZeroU32 {
        self.max_attempts
    }

    /// How long one attempt may take, in milliseconds.
    #[must_use]
    pub fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// How often it was dispatched.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether it may be dispatched again.
    #[must_use]
    pub fn has_attempts_left(&self) -> bool {
        self.attempts < self.max_attempts.get()
    }

    /// Where it stands: never [`JobStatus::Completed`].
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match self.stage {
            Stage::Pending => JobStatus::Pending,
            Stage::InFlight { deadline_ms } => JobStatus::InFlight { deadline_ms },
            Stage::Dead => JobStatus::Dead,
        }
    }
}

/// How many jobs stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Jobs that wait.
    pub pending: u64,
    /// Jobs that were handed out.
    pub in_flight: u64,
    /// Jobs that succeeded.
    pub completed: u64,
    /// Jobs that were given up.
    pub dead: u64,
}

impl JobCounts {
    /// How many jobs were ever enqueued.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.in_flight + self.completed + self.dead
    }
}
