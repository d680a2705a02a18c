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

mod part;
mod register;
mod search;
mod verdict;

use std::collections::BTreeMap;

use crate::operation::{ClientResponse, Operation};
use part::Part;
use register::{RegisterModel, register_answer, register_request};

pub use verdict::{HistoryVerdict, Unexplained};

/// How many places of one object are searched, if the caller has no other wish: about a second.
pub const DEFAULT_BUDGET: u64 = 1_000_000;

/// Whether one order for each object explains `history`, which may have any order itself. At most
/// `budget` places are searched for each object and each of about ten beginnings of its history.
#[must_use]
pub fn judge(history: &[Operation], budget: u64) -> HistoryVerdict {
    let mut verdicts = Vec::new();
    let mut registers = BTreeMap::<u64, Part<_, _>>::new();
    for operation in history
        .iter()
        .filter(|operation| may_have_happened(operation))
    {
        if let Some((key, request)) = register_request(&operation.request) {
            let part = registers.entry(key).or_default();
            if !part.add(operation, request, register_answer) {
                verdicts.push(wrong_kind(operation, format!("register {key}")));
            }
        }
    }
    for (key, part) in &registers {
        verdicts.push(part.judge(&RegisterModel, format!("register {key}"), budget));
    }
    worst(verdicts)
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

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod tests;
