//! What an event does to the state. The same code runs live and in replay.

use std::sync::Arc;

use crate::event::{Event, EventKind, EventType, JobId};

use super::job::Stage;
use super::{Job, JobError, JobQueue, JobStatus, Slot};

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
        let front = self.pending.front().copied();
        let number = match front {
            Some(number) if self.slot(number).id == *id => number,
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
                front: self.slot(front).id.clone(),
            },
            (status, _) => wrong_status(id, status, EventType::Dispatch),
        }
    }

    fn ack(&mut self, id: &JobId) -> Result<(), JobError> {
        let number = self.require_in_flight(id, EventType::Ack)?;
        self.in_flight.remove(id);
        self.slot_mut(number).job = None;
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

    fn slot_mut(&mut self, number: usize) -> &mut Slot {
        let slot = self.jobs.get_mut(number);
        slot.expect("numbers are only given to jobs that are kept for ever")
    }

    pub(super) fn job_mut(&mut self, number: usize) -> &mut Job {
        let job = self.slot_mut(number).job.as_mut();
        Arc::make_mut(job.expect("a completed job is in no list"))
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
