//! Why a command or an event is illegal.

use crate::event::{EventType, JobId};

use super::JobStatus;

/// Why the job queue refuses a command, or an event that it did not plan. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// A job of this name was enqueued before. A name is used once, even after its job is finished.
    #[error("job {id:?} was enqueued before and is {}", status.as_str())]
    AlreadyEnqueued {
        /// The name.
        id: JobId,
        /// Where that job stands.
        status: JobStatus,
    },
    /// One list of jobs has the same name twice.
    #[error("job {id:?} is twice in the list")]
    Repeated {
        /// The name.
        id: JobId,
    },
    /// No job of this name was ever enqueued.
    #[error("no job {id:?}")]
    Unknown {
        /// The name.
        id: JobId,
    },
    /// The job does not stand where the event finds it.
    #[error("{event} of job {id:?}, which is {}", status.as_str())]
    WrongStatus {
        /// The job.
        id: JobId,
        /// Where it stands.
        status: JobStatus,
        /// What was to happen to it.
        event: EventType,
    },
    /// The job is in flight, but at another attempt: the worker that says so had it before, and its
    /// time was over.
    #[error("{event} of attempt {attempt} of job {id:?}, which is at attempt {current}")]
    WrongAttempt {
        /// The job.
        id: JobId,
        /// The attempt that was named.
        attempt: u32,
        /// The attempt that is in flight.
        current: u32,
        /// What was to happen to it.
        event: EventType,
    },
    /// Another job is at the front of the queue.
    #[error("DISPATCH of job {id:?} before its turn: job {front:?} is at the front")]
    OutOfTurn {
        /// The job that was to be handed out.
        id: JobId,
        /// The job at the front.
        front: JobId,
    },
    /// The job was dispatched as often as it may be, so it cannot go back to the queue: it can only
    /// succeed or be given up.
    #[error("{event} of job {id:?}, which has used all its {attempts} attempts")]
    NoAttemptsLeft {
        /// The job.
        id: JobId,
        /// How often it was dispatched.
        attempts: u32,
        /// What was to happen to it.
        event: EventType,
    },
}
