//! The judge of registers against every order there is, without cache and without short cuts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{DEFAULT_BUDGET, HistoryVerdict, judge};
use crate::operation::{ClientRequest, ClientResponse, Operation};

type Registers = BTreeMap<u64, u64>;

/// What the registers answer, and how they change.
fn perform(registers: &mut Registers, request: &ClientRequest) -> ClientResponse {
    match *request {
        ClientRequest::Read { key } => ClientResponse::Value(registers.get(&key).copied()),
        ClientRequest::Write { key, value } => {
            registers.insert(key, value);
            ClientResponse::Written
        }
        ClientRequest::CompareAndSet {
            key,
            expected,
            value,
        } => {
            let equal = registers.get(&key).copied() == expected;
            if equal {
                registers.insert(key, value);
            }
            ClientResponse::Compared(equal)
        }
        ref other => unreachable!("no register: {other:?}"),
    }
}

/// Whether any order of all of `left` that are answered and some that are not explains the answers.
fn any_order(left: &[Operation], registers: &Registers) -> bool {
    if left.iter().all(|operation| operation.end.is_none()) {
        return true;
    }
    (0..left.len()).any(|next| {
        let operation = &left[next];
        let ended_before = |other: &Operation| other.end.is_some_and(|end| end < operation.start);
        if left.iter().any(ended_before) {
            return false;
        }
        let mut registers = registers.clone();
        let response = perform(&mut registers, &operation.request);
        if operation.end.is_some() && operation.response != Some(response) {
            return false;
        }
        let mut left = left.to_vec();
        left.remove(next);
        any_order(&left, &registers)
    })
}

fn request() -> impl Strategy<Value = ClientRequest> {
    let key = prop_oneof![3 => Just(1_u64), 1 => Just(2)];
    let expected = proptest::option::of(0..3_u64);
    (0..3, key, expected, 0..3_u64).prop_map(|(kind, key, expected, value)| match kind {
        0 => ClientRequest::Read { key },
        1 => ClientRequest::Write { key, value },
        _ => ClientRequest::CompareAndSet {
            key,
            expected,
            value,
        },
    })
}

/// An operation without its answer; the moment when it happens; whether the answer is lost, and the
/// effect with it.
fn planned() -> impl Strategy<Value = (Operation, u64, u32)> {
    (request(), 0..20_u64, 0..8_u64, 0..8_u64, 0..8_u32).prop_map(
        |(request, start, before, after, fate)| {
            let operation = Operation {
                client: 1,
                start,
                end: Some(start + before + after),
                request,
                response: None,
            };
            (operation, start + before, fate)
        },
    )
}

/// A history that happened, and then maybe one of its answers replaced by another one.
fn history() -> impl Strategy<Value = Vec<Operation>> {
    let lie = proptest::option::weighted(0.9, (any::<prop::sample::Index>(), 0..3_u64));
    (proptest::collection::vec(planned(), 1..8), lie).prop_map(|(mut planned, lie)| {
        planned.sort_by_key(|(_, moment, _)| *moment);
        let mut registers = Registers::new();
        for (operation, _, fate) in &mut planned {
            if *fate != 0 {
                operation.response = Some(perform(&mut registers, &operation.request));
            }
            if *fate <= 1 {
                (operation.end, operation.response) = (None, None);
            }
        }
        let mut history: Vec<_> = planned
            .into_iter()
            .map(|(operation, ..)| operation)
            .collect();
        if let Some((place, value)) = lie {
            let place = place.index(history.len());
            match &mut history[place].response {
                Some(ClientResponse::Value(seen)) => *seen = Some(value),
                Some(ClientResponse::Compared(equal)) => *equal = !*equal,
                _ => {}
            }
        }
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_judge_says_what_all_orders_say(history in history()) {
        let verdict = judge(&history, DEFAULT_BUDGET);
        let explained = any_order(&history, &Registers::new());
        match verdict {
            HistoryVerdict::Linearizable => prop_assert!(explained),
            HistoryVerdict::Undecided { object } => prop_assert!(false, "{object} is undecided"),
            HistoryVerdict::NotLinearizable(unexplained) => {
                prop_assert!(!explained);
                // The beginning that is shown has no order itself, and has one without its last answer.
                let mut shown = unexplained.operations;
                prop_assert!(!any_order(&shown, &Registers::new()));
                for operation in &mut shown {
                    if operation.end == Some(unexplained.until) {
                        (operation.end, operation.response) = (None, None);
                    }
                }
                prop_assert!(any_order(&shown, &Registers::new()));
            }
        }
    }
}

#[test]
fn both_verdicts_are_frequent_in_the_histories_that_are_tried() {
    let mut runner = TestRunner::deterministic();
    let good = (0..1_000).filter(|_| {
        let history = history().new_tree(&mut runner).unwrap().current();
        judge(&history, DEFAULT_BUDGET) == HistoryVerdict::Linearizable
    });
    let good = good.count();
    assert!((300..=700).contains(&good), "{good} of 1,000 have an order");
}
