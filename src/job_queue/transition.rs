//! What an event does to the state. The same code runs live and in replay.

use crate::event::{Event, EventKind, EventType, JobId};

use super::job::{Job, Stage};
use super::timed_jobs::Window;
use super::{Fate, JobError, JobQueue, JobStatus};

impl JobQueue {
    /// Makes the change of one event, or none of it.
    pub(super) fn transition(&mut self, event: &Event) -> Result<(), JobError> {
        let (id, at_ms) = (&event.job_id, event.timestamp_ms);
        let event_type = event.event_type();
        match &event.kind {
            EventKind::Enqueue {
                payload,
                max_attempts,
                timeout_ms,
                backoff,
            } => {
                let payload = payload.clone();
                self.enqueue(id, Job::new(payload, *max_attempts, *timeout_ms, *backoff))
            }
            EventKind::Dispatch => self.dispatch(id, at_ms),
            EventKind::Heartbeat { attempt } => self.heartbeat(id, *attempt, at_ms),
            EventKind::Ack { attempt } => self.ack(id, *attempt),
            EventKind::Retry { attempt, delay_ms } | EventKind::Timeout { attempt, delay_ms } => {
                let number = self.require_attempts_left(id, *attempt, event_type)?;
                self.take_back(id, number, Window::new(at_ms, *delay_ms));
                Ok(())
            }
            EventKind::Ready => self.ready(id),
            EventKind::Dead { attempt } => self.give_up(id, *attempt),
            EventKind::Revive => self.revive(id),
            EventKind::Drop => self.drop_dead(id),
        }
    }

    fn enqueue(&mut self, id: &JobId, job: Job) -> Result<(), JobError> {
        // `plan` has checked this too, but replay runs no plan.
        if let Some(status) = self.status(id) {
            let id = id.clone();
            return Err(JobError::AlreadyEnqueued { id, status });
        }
        let number = self.add(id, job);
        self.pending.push_back(number);
        Ok(())
    }

    /// The deadline comes from the event's own time, so that every replay computes the same one.
    fn dispatch(&mut self, id: &JobId, at_ms: u64) -> Result<(), JobError> {
        // Found at the front and not by name: the index of all names is in main memory, the front
        // is in the cache.
        let front = self.pending.front().copied();
        let number = match front {
            Some(number) if self.record(number).id == *id => number,
            _ => return Err(self.not_in_front(id, front)),
        };
        let job = self.job_mut(number);
        let window = Window::new(at_ms, job.timeout_ms);
        job.attempts += 1;
        job.stage = Stage::InFlight(window);
        self.pending.pop_front();
        self.in_flight.insert(id, number, window);
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

    fn heartbeat(&mut self, id: &JobId, attempt: u32, at_ms: u64) -> Result<(), JobError> {
        let number = self.require_attempt(id, Some(attempt), EventType::Heartbeat)?;
        self.in_flight.remove(id);
        let job = self.job_mut(number);
        let window = Window::new(at_ms, job.timeout_ms);
        job.stage = Stage::InFlight(window);
        self.in_flight.insert(id, number, window);
        Ok(())
    }

    fn ack(&mut self, id: &JobId, attempt: Option<u32>) -> Result<(), JobError> {
        let number = self.require_attempt(id, attempt, EventType::Ack)?;
        self.in_flight.remove(id);
        // The name stays, so that the job is never enqueued again; the payload is of no more use.
        self.record_mut(number).fate = Fate::Completed;
        Ok(())
    }

    /// An attempt is over, and the job waits for the next one.
    fn take_back(&mut self, id: &JobId, number: usize, delay: Window) {
        self.in_flight.remove(id);
        if delay.length_ms() == 0 {
            self.queue_up(number);
            return;
        }
        self.job_mut(number).stage = Stage::Delayed(delay);
        self.delayed.insert(id, number, delay);
    }

    /// The job is pending, at the back: one that keeps failing must not hold up the others.
    fn queue_up(&mut self, number: usize) {
        self.job_mut(number).stage = Stage::Pending;
        self.pending.push_back(number);
    }

    fn ready(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.number(id);
        let job = number.and_then(|number| self.record(number).job());
        match (number, job.map(|job| job.stage)) {
            (Some(number), Some(Stage::Delayed(delay))) => {
                self.delayed.remove(id, delay);
                self.queue_up(number);
                Ok(())
            }
            _ => Err(wrong_status(id, self.status(id), EventType::Ready)),
        }
    }

    fn give_up(&mut self, id: &JobId, attempt: Option<u32>) -> Result<(), JobError> {
        let number = self.require_attempt(id, attempt, EventType::Dead)?;
        self.in_flight.remove(id);
        self.job_mut(number).stage = Stage::Dead;
        self.dead.push_back(number);
        Ok(())
    }

    fn revive(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.require_dead(id, EventType::Revive)?;
        let job = self.job_mut(number);
        let last_attempt = job.attempts.saturating_add(job.max_attempts.get());
        if job.attempts == last_attempt {
            return Err(JobError::NoAttemptsLeft {
                id: id.clone(),
                attempts: job.attempts,
                event: EventType::Revive,
            });
        }
        // The numbers go on, so that a report from before is still known to be late.
        job.last_attempt = last_attempt;
        self.remove_dead(number);
        self.queue_up(number);
        Ok(())
    }

    fn drop_dead(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.require_dead(id, EventType::Drop)?;
        self.remove_dead(number);
        self.record_mut(number).fate = Fate::Dropped;
        self.dropped += 1;
        Ok(())
    }

    fn remove_dead(&mut self, number: usize) {
        let place = self.dead.iter().position(|dead| *dead == number);
        self.dead.remove(place.expect("a dead job is in the list"));
    }

    /// The number of job `id`, which must be in flight, at `attempt` if that is known, for `event` to
    /// happen.
    pub(super) fn require_attempt(
        &self,
        id: &JobId,
        attempt: Option<u32>,
        event: EventType,
    ) -> Result<usize, JobError> {
        let Some(number) = self.in_flight.find(id) else {
            return Err(wrong_status(id, self.status(id), event));
        };
        let (_, job) = self.listed(number);
        match attempt {
            Some(attempt) if attempt != job.attempts => Err(JobError::WrongAttempt {
                id: id.clone(),
                attempt,
                current: job.attempts,
                event,
            }),
            _ => Ok(number),
        }
    }

    /// The same for an event after which there is another attempt.
    fn require_attempts_left(
        &self,
        id: &JobId,
        attempt: Option<u32>,
        event: EventType,
    ) -> Result<usize, JobError> {
        let number = self.require_attempt(id, attempt, event)?;
        let (_, job) = self.listed(number);
        match job.has_attempts_left() {
            true => Ok(number),
            false => Err(JobError::NoAttemptsLeft {
                id: id.clone(),
                attempts: job.attempts,
                event,
            }),
        }
    }

    /// The number of job `id`, which must be a dead letter for `event` to happen.
    pub(super) fn require_dead(&self, id: &JobId, event: EventType) -> Result<usize, JobError> {
        match (self.number(id), self.status(id)) {
            (Some(number), Some(JobStatus::Dead)) => Ok(number),
            (_, status) => Err(wrong_status(id, status, event)),
        }
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
