use super::{DEFAULT_BUDGET, HistoryVerdict, judge};
use crate::operation::{ClientRequest, ClientResponse, Operation};

const KEY: u64 = 1;

fn operation(moments: (u64, u64), request: ClientRequest, response: ClientResponse) -> Operation {
    Operation {
        client: 1,
        start: moments.0,
        end: Some(moments.1),
        request,
        response: Some(response),
    }
}

fn write(moments: (u64, u64), value: u64) -> Operation {
    let request = ClientRequest::Write { key: KEY, value };
    operation(moments, request, ClientResponse::Written)
}

fn read(moments: (u64, u64), value: Option<u64>) -> Operation {
    let request = ClientRequest::Read { key: KEY };
    operation(moments, request, ClientResponse::Value(value))
}

fn unanswered(operation: Operation) -> Operation {
    Operation {
        end: None,
        response: None,
        ..operation
    }
}

fn is_linearizable(history: &[Operation]) -> bool {
    match judge(history, DEFAULT_BUDGET) {
        HistoryVerdict::Linearizable => true,
        HistoryVerdict::NotLinearizable(_) => false,
        HistoryVerdict::Undecided { object } => panic!("{object} is undecided"),
    }
}

#[test]
fn a_stale_read_is_shown_with_what_came_before_it() {
    let later = [write((7, 8), 9), read((9, 10), Some(9))];
    let mut history = vec![write((1, 2), 5), write((3, 4), 6), read((5, 6), Some(5))];
    history.extend(later);
    let HistoryVerdict::NotLinearizable(unexplained) = judge(&history, DEFAULT_BUDGET) else {
        panic!("the value 5 was overwritten before the read began");
    };
    let expected = "no order of the operations on register 1 explains the answer at 6\n\
        1..2 client 1: Write { key: 1, value: 5 } -> Written\n\
        3..4 client 1: Write { key: 1, value: 6 } -> Written\n\
        5..6 client 1: Read { key: 1 } -> Value(Some(5))";
    assert_eq!(unexplained.to_string(), expected);
}

#[test]
fn an_acknowledged_write_that_the_last_read_does_not_see_is_lost() {
    assert!(!is_linearizable(&[write((1, 2), 5), read((90, 91), None)]));
    assert!(is_linearizable(&[
        write((1, 2), 5),
        read((90, 91), Some(5))
    ]));
}

#[test]
fn a_write_without_an_answer_may_happen_late_or_never_but_not_twice() {
    let lost = unanswered(write((1, 2), 5));
    let (six, nothing) = (write((10, 11), 6), read((3, 4), None));
    assert!(is_linearizable(&[lost.clone(), nothing.clone()]));
    let late = [
        nothing,
        six,
        read((12, 13), Some(6)),
        read((14, 15), Some(5)),
    ];
    assert!(is_linearizable(
        &[vec![lost.clone()], late.to_vec()].concat()
    ));
    let twice = [
        read((3, 4), Some(5)),
        write((10, 11), 6),
        read((14, 15), Some(5)),
    ];
    assert!(!is_linearizable(&[vec![lost], twice.to_vec()].concat()));
}

#[test]
fn an_answer_that_says_unknown_is_no_answer() {
    let mut lost = write((1, 2), 5);
    lost.response = Some(ClientResponse::Unknown("timed out".into()));
    let history = [lost, read((3, 4), None), read((5, 6), Some(5))];
    assert!(is_linearizable(&history));
}

#[test]
fn what_was_refused_has_never_happened() {
    for response in [
        ClientResponse::NotLeader(None),
        ClientResponse::Refused("full".into()),
    ] {
        let mut refused = write((1, 2), 5);
        refused.response = Some(response);
        assert!(is_linearizable(&[refused.clone(), read((3, 4), None)]));
        assert!(!is_linearizable(&[refused, read((3, 4), Some(5))]));
    }
}

#[test]
fn an_answer_of_another_kind_is_never_explained() {
    let request = ClientRequest::Read { key: KEY };
    let history = [operation((1, 2), request, ClientResponse::Written)];
    assert!(!is_linearizable(&history));
}

#[test]
fn a_comparison_is_one_step() {
    let add = |moments, expected, value, equal| {
        let request = ClientRequest::CompareAndSet {
            key: KEY,
            expected,
            value,
        };
        operation(moments, request, ClientResponse::Compared(equal))
    };
    // Two at a time cannot both find the same value.
    let both = [add((1, 5), None, 7, true), add((2, 6), None, 8, true)];
    assert!(!is_linearizable(&both));
    let one = [add((1, 5), None, 7, true), add((2, 6), None, 8, false)];
    assert!(is_linearizable(&one));
}

/// `rounds` times eight clients at once; one in five of their operations gets no answer.
fn long_history(rounds: u64) -> Vec<Operation> {
    let mut history = Vec::new();
    for round in 0..rounds {
        for client in 0..8 {
            let number = round * 8 + client;
            let moments = (round * 100 + client, round * 100 + 50 + client);
            let request = ClientRequest::Write {
                key: KEY,
                value: number,
            };
            let mut next = operation(moments, request, ClientResponse::Written);
            if client == 7 {
                let request = ClientRequest::Read { key: KEY };
                let seen = ClientResponse::Value(Some(number - 4));
                next = operation(moments, request, seen);
            } else if number % 5 == 0 {
                next = unanswered(next);
            }
            next.client = client;
            history.push(next);
        }
    }
    history
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_history_of_four_hundred_operations_needs_few_places() {
    let mut history = long_history(50);
    assert_eq!(judge(&history, 5_000), HistoryVerdict::Linearizable);
    // A read of what was overwritten long ago, by an operation that was answered.
    history.push(read((9_000, 9_001), Some(1)));
    assert!(!is_linearizable(&history));
}

#[test]
fn a_search_that_uses_up_its_budget_is_no_pass() {
    let object = "register 1".into();
    let verdict = judge(&long_history(50), 100);
    assert_eq!(verdict, HistoryVerdict::Undecided { object });
}
