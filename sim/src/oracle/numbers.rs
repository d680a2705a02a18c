//! The simplest store there is, for tests: a list to which each op adds a number.

use crate::erased::{AnyOp, AnyState, OpModel, StateModel};

use super::recognise::nearest;

/// The op that adds a number.
pub(super) fn push(number: u64) -> AnyOp {
    let model = OpModel {
        apply: |state: &mut Vec<u64>, op: &u64| state.push(*op),
        takes_ms: |_| 0,
    };
    AnyOp::typed(number, model)
}

/// A list of these numbers.
pub(super) fn list(numbers: &[u64]) -> AnyState {
    let model = StateModel {
        difference: |expected, found| nearest(&[expected], found),
        size: Vec::len,
    };
    AnyState::typed(numbers.to_vec(), model)
}
