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
    /// Where each body but the first begins, so that an append of one event needs no list.
    starts: Vec<usize>,
}

/// What an encoded event usually takes at most, so that appending one is one allocation.
const USUAL_BODY: usize = 192;

/// For how many events memory is asked for at once; for more it grows.
const USUAL_EVENTS: usize = 1024;

impl Group {
    /// Encodes `events`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if an event or the whole is larger than the format allows;
    /// [`Error::InvalidEvent`] if an encoded event is empty or contains a line break.
    pub fn encode<E: LogEvent>(events: &[E]) -> Result<Self> {
        let usual = events.len().min(USUAL_EVENTS);
        let mut group = Group {
            bodies: Vec::with_capacity(usual * USUAL_BODY),
            starts: Vec::with_capacity(usual.saturating_sub(1)),
        };
        for event in events {
            let start = group.bodies.len();
            event.encode(&mut group.bodies);
            check_body(&group.bodies[start..])?;
            if start > 0 {
                group.starts.push(start);
            }
            check_size("append", group.max_encoded_len(), MAX_BATCH)?;
        }
        Ok(group)
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() + usize::from(!self.is_empty())
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// The most bytes that the group takes in a segment.
    #[must_use]
    pub fn max_encoded_len(&self) -> usize {
        self.bodies.len() + self.len() * MAX_ENVELOPE
    }

    /// The encoded events.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let last = (!self.is_empty()).then_some(self.bodies.len());
        let mut start = 0;
        self.starts.iter().copied().chain(last).map(move |end| {
            let body = &self.bodies[start..end];
            start = end;
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
