//! Claims about the bytes of an event.

use proptest::prelude::*;

use super::*;

fn decode(json: &str) -> Result<Event, DecodeError> {
    Event::decode(json.as_bytes())
}

fn encode(event: &Event) -> String {
    let mut out = Vec::new();
    event.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn check_refused(json: &str, reason: &str) {
    let error = decode(json).expect_err(json).to_string();
    assert!(
        error.contains(reason),
        "{json}: {error:?} does not say {reason:?}"
    );
}

fn event(name: &str, timestamp_ms: u64, kind: EventKind) -> Event {
    Event::new(JobId::new(name).unwrap(), timestamp_ms, kind)
}

fn enqueue(payload: &str, max_attempts: u32, timeout_ms: u64) -> EventKind {
    EventKind::Enqueue {
        payload: Payload::new(payload).unwrap(),
        max_attempts: NonZeroU32::new(max_attempts).unwrap(),
        timeout_ms,
        backoff: Backoff::NONE,
    }
}

fn enqueue_with(backoff: Backoff) -> EventKind {
    EventKind::Enqueue {
        payload: Payload::new("0").unwrap(),
        max_attempts: DEFAULT_MAX_ATTEMPTS,
        timeout_ms: DEFAULT_TIMEOUT_MS,
        backoff,
    }
}

#[test]
fn bytes_are_those_of_the_module_comment() {
    for (json, event) in [
        (
            r#"{"type":"ENQUEUE","job_id":"job-1","timestamp":1700000000123,"payload":{"a":1}}"#,
            event("job-1", 1_700_000_000_123, enqueue(r#"{"a":1}"#, 3, 60_000)),
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":0,"max_attempts":5,"timeout_ms":1,"payload":1}"#,
            event("j", 0, enqueue("1", 5, 1)),
        ),
        (
            r#"{"type":"DISPATCH","job_id":"j","timestamp":1}"#,
            event("j", 1, EventKind::Dispatch),
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"k","timestamp":0,"backoff_ms":100,"max_backoff_ms":9000,"payload":0}"#,
            event("k", 0, enqueue_with(Backoff::new(100, 9_000))),
        ),
        (
            r#"{"type":"HEARTBEAT","job_id":"j","timestamp":1,"attempt":1}"#,
            event("j", 1, EventKind::Heartbeat { attempt: 1 }),
        ),
        (
            r#"{"type":"ACK","job_id":"j","timestamp":1,"attempt":1}"#,
            event("j", 1, EventKind::Ack { attempt: Some(1) }),
        ),
        (
            r#"{"type":"RETRY","job_id":"j","timestamp":7,"attempt":2,"delay_ms":200}"#,
            event("j", 7, retry(Some(2), 200)),
        ),
        (
            r#"{"type":"TIMEOUT","job_id":"j","timestamp":1,"attempt":4294967295}"#,
            event("j", 1, timeout(Some(u32::MAX), 0)),
        ),
        (
            r#"{"type":"READY","job_id":"j","timestamp":1}"#,
            event("j", 1, EventKind::Ready),
        ),
        (
            r#"{"type":"DEAD","job_id":"\n\"","timestamp":1,"attempt":3}"#,
            event("\n\"", 1, EventKind::Dead { attempt: Some(3) }),
        ),
        (
            r#"{"type":"REVIVE","job_id":"j","timestamp":1}"#,
            event("j", 1, EventKind::Revive),
        ),
        (
            r#"{"type":"DROP","job_id":"j","timestamp":1}"#,
            event("j", 1, EventKind::Drop),
        ),
    ] {
        assert_eq!(encode(&event), json);
        assert_eq!(decode(json), Ok(event));
    }
}

fn retry(attempt: Option<u32>, delay_ms: u64) -> EventKind {
    EventKind::Retry { attempt, delay_ms }
}

fn timeout(attempt: Option<u32>, delay_ms: u64) -> EventKind {
    EventKind::Timeout { attempt, delay_ms }
}

#[test]
fn events_of_earlier_versions_name_no_attempt() {
    for (name, kind) in [
        ("ACK", EventKind::Ack { attempt: None }),
        ("RETRY", retry(None, 0)),
        ("TIMEOUT", timeout(None, 0)),
        ("DEAD", EventKind::Dead { attempt: None }),
    ] {
        let json = format!(r#"{{"type":"{name}","job_id":"j","timestamp":1}}"#);
        assert_eq!(decode(&json), Ok(event("j", 1, kind.clone())));
        assert_eq!(encode(&event("j", 1, kind)), json);
    }
}

#[test]
fn any_spelling_is_read() {
    let expected = event("a", 1, enqueue("[1,  2]", 3, 60_000));
    for json in [
        r#"{"payload":[1,  2],"timestamp":1,"job_id":"a","type":"ENQUEUE"}"#,
        r#" { "type" : "ENQUEUE" , "job_id" : "a" , "timestamp" : 1 , "payload" : [1,  2] } "#,
        r#"{"\u0074ype":"ENQ\u0055EUE","job_id":"\u0061","timestamp":1,"payload":[1,  2]}"#,
        r#"{"type":"ENQUEUE","job_id":"a","timestamp":1,"payload":[1,  2],"timeout_ms":60000}"#,
        r#"{"type":"ENQUEUE","max_attempts":3,"job_id":"a","timestamp":1,"payload":[1,  2]}"#,
    ] {
        assert_eq!(decode(json), Ok(expected.clone()), "{json}");
    }
}

#[test]
fn unknown_type_is_named() {
    check_refused(
        r#"{"type":"PAUSE","job_id":"j","timestamp":1}"#,
        "\"PAUSE\"",
    );
    check_refused(
        r#"{"type":"PAUSE","job_id":"j","until":1,"timestamp":1}"#,
        "\"PAUSE\"",
    );
    check_refused(r#"{"type":"ack","job_id":"j","timestamp":1}"#, "\"ack\"");
    check_refused(r#"{"type":"ACK ","job_id":"j","timestamp":1}"#, "\"ACK \"");
}

#[test]
fn fields_of_reports_and_delays_are_strict() {
    for (json, reason) in [
        (
            r#"{"type":"DISPATCH","job_id":"j","timestamp":1,"attempt":1}"#,
            "`attempt` does not belong to DISPATCH",
        ),
        (
            r#"{"type":"DEAD","job_id":"j","timestamp":1,"attempt":1,"delay_ms":1}"#,
            "`delay_ms` does not belong to DEAD",
        ),
        (
            r#"{"type":"HEARTBEAT","job_id":"j","timestamp":1}"#,
            "missing field `attempt`",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"backoff_ms":1,"payload":1}"#,
            "missing field `max_backoff_ms`",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"max_backoff_ms":1,"payload":1}"#,
            "missing field `backoff_ms`",
        ),
        (
            r#"{"type":"ACK","job_id":"j","timestamp":1,"attempt":-1}"#,
            "u32",
        ),
    ] {
        check_refused(json, reason);
    }
}

#[test]
fn fields_are_strict() {
    for (json, reason) in [
        (r#"{"job_id":"j","timestamp":1}"#, "missing field `type`"),
        (r#"{"type":"ACK","timestamp":1}"#, "missing field `job_id`"),
        (
            r#"{"type":"ACK","job_id":"j"}"#,
            "missing field `timestamp`",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1}"#,
            "missing field `payload`",
        ),
        (
            r#"{"type":"ACK","job_id":"j","timestamp":1,"by":2}"#,
            "unknown field \"by\"",
        ),
        (
            r#"{"type":"ACK","type":"ACK","job_id":"j","timestamp":1}"#,
            "duplicate field `type`",
        ),
        (
            r#"{"type":"ACK","job_id":"j","job_id":"j","timestamp":1}"#,
            "duplicate field `job_id`",
        ),
        (
            r#"{"type":"ACK","job_id":"j","timestamp":1,"payload":1}"#,
            "`payload` does not belong to ACK",
        ),
        (
            r#"{"type":"DEAD","job_id":"j","timestamp":1,"timeout_ms":1}"#,
            "does not belong to DEAD",
        ),
        (r#"{"type":"ACK","job_id":"","timestamp":1}"#, "empty"),
        (r#"{"type":"ACK","job_id":7,"timestamp":1}"#, "expected a"),
        (
            r#"{"type":"ACK","job_id":"\ud800","timestamp":1}"#,
            "hex escape",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"max_attempts":0,"payload":1}"#,
            "nonzero",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"max_attempts":null,"payload":1}"#,
            "null",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"timeout_ms":null,"payload":1}"#,
            "null",
        ),
        (
            r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"max_attempts":4294967296,"payload":1}"#,
            "u32",
        ),
    ] {
        check_refused(json, reason);
    }
}

#[test]
fn timestamp_is_a_whole_number_of_64_bits() {
    let with =
        |timestamp: &str| format!(r#"{{"type":"ACK","job_id":"j","timestamp":{timestamp}}}"#);
    assert_eq!(
        decode(&with("18446744073709551615")).unwrap().timestamp_ms,
        u64::MAX
    );
    for bad in [
        "18446744073709551616",
        "-1",
        "1.0",
        "1e3",
        "\"1\"",
        "01",
        "+1",
        "",
        "null",
    ] {
        assert!(decode(&with(bad)).is_err(), "{bad}");
    }
}

#[test]
fn only_one_object_is_an_event() {
    for bad in [
        "",
        "null",
        r#"["ACK","j",1]"#,
        r#""ACK""#,
        r#"{"type":"ACK","job_id":"j","timestamp":1}{}"#,
        r#"{"type":"ACK","job_id":"j","timestamp":1"#,
        r#"{"type":"ACK","job_id":"j","timestamp":1,}"#,
        r#"{"type":"ACK","job_id":"j","timestamp":1}x"#,
    ] {
        assert!(decode(bad).is_err(), "{bad}");
    }
    assert!(Event::decode(&[0; 100]).is_err(), "all zeros");
    assert!(Event::decode(b"{\"type\":\"ACK\",\"job_id\":\"\xff\",\"timestamp\":1}").is_err());
}

#[test]
fn payload_null_is_a_payload() {
    let json = r#"{"type":"ENQUEUE","job_id":"j","timestamp":1,"payload":null}"#;
    assert_eq!(decode(json), Ok(event("j", 1, enqueue("null", 3, 60_000))));
}

#[test]
fn big_numbers_and_odd_escapes_survive() {
    for payload in [
        "9007199254740993",
        "123456789012345678901234567890123456789012345678901234567890.123456789e-400",
        r#""\ud800""#,
        r#"{"a":1,"a":2}"#,
        r#"{ "a" : [ 1 ,	2 ] }"#,
        r#""\u0061\/""#,
        "-0.0",
    ] {
        let kind = enqueue(payload, 3, 60_000);
        let event = event("j", 1, kind);
        assert_eq!(decode(&encode(&event)), Ok(event), "{payload}");
    }
}

#[test]
fn deep_nesting_is_refused_without_using_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Payload::new(nested(100)).is_ok());
    assert!(matches!(
        Payload::new(nested(101)),
        Err(InvalidPayload::NotJson { at: 100, .. })
    ));
    let deep = nested(1_000_000);
    check_refused(
        &format!(r#"{{"type":"ENQUEUE","job_id":"j","timestamp":1,"payload":{deep}}}"#),
        "100 levels",
    );
    check_refused(
        &format!(r#"{{"type":"ACK","job_id":"j","timestamp":1,"x":{deep}}}"#),
        "unknown field",
    );
}

#[test]
fn line_with_the_deepest_payload_is_read_by_serde_json() {
    let payload = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let line = encode(&event("j", 1, enqueue(&payload, 3, 60_000)));
    let nested = format!(r#"{{"state":[[[{line}]]]}}"#);
    assert!(serde_json::from_str::<serde_json::Value>(&nested).is_ok());
}

#[test]
fn payload_that_could_not_come_back_unchanged_is_refused() {
    assert_eq!(Payload::new(" 1"), Err(InvalidPayload::Surrounded));
    assert_eq!(Payload::new("1\t"), Err(InvalidPayload::Surrounded));
    assert_eq!(
        Payload::new("[1,\n2]"),
        Err(InvalidPayload::LineBreak { at: 3 })
    );
    assert_eq!(
        Payload::new("[1,\r2]"),
        Err(InvalidPayload::LineBreak { at: 3 })
    );
    for bad in [
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "{a:1}",
        "01",
        "1.",
        ".5",
        "1e",
        "tru",
        "\"\u{1}\"",
        "NaN",
        "1 2",
        "'a'",
    ] {
        assert!(
            matches!(Payload::new(bad), Err(InvalidPayload::NotJson { .. })),
            "{bad}"
        );
    }
    let long = format!("\"{}\"", "x".repeat(Payload::MAX_BYTES - 1));
    assert!(matches!(
        Payload::new(&long),
        Err(InvalidPayload::TooLong { .. })
    ));
    assert!(Payload::new(long[1..long.len() - 1].replace('x', "1")).is_ok());
}

#[test]
fn largest_event_fits_into_a_line() {
    let payload = "1".repeat(Payload::MAX_BYTES);
    let name = "\u{1}".repeat(JobId::MAX_BYTES);
    let largest = event(&name, u64::MAX, enqueue(&payload, u32::MAX, u64::MAX));
    assert!(encode(&largest).len() + 200 < 16 << 20);
}

/// Any JSON text that a payload can be, spelled in many ways.
pub(crate) fn json_text() -> impl Strategy<Value = String> {
    let space = || prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just("\t ")];
    let string = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|[a-z ]){0,8}\"",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?",
        string.clone(),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let item = (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let key = (space(), string.clone(), space()).prop_map(|(a, key, b)| format!("{a}{key}{b}"));
        let member = (key, item.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let id = prop_oneof!["[a-z0-9-]{1,12}", any::<String>()]
        .prop_filter_map("a name has 1 to 256 bytes", |id| JobId::new(id).ok());
    let attempts = prop_oneof![Just(DEFAULT_MAX_ATTEMPTS), any::<NonZeroU32>()];
    let timeout = prop_oneof![Just(DEFAULT_TIMEOUT_MS), any::<u64>()];
    let backoff = (any::<u64>(), any::<u64>()).prop_map(|(first, max)| Backoff::new(first, max));
    let backoff = prop_oneof![2 => Just(Backoff::NONE), 1 => backoff];
    let enqueue = (json_text(), attempts, timeout, backoff).prop_map(
        |(json, max_attempts, timeout_ms, backoff)| EventKind::Enqueue {
            payload: Payload::new(json).unwrap(),
            max_attempts,
            timeout_ms,
            backoff,
        },
    );
    let attempt = || {
        prop_oneof![
            Just(None),
            (0..4_u32).prop_map(Some),
            any::<u32>().prop_map(Some)
        ]
    };
    let delay = || prop_oneof![Just(0), any::<u64>()];
    let kind = prop_oneof![
        10 => enqueue,
        2 => Just(EventKind::Dispatch),
        1 => any::<u32>().prop_map(|attempt| EventKind::Heartbeat { attempt }),
        2 => attempt().prop_map(|attempt| EventKind::Ack { attempt }),
        2 => (attempt(), delay()).prop_map(|(attempt, delay_ms)| retry(attempt, delay_ms)),
        2 => (attempt(), delay()).prop_map(|(attempt, delay_ms)| self::timeout(attempt, delay_ms)),
        2 => attempt().prop_map(|attempt| EventKind::Dead { attempt }),
        1 => Just(EventKind::Ready),
        1 => Just(EventKind::Revive),
        1 => Just(EventKind::Drop),
    ];
    (id, any::<u64>(), kind).prop_map(|(id, timestamp_ms, kind)| Event::new(id, timestamp_ms, kind))
}

/// The event, if it is spelled as it is written.
fn canonical_spelling(json: &[u8]) -> Option<Event> {
    CanonicalEvent::read(json, &mut String::new()).map(CanonicalEvent::into_event)
}

proptest! {
    #[test]
    fn every_event_comes_back_as_it_was(event in any_event()) {
        let json = encode(&event);
        prop_assert!(!json.contains(['\n', '\r']));
        prop_assert_eq!(decode(&json), Ok(event));
    }

    #[test]
    fn both_readers_read_what_is_written(event in any_event()) {
        let json = encode(&event);
        prop_assert_eq!(canonical_spelling(json.as_bytes()), Some(event.clone()));
        prop_assert_eq!(decode::any_spelling(json.as_bytes()), Ok(event));
    }

    #[test]
    fn whatever_the_fast_reader_accepts_the_general_one_reads_alike(
        event in any_event(),
        at in any::<prop::sample::Index>(),
        cut in 0..3_usize,
        put in prop_oneof![
            "[\\[\\]{},:\"\\\\0-9eE+.tfnu a\t\n-]{0,2}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..3),
        ],
    ) {
        let mut json = encode(&event).into_bytes();
        let at = at.index(json.len());
        json.splice(at..json.len().min(at + cut), put);
        if let Some(event) = canonical_spelling(&json) {
            prop_assert_eq!(decode::any_spelling(&json), Ok(event));
        }
        let decoded = Event::decode(&json);
        let described = decoded.map(|event| (event.kind(), event.timestamp_ms()));
        prop_assert_eq!(Event::describe(&json), described);
    }

    #[test]
    fn encoded_event_is_json_that_others_can_read(event in any_event()) {
        let json = encode(&event);
        let raw: &serde_json::value::RawValue = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(raw.get(), json.as_str());
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_panic(bytes in any::<Vec<u8>>()) {
        let _ = Event::decode(&bytes);
    }
}
