//! The job queue, replicated.
//!
//! A queue decides by time when a job is late, and no two nodes have the same clock. So the leader
//! writes its time into the command before it proposes it: every node plans the command with that.

use std::fmt;

use beaver::{Command, DecodeError, Event, EventKind, JobId, JobQueue, Payload, StateMachine as _};
use openraft::RaftTypeConfig;
use serde::{Deserialize, Serialize};

use crate::machine::ReplicatedMachine;

/// A command of the job queue, and when the leader took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueRequest {
    /// What to do.
    pub command: Command,
    /// The leader's time, in milliseconds since the Unix epoch.
    pub now_ms: u64,
}

impl fmt::Display for QueueRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.command, self.now_ms)
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum QueueAnswer {
    /// It was carried out, and this many events came of it: none where there was nothing to do.
    Done(u64),
    /// A job was handed out.
    Dispatched {
        /// Its name.
        id: JobId,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// What to do.
        payload: Payload,
    },
    /// The queue does not allow it, for this reason. Nothing has changed.
    Rejected(String),
}

impl fmt::Display for QueueAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueAnswer::Done(events) => write!(f, "done: {events} events"),
            QueueAnswer::Dispatched { id, attempt, .. } => write!(f, "{id}, attempt {attempt}"),
            QueueAnswer::Rejected(reason) => write!(f, "rejected: {reason}"),
        }
    }
}

/// A [`JobQueue`] under Raft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicatedQueue(JobQueue);

impl ReplicatedQueue {
    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &JobQueue {
        &self.0
    }

    fn dispatched(&self, event: &Event) -> Option<QueueAnswer> {
        let job = self.0.job(&event.job_id)?;
        Some(QueueAnswer::Dispatched {
            id: event.job_id.clone(),
            attempt: job.attempts(),
            payload: job.payload().clone(),
        })
    }
}

impl<C> ReplicatedMachine<C> for ReplicatedQueue
where
    C: RaftTypeConfig<D = QueueRequest, R = QueueAnswer>,
{
    fn initial() -> Self {
        ReplicatedQueue(JobQueue::new())
    }

    fn apply(&mut self, request: QueueRequest, _index: u64) -> QueueAnswer {
        let events = match self.0.plan(&request.command, request.now_ms) {
            Ok(events) => events,
            Err(error) => return QueueAnswer::Rejected(error.to_string()),
        };
        for event in &events {
            let applied = self.0.apply(event);
            applied.expect("each event that was planned on this state can be applied to it");
        }
        let dispatched = match events.first() {
            Some(event) if event.kind == EventKind::Dispatch => self.dispatched(event),
            _ => None,
        };
        dispatched.unwrap_or(QueueAnswer::Done(events.len() as u64))
    }

    fn no_command(&self) -> QueueAnswer {
        QueueAnswer::Done(0)
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        self.0.snapshot(out);
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        JobQueue::restore(json).map(ReplicatedQueue)
    }
}
