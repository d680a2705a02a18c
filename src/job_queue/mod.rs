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
mod verify;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::event::{Event, EventKind, EventType, JobId};
use crate::log_event::DecodeError;
use crate::state_machine::StateMachine;

pub use command::Command;
pub use error::JobError;
pub use job::{Job, JobCounts, JobSpec, JobStatus};

use in_flight::JobsInFlight;
use job::Stage;
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
    jobs: SharedList<JobRecord>,
    /// The numbers by name.
    names: NameIndex,
    /// The pending jobs, the next to be dispatched first.
    pending: SharedList<usize>,
    /// The jobs in flight.
    in_flight: JobsInFlight,
    /// The dead jobs in the order in which they died.
    dead: SharedList<usize>,
}

/// What is known about a job for ever: its name; and until it is completed, the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct JobRecord {
    id: JobId,
    job: Option<Arc<Job>>,
}

impl JobRecord {
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
            in_flight: JobsInFlight::default(),
            dead: SharedList::new(),
        }
    }

    /// Where job `id` stands. `None`: it was never enqueued.
    #[must_use]
    pub fn status(&self, id: &JobId) -> Option<JobStatus> {
        self.number(id).map(|number| self.record(number).status())
    }

    /// What is known about job `id`. `None`: it was never enqueued, or is completed (then only its
    /// name is kept).
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.record(self.number(id)?).job.as_deref()
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
        let completed = self.jobs.iter().filter(|record| record.job.is_none());
        completed.map(|record| &record.id)
    }

    /// The earliest deadline of a job in flight, in milliseconds since the Unix epoch: before it a
    /// [`Command::Tick`] does nothing.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.in_flight.first_deadline_ms()
    }

    /// The number of job `id`, if it was ever enqueued.
    fn number(&self, id: &JobId) -> Option<usize> {
        self.names.find(id, |number| &self.record(number).id)
    }

    /// The job with this number, which must exist.
    fn record(&self, number: usize) -> &JobRecord {
        let record = self.jobs.get(number);
        record.expect("numbers are only given to jobs that are kept for ever")
    }

    /// The job with this number, which must be in one of the lists.
    fn listed(&self, number: usize) -> (&JobId, &Job) {
        let JobRecord { id, job } = self.record(number);
        let job = job.as_deref();
        (id, job.expect("a completed job is in no list"))
    }

    /// Adds a job that was never enqueued before, to no list yet, and returns its number.
    fn add(&mut self, id: &JobId, job: Option<Arc<Job>>) -> usize {
        let number = self.jobs.len();
        self.jobs.push_back(JobRecord {
            id: id.clone(),
            job,
        });
        let jobs = &self.jobs;
        self.names
            .insert(id, number, |number| match jobs.get(number) {
                Some(record) => &record.id,
                None => unreachable!("job {number} was added before it was indexed"),
            });
        number
    }
}

/// What an event does to the state. The same code runs live and in replay.
impl JobQueue {
    /// Makes the change of one event, or none of it.
    pub(super) fn transition(&mut self, event: &Event) -> Result<(), JobError> {
        let id = &event.job_id;
        match &event.kind {
            EventKind::Enqueue {
                payload,
                max_attempts,
                timeout_ms,
            } => self.enqueue(
                id,
                Job {
                    payload: payload.clone(),
                    max_attempts: *max_attempts,
                    timeout_ms: *timeout_ms,
                    attempts: 0,
                    stage: Stage::Pending,
                },
            ),
            EventKind::Dispatch => self.dispatch(id, event.timestamp_ms),
            EventKind::Ack => self.ack(id),
            EventKind::Retry => self.requeue(id, EventType::Retry),
            EventKind::Timeout => self.requeue(id, EventType::Timeout),
            EventKind::Dead => self.give_up(id),
        }
    }

    fn enqueue(&mut self, id: &JobId, job: Job) -> Result<(), JobError> {
        // `plan` has checked this too, but replay runs no plan.
        if let Some(status) = self.status(id) {
            let id = id.clone();
            return Err(JobError::AlreadyEnqueued { id, status });
        }
        let number = self.add(id, Some(Arc::new(job)));
        self.pending.push_back(number);
        Ok(())
    }

    /// The deadline comes from the event's own time, so that every replay computes the same one.
    fn dispatch(&mut self, id: &JobId, timestamp_ms: u64) -> Result<(), JobError> {
        // Found at the front and not by name: the index of all names is in main memory, the front
        // is in the cache.
        let front = self.pending.front().copied();
        let number = match front {
            Some(number) if self.record(number).id == *id => number,
            _ => return Err(self.not_in_front(id, front)),
        };
        let job = self.job_mut(number);
        let deadline_ms = timestamp_ms.saturating_add(job.timeout_ms);
        job.attempts += 1;
        job.stage = Stage::InFlight { deadline_ms };
        self.pending.pop_front();
        self.in_flight.insert(id, number, deadline_ms);
        Ok(())
    }

    /// Why job `id` cannot be dispatched when the job `front` is the next.
    fn not_in_front(&self, id: &JobId, front: Option<usize>) -> JobError {
        match (self.status(id), front) {
            (Some(JobStatus::Pending), Some(front)) => JobError::OutOfTurn {
                id: id.clone(),
                front: self.record(front).id.clone(),
            },
            (status, _) => wrong_status(id, status, EventType::Dispatch),
        }
    }

    fn ack(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.require_in_flight(id, EventType::Ack)?;
        self.in_flight.remove(id);
        // The name stays, so that the job is never enqueued again; the payload is of no more use.
        self.record_mut(number).job = None;
        Ok(())
    }

    fn requeue(&mut self, id: &JobId, event: EventType) -> Result<(), JobError> {
        let number = self.require_in_flight(id, event)?;
        let (_, job) = self.listed(number);
        if !job.has_attempts_left() {
            return Err(JobError::NoAttemptsLeft {
                id: id.clone(),
                attempts: job.attempts,
                event,
            });
        }
        self.in_flight.remove(id);
        self.job_mut(number).stage = Stage::Pending;
        // At the back: a job that keeps failing must not hold up the others.
        self.pending.push_back(number);
        Ok(())
    }

    fn give_up(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.require_in_flight(id, EventType::Dead)?;
        self.in_flight.remove(id);
        self.job_mut(number).stage = Stage::Dead;
        self.dead.push_back(number);
        Ok(())
    }

    /// The number of job `id`, which must be in flight for `event` to happen.
    pub(super) fn require_in_flight(
        &self,
        id: &JobId,
        event: EventType,
    ) -> Result<usize, JobError> {
        match self.in_flight.find(id) {
            Some((number, _)) => Ok(number),
            None => Err(wrong_status(id, self.status(id), event)),
        }
    }

    fn record_mut(&mut self, number: usize) -> &mut JobRecord {
        let record = self.jobs.get_mut(number);
        record.expect("numbers are only given to jobs that are kept for ever")
    }

    pub(super) fn job_mut(&mut self, number: usize) -> &mut Job {
        let job = self.record_mut(number).job.as_mut();
        // Copied only while a checkpoint still has the same job.
        Arc::make_mut(job.expect("a completed job is in no list"))
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

/// The error for `event` happening to job `id`, which stands where it cannot.
fn wrong_status(id: &JobId, status: Option<JobStatus>, event: EventType) -> JobError {
    let id = id.clone();
    match status {
        None => JobError::Unknown { id },
        Some(status) => JobError::WrongStatus { id, status, event },
    }
}
