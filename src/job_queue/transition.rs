//! What an event does to the state. The same code runs live and in replay.

use std::sync::Arc;

use crate::event::{Event, EventKind, EventType, JobId};

use super::job::Stage;
use super::{Job, JobError, JobQueue, JobStatus, Record};

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
        let record = Record::Job(Arc::new(job));
        self.jobs
            .insert(id, record)
            .map_err(|known| JobError::AlreadyEnqueued {
                id: id.clone(),
                status: known.status(),
            })?;
        self.pending.push_back(id.clone());
        Ok(())
    }

    /// The deadline comes from the event's own time, so that every replay computes the same one.
    fn dispatch(&mut self, id: &JobId, timestamp_ms: u64) -> Result<(), JobError> {
        if let Some(front) = self.pending.front()
            && front != id
        {
            let front = front.clone();
            return Err(match self.status(id) {
                Some(JobStatus::Pending) => JobError::OutOfTurn {
                    id: id.clone(),
                    front,
                },
                status => wrong_status(id, status, EventType::Dispatch),
            });
        }
        let job = match self.jobs.get_mut(id) {
            Some(Record::Job(job)) if job.stage == Stage::Pending => Arc::make_mut(job),
            other => {
                let status = other.map(|record| record.status());
                return Err(wrong_status(id, status, EventType::Dispatch));
            }
        };
        let deadline_ms = timestamp_ms.saturating_add(job.timeout_ms);
        job.attempts += 1;
        job.stage = Stage::InFlight { deadline_ms };
        self.pending.pop_front();
        self.in_flight.insert((deadline_ms, id.clone()));
        Ok(())
    }

    fn ack(&mut self, id: &JobId) -> Result<(), JobError> {
        let (record, deadline_ms) = self.in_flight_record(id, EventType::Ack)?;
        *record = Record::Completed;
        self.land(id, deadline_ms);
        Ok(())
    }

    fn requeue(&mut self, id: &JobId, event: EventType) -> Result<(), JobError> {
        let (record, deadline_ms) = self.in_flight_record(id, event)?;
        let job = record.job_mut();
        if !job.has_attempts_left() {
            return Err(JobError::NoAttemptsLeft {
                id: id.clone(),
                attempts: job.attempts,
                event,
            });
        }
        job.stage = Stage::Pending;
        self.land(id, deadline_ms);
        self.pending.push_back(id.clone());
        Ok(())
    }

    fn give_up(&mut self, id: &JobId) -> Result<(), JobError> {
        let (record, deadline_ms) = self.in_flight_record(id, EventType::Dead)?;
        record.job_mut().stage = Stage::Dead;
        self.land(id, deadline_ms);
        self.dead.push_back(id.clone());
        Ok(())
    }

    /// The record and the deadline of job `id`, which must be in flight for `event` to happen to
    /// it.
    fn in_flight_record(
        &mut self,
        id: &JobId,
        event: EventType,
    ) -> Result<(&mut Record, u64), JobError> {
        match self.jobs.get_mut(id) {
            None => Err(wrong_status(id, None, event)),
            Some(record) => match record.status() {
                JobStatus::InFlight { deadline_ms } => Ok((record, deadline_ms)),
                status => Err(wrong_status(id, Some(status), event)),
            },
        }
    }

    /// Takes job `id` out of the index of what is in flight.
    fn land(&mut self, id: &JobId, deadline_ms: u64) {
        let was_there = self.in_flight.remove(&(deadline_ms, id.clone()));
        assert!(was_there, "job {id:?} is in flight but not in the index");
    }
}

impl Record {
    fn job_mut(&mut self) -> &mut Job {
        match self {
            Record::Job(job) => Arc::make_mut(job),
            Record::Completed => unreachable!("a job in flight is not completed"),
        }
    }
}

/// The error for `event` happening to job `id`, which stands where it cannot.
pub(super) fn wrong_status(id: &JobId, status: Option<JobStatus>, event: EventType) -> JobError {
    let id = id.clone();
    match status {
        None => JobError::Unknown { id },
        Some(status) => JobError::WrongStatus { id, status, event },
    }
}
