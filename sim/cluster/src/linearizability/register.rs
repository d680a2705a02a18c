//! A register: it is read, written, and written if it has an expected value.

use super::search::SequentialModel;
use super::wrong_answer::WrongAnswer;
use crate::operation::{ClientRequest, ClientResponse};

/// One register, at first never set.
#[derive(Debug)]
pub(super) struct RegisterModel;

/// What is asked of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RegisterRequest {
    Read,
    Write(u64),
    CompareAndSet { expected: Option<u64>, value: u64 },
}

/// What a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegisterAnswer {
    Value(Option<u64>),
    Written,
    Compared(bool),
}

/// The register that a request is about, and what it asks; `None`: it is not about a register.
pub(super) fn register_request(request: &ClientRequest) -> Option<(u64, RegisterRequest)> {
    match *request {
        ClientRequest::Read { key } => Some((key, RegisterRequest::Read)),
        ClientRequest::Write { key, value } => Some((key, RegisterRequest::Write(value))),
        ClientRequest::CompareAndSet {
            key,
            expected,
            value,
        } => Some((key, RegisterRequest::CompareAndSet { expected, value })),
        ClientRequest::Job(_) | ClientRequest::JobStatus { .. } => None,
    }
}

/// The answer of a register, if there is one.
///
/// # Errors
/// A register never answers so.
pub(super) fn register_answer(
    response: Option<&ClientResponse>,
) -> Result<Option<RegisterAnswer>, WrongAnswer> {
    match response {
        None | Some(ClientResponse::Unknown(_)) => Ok(None),
        Some(ClientResponse::Value(value)) => Ok(Some(RegisterAnswer::Value(*value))),
        Some(ClientResponse::Written) => Ok(Some(RegisterAnswer::Written)),
        Some(ClientResponse::Compared(equal)) => Ok(Some(RegisterAnswer::Compared(*equal))),
        Some(_) => Err(WrongAnswer),
    }
}

impl SequentialModel for RegisterModel {
    type Request = RegisterRequest;
    type Answer = RegisterAnswer;
    type State = Option<u64>;

    fn initial(&self) -> Option<u64> {
        None
    }

    fn step(
        &self,
        state: &Option<u64>,
        request: &RegisterRequest,
        answer: Option<&RegisterAnswer>,
    ) -> Option<Option<u64>> {
        let (after, right) = match *request {
            RegisterRequest::Read => (*state, RegisterAnswer::Value(*state)),
            RegisterRequest::Write(value) => (Some(value), RegisterAnswer::Written),
            RegisterRequest::CompareAndSet { expected, value } => match *state == expected {
                true => (Some(value), RegisterAnswer::Compared(true)),
                false => (*state, RegisterAnswer::Compared(false)),
            },
        };
        answer
            .is_none_or(|answer| *answer == right)
            .then_some(after)
    }

    fn only_looks(&self, _: &RegisterRequest, answer: &RegisterAnswer) -> bool {
        matches!(
            answer,
            RegisterAnswer::Value(_) | RegisterAnswer::Compared(false)
        )
    }
}
