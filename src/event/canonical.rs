//! Reading an event in the one spelling that is written, without the general reader.
//!
//! This is only faster. It never decides that something is not an event: whatever it does not know
//! it leaves to the general reader, so both accept the same events with the same result.

use std::num::NonZeroU32;

use super::payload::check_length;
use super::{
    Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, Event, EventKind, EventType, JobId, Payload,
};
use crate::json::JsonReader;

/// What an event says, all of it checked. The event itself is made at one stroke when nothing can
/// go wrong any more: what would carry it up and down in pieces costs more than the reading.
pub(super) struct CanonicalEvent<'a> {
    pub(super) event_type: EventType,
    job_id: &'a str,
    pub(super) timestamp_ms: u64,
    attempt: Option<u32>,
    delay_ms: u64,
    /// This and the rest only an ENQUEUE says; for any other event it stands for nothing.
    payload: &'a str,
    max_attempts: NonZeroU32,
    timeout_ms: u64,
    backoff: Backoff,
}

impl<'a> CanonicalEvent<'a> {
    /// Reads one event; `None` if it is not one in the spelling that is written. `unescaped` holds
    /// a name that has escapes.
    #[inline]
    pub(super) fn read(json: &'a [u8], unescaped: &'a mut String) -> Option<Self> {
        let mut cursor = JsonReader::new(json);
        let event_type = event_type(&mut cursor)?;
        let job_id = match cursor.plain_string() {
            Some(job_id) => job_id,
            None => {
                *unescaped = cursor.any_string().ok()?;
                unescaped
            }
        };
        JobId::check(job_id).ok()?;
        cursor.expect(",\"timestamp\":").ok()?;
        let mut fields = CanonicalEvent {
            event_type,
            job_id,
            timestamp_ms: cursor.number().ok()?,
            attempt: None,
            delay_ms: 0,
            payload: "",
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            backoff: Backoff::NONE,
        };
        match event_type {
            EventType::Enqueue => fields.read_enqueue(&mut cursor)?,
            EventType::Ack | EventType::Dead | EventType::Heartbeat => {
                fields.read_attempt(&mut cursor)?;
            }
            EventType::Retry | EventType::Timeout => {
                fields.read_attempt(&mut cursor)?;
                if cursor.take(",\"delay_ms\":") {
                    fields.delay_ms = cursor.number().ok()?;
                }
            }
            EventType::Dispatch | EventType::Ready | EventType::Revive | EventType::Drop => {}
        }
        cursor.expect("}").ok()?;
        cursor.end().ok()?;
        Some(fields)
    }

    #[inline]
    fn read_attempt(&mut self, cursor: &mut JsonReader<'a>) -> Option<()> {
        if cursor.take(",\"attempt\":") {
            self.attempt = Some(u32::try_from(cursor.number().ok()?).ok()?);
        }
        // A heartbeat always says which.
        (self.event_type != EventType::Heartbeat || self.attempt.is_some()).then_some(())
    }

    #[inline]
    fn read_enqueue(&mut self, cursor: &mut JsonReader<'a>) -> Option<()> {
        if cursor.take(",\"max_attempts\":") {
            let limit = u32::try_from(cursor.number().ok()?).ok()?;
            self.max_attempts = NonZeroU32::new(limit)?;
        }
        if cursor.take(",\"timeout_ms\":") {
            self.timeout_ms = cursor.number().ok()?;
        }
        if cursor.take(",\"backoff_ms\":") {
            self.backoff.first_ms = cursor.number().ok()?;
            cursor.expect(",\"max_backoff_ms\":").ok()?;
            self.backoff.max_ms = cursor.number().ok()?;
        }
        cursor.expect(",\"payload\":").ok()?;
        self.payload = cursor.value().ok()?;
        check_length(self.payload).ok()
    }

    /// The event that says this.
    #[inline]
    pub(super) fn into_event(self) -> Event {
        Event {
            job_id: JobId::of_checked(self.job_id),
            timestamp_ms: self.timestamp_ms,
            kind: match self.event_type {
                EventType::Enqueue => EventKind::Enqueue {
                    payload: Payload::of_checked(self.payload),
                    max_attempts: self.max_attempts,
                    timeout_ms: self.timeout_ms,
                    backoff: self.backoff,
                },
                EventType::Dispatch => EventKind::Dispatch,
                EventType::Heartbeat => EventKind::Heartbeat {
                    attempt: self.attempt.unwrap_or_default(),
                },
                EventType::Ack => EventKind::Ack {
                    attempt: self.attempt,
                },
                EventType::Retry => EventKind::Retry {
                    attempt: self.attempt,
                    delay_ms: self.delay_ms,
                },
                EventType::Timeout => EventKind::Timeout {
                    attempt: self.attempt,
                    delay_ms: self.delay_ms,
                },
                EventType::Ready => EventKind::Ready,
                EventType::Dead => EventKind::Dead {
                    attempt: self.attempt,
                },
                EventType::Revive => EventKind::Revive,
                EventType::Drop => EventKind::Drop,
            },
        }
    }
}

/// Reads up to the name of the job.
#[inline]
fn event_type(cursor: &mut JsonReader<'_>) -> Option<EventType> {
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
    } else if cursor.take("HEARTBEAT\",\"job_id\":") {
        EventType::Heartbeat
    } else if cursor.take("READY\",\"job_id\":") {
        EventType::Ready
    } else if cursor.take("REVIVE\",\"job_id\":") {
        EventType::Revive
    } else if cursor.take("DROP\",\"job_id\":") {
        EventType::Drop
    } else {
        return None;
    })
}
