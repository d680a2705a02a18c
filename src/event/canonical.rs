//! Reading an event in the one spelling that is written, without the general reader.
//!
//! This is only faster. It never decides that something is not an event: whatever it does not know
//! it leaves to the general reader, so both accept the same events with the same result.

use std::num::NonZeroU32;

use super::{
    DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, Event, EventKind, EventType, JobId, Payload,
};
use crate::json::Cursor;

/// Reads one event, or `None` if it is not an event in the spelling that is written.
#[inline]
pub(super) fn decode(json: &[u8]) -> Option<Event> {
    let mut cursor = Cursor::new(json);
    let event_type = event_type(&mut cursor)?;
    let job_id = JobId::new(cursor.string().ok()?).ok()?;
    cursor.expect(",\"timestamp\":").ok()?;
    let timestamp_ms = cursor.number().ok()?;
    let kind = match event_type {
        EventType::Enqueue => enqueue(&mut cursor)?,
        EventType::Dispatch => EventKind::Dispatch,
        EventType::Ack => EventKind::Ack,
        EventType::Retry => EventKind::Retry,
        EventType::Timeout => EventKind::Timeout,
        EventType::Dead => EventKind::Dead,
    };
    cursor.expect("}").ok()?;
    cursor.end().ok()?;
    Some(Event::new(job_id, timestamp_ms, kind))
}

/// Reads up to the name of the job.
#[inline]
fn event_type(cursor: &mut Cursor<'_>) -> Option<EventType> {
    cursor.expect("{\"type\":\"").ok()?;
    let event_type = if cursor.take("ENQUEUE\"") {
        EventType::Enqueue
    } else if cursor.take("DISPATCH\"") {
        EventType::Dispatch
    } else if cursor.take("ACK\"") {
        EventType::Ack
    } else if cursor.take("RETRY\"") {
        EventType::Retry
    } else if cursor.take("TIMEOUT\"") {
        EventType::Timeout
    } else if cursor.take("DEAD\"") {
        EventType::Dead
    } else {
        return None;
    };
    cursor.expect(",\"job_id\":").ok()?;
    Some(event_type)
}

#[inline]
fn enqueue(cursor: &mut Cursor<'_>) -> Option<EventKind> {
    let mut max_attempts = DEFAULT_MAX_ATTEMPTS;
    if cursor.take(",\"max_attempts\":") {
        let limit = u32::try_from(cursor.number().ok()?).ok()?;
        max_attempts = NonZeroU32::new(limit)?;
    }
    let mut timeout_ms = DEFAULT_TIMEOUT_MS;
    if cursor.take(",\"timeout_ms\":") {
        timeout_ms = cursor.number().ok()?;
    }
    cursor.expect(",\"payload\":").ok()?;
    Some(EventKind::Enqueue {
        payload: Payload::of_scanned(cursor.value().ok()?).ok()?,
        max_attempts,
        timeout_ms,
    })
}
