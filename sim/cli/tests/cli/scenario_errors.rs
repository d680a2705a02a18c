//! A scenario file with a mistake: the message names file, line, column, field and what was meant, and nothing runs.

use crate::beaver::Place;
use crate::golden::check_golden;

#[track_caller]
fn check_message(text: &str, message: &str) {
    let place = Place::empty();
    place.write("scenarios/wrong.json", text);
    let ran = place.beaver("run wrong").ends_with(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr, format!("error: {message}\n"));
}

#[test]
fn a_misspelt_field() {
    check_message(
        "{\n  \"claim\": \"c\",\n  \"worklaod\": {}\n}",
        "scenarios/wrong.json:3:3: unknown field `worklaod` (did you mean `workload`?); known: name, claim, seeds, \
         profile, keeps_cache, workload, log, crashes, faults, swarm, fault_mixture, expect, budget, script",
    );
}

#[test]
fn a_misspelt_command_in_the_weights() {
    check_message(
        "{\n  \"claim\": \"c\",\n  \"workload\": {\n    \"weights\": {\"enqeue\": 3}\n  }\n}",
        "scenarios/wrong.json:4:17: unknown value `enqeue` in `workload.weights` (did you mean `enqueue`?); known: \
         enqueue, enqueue-batch, dispatch, ack, fail, heartbeat, late-ack, late-fail, revive, drop, clock, unacceptable, tick, requeue, \
         group, unawaited, checkpoint, slow-checkpoint, reopen, close-queued, kill, power-cut, second-opener, inspect, lenient, sync, rotate, preallocate, op",
    );
}

#[test]
fn fields_without_names() {
    check_message(
        "[\"n\", \"c\"]",
        "scenarios/wrong.json:1:1: a scenario is a JSON object with its fields by name, not an array",
    );
}

#[test]
fn a_number_that_would_never_be_reached() {
    check_message(
        "{\"claim\": \"c\", \"log\": {\"preallocate_bytes\": 18446744073709551615}}",
        "scenarios/wrong.json:1:24: `log.preallocate_bytes`: 18446744073709551615 bytes are too many: at most 67108864",
    );
}

#[test]
fn an_empty_range_of_seeds() {
    check_message(
        "{\n  \"claim\": \"c\",\n  \"seeds\": \"9..3\"\n}",
        "scenarios/wrong.json:3:3: `seeds`: `9..3` is not a range of seeds: write A..B with A < B (B is left out), for \
         example 0..1000",
    );
}

#[test]
fn every_impossible_value_of_every_file_is_listed() {
    let place = Place::empty();
    place.write(
        "scenarios/a.json",
        "{\n  \"claim\": \"c\",\n  \"crashes\": {\n    \"in_recovery_per_mille\": 1001\n  },\n  \"workload\": {\"weights\": {}}\n}",
    );
    place.write(
        "scenarios/b.json",
        "{\n  \"claim\": \"c\",\n  \"faults\": [\n    {\"kind\": \"read-error\", \"per_mille\": 5000}\n  ]\n}",
    );
    let ran = place.beaver("run").ends_with(2);
    assert_eq!(ran.stdout, "");
    check_golden("impossible_values.txt", &ran.stderr);
}

#[test]
fn another_encoding() {
    for (bytes, message) in [
        (
            &b"{\n  \"claim\": \"\xe9\"\n}"[..],
            "scenarios/wrong.json:2: byte 15 is not UTF-8: save the file as UTF-8",
        ),
        (
            b"\xff\xfe{\0",
            "scenarios/wrong.json:1: the file is UTF-16: save it as UTF-8",
        ),
    ] {
        let place = Place::empty();
        let path = place.write("scenarios/wrong.json", "");
        std::fs::write(path, bytes).unwrap();
        let ran = place.beaver("run wrong").ends_with(2);
        assert_eq!(ran.stderr, format!("error: {message}\n"));
    }
}
