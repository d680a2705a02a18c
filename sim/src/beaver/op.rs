//! A command as an op: with what it writes down in the state in which it was given.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::engine::HandedOut;
use super::model::{Model, Record, Refusal};
use super::state::QueueState;
use crate::subject::Expected;

/// A command, and what it writes down where it is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Command", into = "Command")]
pub struct QueueOp {
    /// The command.
    pub command: Command,
    /// What it does to the state in which it was given; nothing before that.
    records: Arc<[Record]>,
}

impl From<Command> for QueueOp {
    fn from(command: Command) -> Self {
        QueueOp {
            command,
            records: Arc::new([]),
        }
    }
}

impl From<QueueOp> for Command {
    fn from(op: QueueOp) -> Self {
        op.command
    }
}

impl QueueOp {
    /// What the op writes down: one append.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The op as it is when it is given in this state, and what it must answer.
    pub(super) fn resolved(&self, model: &Model, now_ms: u64) -> (QueueOp, Expected) {
        let mut command = self.command.clone();
        if let Some((id, attempt)) = command.attempt_mut() {
            let current = model.job(id).map_or(0, |job| job.attempts);
            attempt.get_or_insert(current);
        }
        let planned = model.plan(&command, now_ms);
        let text = match (&command, &planned) {
            (_, Err(refusal)) => refused(*refusal),
            (Command::Dispatch, Ok(records)) => {
                let job = records.first().and_then(|record| model.job(&record.id));
                let job = job.map(|job| HandedOut {
                    id: job.id.clone(),
                    attempt: job.attempts + 1,
                });
                handed_out(job.as_ref())
            }
            (_, Ok(_)) => String::new(),
        };
        let records = planned.unwrap_or_default();
        let expected = Expected {
            text,
            changes: !records.is_empty(),
            durable: command.is_of_log(),
        };
        let op = QueueOp {
            command,
            records: records.into(),
        };
        (op, expected)
    }

    /// What it does to a state.
    pub(super) fn apply_to(&self, state: &mut QueueState) {
        let model = state.model_mut();
        self.records.iter().for_each(|record| model.apply(record));
    }

    /// How far the clock moves before it.
    pub(super) fn takes_ms(&self) -> i64 {
        match self.command {
            Command::Tick { ms } => i64::try_from(ms).unwrap_or(i64::MAX),
            Command::Clock { by_ms } => by_ms,
            _ => 0,
        }
    }
}

/// The answer of a command that the rules of the queue refuse.
pub(super) fn refused(refusal: Refusal) -> String {
    format!("refused: {refusal:?}")
}

/// The answer of a dispatch.
pub(super) fn handed_out(job: Option<&HandedOut>) -> String {
    job.map_or_else(String::new, |job| {
        format!("ok: {}, attempt {}", job.id, job.attempt)
    })
}

/// A report in a few words.
fn report(f: &mut fmt::Formatter<'_>, what: &str, id: &str, attempt: Option<u32>) -> fmt::Result {
    match attempt {
        None => write!(f, "{what} {id}"),
        Some(attempt) => write!(f, "{what} attempt {attempt} of {id}"),
    }
}

impl fmt::Debug for QueueOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Command::Enqueue { jobs } => {
                let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
                write!(f, "enqueue {}", ids.join(", "))
            }
            Command::Dispatch => f.write_str("dispatch"),
            Command::Heartbeat { id, attempt } => report(f, "heartbeat", id, *attempt),
            Command::Ack { id, attempt } => report(f, "ack", id, *attempt),
            Command::Fail { id, attempt } => report(f, "fail", id, *attempt),
            Command::Unacceptable { request } => write!(f, "ask for what is refused: {request:?}"),
            Command::Tick { ms } => write!(f, "tick after {ms} ms"),
            Command::Requeue => f.write_str("requeue what is in flight"),
            Command::Revive { id } => write!(f, "revive {id}"),
            Command::Drop { id } => write!(f, "drop {id}"),
            Command::Clock { by_ms } => write!(f, "the clock jumps by {by_ms} ms"),
            Command::Sync => f.write_str("sync"),
            Command::Rotate => f.write_str("rotate"),
            Command::Preallocate { bytes } => write!(f, "sync and make space for {bytes} bytes"),
        }
    }
}
