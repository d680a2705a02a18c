//! Linearizability: each operation seems to happen at one moment between its start and its answer
//! (Herlihy and Wing, 1990).
//!
//! A history is linearizable if for each object the operations on it are, so every register is searched
//! for itself, which keeps the search short. Acknowledged writes that are lost are found here too, by
//! the reads with which a run ends.
//!
//! The jobs of the queue are searched one by one as well, although they are one object: a dispatch that
//! hands out a job is an operation on that job, and one that finds nothing pending is an operation on
//! every job. An order for the whole queue gives an order for each job, so no legal history is blamed.
//! What this does not check, because it holds between jobs: a list of jobs that is enqueued half, and
//! the turn of a job. Nor does it check when a job is due, because only the leader's clock knows.

#[cfg(test)]
mod brute_force;
mod job;
mod job_calls;
#[cfg(test)]
mod job_tests;
mod object_history;
mod register;
mod search;
#[cfg(test)]
mod tests;
mod verdict;
mod wrong_answer;

use std::collections::BTreeMap;

use crate::operation::{ClientResponse, Operation};
use job::JobModel;
use job_calls::{job_calls, jobs_in};
use object_history::ObjectHistory;
use register::{RegisterModel, register_answer, register_request};

pub use verdict::{HistoryVerdict, Unexplained};

/// How many places of one object are searched, if the caller has no other wish: about a second.
pub const DEFAULT_BUDGET: u64 = 1_000_000;

/// Whether one order for each object explains `history`, in which the operations may stand in any order.
/// At most `budget` places are searched for each object, and if no order explains it, for each of about
/// ten beginnings of its history.
#[must_use]
pub fn judge(history: &[Operation], budget: u64) -> HistoryVerdict {
    let mut verdicts = judge_registers(history, budget);
    verdicts.extend(judge_jobs(history, budget));
    worst(verdicts)
}

fn judge_registers(history: &[Operation], budget: u64) -> Vec<HistoryVerdict> {
    let mut verdicts = Vec::new();
    let mut registers = BTreeMap::<u64, ObjectHistory<_, _>>::new();
    for operation in history
        .iter()
        .filter(|operation| may_have_happened(operation))
    {
        let Some((key, request)) = register_request(&operation.request) else {
            continue;
        };
        match register_answer(operation.response.as_ref()) {
            Ok(answer) => registers
                .entry(key)
                .or_default()
                .add(operation, request, answer),
            Err(_) => verdicts.push(wrong_kind(operation, format!("register {key}"))),
        }
    }
    for (key, register) in &registers {
        verdicts.push(register.judge(&RegisterModel, format!("register {key}"), budget));
    }
    verdicts
}

fn judge_jobs(history: &[Operation], budget: u64) -> Vec<HistoryVerdict> {
    let mut verdicts = Vec::new();
    let names = jobs_in(history);
    let mut jobs = BTreeMap::<&str, ObjectHistory<_, _>>::new();
    for operation in history
        .iter()
        .filter(|operation| may_have_happened(operation))
    {
        match job_calls(operation, &names) {
            Ok(calls) => {
                for call in calls {
                    let job = jobs.entry(call.job).or_default();
                    job.add(operation, call.request, call.fact);
                }
            }
            Err(_) => verdicts.push(wrong_kind(operation, "the job queue".into())),
        }
    }
    for (name, job) in &jobs {
        verdicts.push(job.judge(&JobModel, format!("job {name}"), budget));
    }
    verdicts
}

/// What is known to have had no effect is no part of the history.
fn may_have_happened(operation: &Operation) -> bool {
    !matches!(
        operation.response,
        Some(ClientResponse::NotLeader(_) | ClientResponse::Refused(_))
    )
}

/// The answer is none that the object can give.
fn wrong_kind(operation: &Operation, object: String) -> HistoryVerdict {
    let until = operation.end.unwrap_or(operation.start);
    let operation = std::iter::once(operation);
    HistoryVerdict::NotLinearizable(Unexplained::new(object, until, operation))
}

/// The violation that can be seen first; if there is none, what is undecided.
fn worst(verdicts: Vec<HistoryVerdict>) -> HistoryVerdict {
    let worst = verdicts.into_iter().min_by_key(|verdict| match verdict {
        HistoryVerdict::NotLinearizable(unexplained) => (0, unexplained.until),
        HistoryVerdict::Undecided { .. } => (1, 0),
        HistoryVerdict::Linearizable => (2, 0),
    });
    worst.unwrap_or(HistoryVerdict::Linearizable)
}
