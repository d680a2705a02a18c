//! Commands in JSON: what was written reads back, and nothing else is read.

use std::num::NonZeroU32;

use beaver::{Backoff, Command, JobId, JobSpec, Payload};
use proptest::collection::vec;
use proptest::prelude::*;

fn job_id() -> impl Strategy<Value = JobId> {
    "\\PC{1,9}|[\"\\\\\n\u{0}]{1,9}".prop_map(|text| JobId::new(text).unwrap())
}

fn payload() -> impl Strategy<Value = Payload> {
    let texts = [
        "null",
        "{}",
        "[ 1,2 ]",
        "{\"a\": 1e400, \"a\":\"\\u00e9\"}",
        "123456789012345678901234567890",
    ];
    let nested = (1..100_usize).prop_map(|deep| "[".repeat(deep) + &"]".repeat(deep));
    let number = any::<i64>().prop_map(|number| number.to_string());
    prop_oneof![
        proptest::sample::select(texts.to_vec()).prop_map(str::to_owned),
        nested,
        number
    ]
    .prop_map(|json| Payload::new(json).unwrap())
}

fn spec() -> impl Strategy<Value = JobSpec> {
    let numbers = (1..=u32::MAX, any::<u64>(), any::<u64>(), any::<u64>());
    (job_id(), payload(), numbers).prop_map(|(id, payload, (attempts, timeout, first, max))| {
        JobSpec::new(id, payload)
            .with_max_attempts(NonZeroU32::new(attempts).unwrap())
            .with_timeout_ms(timeout)
            .with_backoff(Backoff::new(first, max))
    })
}

fn command() -> impl Strategy<Value = Command> {
    let attempt = || (job_id(), any::<u32>());
    prop_oneof![
        vec(spec(), 0..4).prop_map(Command::Enqueue),
        Just(Command::Dispatch),
        Just(Command::Tick),
        Just(Command::RequeueInFlight),
        attempt().prop_map(|(id, attempt)| Command::Heartbeat { id, attempt }),
        attempt().prop_map(|(id, attempt)| Command::Ack { id, attempt }),
        attempt().prop_map(|(id, attempt)| Command::Fail { id, attempt }),
        job_id().prop_map(Command::Revive),
        job_id().prop_map(Command::Drop),
    ]
}

proptest! {
    #[test]
    fn a_command_reads_back_as_it_was_written_on_one_line(command in command()) {
        let json = serde_json::to_string(&command).unwrap();
        prop_assert!(!json.contains('\n'));
        prop_assert_eq!(&serde_json::from_str::<Command>(&json).unwrap(), &command);
        // Also from a reader, where nothing can be borrowed.
        prop_assert_eq!(serde_json::from_reader::<_, Command>(json.as_bytes()).unwrap(), command);
    }
}

#[test]
fn the_form_of_every_command_is_fixed() {
    let id = JobId::new("a").unwrap();
    let job = JobSpec::new(id.clone(), Payload::new("{\"x\": 1}").unwrap());
    let forms = [
        (
            Command::Enqueue(vec![job]),
            r#"{"enqueue":[{"id":"a","payload":{"x": 1},"max_attempts":3,"timeout_ms":60000,"backoff":{"first_ms":0,"max_ms":0}}]}"#,
        ),
        (Command::Dispatch, r#""dispatch""#),
        (Command::Tick, r#""tick""#),
        (Command::RequeueInFlight, r#""requeue_in_flight""#),
        (
            Command::Ack {
                id: id.clone(),
                attempt: 1,
            },
            r#"{"ack":{"id":"a","attempt":1}}"#,
        ),
        (Command::Drop(id), r#"{"drop":"a"}"#),
    ];
    for (command, json) in forms {
        assert_eq!(serde_json::to_string(&command).unwrap(), json);
        assert_eq!(serde_json::from_str::<Command>(json).unwrap(), command);
    }
}

#[test]
fn what_is_no_command_is_refused_with_its_reason() {
    for (json, reason) in [
        (r#""sleep""#, "unknown variant"),
        (r#"{"revive":""}"#, "must not be empty"),
        (r#"{"ack":{"id":"a"}}"#, "missing field `attempt`"),
        (r#"{"ack":{"id":"a","attempt":-1}}"#, "invalid value"),
        (
            r#"{"ack":{"id":"a","attempt":1,"x":1}}"#,
            "unknown field `x`",
        ),
        (r#"{"enqueue":[{"id":"a"}]}"#, "missing field `payload`"),
        (
            r#"{"enqueue":[{"id":"a","payload":1,"max_attempts":0}]}"#,
            "nonzero",
        ),
        (
            r#"{"enqueue":[{"id":"a","payload":1,"backof":0}]}"#,
            "unknown field `backof`",
        ),
        (
            "{\"enqueue\":[{\"id\":\"a\",\"payload\":[1,\n2]}]}",
            "line break",
        ),
    ] {
        let error = serde_json::from_str::<Command>(json).unwrap_err();
        assert!(error.to_string().contains(reason), "{json}: {error}");
    }
}
