//! Any bytes as an event of the job queue.

use beaver::{Event, LogEvent};

pub(crate) fn check(input: &[u8]) {
    let event = Event::decode(input);
    // In front of a space only the general reader takes it.
    let spaced = Event::decode(&[b" ", input].concat());
    assert_eq!(
        event.as_ref().ok(),
        spaced.as_ref().ok(),
        "both readers agree"
    );
    let described = Event::describe(input);
    let expected = event
        .clone()
        .map(|event| (event.kind(), event.timestamp_ms()));
    assert_eq!(described, expected, "what inspection is told");
    let Ok(event) = event else {
        return;
    };
    let mut written = Vec::new();
    event.encode(&mut written);
    assert_eq!(
        Event::decode(&written).ok(),
        Some(event),
        "what was written reads back"
    );
    let general = Event::decode(&[b" ", &written[..]].concat());
    assert!(general.is_ok(), "with the general reader, too");
}
