//! The job queue: a state machine over [`Event`]s.
//!
//! # Promise
//! A job is enqueued once, dispatched at most `max_attempts` times (again as often when it was
//! revived), and completes at most once. Jobs that are pending are dispatched first in, first out.
//! A job's payload stays with it byte for byte until it is completed or dropped.
//!
//! # States
//! ```text
//!          ENQUEUE          HEARTBEAT (deadline = timestamp + timeout)
//!             │                    ┌──┐
//!             ▼      DISPATCH      │  ▼
//!          pending ─────────────▶ in flight ───ACK──▶ completed
//!           ▲ ▲ ▲                  │  │
//!           │ │ └─ RETRY, TIMEOUT ─┤  └─────DEAD──▶ dead ───DROP──▶ dropped
//!           │ │                    ▼                 │
//!           │ └───── READY ──── delayed              │
//!           └─────────────────────────── REVIVE ─────┘
//! ```
//! DISPATCH counts an attempt and sets the deadline, the event's time plus the job's timeout. RETRY
//! and TIMEOUT are for jobs that have attempts left; with a delay, the job waits before it is
//! pending. A job that comes back goes to the *back* of the queue: one that keeps failing does not
//! hold up the others. Names stay known for ever, so that what was done is never done again; of a
//! completed or dropped job only the name is kept.
//!
//! # Attempts are fences
//! A worker whose time was over may still be at work, and report when the job has long been with
//! another one. So HEARTBEAT, ACK, RETRY and DEAD say which attempt they are about, and only the attempt in
//! flight is heard. The number of an attempt is never given again: after REVIVE a job has all its
//! attempts again, and they are counted on.
//!
//! # Clocks that jump
//! A deadline or delay counts for as long as the clock stands between its beginning and its end. When
//! the clock stands *before* the beginning, it was set back since, and the end could be years away. So
//! a tick then gives an attempt in flight its whole time anew, by a HEARTBEAT, and ends a delay: when
//! the clock is right again, no job is locked up for longer than its own timeout after the next tick.
//!
//! # Two halves
//! [`JobQueue::plan`] decides: it checks a command against the state and says which events it
//! means. [`JobQueue::apply`] follows: it makes one event's change, live and in replay alike, and
//! is the only code that changes the state. `apply` checks every event again and strictly, a
//! DISPATCH out of turn included, so that a log made by other code cannot bring about a state that
//! this code could not have reached. Time is an argument of `plan` and a field of the event;
//! neither half asks a clock, and `apply` compares no times: what a tick decides is in the log.

mod command;
mod error;
mod in_flight;
mod job;
mod name_index;
mod shared_list;
mod snapshot;
mod timed_jobs;
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

use in_flight::JobsInFlight;
use name_index::NameIndex;
use shared_list::SharedList;
use timed_jobs::TimedJobs;

/// The state of all jobs ever enqueued.
///
/// Every event costs logarithmic time, but REVIVE and DROP look through the dead letters that are
/// older. A clone shares the jobs and the queue with the original and copies only the index of what
/// is in flight or delayed; what is shared is copied piece by piece when either changes.
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
    /// The jobs that wait after an attempt that failed.
    delayed: TimedJobs,
    /// The dead jobs in the order in which they died.
    dead: SharedList<usize>,
    /// How many jobs were dropped.
    dropped: usize,
}

/// What is known about a job for ever: its name; and until it is completed or dropped, the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct JobRecord {
    id: JobId,
    fate: Fate,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Open(Arc<Job>),
    Completed,
    Dropped,
}

impl JobRecord {
    fn status(&self) -> JobStatus {
        match &self.fate {
            Fate::Open(job) => job.status(),
            Fate::Completed => JobStatus::Completed,
            Fate::Dropped => JobStatus::Dropped,
        }
    }

    fn job(&self) -> Option<&Job> {
        match &self.fate {
            Fate::Open(job) => Some(job),
            Fate::Completed | Fate::Dropped => None,
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
            delayed: TimedJobs::default(),
            dead: SharedList::new(),
            dropped: 0,
        }
    }

