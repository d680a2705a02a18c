//! The log for many threads.

use std::sync::Arc;

use super::commit_queue::{CommitQueue, QueueOptions};
use super::group::Group;
use super::pipeline::{Owner, Pipeline, background_thread};
use super::ticket::{AppendOutcome, Ticket};
use super::{LogReader, Wal};
use crate::boundary::Boundary;
use crate::error::Result;
use crate::event::Event;
use crate::log_event::LogEvent;
use crate::metrics::StoreMetrics;
use crate::position::Position;

/// How many batches may be queued before a caller that does not wait must write one. It bounds the
/// memory of the queue.
const MAX_BATCHES_AHEAD: usize = 4;

/// A log to which many threads append: calls that arrive while a sync runs share the next
/// one.
///
/// Cheap to clone; all clones write to the same log. Dropping the last clone writes what is queued
/// and gives the lock back, but only [`close`](BatchWriter::close) tells whether that went well.
#[derive(Debug)]
pub struct BatchWriter<E = Event> {
    owner: Arc<Owner<(), (), E>>,
}

impl<E> Clone for BatchWriter<E> {
    fn clone(&self) -> Self {
        BatchWriter {
            owner: Arc::clone(&self.owner),
        }
    }
}

/// An append that was queued and not waited for.
#[derive(Debug)]
pub struct PendingAppend<E = Event> {
    ticket: Ticket,
    shared: Arc<Pipeline<(), (), E>>,
}

impl<E> PendingAppend<E> {
    /// What is known by now, without waiting.
    #[must_use]
    pub fn outcome(&self) -> AppendOutcome {
        self.ticket.outcome()
    }

    /// Waits until the append is durable; answers with the position of its last event.
    ///
    /// # Errors
    /// As [`Wal::commit`].
    pub fn wait(&self) -> Result<Position> {
        self.shared.wait(&self.ticket)
    }
}

impl<E: LogEvent + Send + 'static> BatchWriter<E> {
    /// Puts a queue in front of `wal`. A batch is written as soon as a caller waits for it and no
    /// other one is being written, and at the latest when it is full or `flush_interval_ms`
    /// old.
    ///
    /// # Errors
    /// [`Error::OutOfResources`](crate::Error::OutOfResources): there is no thread for it. The log
    /// is dropped as it is.
    pub fn new(wal: Wal<E>, options: QueueOptions) -> Result<Self> {
        let thread = background_thread()?;
        let clock = Arc::clone(&wal.options.clock);
        let pipeline = Pipeline::new(CommitQueue::new(options), (), wal, clock);
        Ok(BatchWriter {
            owner: Owner::start(pipeline, thread),
        })
    }

    /// Appends `events` as one atomic append and waits until they are durable. Answers with the
    /// position of the last one.
    ///
    /// # Errors
    /// As [`Wal::append`], and [`Error::Closed`](crate::Error::Closed).
    pub fn append(&self, events: &[E]) -> Result<Position> {
        let (ticket, batches) = self.queue(events)?;
        // Perhaps no caller waits for the batches before this one; then only the background thread
        // writes them.
        if batches > 1 {
            self.owner.pipeline().announce();
        }
        self.owner.pipeline().wait(&ticket)
    }

    /// Queues `events` as one atomic append; the answer tells later what became of them. It does
    /// not wait, unless several full batches are queued already: then it writes one of those first.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge),
    /// [`Error::InvalidEvent`](crate::Error::InvalidEvent) and
    /// [`Error::Closed`](crate::Error::Closed): nothing was queued.
    pub fn submit(&self, events: &[E]) -> Result<PendingAppend<E>> {
        let shared = self.owner.pipeline();
        let (ticket, batches) = self.queue(events)?;
        if batches > MAX_BATCHES_AHEAD {
            shared.write_one();
        }
        shared.announce();
        Ok(PendingAppend {
            ticket,
            shared: Arc::clone(shared),
        })
    }

    /// Queues one append. Answers with its ticket and the number of batches that are queued.
    fn queue(&self, events: &[E]) -> Result<(Ticket, usize)> {
        let group = Group::encode(events)?;
        let shared = self.owner.pipeline();
        let now_ms = shared.now_ms();
        let mut queue = shared.queue();
        let ticket = queue.submit(now_ms, group, ())?;
        Ok((ticket, queue.batches()))
    }

    /// Writes everything that is queued when it is called.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed). What went wrong with an append, its own
    /// [`PendingAppend`] tells.
    pub fn flush(&self) -> Result<()> {
        self.owner.pipeline().with_log(|_| Ok(()))
    }

    /// Writes everything that is queued when it is called, then rotates the log between two
    /// batches. See [`Wal::rotate`].
    ///
    /// # Errors
    /// As [`Wal::rotate`], and [`Error::Closed`](crate::Error::Closed).
    pub fn rotate(&self) -> Result<Boundary> {
        self.owner.pipeline().with_log(Wal::rotate)
    }

    /// The position of the last durable event, between two batches.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn last_position(&self) -> Result<Position> {
        self.owner
            .pipeline()
            .between_batches(|wal| Ok(wal.last_position()))
    }

    /// What the log has done since it was opened, in numbers. It waits for nothing.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.owner.pipeline().metrics()
    }

    /// A reader of what is durable now. No lock is held while it reads: its handler may append.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn reader(&self) -> Result<LogReader<E>> {
        self.owner
            .pipeline()
            .between_batches(|wal| Ok(wal.reader()))
    }

    /// Refuses further appends, makes what is queued durable, answers every caller that waits, and
    /// closes the log.
    ///
    /// # Errors
    /// As [`Wal::close`]; [`Error::Closed`](crate::Error::Closed) the second time.
    pub fn close(&self) -> Result<()> {
        self.owner.pipeline().close()?.close()
    }
}
