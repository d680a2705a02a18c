//! Reading an event in the one spelling that is written, without the general reader.
//!
//! This is only faster. It never decides that something is not an event: whatever it does not know
//! it leaves to the general reader, so both accept the same events with the same result.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::payload::check_length;
use super::{
    DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, Event, EventKind, EventType, JobId, Payload,
};
use crate::json::Cursor;

/// What an event says, all of it checked. The event itself is made at one stroke when nothing can
/// go wrong any more: what would carry it up and down in pieces costs more than the reading.
pub(super) struct Fields<'a> {
    event_type: EventType,
    job_id: Cow<'a, str>,
    timestamp_ms: u64,
    enqueue: Enqueue<'a>,
}

/// What only an ENQUEUE says; for any other event it stands for nothing.
struct Enqueue<'a> {
    payload: &'a str,
    max_attempts: NonZeroU32,
    timeout_ms: u64,
}

/// Reads one event, or `None` if it is not an event in the spelling that is written.
#[inline]
pub(super) fn fields(json: &[u8]) -> Option<Fields<'_>> {
    let mut cursor = Cursor::new(json);
    let event_type = event_type(&mut cursor)?;
    let job_id = cursor.string().ok()?;
    JobId::check(&job_id).ok()?;
    cursor.expect(",\"timestamp\":").ok()?;
    let timestamp_ms = cursor.number().ok()?;
    let mut enqueue = Enqueue {
        payload: "",
        max_attempts: DEFAULT_MAX_ATTEMPTS,
        timeout_ms: DEFAULT_TIMEOUT_MS,
    };
    if event_type == EventType::Enqueue {
        enqueue.read(&mut cursor)?;
    }
    cursor.expect("}").ok()?;
    cursor.end().ok()?;
    Some(Fields {
        event_type,
        job_id,
        timestamp_ms,
        enqueue,
    })
}

impl Fields<'_> {
    /// The event that says this.
    #[inline]
    pub(super) fn into_event(self) -> Event {
        Event {
            job_id: JobId::of_checked(&self.job_id),
            timestamp_ms: self.timestamp_ms,
            kind: match self.event_type {
                EventType::Enqueue => EventKind::Enqueue {
                    payload: Payload::of_checked(self.enqueue.payload),
                    max_attempts: self.enqueue.max_attempts,
                    timeout_ms: self.enqueue.timeout_ms,
                },
                EventType::Dispatch => EventKind::Dispatch,
                EventType::Ack => EventKind::Ack,
                EventType::Retry => EventKind::Retry,
                EventType::Timeout => EventKind::Timeout,
                EventType::Dead => EventKind::Dead,
            },
        }
    }
}

/// Reads up to the name of the job.
#[inline]
fn event_type(cursor: &mut Cursor<'_>) -> Option<EventType> {
    cursor.expect("{\"type\":\"").ok()?;
    // One comparison each, as far as the text is known.
    Some(if cursor.take("ENQUEUE\",\"job_id\":") {
        EventType::Enqueue
    } else if cursor.take("DISPATCH\",\"job_id\":") {
        EventType::Dispatch
    } else if cursor.take("ACK\",\"job_id\":") {
        EventType::Ack
    } else if cursor.take("RETRY\",\"job_id\":") {
        EventType::Retry
    } else if cursor.take("TIMEOUT\",\"job_id\":") {
        EventType::Timeout
    } else if cursor.take("DEAD\",\"job_id\":") {
        EventType::Dead
    } else {
        return None;
    })
}

impl<'a> Enqueue<'a> {
    #[inline]
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        if cursor.take(",\"max_attempts\":") {
            let limit = u32::try_from(cursor.number().ok()?).ok()?;
            self.max_attempts = NonZeroU32::new(limit)?;
        }
        if cursor.take(",\"timeout_ms\":") {
            self.timeout_ms = cursor.number().ok()?;
        }
        cursor.expect(",\"payload\":").ok()?;
        self.payload = cursor.value().ok()?;
        check_length(self.payload).ok()
    }
}