    /// Where job `id` stands. `None`: it was never enqueued.
    #[must_use]
    pub fn status(&self, id: &JobId) -> Option<JobStatus> {
        self.number(id).map(|number| self.record(number).status())
    }

    /// What is known about job `id`. `None`: it was never enqueued, or is completed or dropped (then
    /// only its name is kept).
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.record(self.number(id)?).job()
    }

    /// How many jobs stand where.
    #[must_use]
    pub fn counts(&self) -> JobCounts {
        let pending = self.pending.len();
        let in_flight = self.in_flight.timed().len();
        let delayed = self.delayed.len();
        let dead = self.dead.len();
        let completed = self.jobs.len() - pending - in_flight - delayed - dead - self.dropped;
        JobCounts {
            pending: pending as u64,
            in_flight: in_flight as u64,
            delayed: delayed as u64,
            completed: completed as u64,
            dead: dead as u64,
            dropped: self.dropped as u64,
        }
    }

    /// The pending jobs, the next to be dispatched first.
    pub fn pending(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.pending.iter().map(|number| self.listed(*number))
    }

    /// The jobs in flight, the one that is due next first.
    pub fn in_flight(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let jobs = self.in_flight.timed().iter();
        jobs.map(|(.., number)| self.listed(number))
    }

    /// The jobs that wait after an attempt that failed, the one whose delay ends next first.
    pub fn delayed(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let jobs = self.delayed.iter();
        jobs.map(|(.., number)| self.listed(number))
    }

    /// The jobs that were given up, in the order in which that happened.
    pub fn dead_letters(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.dead.iter().map(|number| self.listed(*number))
    }

    /// The names of the completed jobs, in the order in which they were enqueued. Looks at every
    /// job.
    pub fn completed(&self) -> impl Iterator<Item = &JobId> {
        self.finished(Fate::Completed)
    }

    /// The names of the dropped jobs, in the order in which they were enqueued. Looks at every job.
    pub fn dropped(&self) -> impl Iterator<Item = &JobId> {
        self.finished(Fate::Dropped)
    }

    fn finished(&self, fate: Fate) -> impl Iterator<Item = &JobId> {
        let finished = self.jobs.iter().filter(move |record| record.fate == fate);
        finished.map(|record| &record.id)
    }

    /// When a [`Command::Tick`] has something to do, in milliseconds since the Unix epoch, if nothing
    /// happens before and the clock, which shows `now_ms`, does not jump: `now_ms` or earlier if it
    /// has now. `None`: never.
    #[must_use]
    pub fn next_tick_ms(&self, now_ms: u64) -> Option<u64> {
        let deadline = self.in_flight.timed().next_ms(now_ms);
        let ready = self.delayed.next_ms(now_ms);
        deadline.into_iter().chain(ready).min()
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
        let record = self.record(number);
        let job = record.job();
        (&record.id, job.expect("a finished job is in no list"))
    }

    /// Adds a job that was never enqueued before, to no list yet, and returns its number.
    fn add(&mut self, id: &JobId, job: Job) -> usize {
        let number = self.jobs.len();
        self.jobs.push_back(JobRecord {
            id: id.clone(),
            fate: Fate::Open(Arc::new(job)),
        });
        let jobs = &self.jobs;
        self.names
            .insert(id, number, |number| match jobs.get(number) {
                Some(record) => &record.id,
                None => unreachable!("job {number} was added before it was indexed"),
            });
        number
    }

    fn record_mut(&mut self, number: usize) -> &mut JobRecord {
        let record = self.jobs.get_mut(number);
        record.expect("numbers are only given to jobs that are kept for ever")
    }

    pub(super) fn job_mut(&mut self, number: usize) -> &mut Job {
        match &mut self.record_mut(number).fate {
            // Copied only while a checkpoint still has the same job.
            Fate::Open(job) => Arc::make_mut(job),
            Fate::Completed | Fate::Dropped => unreachable!("a finished job is in no list"),
        }
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
