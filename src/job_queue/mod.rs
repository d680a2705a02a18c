//! The job queue: a state machine over [`Event`]s.
//!
//! # Promise
//! A job is enqueued once, dispatched at most `max_attempts` times, and completes at most once.
//! Jobs are dispatched first in, first out. Its payload stays with it byte for byte until it is
//! completed.
//!
//! # States
//! ```text
//!             ENQUEUE
//!                │
//!                ▼      DISPATCH (attempts + 1, deadline = timestamp + timeout)
//!             pending ────────────────────────────▶ in flight ───ACK──▶ completed
//!                ▲                                      │ │
//!                └── RETRY, TIMEOUT (attempts < max) ───┘ └────DEAD──▶ dead
//! ```
//! A job that comes back goes to the *back* of the queue: one that keeps failing does not hold up
//! the others. Completed and dead are final, and their names stay known for ever, so that what was
//! done is never done again. Of a completed job only its name is kept.
//!
//! # Two halves
//! [`JobQueue::plan`] decides: it checks a command against the state and says which events it
//! means. [`JobQueue::apply`] follows: it makes one event's change, live and in replay alike, and
//! is the only code that changes the state. `apply` checks every event again and strictly, a
//! DISPATCH out of turn included, so that a log made by other code cannot bring about a state that
//! this code could not have reached. Time is an argument of `plan` and a field of the event;
//! neither half asks a clock.

mod command;
mod error;
mod id_list;
mod job;
mod shared_map;
mod snapshot;
mod transition;
mod verify;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{Event, JobId};
use crate::log_event::DecodeError;
use crate::state_machine::StateMachine;

pub use command::Command;
pub use error::JobError;
pub use job::{Job, JobCounts, JobSpec, JobStatus};

use id_list::IdList;
use shared_map::SharedMap;

/// The state of all jobs ever enqueued.
///
/// Every event costs logarithmic time. A clone shares the jobs and the queue with the original and
/// copies only the index of what is in flight; what is shared is copied piece by piece when either
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQueue {
    /// Every job ever enqueued.
    jobs: SharedMap<Record>,
    /// The pending ones, the next to be dispatched first.
    pending: IdList,
    /// Those in flight, by deadline and then name.
    in_flight: BTreeSet<(u64, JobId)>,
    /// The dead ones in the order in which they died.
    dead: IdList,
}

/// What is known about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Record {
    Job(Arc<Job>),
    Completed,
}

impl Record {
    fn status(&self) -> JobStatus {
        match self {
            Record::Job(job) => job.status(),
            Record::Completed => JobStatus::Completed,
        }
    }
}

impl JobQueue {
    /// A queue without jobs.
    #[must_use]
    pub fn new() -> Self {
        JobQueue {
            jobs: SharedMap::new(),
            pending: IdList::default(),
            in_flight: BTreeSet::new(),
            dead: IdList::default(),
        }
    }

    /// Where job `id` stands. `None`: it was never enqueued.
    #[must_use]
    pub fn status(&self, id: &JobId) -> Option<JobStatus> {
        self.jobs.get(id).map(Record::status)
    }

    /// What is known about job `id`. `None`: it was never enqueued, or is completed (then only its
    /// name is kept).
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        match self.jobs.get(id)? {
            Record::Job(job) => Some(job),
            Record::Completed => None,
        }
    }

    /// How many jobs stand where.
    #[must_use]
    pub fn counts(&self) -> JobCounts {
        let pending = self.pending.len() as u64;
        let in_flight = self.in_flight.len() as u64;
        let dead = self.dead.len() as u64;
        let completed = self.jobs.len() - pending - in_flight - dead;
        JobCounts {
            pending,
            in_flight,
            completed,
            dead,
        }
    }

    /// The pending jobs, the next to be dispatched first.
    pub fn pending(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.pending.iter().map(|id| (id, self.listed(id)))
    }

    /// The jobs in flight, the one that is due next first.
    pub fn in_flight(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.in_flight.iter().map(|(_, id)| (id, self.listed(id)))
    }

    /// The jobs that were given up, in the order in which that happened.
    pub fn dead_letters(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.dead.iter().map(|id| (id, self.listed(id)))
    }

    /// The names of the completed jobs, in an order that depends on the names of all jobs alone.
    /// Looks at every job.
    pub fn completed(&self) -> impl Iterator<Item = &JobId> {
        let completed = |(id, record)| matches!(record, &Record::Completed).then_some(id);
        self.jobs.iter().filter_map(completed)
    }

    /// The earliest deadline of a job in flight, in milliseconds since the Unix epoch: before it a
    /// [`Command::Tick`] does nothing.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.in_flight.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// The job `id`, which is in one of the lists.
    fn listed(&self, id: &JobId) -> &Job {
        self.job(id)
            .expect("a job in a list is in the map and not completed")
    }
}

impl Default for JobQueue {
    fn default() -> Self {
        JobQueue::new()
    }
}

impl StateMachine for JobQueue {
    type Event = Event;
    type Error = JobError;

    fn apply(&mut self, event: &Event) -> Result<(), JobError> {
        self.transition(event)
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        snapshot::write(self, out);
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        snapshot::read(json)
    }

    fn initial() -> Self {
        JobQueue::new()
    }
}
