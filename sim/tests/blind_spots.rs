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
use beaver_sim::run::{Keep, run_seed};
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

/// Small workloads of up to `ops` ops, and nothing that is drawn.
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
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_lists_are_right_where_nothing_is_wrong() {
    for ops in [push, push_or_pop, look_or_push] {
        check_sound(Numbers::of(ops), &Check::default().explore(2));
    }
    for ops in [push, push_or_flush] {
        check_sound(buffered(ops), &Check::default().explore(2));
    }
    check_sound(shared(Wrong::Nothing), &Check::default().explore(2));
    let both = Numbers {
        buffers: true,
        ops: push_or_flush,
        ..shared(Wrong::Nothing)
    };
    check_sound(both, &Check::default().explore(2));
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

#[test]
fn a_store_takes_an_op_that_changes_something_after_each_recovery() {
    // The first of its ops is one that changes nothing.
    let list = Numbers::of(look_or_push).wrong(Wrong::TakesNothingAfterRecovery);
    check_wrong(list, &explored(1), Invariant::Availability);
}

#[test]
fn what_a_store_answers_after_a_recovery_is_durable_once_it_is_flushed() {
    let list = buffered(push_or_flush).wrong(Wrong::FlushStopsAfterRecovery);
    check_wrong(list, &explored(1), Invariant::Durability);
}

#[test]
fn what_a_store_answers_after_a_recovery_is_durable_once_it_is_closed() {
    let list = buffered(push).wrong(Wrong::CloseStopsAfterRecovery);
    check_wrong(list, &explored(1), Invariant::Durability);
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

#[test]
fn the_job_that_the_queue_is_given_after_a_recovery_is_a_new_one() {
    let subject = AnySubject::new(Queue::new(Around::TakesNothingAfterRecovery));
    // With one job in the queue the second one is the next.
    for id in ["job-1", "job-2"] {
        let text = format!(
            r#"{{"claim": "c", "script": {{"steps": [{}]}}}}"#,
            enqueue(id)
        );
        let explored = explore_script(&subject, &text);
        let wrong = explored.failures.first();
        let wrong = wrong.unwrap_or_else(|| panic!("{id}: it is caught"));
        assert_eq!(wrong.finding.invariant, Invariant::Availability, "{id}");
        let sound = explore_script(&library(), &text);
        assert!(sound.failures.is_empty(), "{:#?}", sound.failures);
    }
}

/// A pop is no op of an empty list.
fn push_then_pop(numbers: &[u64]) -> Vec<Op> {
    let pop = (!numbers.is_empty()).then_some(Op::Pop);
    push(numbers).into_iter().chain(pop).collect()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn an_op_that_there_is_only_after_another_is_explored() {
    check_sound(Numbers::of(push_then_pop), &explored(2));
    let list = Numbers::of(push_then_pop).wrong(Wrong::PopIsNotSynced);
    check_wrong(list, &explored(2), Invariant::Durability);
}

fn run(subject: &AnySubject, text: &str) -> RunResult {
    run_seed(subject, &scenario(text), 0, Keep::default())
}

#[test]
fn what_must_be_refused_does_not_fail_whatever_goes_wrong() {
    let job = enqueue("a");
    let text = format!(
        r#"{{"claim": "c", "script": {{"steps": [{job}, {job}], "faults": [
            {{"step": 2, "call": 1, "kind": "open-error",
              "effect": {{"call": {{"error": {{"error": "io", "effect": "nothing", "sticky": false}}}}}}}}]}}}}"#
    );
    let wrong = run(
        &AnySubject::new(Queue::new(Around::LooksBeforeRefusing)),
        &text,
    );
    let violation = wrong.outcome.failure().expect("it is caught");
    assert_eq!(violation.invariant, Invariant::JobRules, "{violation:#?}");
    assert_eq!(run(&library(), &text).outcome, Outcome::Held);
}

#[test]
fn what_several_callers_do_at_once_is_drawn_unless_a_check_says_otherwise() {
    for wrong in [
        Wrong::GroupIsNotSynced,
        Wrong::CloseQueuedIsNotSynced,
        Wrong::CheckpointForgetsOpsAmid,
    ] {
        let found = find(&AnySubject::new(shared(wrong)), &sampled());
        assert!(found.is_err(), "{wrong:?}");
    }
}

#[test]
fn a_sync_that_several_callers_share_fails_in_small_workloads_too() {
    let list = shared(Wrong::GroupIgnoresFailedSync);
    check_wrong(list, &explored(2), Invariant::Durability);
}

#[test]
fn what_was_only_answered_is_not_promised_by_the_close_of_a_store_that_is_broken() {
    // The write of a flush fails, and with the process goes what was only answered.
    let text = r#"{"claim": "c", "script": {"steps": [{"push": 1}, "flush", "reopen"], "faults": [
        {"step": 2, "call": 2, "kind": "write-error",
         "effect": {"call": {"error": {"error": "io", "effect": "nothing", "sticky": false}}}}]}}"#;
    let ran = run(&AnySubject::new(buffered(push_or_flush)), text);
    assert_eq!(ran.outcome, Outcome::Held);
    assert_eq!(ran.counts.recoveries, 3, "it was opened again");
}

#[test]
fn a_store_that_does_not_promise_to_open_ends_a_small_workload_by_staying_shut() {
    let list: Numbers<false> = Numbers {
        ops: push,
        wrong: Wrong::StaysShut,
        buffers: false,
        shared: false,
    };
    check_sound(list, &explored(2));
}

#[test]
fn a_script_may_count_calls_over_the_run_and_inside_its_steps() {
    let jobs = ["a", "b", "c"].map(enqueue).join(", ");
    let in_step = r#"{"step": 2, "at": {"call": 1, "moment": "before"}, "kind": "kill"}"#;
    let crashes = |absolute: &str| {
        let text = format!(
            r#"{{"claim": "c", "script": {{"steps": [{jobs}], "crashes": [{absolute}{in_step}]}}}}"#
        );
        let ran = run(&library(), &text);
        assert_eq!(ran.outcome, Outcome::Held);
        (ran.counts.crashes, ran.counts.storage_calls)
    };
    let (alone, calls) = crashes("");
    assert_eq!(alone, 1);
    for call in [2, calls] {
        let absolute =
            format!(r#"{{"at": {{"call": {call}, "moment": "before"}}, "kind": "kill"}}, "#);
        assert_eq!(crashes(&absolute).0, 2, "at call {call} of the run");
    }
}
