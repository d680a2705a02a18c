//! Bugs that a checker is blind to if it asks a little less, each beside a store without it that must
//! not raise an alarm.

#[path = "own/around.rs"]
mod around;
#[path = "own/numbers.rs"]
mod numbers;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use beaver_sim::beaver::Queue;
use beaver_sim::check::{Check, find};
use beaver_sim::explore::{Explored, Options, Running, explore_seed};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::{Scenario, Seeds};
use beaver_sim::subject::{AnySubject, Subject};
use beaver_zoo::interposed::library;

use around::Around;
use numbers::{Numbers, Op, Wrong};

#[track_caller]
fn check_sound(subject: impl Subject, check: &Check) {
    if let Err(failing) = find(&AnySubject::new(subject), check) {
        panic!("{failing}");
    }
}

#[track_caller]
fn check_wrong(subject: impl Subject, check: &Check, invariant: Invariant) {
    let found = find(&AnySubject::new(subject), check);
    let failing = found.expect_err("the list is wrong");
    let violation = failing.run.outcome.failure();
    let violation = violation.expect("what is found out did not hold");
    assert_eq!(violation.invariant, invariant, "{failing}");
}

/// Small workloads of up to so many ops, and nothing that is drawn.
fn explored(ops: usize) -> Check {
    Check::default()
        .seeds(Seeds { start: 0, end: 0 })
        .explore(ops)
}

/// What is drawn, and no small workloads.
fn sampled() -> Check {
    Check::default().explore(0)
}

fn push(numbers: &[u64]) -> Vec<Op> {
    vec![Op::Push(numbers.len() as u64 + 1)]
}

fn push_or_pop(numbers: &[u64]) -> Vec<Op> {
    match numbers.len() {
        0 => push(numbers),
        1 => [push(numbers), vec![Op::Pop]].concat(),
        _ => vec![Op::Pop],
    }
}

fn look_or_push(numbers: &[u64]) -> Vec<Op> {
    [vec![Op::Look], push(numbers)].concat()
}

fn push_or_flush(numbers: &[u64]) -> Vec<Op> {
    [push(numbers), vec![Op::Flush]].concat()
}

/// A list that answers before what it answers is durable.
fn buffered(ops: fn(&[u64]) -> Vec<Op>) -> Numbers {
    Numbers {
        buffers: true,
        ..Numbers::of(ops)
    }
}

/// A list that serves several callers.
fn shared(wrong: Wrong) -> Numbers {
    Numbers {
        shared: true,
        wrong,
        ..Numbers::of(push)
    }
}

#[test]
fn a_checkpoint_that_changes_no_name_leaves_a_bounded_number_of_bytes() {
    let check = Check::scenario(
        r#"{"claim": "c", "seeds": "0..40", "budget": {"disk_bytes": 20},
            "workload": {"commands": 60, "weights": {"op": 10, "checkpoint": 1}}}"#,
    );
    let check = check.explore(0);
    let list = Numbers::of(push_or_pop);
    check_sound(list, &check);
    let wrong = list.wrong(Wrong::CheckpointDoesNothing);
    check_wrong(wrong, &check, Invariant::Hygiene);
}

fn scenario(text: &str) -> Scenario {
    serde_json::from_str(text).expect("the scenarios of these tests are valid")
}

fn enqueue(id: &str) -> String {
    format!(
        r#"{{"enqueue": {{"jobs": [{{"id": "{id}", "payload": "1", "max_attempts": 1, "timeout_ms": 1}}]}}}}"#
    )
}

fn explore_script(subject: &AnySubject, text: &str) -> Explored {
    let running = Running {
        jobs: NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    explore_seed(subject, &scenario(text), 0, &Options::default(), running)
}

/// A pop is no op of an empty list.
fn push_then_pop(numbers: &[u64]) -> Vec<Op> {
    let pop = (!numbers.is_empty()).then_some(Op::Pop);
    push(numbers).into_iter().chain(pop).collect()
}

fn run(subject: &AnySubject, text: &str) -> RunResult {
    run_seed_of(subject, &scenario(text), 0, Keep::default())
}

