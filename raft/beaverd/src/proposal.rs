//! Commands become entries of the log, and what was applied becomes an answer.

use beaver::{Clock, Command, JobId, Payload, SystemClock};
use beaver_raft::{QueueAnswer, QueueRequest};
use openraft::errors::{ClientWriteError, RaftError};
use serde::Serialize;

use crate::answer::encode;
use crate::call::{CallAnswer, CallError};
use crate::types::{C, QueueRaft};

/// The answer to a dispatch.
#[derive(Serialize)]
struct DispatchAnswer {
    job: Option<JobInHand>,
}

#[derive(Serialize)]
struct JobInHand {
    id: JobId,
    attempt: u32,
    payload: Payload,
}

/// The answer to any other command: the jobs that changed.
#[derive(Serialize)]
struct Changed<'a> {
    jobs: Vec<&'a JobId>,
}

/// Proposes a command at the time of this node's clock, and waits until it is applied.
///
/// # Errors
/// See [`CallError`].
pub(crate) async fn propose(raft: &QueueRaft, command: &Command) -> CallAnswer {
    let request = QueueRequest {
        command: command.clone(),
        now_ms: SystemClock.now_ms(),
    };
    match raft.client_write(request).await {
        Ok(written) => describe(command, written.data),
        Err(error) => Err(why(error)),
    }
}

fn describe(command: &Command, answer: QueueAnswer) -> CallAnswer {
    match answer {
        QueueAnswer::Rejected(reason) => Err(CallError::Refused(reason)),
        QueueAnswer::Dispatched {
            id,
            attempt,
            payload,
        } => encode(&DispatchAnswer {
            job: Some(JobInHand {
                id,
                attempt,
                payload,
            }),
        }),
        QueueAnswer::Done(_) if *command == Command::Dispatch => {
            encode(&DispatchAnswer { job: None })
        }
        QueueAnswer::Done(_) => encode(&Changed {
            jobs: subjects(command),
        }),
    }
}

/// The jobs that a command names.
fn subjects(command: &Command) -> Vec<&JobId> {
    match command {
        Command::Enqueue(specs) => specs.iter().map(|spec| &spec.id).collect(),
        Command::Heartbeat { id, .. }
        | Command::Ack { id, .. }
        | Command::Fail { id, .. }
        | Command::Revive(id)
        | Command::Drop(id) => vec![id],
        Command::Dispatch | Command::Tick | Command::RequeueInFlight => Vec::new(),
    }
}

fn why(error: RaftError<C, ClientWriteError<C>>) -> CallError {
    match error {
        // openraft says so only where the entry was not appended.
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            CallError::NotDone("the leader has changed".to_owned())
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
            CallError::Unknown("the leader has changed".to_owned())
        }
        error => CallError::Unknown(error.to_string()),
    }
}
