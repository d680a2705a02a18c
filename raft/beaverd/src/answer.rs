//! Answers as JSON.

use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::call::{CallAnswer, CallError};

/// JSON of an answer.
///
/// # Errors
/// Never, for the types that are answered with.
pub(crate) fn encode(answer: &impl Serialize) -> CallAnswer {
    to_raw_value(answer).map_err(|error| CallError::Unknown(error.to_string()))
}
