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
mod in_flight;
mod job;
mod name_index;
mod shared_list;
mod snapshot;
mod transition;
mod verify;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::event::{Event, JobId};
use crate::log_event::DecodeError;
use crate::state_machine::StateMachine;

pub use command::Command;
pub use error::JobError;
pub use job::{Job, JobCounts, JobSpec, JobStatus};

use in_flight::InFlight;
use name_index::NameIndex;
use shared_list::SharedList;

/// The state of all jobs ever enqueued.
///
/// Every event costs logarithmic time. A clone shares the jobs and the queue with the original and
/// copies only the index of what is in flight; what is shared is copied piece by piece when either
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQueue {
    /// Every job ever enqueued, in that order. The place of a job in it is its number.
    jobs: SharedList<Slot>,
    /// The numbers by name.
    names: NameIndex,
    /// The pending jobs, the next to be dispatched first.
    pending: SharedList<usize>,
    /// The jobs in flight.
    in_flight: InFlight,
    /// The dead jobs in the order in which they died.
    dead: SharedList<usize>,
}

/// What is known about a job for ever: its name; and until it is completed, the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    id: JobId,
    job: Option<Arc<Job>>,
}

impl Slot {
    fn status(&self) -> JobStatus {
        match &self.job {
            Some(job) => job.status(),
            None => JobStatus::Completed,
        }
    }
}

impl JobQueue {
    /// A queue without jobs.
    #[must_use]
    pub fn new() -> Self {
        JobQueue {
            jobs: SharedList::new(),
            names: NameIndex::new(),
            pending: SharedList::new(),
            in_flight: InFlight::default(),
            dead: SharedList::new(),
        }
    }

    /// Where job `id` stands. `None`: it was never enqueued.
    #[must_use]
    pub fn status(&self, id: &JobId) -> Option<JobStatus> {
        self.number(id).map(|number| self.slot(number).status())
    }

    /// What is known about job `id`. `None`: it was never enqueued, or is completed (then only its
    /// name is kept).
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.slot(self.number(id)?).job.as_deref()
    }

    /// How many jobs stand where.
    #[must_use]
    pub fn counts(&self) -> JobCounts {
        let pending = self.pending.len();
        let in_flight = self.in_flight.len();
        let dead = self.dead.len();
        let completed = self.jobs.len() - pending - in_flight - dead;
        JobCounts {
            pending: pending as u64,
            in_flight: in_flight as u64,
            completed: completed as u64,
            dead: dead as u64,
        }
    }

    /// The pending jobs, the next to be dispatched first.
    pub fn pending(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.pending.iter().map(|number| self.listed(*number))
    }

    /// The jobs in flight, the one that is due next first.
    pub fn in_flight(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let jobs = self.in_flight.iter();
        jobs.map(|(_, _, number)| self.listed(number))
    }

    /// The jobs that were given up, in the order in which that happened.
    pub fn dead_letters(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.dead.iter().map(|number| self.listed(*number))
    }

    /// The names of the completed jobs, in the order in which they were enqueued. Looks at every
    /// job.
    pub fn completed(&self) -> impl Iterator<Item = &JobId> {
        let completed = self.jobs.iter().filter(|slot| slot.job.is_none());
        completed.map(|slot| &slot.id)
    }

    /// The earliest deadline of a job in flight, in milliseconds since the Unix epoch: before it a
    /// [`Command::Tick`] does nothing.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.in_flight.first_deadline_ms()
    }

    /// The number of job `id`, if it was ever enqueued.
    fn number(&self, id: &JobId) -> Option<usize> {
        self.names.find(id, |number| &self.slot(number).id)
    }

    /// The job with this number, which must exist.
    fn slot(&self, number: usize) -> &Slot {
        let slot = self.jobs.get(number);
        slot.expect("numbers are only given to jobs that are kept for ever")
    }

    /// The job with this number, which must be in one of the lists.
    fn listed(&self, number: usize) -> (&JobId, &Job) {
        let Slot { id, job } = self.slot(number);
        let job = job.as_deref();
        (id, job.expect("a completed job is in no list"))
    }

    /// Adds a job that was never enqueued before, to no list yet, and returns its number.
    fn add(&mut self, id: &JobId, job: Option<Arc<Job>>) -> usize {
        let number = self.jobs.len();
        self.jobs.push_back(Slot {
            id: id.clone(),
            job,
        });
        let jobs = &self.jobs;
        self.names
            .insert(id, number, |number| match jobs.get(number) {
                Some(slot) => &slot.id,
                None => unreachable!("job {number} was added before it was indexed"),
            });
        number
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
