//! A command as an op: with what it writes down in the state in which it was given.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::Command;
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
        let planned = model.plan(&self.command, now_ms);
        let text = match (&self.command, &planned) {
            (_, Err(refusal)) => refused(*refusal),
            (Command::Dispatch, Ok(records)) => handed_out(records.first().map(|r| &*r.id)),
            (_, Ok(_)) => String::new(),
        };
        let records = planned.unwrap_or_default();
        let expected = Expected {
            text,
            changes: !records.is_empty(),
            durable: self.command.is_of_log(),
        };
        let op = QueueOp {
            command: self.command.clone(),
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
    pub(super) fn takes_ms(&self) -> u64 {
        match self.command {
            Command::Tick { ms } => ms,
            _ => 0,
        }
    }
}

/// The answer of a command that the rules of the queue refuse.
pub(super) fn refused(refusal: Refusal) -> String {
    format!("refused: {refusal:?}")
}

/// The answer of a dispatch.
pub(super) fn handed_out(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!("ok: {id}"))
}

impl fmt::Debug for QueueOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Command::Enqueue { jobs } => {
                let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
                write!(f, "enqueue {}", ids.join(", "))
            }
            Command::Dispatch => f.write_str("dispatch"),
            Command::Ack { id } => write!(f, "ack {id}"),
            Command::Fail { id } => write!(f, "fail {id}"),
            Command::Unacceptable { request } => write!(f, "ask for what is refused: {request:?}"),
            Command::Tick { ms } => write!(f, "tick after {ms} ms"),
            Command::Requeue => f.write_str("requeue what is in flight"),
            Command::Sync => f.write_str("sync"),
            Command::Rotate => f.write_str("rotate"),
            Command::Preallocate { bytes } => write!(f, "sync and make space for {bytes} bytes"),
        }
    }
}
