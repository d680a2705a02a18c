//! The border: events of the library in the terms of the model, and its readers.

use std::sync::Arc;

use beaver::event::EventKind;
use beaver::wal::{LogReader, ReplayError};
use beaver::{Event, Storage, StoreId, inspect};

use super::engine::{LogEntry, Salvaged, SkippedRange};
use super::model::{Record, What};
use crate::faults::files::segment_epoch;
use crate::subject::{Failure, Position};

/// Whose the files of a run are: no random number may be drawn there but from the seed.
pub(super) const STORE_ID: StoreId = StoreId(0xbea7_e200_0000_0001);

/// An event as a record of the history.
pub(crate) fn record(event: &Event) -> Record {
    // Every report that is made today names its attempt.
    let attempt = event.kind.attempt().unwrap_or(0);
    let what = match &event.kind {
        EventKind::Enqueue {
            payload,
            max_attempts,
            timeout_ms,
            backoff,
        } => What::Enqueued {
            payload: payload.as_str().to_owned(),
            max_attempts: max_attempts.get(),
            timeout_ms: *timeout_ms,
            backoff_ms: [backoff.first_ms, backoff.max_ms],
        },
        EventKind::Dispatch => What::Dispatched,
        EventKind::Heartbeat { attempt } => What::HeldOn { attempt: *attempt },
        EventKind::Ack { .. } => What::Acked { attempt },
        EventKind::Retry { delay_ms, .. } => {
            let delay_ms = *delay_ms;
            What::Retried { attempt, delay_ms }
        }
        EventKind::Timeout { delay_ms, .. } => {
            let delay_ms = *delay_ms;
            What::TimedOut { attempt, delay_ms }
        }
        EventKind::Ready => What::Readied,
        EventKind::Dead { .. } => What::Buried { attempt },
        EventKind::Revive => What::Revived,
        EventKind::Drop => What::Dropped,
    };
    Record {
        id: event.job_id.as_str().to_owned(),
        at_ms: event.timestamp_ms,
        what,
    }
}

/// A position as the checker writes it.
pub(crate) fn position(position: beaver::Position) -> Position {
    Position {
        epoch: position.epoch.0,
        seq: position.seq.0,
    }
}

/// The history after `after` that the store can still tell, read strictly.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn replay_after(
    storage: &Arc<dyn Storage>,
    after: Position,
) -> Result<Vec<LogEntry>, Failure> {
    let reader = LogReader::<Event>::open(Arc::clone(storage))?;
    // The default stands before everything that is still there.
    let after = match after == Position::default() {
        true => reader.start()?,
        false => beaver::Position::new(after.epoch, after.seq),
    };
    read(&reader, after)
}

/// What `reader` shows after `after`, read strictly.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn read(
    reader: &LogReader<Event>,
    after: beaver::Position,
) -> Result<Vec<LogEntry>, Failure> {
    let mut entries = Vec::new();
    let replayed = reader.replay(after, |at, event| {
        entries.push(LogEntry {
            position: position(at),
            record: record(&event),
        });
        Ok::<(), std::convert::Infallible>(())
    });
    match replayed {
        Ok(_) => Ok(entries),
        Err(ReplayError::Log(error)) => Err(Failure::from(error)),
        Err(ReplayError::Handler { error, .. }) => match error {},
    }
}

/// Everything that lenient replay still finds, and what it reports as left out.
///
/// # Errors
/// Lenient replay gave up.
pub(crate) fn replay_leniently(storage: &Arc<dyn Storage>) -> Result<Salvaged, Failure> {
    let mut entries = Vec::new();
    let reader = LogReader::<Event>::open(Arc::clone(storage))?;
    // What is still there; where not even that can be told, what was removed is reported with it.
    let start = reader.start().unwrap_or_default();
    let replayed = inspect::salvage(&reader, start, |at, event| {
        entries.push(LogEntry {
            position: position(at),
            record: record(&event),
        });
        Ok::<(), std::convert::Infallible>(())
    });
    let report = match replayed {
        Ok(report) => report,
        Err(ReplayError::Log(error)) => return Err(Failure::from(error)),
        Err(ReplayError::Handler { error, .. }) => match error {},
    };
    let skipped = report.skipped.iter().map(|skipped| SkippedRange {
        epoch: segment_epoch(&skipped.file).unwrap_or(0),
        from: skipped.from.0,
        to: skipped.to.map(|to| to.0),
    });
    Ok((
        entries,
        skipped.collect(),
        report.replay.torn_tail.is_some(),
    ))
}
