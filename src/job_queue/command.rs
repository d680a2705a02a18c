//! What callers ask for, and which events that means.

use std::collections::BTreeSet;

use crate::event::{Event, EventKind, EventType, JobId};

use super::job::Stage;
use super::{Job, JobError, JobQueue, JobSpec};

/// Something a caller asks the job queue to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Enqueue these jobs in this order: all of them or none.
    Enqueue(Vec<JobSpec>),
    /// Hand out the job at the front of the queue, if there is one.
    Dispatch,
    /// The attempt at this job succeeded.
    Ack(JobId),
    /// The attempt at this job failed: back to the queue, or given up if it has no attempts left.
    Fail(JobId),
    /// Every job in flight whose deadline has come goes back to the queue, or is given up if it has
    /// no attempts left.
    Tick,
    /// Every job in flight goes back to the queue, or is given up if it has no attempts left: for a
    /// restart that lost the workers.
    RequeueInFlight,
}

impl JobQueue {
    /// How many jobs one [`Command::Tick`] or [`Command::RequeueInFlight`] takes at most, so that
    /// its events fit into one append whatever the names are. To take them all, repeat the command
    /// until it plans nothing.
    pub const PLAN_LIMIT: usize = 10_000;

    /// The events that `command` means at `now_ms` (milliseconds since the Unix epoch), without
    /// changing anything.
    ///
    /// Applied in order to this state, each of them succeeds. They belong together and are to be
    /// logged as one atomic append. None means that there is nothing to do: an empty list of jobs,
    /// an empty queue, nothing due.
    ///
    /// [`Command::Tick`] and [`Command::RequeueInFlight`] take the jobs in the order of their
    /// deadlines, and jobs with the same deadline in the order of their names. A job
    /// is due when its deadline is `now_ms` or earlier. They take at most [`JobQueue::PLAN_LIMIT`]
    /// jobs.
    ///
    /// # Errors
    /// The command is illegal in this state. Nothing may be logged.
    pub fn plan(&self, command: &Command, now_ms: u64) -> Result<Vec<Event>, JobError> {
        let event = |id: &JobId, kind| Event::new(id.clone(), now_ms, kind);
        match command {
            Command::Enqueue(specs) => self.plan_enqueue(specs, now_ms),
            Command::Dispatch => {
                let front = self.pending().next();
                let dispatch = front.map(|(id, _)| event(id, EventKind::Dispatch));
                Ok(dispatch.into_iter().collect())
            }
            Command::Ack(id) => {
                self.require_in_flight(id, EventType::Ack)?;
                Ok(vec![event(id, EventKind::Ack)])
            }
            Command::Fail(id) => {
                let number = self.require_in_flight(id, EventType::Retry)?;
                let (id, job) = self.listed(number);
                Ok(vec![event(id, back_or_dead(job, EventKind::Retry))])
            }
            Command::Tick => {
                let due = |job: &Job| match job.stage {
                    Stage::InFlight { deadline_ms } => deadline_ms <= now_ms,
                    Stage::Pending | Stage::Dead => false,
                };
                // They are sorted by deadline, so the first that is not due ends the search.
                let due = self
                    .in_flight()
                    .take_while(|(_, job)| due(job))
                    .take(Self::PLAN_LIMIT);
                let timed_out =
                    due.map(|(id, job)| event(id, back_or_dead(job, EventKind::Timeout)));
                Ok(timed_out.collect())
            }
            Command::RequeueInFlight => {
                let all = self.in_flight().take(Self::PLAN_LIMIT);
                let back = all.map(|(id, job)| event(id, back_or_dead(job, EventKind::Retry)));
                Ok(back.collect())
            }
        }
    }

    fn plan_enqueue(&self, specs: &[JobSpec], now_ms: u64) -> Result<Vec<Event>, JobError> {
        // The state does not know yet what the list itself adds.
        let mut names = BTreeSet::new();
        for JobSpec { id, .. } in specs {
            if let Some(status) = self.status(id) {
                let id = id.clone();
                return Err(JobError::AlreadyEnqueued { id, status });
            }
            if !names.insert(id) {
                return Err(JobError::Repeated { id: id.clone() });
            }
        }
        Ok(specs.iter().map(|spec| enqueue(spec, now_ms)).collect())
    }
}

/// `back`, or DEAD if `job` has no attempts left.
fn back_or_dead(job: &Job, back: EventKind) -> EventKind {
    if job.has_attempts_left() {
        back
    } else {
        EventKind::Dead
    }
}

fn enqueue(spec: &JobSpec, now_ms: u64) -> Event {
    let kind = EventKind::Enqueue {
        payload: spec.payload.clone(),
        max_attempts: spec.max_attempts,
        timeout_ms: spec.timeout_ms,
    };
    Event::new(spec.id.clone(), now_ms, kind)
}
