//! One job, and how it is doing.

use std::num::NonZeroU32;

use crate::event::{Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, JobId, Payload};

use super::timed_jobs::Window;

/// What a caller asks for when it enqueues a job.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Its name, never used before.
    pub id: JobId,
    /// What it carries.
    pub payload: Payload,
    /// How often it may be dispatched.
    #[serde(default = "default_max_attempts")]
    pub max_attempts: NonZeroU32,
    /// How long one attempt may take, in milliseconds. 0: due at the next tick; a deadline past
    /// 2^64 ms never comes.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How long it waits after an attempt that failed or took too long.
    #[serde(default)]
    pub backoff: Backoff,
}

fn default_max_attempts() -> NonZeroU32 {
    DEFAULT_MAX_ATTEMPTS
}

fn default_timeout_ms() -> u64 {
    DEFAULT_TIMEOUT_MS
}

impl JobSpec {
    /// A job that may be dispatched 3 times for 60 seconds each, one right after the other.
    #[must_use]
    pub fn new(id: JobId, payload: Payload) -> Self {
        JobSpec {
            id,
            payload,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            backoff: Backoff::NONE,
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

    /// The same job with another time to wait after an attempt that failed or took too long.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        JobSpec { backoff, ..self }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits in the queue.
    Pending,
    /// It was handed out, and its worker has not reported the end.
    InFlight {
        /// When the attempt has taken too long, in milliseconds since the Unix epoch.
        deadline_ms: u64,
    },
    /// An attempt failed or took too long, and it waits before it goes to the back of the queue.
    Delayed {
        /// Since then, in milliseconds since the Unix epoch.
        since_ms: u64,
        /// Until then, in the same unit.
        until_ms: u64,
    },
    /// It succeeded. Only its name is kept.
    Completed,
    /// It was given up: a dead letter.
    Dead,
    /// It was a dead letter, and was removed. Only its name is kept.
    Dropped,
}

impl JobStatus {
    /// A word for messages: `pending`, `in flight`, `delayed`, `completed`, `dead` or `dropped`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::InFlight { .. } => "in flight",
            JobStatus::Delayed { .. } => "delayed",
            JobStatus::Completed => "completed",
            JobStatus::Dead => "dead",
            JobStatus::Dropped => "dropped",
        }
    }
}

/// A job that is neither completed nor dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub(super) payload: Payload,
    pub(super) max_attempts: NonZeroU32,
    pub(super) timeout_ms: u64,
    pub(super) backoff: Backoff,
    pub(super) attempts: u32,
    /// The number of the last attempt that it may have.
    pub(super) last_attempt: u32,
    pub(super) stage: Stage,
}

/// The status of a job that is neither completed nor dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    InFlight(Window),
    Delayed(Window),
    Dead,
}

impl Stage {
    /// When it is over by itself, if it is.
    pub(super) fn window(self) -> Option<Window> {
        match self {
            Stage::InFlight(window) | Stage::Delayed(window) => Some(window),
            Stage::Pending | Stage::Dead => None,
        }
    }
}

impl Job {
    /// A job that was just enqueued.
    pub(super) fn new(
        payload: Payload,
        max_attempts: NonZeroU32,
        timeout_ms: u64,
        backoff: Backoff,
    ) -> Self {
        Job {
            payload,
            max_attempts,
            timeout_ms,
            backoff,
            attempts: 0,
            last_attempt: max_attempts.get(),
            stage: Stage::Pending,
        }
    }

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

    /// How long it waits after an attempt that failed or took too long.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        self.backoff
    }

    /// How often it was dispatched: the number of its latest attempt. A number is given once, also to
    /// a job that was revived, so that it names one attempt for ever.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How often it was dispatched since it was enqueued or revived: at most
    /// [`max_attempts`](Job::max_attempts).
    #[must_use]
    pub fn attempts_used(&self) -> u32 {
        let before = self.last_attempt.saturating_sub(self.max_attempts.get());
        self.attempts.saturating_sub(before)
    }

    /// Whether it may be dispatched again.
    #[must_use]
    pub fn has_attempts_left(&self) -> bool {
        self.attempts < self.last_attempt
    }

    /// Where it stands: never [`JobStatus::Completed`] or [`JobStatus::Dropped`].
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match self.stage {
            Stage::Pending => JobStatus::Pending,
            Stage::InFlight(window) => JobStatus::InFlight {
                deadline_ms: window.until_ms,
            },
            Stage::Delayed(Window { since_ms, until_ms }) => {
                JobStatus::Delayed { since_ms, until_ms }
            }
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
    /// Jobs that wait after an attempt that failed or took too long.
    pub delayed: u64,
    /// Jobs that succeeded.
    pub completed: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Jobs that were given up and removed.
    pub dropped: u64,
}

impl JobCounts {
    /// How many jobs were ever enqueued.
    #[must_use]
    pub fn total(&self) -> u64 {
        let finished = self.completed + self.dead + self.dropped;
        self.pending + self.in_flight + self.delayed + finished
    }
}
