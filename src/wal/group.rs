//! An atomic append, encoded and checked before it meets the log.

use super::line::{MAX_BATCH, MAX_ENVELOPE, MAX_LINE};
use crate::error::{Error, Result};
use crate::log_event::LogEvent;

/// The events of one append, encoded: they become durable together or not at all.
///
/// Made outside the log's lock. A group that exists fits the format: each event at most 16 MiB as a
/// line, all of them at most 64 MiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    bodies: Vec<u8>,
    lengths: Vec<usize>,
}

impl Group {
    /// Encodes `events`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if an event or the whole is larger than the format allows;
    /// [`Error::InvalidEvent`] if an encoded event is empty or contains a line break.
    pub fn encode<E: LogEvent>(events: &[E]) -> Result<Self> {
        let mut group = Group {
            bodies: Vec::new(),
            lengths: Vec::with_capacity(events.len()),
        };
        for event in events {
            let start = group.bodies.len();
            event.encode(&mut group.bodies);
            let body = &group.bodies[start..];
            check_body(body)?;
            group.lengths.push(body.len());
            check_size("append", group.max_encoded_len(), MAX_BATCH)?;
        }
        Ok(group)
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The most bytes that the group takes in a segment.
    #[must_use]
    pub fn max_encoded_len(&self) -> usize {
        self.bodies.len() + self.lengths.len() * MAX_ENVELOPE
    }

    /// The encoded events.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bodies.as_slice();
        self.lengths.iter().map(move |length| {
            let (body, behind) = rest.split_at(*length);
            rest = behind;
            body
        })
    }
}

/// Refuses an encoded event that does not fit the format.
pub(super) fn check_body(body: &[u8]) -> Result<()> {
    if body.is_empty() || memchr::memchr(b'\n', body).is_some() {
        let reason = "the encoded event is empty or contains a line break".to_owned();
        return Err(Error::InvalidEvent { reason });
    }
    check_size("event", body.len() + MAX_ENVELOPE, MAX_LINE)
}

/// Refuses what is larger than `limit`.
pub(super) fn check_size(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        what,
        size: size as u64,
        limit: limit as u64,
    })
}
