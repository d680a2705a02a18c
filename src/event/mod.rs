//! The events of the job queue: what is stored.
//!
//! # Bytes
//! ```text
//! {"type":"ENQUEUE","job_id":"job-1","timestamp":1700000000123,"payload":{…}}
//! {"type":"ENQUEUE","job_id":"j","timestamp":0,"max_attempts":5,"timeout_ms":1000,"payload":{…}}
//! {"type":"ENQUEUE","job_id":"k","timestamp":0,"backoff_ms":100,"max_backoff_ms":9000,"payload":0}
//! {"type":"DISPATCH","job_id":"job-1","timestamp":1700000000124}
//! {"type":"ACK","job_id":"job-1","timestamp":1700000000125,"attempt":1}
//! {"type":"RETRY","job_id":"j","timestamp":7,"attempt":2,"delay_ms":200}
//! ```
//!
//! | type | what happens | fields after the first three |
//! | --- | --- | --- |
//! | `ENQUEUE` | a job comes into being | `max_attempts`, `timeout_ms`, `backoff_ms` and `max_backoff_ms`, `payload` |
//! | `DISPATCH` | it is handed out | |
//! | `HEARTBEAT` | its attempt has its whole time again, from the time stamp on | `attempt` |
//! | `ACK` | the attempt succeeded | `attempt` |
//! | `RETRY` | the attempt failed; the job waits again, after the delay | `attempt`, `delay_ms` |
//! | `TIMEOUT` | the attempt took too long; the job waits again, after the delay | `attempt`, `delay_ms` |
//! | `READY` | the delay is over | |
//! | `DEAD` | the job is given up and becomes a dead letter | `attempt` |
//! | `REVIVE` | the dead letter waits again, with all its attempts | |
//! | `DROP` | the dead letter is removed | |
//!
//! One spelling is written: this order of fields, no spaces. `max_attempts` is left out when it is
//! 3, `timeout_ms` when it is 60000, both fields of the backoff when both are 0, and `delay_ms` when
//! it is 0; these numbers belong to the format and never change, so that what was written means the
//! same for ever.
//!
//! `attempt` says which attempt an event is about, and the state machine refuses another one than the
//! one in flight. Logs of earlier versions have none in `ACK`, `RETRY`, `TIMEOUT` and `DEAD`: it is
//! optional there, and what is not there is not checked.
//!
//! Any spelling is read: another order, spaces, escapes. What an event says is read strictly: an
//! unknown type, a field that is unknown, missing, doubled or does not belong to the type, and a
//! value out of range are errors, never ignored.
//!
//! An ENQUEUE carries everything about its job, so that the log alone is enough to make it again.

mod backoff;
mod canonical;
mod decode;
mod job_id;
mod payload;
mod serde_forms;
mod text;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use canonical::CanonicalEvent;

use crate::json::{write_string, write_u64};
use crate::log_event::{DecodeError, LogEvent};

pub use backoff::Backoff;
pub use job_id::{InvalidJobId, JobId};
pub use payload::{InvalidPayload, Payload};

/// How often a job is dispatched when the one who enqueues it does not say: 3 times.
pub const DEFAULT_MAX_ATTEMPTS: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");

/// How long an attempt may take, in milliseconds, when the one who enqueues the job does not say.
pub const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// One change of the job queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The job that changes.
    pub job_id: JobId,
    /// When, in milliseconds since the Unix epoch. The deadline of an attempt is computed from it,
    /// never from a clock.
    pub timestamp_ms: u64,
    /// What happens to the job.
    pub kind: EventKind,
}

