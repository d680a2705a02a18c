//! The border: events and states of the library, in the words of the oracle.

use std::sync::Arc;

use beaver::event::EventKind;
use beaver::wal::{LogReader, ReplayError};
use beaver::{Event, JobQueue, JobStatus, Position, Storage, inspect};

use crate::oracle::salvage::Skip;

use crate::oracle::damage::segment_epoch;
use crate::oracle::history::Place;
use crate::oracle::judge::Entry;
use crate::oracle::model::{ModelJob, Record, Standing, What};
use crate::oracle::shown::Shown;

use crate::subject::{Failure, Salvaged};

/// An event as a record of the history.
pub(crate) fn record(event: &Event) -> Record {
    let what = match &event.kind {
        EventKind::Enqueue {
            payload,
            max_attempts,
            timeout_ms,
        } => What::Enqueued {
            payload: payload.as_str().to_owned(),
            max_attempts: max_attempts.get(),
            timeout_ms: *timeout_ms,
        },
        EventKind::Dispatch => What::Dispatched,
        EventKind::Ack => What::Acked,
        EventKind::Retry => What::Retried,
        EventKind::Timeout => What::TimedOut,
        EventKind::Dead => What::Buried,
    };
    Record {
        id: event.job_id.as_str().to_owned(),
        at_ms: event.timestamp_ms,
        what,
    }
}

/// A position as the oracle writes it.
pub(crate) fn place(position: Position) -> Place {
    Place {
        epoch: position.epoch.0,
        seq: position.seq.0,
    }
}

/// Everything that a client can ask the queue about its state.
pub(crate) fn state(queue: &JobQueue) -> Shown {
    let listed = queue
        .pending()
        .chain(queue.in_flight())
        .chain(queue.dead_letters());
    let listed = listed.map(|(id, job)| ModelJob {
        id: id.as_str().to_owned(),
        payload: job.payload().as_str().to_owned(),
        max_attempts: job.max_attempts().get(),
        timeout_ms: job.timeout_ms(),
        attempts: job.attempts(),
        standing: match job.status() {
            JobStatus::Pending => Standing::Waiting,
            JobStatus::InFlight { deadline_ms } => Standing::InFlight { deadline_ms },
            JobStatus::Completed => Standing::Completed,
            JobStatus::Dead => Standing::Dead,
        },
    });
    let completed = queue.completed().map(|id| ModelJob {
        id: id.as_str().to_owned(),
        payload: String::new(),
        max_attempts: 0,
        timeout_ms: 0,
        attempts: 0,
        standing: Standing::Completed,
    });
    let ids = |(id, _): (&beaver::JobId, _)| id.as_str().to_owned();
    Shown {
        jobs: listed.chain(completed).collect(),
        waiting: queue.pending().map(ids).collect(),
        dead: queue.dead_letters().map(ids).collect(),
    }
}

/// The segments in the directory, by number.
pub(crate) fn segment_epochs<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u64> {
    let mut epochs: Vec<u64> = names.filter_map(segment_epoch).collect();
    epochs.sort_unstable();
    epochs
}

/// The history behind `after` that the store can still tell, read strictly.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn replay_after(
    storage: &Arc<dyn Storage>,
    after: Place,
) -> Result<Vec<Entry>, Failure> {
    let reader = LogReader::<Event>::open(Arc::clone(storage))?;
    read(&reader, Position::new(after.epoch, after.seq))
}

/// What `reader` shows behind `after`, read strictly.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn read(reader: &LogReader<Event>, after: Position) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let replayed = reader.replay(after, |position, event| {
        entries.push(Entry {
            place: place(position),
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
    let replayed = inspect::salvage(&reader, Position::default(), |position, event| {
        entries.push(Entry {
            place: place(position),
            record: record(&event),
        });
        Ok::<(), std::convert::Infallible>(())
    });
    let report = match replayed {
        Ok(report) => report,
        Err(ReplayError::Log(error)) => return Err(Failure::from(error)),
        Err(ReplayError::Handler { error, .. }) => match error {},
    };
    let skipped = report.skipped.iter().map(|skipped| Skip {
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
