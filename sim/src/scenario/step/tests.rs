use serde_json::json;

use super::*;

fn read(step: &Value) -> Result<Step, serde_json::Error> {
    serde_json::from_value(step.clone())
}

/// Reads a step in the words of version 0.1, and requires that it is the same as one in the words
/// of today, and is written so.
#[track_caller]
fn check_earlier(earlier: &Value, around: &str, ops: &Value) {
    let step = read(earlier).unwrap();
    let today = json!({"concurrent": {"around": around, "ops": ops}});
    assert_eq!(serde_json::to_value(&step).unwrap(), today);
    assert_eq!(read(&today).unwrap(), step);
}

#[test]
fn the_five_concurrent_steps_of_version_0_1_are_read() {
    let waiting = json!([{"at": "waiting", "op": "dispatch"}, {"at": "waiting", "op": "sync"}]);
    let group = json!({"group": {"steps": ["dispatch", "sync"]}});
    check_earlier(&group, "flush", &waiting);
    let close = json!({"close-queued": {"steps": ["dispatch", "sync"]}});
    check_earlier(&close, "close", &waiting);
    check_earlier(
        &json!({"slow-checkpoint": {"before_write": ["dispatch"], "before_finish": ["sync"]}}),
        "checkpoint",
        &json!([{"at": "before-write", "op": "dispatch"}, {"at": "before-finish", "op": "sync"}]),
    );
    let ack = json!({"ack": {"id": "a"}});
    check_earlier(
        &json!({"queued-checkpoint": {
            "steps": [ack], "before_write": ["dispatch"], "before_finish": ["sync"]}}),
        "checkpoint",
        &json!([{"at": "waiting", "op": ack}, {"at": "before-write", "op": "dispatch"},
            {"at": "before-finish", "op": "sync"}]),
    );
    check_earlier(
        &json!({"checkpoint-amid": {"during_write": [{"before_call": 2, "step": "dispatch"},
            {"before_call": 5, "step": ack}]}}),
        "checkpoint",
        &json!([{"at": {"before-call": 2}, "op": "dispatch"},
            {"at": {"before-call": 5}, "op": ack}]),
    );
}

#[test]
fn fields_that_version_0_1_left_out_are_empty() {
    for name in ["slow-checkpoint", "queued-checkpoint", "checkpoint-amid"] {
        check_earlier(&json!({name: {}}), "checkpoint", &json!([]));
    }
}

#[test]
fn an_earlier_step_with_an_unknown_field_is_refused() {
    for (step, said) in [
        (json!({"group": {"stepz": []}}), "stepz"),
        (json!({"group": {"steps": 1}}), "is a list"),
        (json!({"group": []}), "has fields"),
        (
            json!({"checkpoint-amid": {"during_write": ["dispatch"]}}),
            "before_call",
        ),
        (
            json!({"slow-checkpoint": {"during_write": []}}),
            "during_write",
        ),
    ] {
        let error = read(&step).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn every_step_is_written_as_it_is_read() {
    for step in [
        json!("checkpoint"),
        json!("reopen"),
        json!("kill"),
        json!({"power-cut": {}}),
        json!("second-opener"),
        json!("inspect"),
        json!({"lenient": {}}),
        json!("dispatch"),
        json!({"enqueue": {"jobs": []}}),
    ] {
        let again = serde_json::to_value(read(&step).unwrap()).unwrap();
        assert_eq!(again, step);
    }
}

#[test]
fn what_is_no_step_of_every_run_is_an_op() {
    let op = |step| matches!(read(&step), Ok(Step::Op(_)));
    assert!(op(json!("dispatch")));
    assert!(op(json!({"tick": {"ms": 7}})));
    // Ops of other subjects are numbers, tuples, whatever serde makes of them.
    assert!(op(json!(7)));
    assert!(op(json!(["kill"])));
    assert!(op(json!({})));
    assert!(op(json!({"a": 1, "b": 2})));
    assert!(read(&json!({"power-cut": {"imagine": 1}})).is_err());
}

#[test]
fn a_concurrent_step_says_its_ops_by_their_moments() {
    let step = json!({"concurrent": {"around": "checkpoint", "ops": [
        {"at": "waiting", "op": 1}, {"at": {"before-call": 3}, "op": 2},
        {"at": "before-finish", "op": 3}]}});
    let step = read(&step).unwrap();
    assert_eq!(
        step.to_string(),
        "checkpoint while these wait: 1, and while it writes its snapshot: before call 3 2 \
         (before it ends: 3)"
    );
    assert_eq!(step.ops().len(), 3);
    let Step::Concurrent(round) = &step else {
        panic!("{step} is no concurrent step");
    };
    assert_eq!(round.at(When::BeforeFinish).len(), 1);
    assert_eq!(round.during_write()[0].0, 3);
}