/// What happens to a job, with what only that kind of event carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The job comes into being and waits at the back of the queue.
    Enqueue {
        /// What it carries.
        payload: Payload,
        /// How often it may be dispatched.
        max_attempts: NonZeroU32,
        /// How long one attempt may take, in milliseconds.
        timeout_ms: u64,
        /// How long the job waits after an attempt that failed.
        backoff: Backoff,
    },
    /// The job at the front is handed out; this counts as an attempt.
    Dispatch,
    /// The attempt is given its whole time again, from the time stamp on.
    Heartbeat {
        /// Which one.
        attempt: u32,
    },
    /// The attempt succeeded and the job is finished.
    Ack {
        /// Which one; logs of earlier versions do not say.
        attempt: Option<u32>,
    },
    /// The attempt failed and the job waits again.
    Retry {
        /// Which one; logs of earlier versions do not say.
        attempt: Option<u32>,
        /// How long it waits before it goes to the back of the queue, in milliseconds; 0: not at
        /// all.
        delay_ms: u64,
    },
    /// The attempt took too long and the job waits again.
    Timeout {
        /// Which one; logs of earlier versions do not say.
        attempt: Option<u32>,
        /// As in [`EventKind::Retry`].
        delay_ms: u64,
    },
    /// The delay is over and the job goes to the back of the queue.
    Ready,
    /// The job is given up and becomes a dead letter.
    Dead {
        /// The attempt that was its last; logs of earlier versions do not say.
        attempt: Option<u32>,
    },
    /// The dead letter goes to the back of the queue and has all its attempts again.
    Revive,
    /// The dead letter is removed. Its name stays known.
    Drop,
}

/// The name of a kind of event, as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// `ENQUEUE`
    Enqueue,
    /// `DISPATCH`
    Dispatch,
    /// `ACK`
    Ack,
    /// `RETRY`
    Retry,
    /// `TIMEOUT`
    Timeout,
    /// `DEAD`
    Dead,
    /// `HEARTBEAT`
    Heartbeat,
    /// `READY`
    Ready,
    /// `REVIVE`
    Revive,
    /// `DROP`
    Drop,
}

impl Event {
    /// The event of `kind` that happens to `job_id` at `timestamp_ms`.
    #[must_use]
    pub fn new(job_id: JobId, timestamp_ms: u64, kind: EventKind) -> Self {
        Event {
            job_id,
            timestamp_ms,
            kind,
        }
    }

    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        self.kind.event_type()
    }
}

impl EventKind {
    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        match self {
            EventKind::Enqueue { .. } => EventType::Enqueue,
            EventKind::Dispatch => EventType::Dispatch,
            EventKind::Ack { .. } => EventType::Ack,
            EventKind::Retry { .. } => EventType::Retry,
            EventKind::Timeout { .. } => EventType::Timeout,
            EventKind::Dead { .. } => EventType::Dead,
            EventKind::Heartbeat { .. } => EventType::Heartbeat,
            EventKind::Ready => EventType::Ready,
            EventKind::Revive => EventType::Revive,
            EventKind::Drop => EventType::Drop,
        }
    }

    /// Writes the fields that come after the time stamp.
    #[inline]
    fn write_fields(&self, out: &mut Vec<u8>) {
        match self {
            EventKind::Enqueue {
                payload,
                max_attempts,
                timeout_ms,
                backoff,
            } => {
                if *max_attempts != DEFAULT_MAX_ATTEMPTS {
                    out.extend_from_slice(b",\"max_attempts\":");
                    write_u64(out, u64::from(max_attempts.get()));
                }
                if *timeout_ms != DEFAULT_TIMEOUT_MS {
                    out.extend_from_slice(b",\"timeout_ms\":");
                    write_u64(out, *timeout_ms);
                }
                if *backoff != Backoff::NONE {
                    out.extend_from_slice(b",\"backoff_ms\":");
                    write_u64(out, backoff.first_ms);
                    out.extend_from_slice(b",\"max_backoff_ms\":");
                    write_u64(out, backoff.max_ms);
                }
                // Last and as it is: it was checked to be one JSON value when it was made.
                out.extend_from_slice(b",\"payload\":");
                out.extend_from_slice(payload.as_str().as_bytes());
            }
            EventKind::Ack { attempt } | EventKind::Dead { attempt } => {
                write_attempt(out, *attempt)
            }
            EventKind::Heartbeat { attempt } => write_attempt(out, Some(*attempt)),
            EventKind::Retry { attempt, delay_ms } | EventKind::Timeout { attempt, delay_ms } => {
                write_attempt(out, *attempt);
                if *delay_ms > 0 {
                    out.extend_from_slice(b",\"delay_ms\":");
                    write_u64(out, *delay_ms);
                }
            }
            EventKind::Dispatch | EventKind::Ready | EventKind::Revive | EventKind::Drop => {}
        }
    }

    /// The attempt that it names.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        match self {
            EventKind::Heartbeat { attempt } => Some(*attempt),
            EventKind::Ack { attempt }
            | EventKind::Retry { attempt, .. }
            | EventKind::Timeout { attempt, .. }
            | EventKind::Dead { attempt } => *attempt,
            _ => None,
        }
    }
}

