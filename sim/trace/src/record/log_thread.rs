//! Writes the recording down in a thread of its own: the program does not wait for the disk of the one who records it.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::notice::Notice;
use crate::log::{Event, LogWriter};

/// Events that may wait. The program waits when there are more, so that they do not fill the memory.
const WAITING: usize = 64;

/// A recording that is written down, in the order in which events come.
#[derive(Debug)]
pub(super) struct LogThread {
    events: Option<SyncSender<Event>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl LogThread {
    pub(super) fn start(log: LogWriter, notices: Sender<Notice>) -> Self {
        let (events, waiting) = sync_channel(WAITING);
        let thread = thread::spawn(move || {
            let written = write(log, &waiting);
            if let Err(error) = &written {
                // Who ends the recording gets the error itself.
                let _ = notices.send(Notice::Broken(error.kind().into()));
            }
            written
        });
        LogThread {
            events: Some(events),
            thread: Some(thread),
        }
    }

    /// Adds an event. `false` if it cannot be written down: an earlier one could not.
    pub(super) fn push(&self, event: Event) -> bool {
        let events = self.events.as_ref();
        events.is_some_and(|events| events.send(event).is_ok())
    }

    /// Waits until all is written down.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.events = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(io::Error::other("its thread panicked")),
            None => Ok(()),
        }
    }
}

fn write(mut log: LogWriter, events: &Receiver<Event>) -> io::Result<()> {
    for event in events {
        log.push(&event)?;
    }
    log.flush()
}
