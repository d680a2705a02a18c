//! Reading an event in any spelling of its JSON, strictly in what it says.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS, Event, EventKind, EventType, JobId, Payload,
};
use crate::log_event::DecodeError;

/// Reads one event: fields in any order, with spaces and escapes.
///
/// # Errors
/// `json` is not one JSON object, or not one that is an event.
#[cold]
pub(super) fn any_spelling(json: &[u8]) -> Result<Event, DecodeError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let fields = reader
        .deserialize_map(FieldsVisitor)
        .map_err(DecodeError::new)?;
    reader.end().map_err(DecodeError::new)?;
    fields.into_event()
}

/// What was found, before it is known whether it belongs together.
#[derive(Default)]
struct FoundFields<'a> {
    type_name: Option<Cow<'a, str>>,
    job_id: Option<Cow<'a, str>>,
    timestamp_ms: Option<u64>,
    max_attempts: Option<NonZeroU32>,
    timeout_ms: Option<u64>,
    backoff_ms: Option<u64>,
    max_backoff_ms: Option<u64>,
    payload: Option<&'a RawValue>,
    attempt: Option<u32>,
    delay_ms: Option<u64>,
    /// The first field that no event has. Kept until the type is known, because an unknown type
    /// explains it better.
    unknown: Option<String>,
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = FoundFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FoundFields<'de>, A::Error> {
        let mut fields = FoundFields::default();
        while let Some(BorrowedText(name)) = map.next_key()? {
            match &*name {
                "type" => {
                    let BorrowedText(text) = map.next_value()?;
                    set(&mut fields.type_name, "type", text)?;
                }
                "job_id" => {
                    let BorrowedText(text) = map.next_value()?;
                    set(&mut fields.job_id, "job_id", text)?;
                }
                "timestamp" => set(&mut fields.timestamp_ms, "timestamp", map.next_value()?)?,
                "max_attempts" => set(&mut fields.max_attempts, "max_attempts", map.next_value()?)?,
                "timeout_ms" => set(&mut fields.timeout_ms, "timeout_ms", map.next_value()?)?,
                "backoff_ms" => set(&mut fields.backoff_ms, "backoff_ms", map.next_value()?)?,
                "max_backoff_ms" => {
                    let value = map.next_value()?;
                    set(&mut fields.max_backoff_ms, "max_backoff_ms", value)?;
                }
                "attempt" => set(&mut fields.attempt, "attempt", map.next_value()?)?,
                "delay_ms" => set(&mut fields.delay_ms, "delay_ms", map.next_value()?)?,
                "payload" => set(&mut fields.payload, "payload", map.next_value()?)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    fields.unknown.get_or_insert_with(|| name.into_owned());
                }
            }
        }
        Ok(fields)
    }
}

/// Fills `field`, which must be empty.
fn set<T, E: de::Error>(field: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

impl FoundFields<'_> {
    fn into_event(self) -> Result<Event, DecodeError> {
        let type_name = self.type_name.as_ref().ok_or_else(|| missing("type"))?;
        let event_type: EventType = type_name.parse().map_err(DecodeError::new)?;
        if let Some(name) = &self.unknown {
            return Err(DecodeError::new(format_args!(
                "unknown field {name:?} in {event_type}"
            )));
        }
        let job_id = self.job_id.as_ref().ok_or_else(|| missing("job_id"))?;
        let job_id = JobId::new(job_id).map_err(DecodeError::new)?;
        let timestamp_ms = self.timestamp_ms.ok_or_else(|| missing("timestamp"))?;
        self.check_fields(event_type)?;
        let (attempt, delay_ms) = (self.attempt, self.delay_ms.unwrap_or_default());
        let kind = match event_type {
            EventType::Enqueue => self.into_enqueue()?,
            EventType::Dispatch => EventKind::Dispatch,
            EventType::Heartbeat => EventKind::Heartbeat {
                attempt: attempt.ok_or_else(|| missing("attempt"))?,
            },
            EventType::Ack => EventKind::Ack { attempt },
            EventType::Retry => EventKind::Retry { attempt, delay_ms },
            EventType::Timeout => EventKind::Timeout { attempt, delay_ms },
            EventType::Ready => EventKind::Ready,
            EventType::Dead => EventKind::Dead { attempt },
            EventType::Revive => EventKind::Revive,
            EventType::Drop => EventKind::Drop,
        };
        Ok(Event::new(job_id, timestamp_ms, kind))
    }

    /// Every field that is there must be one of this type.
    fn check_fields(&self, event_type: EventType) -> Result<(), DecodeError> {
        use EventType as E;
        let enqueue = event_type == E::Enqueue;
        let delayed = matches!(event_type, E::Retry | E::Timeout);
        let report = delayed || matches!(event_type, E::Ack | E::Dead | E::Heartbeat);
        let fields = [
            ("payload", self.payload.is_some(), enqueue),
            ("max_attempts", self.max_attempts.is_some(), enqueue),
            ("timeout_ms", self.timeout_ms.is_some(), enqueue),
            ("backoff_ms", self.backoff_ms.is_some(), enqueue),
            ("max_backoff_ms", self.max_backoff_ms.is_some(), enqueue),
            ("attempt", self.attempt.is_some(), report),
            ("delay_ms", self.delay_ms.is_some(), delayed),
        ];
        match fields
            .into_iter()
            .find(|(_, there, belongs)| *there && !belongs)
        {
            None => Ok(()),
            Some((name, ..)) => Err(DecodeError::new(format_args!(
                "field `{name}` does not belong to {event_type}"
            ))),
        }
    }

    fn into_enqueue(self) -> Result<EventKind, DecodeError> {
        let payload = self.payload.ok_or_else(|| missing("payload"))?;
        let backoff = match (self.backoff_ms, self.max_backoff_ms) {
            (None, None) => Backoff::NONE,
            (Some(first_ms), Some(max_ms)) => Backoff::new(first_ms, max_ms),
            (None, Some(_)) => return Err(missing("backoff_ms")),
            (Some(_), None) => return Err(missing("max_backoff_ms")),
        };
        Ok(EventKind::Enqueue {
            payload: Payload::new(payload.get()).map_err(DecodeError::new)?,
            max_attempts: self.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
            timeout_ms: self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
            backoff,
        })
    }
}

fn missing(name: &str) -> DecodeError {
    DecodeError::new(format_args!("missing field `{name}`"))
}
