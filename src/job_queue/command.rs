//! What callers ask for, and which events that means.

use std::collections::BTreeSet;

use crate::event::{Event, EventKind, EventType, JobId};

use super::{Job, JobError, JobQueue, JobSpec};

/// Something a caller asks the job queue to do.
///
/// It has a form in JSON, for callers that send it or keep it, with `serde_json` and serde's usual
/// form for an `enum`. A payload stands in it byte for byte; of a job, all but `id` and `payload` may
/// be left out. A field that is not known is refused, and so is what could not be a name or a payload.
///
/// ```
/// use beaver::Command;
///
/// let json = r#"{"enqueue":[{"id":"mail-1","payload":{"to": "alice"},"timeout_ms":500}]}"#;
/// let command: Command = serde_json::from_str(json)?;
/// assert!(serde_json::to_string(&command)?.contains(r#"{"to": "alice"}"#));
/// let command: Command = serde_json::from_str(r#"{"ack":{"id":"mail-1","attempt":1}}"#)?;
/// assert!(serde_json::from_str::<Command>(r#"{"ack":{"id":""}}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Enqueue these jobs in this order: all of them or none.
    Enqueue(Vec<JobSpec>),
    /// Hand out the job at the front of the queue, if there is one.
    Dispatch,
    /// The worker that has this attempt is alive, and has the job's whole timeout again.
    Heartbeat {
        /// The job.
        id: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// This attempt succeeded.
    Ack {
        /// The job.
        id: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// This attempt failed: back to the queue, after the job's delay, or given up if it has no
    /// attempts left.
    Fail {
        /// The job.
        id: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// Every job in flight whose deadline has come goes back to the queue, after its delay, or is
    /// given up if it has no attempts left; every job whose delay is over goes to the back of the
    /// queue. What began at a later time than the clock shows now was given by a wrong clock: such an
    /// attempt has its whole timeout anew, and such a delay is over.
    Tick,
    /// Every job in flight goes back to the queue without delay, or is given up if it has no attempts
    /// left: for a restart that lost the workers.
    RequeueInFlight,
    /// This dead letter goes back to the queue and has all its attempts again.
    Revive(JobId),
    /// This dead letter is removed; its name stays known.
    Drop(JobId),
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
    /// logged as one atomic append. No events mean that there is nothing to do: an empty list of jobs,
    /// an empty queue, nothing due.
    ///
    /// [`Command::Tick`] and [`Command::RequeueInFlight`] take the jobs in the order of their
    /// deadlines, and jobs with the same deadline in the order of their names. A job is due when its
    /// deadline is `now_ms` or earlier. They take at most [`JobQueue::PLAN_LIMIT`] jobs.
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
            Command::Heartbeat { id, attempt } => {
                self.require_attempt(id, Some(*attempt), EventType::Heartbeat)?;
                let attempt = *attempt;
                Ok(vec![event(id, EventKind::Heartbeat { attempt })])
            }
            Command::Ack { id, attempt } => {
                self.require_attempt(id, Some(*attempt), EventType::Ack)?;
                let attempt = Some(*attempt);
                Ok(vec![event(id, EventKind::Ack { attempt })])
            }
            Command::Fail { id, attempt } => {
                let number = self.require_attempt(id, Some(*attempt), EventType::Retry)?;
                let (id, job) = self.listed(number);
                Ok(vec![event(id, failed(job))])
            }
            Command::Tick => Ok(self.plan_tick(now_ms)),
            Command::RequeueInFlight => {
                let all = self.in_flight().take(Self::PLAN_LIMIT);
                Ok(all.map(|(id, job)| event(id, lost(job))).collect())
            }
            Command::Revive(id) => {
                self.require_dead(id, EventType::Revive)?;
                Ok(vec![event(id, EventKind::Revive)])
            }
            Command::Drop(id) => {
                self.require_dead(id, EventType::Drop)?;
                Ok(vec![event(id, EventKind::Drop)])
            }
        }
    }

    fn plan_tick(&self, now_ms: u64) -> Vec<Event> {
        let event = |number, kind: fn(&Job) -> EventKind| {
            let (id, job) = self.listed(number);
            Event::new(id.clone(), now_ms, kind(job))
        };
        let (in_flight, delayed) = (self.in_flight.timed(), &self.delayed);
        let late = in_flight.ended(now_ms).map(|job| event(job, timed_out));
        let held_on = in_flight.not_begun(now_ms).map(|job| event(job, held_on));
        let ready = delayed.ended(now_ms).chain(delayed.not_begun(now_ms));
        let ready = ready.map(|job| event(job, |_| EventKind::Ready));
        let all = late.chain(held_on).chain(ready);
        all.take(Self::PLAN_LIMIT).collect()
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

/// Its attempt failed.
fn failed(job: &Job) -> EventKind {
    let delay_ms = job.backoff().delay_ms(job.attempts_used());
    let attempt = Some(job.attempts());
    back_or_dead(job, EventKind::Retry { attempt, delay_ms })
}

/// Its attempt took too long.
fn timed_out(job: &Job) -> EventKind {
    let delay_ms = job.backoff().delay_ms(job.attempts_used());
    let attempt = Some(job.attempts());
    back_or_dead(job, EventKind::Timeout { attempt, delay_ms })
}

/// Its worker is gone, which is not the job's fault.
fn lost(job: &Job) -> EventKind {
    let (attempt, delay_ms) = (Some(job.attempts()), 0);
    back_or_dead(job, EventKind::Retry { attempt, delay_ms })
}

/// Its deadline is worth nothing, and its worker may be at work.
fn held_on(job: &Job) -> EventKind {
    let attempt = job.attempts();
    EventKind::Heartbeat { attempt }
}

/// `back`, or DEAD if `job` has no attempts left.
fn back_or_dead(job: &Job, back: EventKind) -> EventKind {
    if job.has_attempts_left() {
        return back;
    }
    let attempt = Some(job.attempts());
    EventKind::Dead { attempt }
}

fn enqueue(spec: &JobSpec, now_ms: u64) -> Event {
    let kind = EventKind::Enqueue {
        payload: spec.payload.clone(),
        max_attempts: spec.max_attempts,
        timeout_ms: spec.timeout_ms,
        backoff: spec.backoff,
    };
    Event::new(spec.id.clone(), now_ms, kind)
}