#[inline]
fn write_attempt(out: &mut Vec<u8>, attempt: Option<u32>) {
    match attempt {
        // Nearly every one, and in one piece.
        Some(1) => out.extend_from_slice(b",\"attempt\":1"),
        Some(attempt) => {
            out.extend_from_slice(b",\"attempt\":");
            write_u64(out, u64::from(attempt));
        }
        None => {}
    }
}

impl EventType {
    /// Every type there is.
    pub const ALL: [EventType; 10] = [
        EventType::Enqueue,
        EventType::Dispatch,
        EventType::Ack,
        EventType::Retry,
        EventType::Timeout,
        EventType::Dead,
        EventType::Heartbeat,
        EventType::Ready,
        EventType::Revive,
        EventType::Drop,
    ];

    /// The name in the log, for example `ENQUEUE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EventType::Enqueue => "ENQUEUE",
            EventType::Dispatch => "DISPATCH",
            EventType::Ack => "ACK",
            EventType::Retry => "RETRY",
            EventType::Timeout => "TIMEOUT",
            EventType::Dead => "DEAD",
            EventType::Heartbeat => "HEARTBEAT",
            EventType::Ready => "READY",
            EventType::Revive => "REVIVE",
            EventType::Drop => "DROP",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no [`EventType`] has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {0:?}")]
pub struct UnknownEventType(String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = EventType::ALL.into_iter().find(|t| t.as_str() == name);
        known.ok_or_else(|| UnknownEventType(name.to_owned()))
    }
}

impl LogEvent for Event {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        // Up to the name of the job each type is one constant, copied in one piece.
        match self.kind {
            EventKind::Enqueue { .. } => {
                out.extend_from_slice(b"{\"type\":\"ENQUEUE\",\"job_id\":")
            }
            EventKind::Dispatch => out.extend_from_slice(b"{\"type\":\"DISPATCH\",\"job_id\":"),
            EventKind::Heartbeat { .. } => {
                out.extend_from_slice(b"{\"type\":\"HEARTBEAT\",\"job_id\":")
            }
            EventKind::Ack { .. } => out.extend_from_slice(b"{\"type\":\"ACK\",\"job_id\":"),
            EventKind::Retry { .. } => out.extend_from_slice(b"{\"type\":\"RETRY\",\"job_id\":"),
            EventKind::Timeout { .. } => {
                out.extend_from_slice(b"{\"type\":\"TIMEOUT\",\"job_id\":")
            }
            EventKind::Ready => out.extend_from_slice(b"{\"type\":\"READY\",\"job_id\":"),
            EventKind::Dead { .. } => out.extend_from_slice(b"{\"type\":\"DEAD\",\"job_id\":"),
            EventKind::Revive => out.extend_from_slice(b"{\"type\":\"REVIVE\",\"job_id\":"),
            EventKind::Drop => out.extend_from_slice(b"{\"type\":\"DROP\",\"job_id\":"),
        }
        write_string(out, self.job_id.as_str());
        out.extend_from_slice(b",\"timestamp\":");
        write_u64(out, self.timestamp_ms);
        self.kind.write_fields(out);
        out.push(b'}');
    }

    #[inline]
    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        let mut unescaped = String::new();
        match CanonicalEvent::read(json, &mut unescaped) {
            Some(event) => Ok(event.into_event()),
            None => decode::any_spelling(json),
        }
    }

    #[inline]
    fn describe(json: &[u8]) -> Result<(&'static str, Option<u64>), DecodeError> {
        let mut unescaped = String::new();
        match CanonicalEvent::read(json, &mut unescaped) {
            Some(event) => Ok((event.event_type.as_str(), Some(event.timestamp_ms))),
            None => decode::any_spelling(json).map(|event| (event.kind(), event.timestamp_ms())),
        }
    }

    fn kind(&self) -> &'static str {
        self.event_type().as_str()
    }

    fn timestamp_ms(&self) -> Option<u64> {
        Some(self.timestamp_ms)
    }
}
