//! The queue as clients see it, in JSON.

use beaver::job_queue::JobQueue;
use beaver::{Backoff, JobId, JobStatus, Payload};
use serde::Serialize;

use crate::answer::encode;
use crate::call::{CallAnswer, CallError};

/// A job. Of a job that is completed or dropped only the name and the status are known.
#[derive(Serialize)]
struct JobView<'a> {
    id: &'a JobId,
    status: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    times: Option<JobTimes>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rest: Option<JobRest<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum JobTimes {
    InFlight { deadline_ms: u64 },
    Delayed { since_ms: u64, until_ms: u64 },
}

#[derive(Serialize)]
struct JobRest<'a> {
    attempts: u32,
    max_attempts: u32,
    timeout_ms: u64,
    backoff: Backoff,
    payload: &'a Payload,
}

/// One job.
///
/// # Errors
/// [`CallError::NotFound`]: it was never enqueued.
pub(crate) fn job(queue: &JobQueue, id: &JobId) -> CallAnswer {
    let Some(status) = queue.status(id) else {
        let text = format!("job {:?} was never enqueued", id.as_str());
        return Err(CallError::NotFound(text));
    };
    let times = match status {
        JobStatus::InFlight { deadline_ms } => Some(JobTimes::InFlight { deadline_ms }),
        JobStatus::Delayed { since_ms, until_ms } => Some(JobTimes::Delayed { since_ms, until_ms }),
        _ => None,
    };
    let rest = queue.job(id).map(|job| JobRest {
        attempts: job.attempts(),
        max_attempts: job.max_attempts().get(),
        timeout_ms: job.timeout_ms(),
        backoff: job.backoff(),
        payload: job.payload(),
    });
    encode(&JobView {
        id,
        status: status.as_str(),
        times,
        rest,
    })
}

#[derive(Serialize)]
struct QueueCounts {
    pending: u64,
    in_flight: u64,
    delayed: u64,
    completed: u64,
    dead: u64,
    dropped: u64,
}

/// How many jobs stand where.
///
/// # Errors
/// Never: see [`encode`].
pub(crate) fn stats(queue: &JobQueue) -> CallAnswer {
    let counts = queue.counts();
    encode(&QueueCounts {
        pending: counts.pending,
        in_flight: counts.in_flight,
        delayed: counts.delayed,
        completed: counts.completed,
        dead: counts.dead,
        dropped: counts.dropped,
    })
}

#[cfg(test)]
mod tests {
    use beaver::StateMachine;
    use beaver::job_queue::{Command, JobSpec};

    use super::*;

    #[test]
    fn a_payload_is_shown_byte_for_byte() {
        let mut queue = JobQueue::new();
        let id = JobId::new("a").unwrap();
        let payload = Payload::new("{\"n\": 1e400}").unwrap();
        let command = Command::Enqueue(vec![JobSpec::new(id.clone(), payload)]);
        for event in queue.plan(&command, 5).unwrap() {
            queue.apply(&event).unwrap();
        }
        let json = job(&queue, &id).unwrap();
        let expected = "{\"id\":\"a\",\"status\":\"pending\",\"attempts\":0,\"max_attempts\":3,\
            \"timeout_ms\":60000,\"backoff\":{\"first_ms\":0,\"max_ms\":0},\"payload\":{\"n\": 1e400}}";
        assert_eq!(json.get(), expected);
        let unknown = JobId::new("b").unwrap();
        let error = job(&queue, &unknown).unwrap_err().to_string();
        assert_eq!(error, "job \"b\" was never enqueued");
    }
}
