//! The ops of small workloads: one of each command of the queue. Which job a command is about
//! follows from what came before it.

use super::command::{Command, Job};
use super::model::{Model, ModelJob, Standing};
use super::op::QueueOp;
use crate::scenario::Step;
use crate::subject::AnyOp;

/// How many of [`ops`], from the front, several callers can wait for at once.
pub(super) const SHARED: usize = 5;

/// How far before the end of its page the active segment of a prepared store ends, in bytes: every
/// append crosses.
const BEFORE_PAGE_END: u64 = 40;

/// One of each command.
pub(super) fn ops(model: &Model) -> Vec<QueueOp> {
    let commands = [
        Command::Enqueue {
            jobs: new_jobs(model, 1),
        },
        Command::Enqueue {
            jobs: new_jobs(model, 2),
        },
        Command::Dispatch,
        Command::Ack {
            id: in_hand(model),
            attempt: None,
        },
        Command::Fail {
            id: in_hand(model),
            attempt: None,
        },
        Command::Tick { ms: 1000 },
    ];
    commands.into_iter().map(QueueOp::from).collect()
}

/// The job that was handed out last, or one that was never enqueued.
fn in_hand(model: &Model) -> String {
    let in_flight = |job: &&ModelJob| matches!(job.standing, Standing::InFlight { .. });
    let job = model.open().rev().find(in_flight);
    job.map_or("nobody".to_owned(), |job| job.id.clone())
}

/// Jobs that were never enqueued: an enqueue of a known one would be refused.
fn new_jobs(model: &Model, count: usize) -> Vec<Job> {
    let jobs = (model.len() as u64 + 1..).map(|number| Job {
        id: format!("job-{number}"),
        payload: format!("{{\"n\":{number}}}"),
        max_attempts: 2,
        timeout_ms: 500,
        backoff_ms: [0, 0],
    });
    let new = jobs.filter(|job| model.job(&job.id).is_none());
    new.take(count).collect()
}

/// Steps that lead to two snapshots, the segments from the older one on, and an active segment whose
/// last line ends just before the end of a page. `end_of_log` runs steps and says where that line
/// ends.
pub(super) fn prepared(
    op: impl Fn(Command) -> AnyOp,
    end_of_log: &dyn Fn(&[Step]) -> u64,
) -> Vec<Step> {
    let step = |command| Step::Op(op(command));
    let enqueue = |ids: &[&str], payload: &str| {
        step(Command::Enqueue {
            jobs: ids.iter().map(|id| job(id, payload)).collect(),
        })
    };
    let mut steps = vec![
        enqueue(&["old-1", "old-2", "old-3"], "{}"),
        step(Command::Dispatch),
        step(Command::Ack {
            id: "old-1".to_owned(),
            attempt: None,
        }),
        Step::Checkpoint,
        step(Command::Dispatch),
        enqueue(&["old-4"], "[1,2,3]"),
        Step::Checkpoint,
        step(Command::Fail {
            id: "old-2".to_owned(),
            attempt: None,
        }),
        step(Command::Dispatch),
    ];
    // A first run says where the log ends with an empty filler, a second one fills it up.
    steps.push(enqueue(&["filler"], "\"\""));
    let room = (beaver_disk::PAGE_SIZE - BEFORE_PAGE_END).saturating_sub(end_of_log(&steps));
    let filler = "x".repeat(usize::try_from(room).expect("less than a page"));
    steps.pop();
    steps.push(enqueue(&["filler"], &format!("\"{filler}\"")));
    steps
}

fn job(id: &str, payload: &str) -> Job {
    Job {
        id: id.to_owned(),
        payload: payload.to_owned(),
        max_attempts: 2,
        timeout_ms: 500,
        backoff_ms: [0, 0],
    }
}
