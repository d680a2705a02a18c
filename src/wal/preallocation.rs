//! Free space after the log's end, so that an append overwrites instead of growing the file, which
//! costs a second trip to the disk, and a journal commit on many file systems.
//!
//! ```text
//! header │ lines … │ newlines …            │
//!                  └ end of the log        └ end of what is filled
//! ```
//!
//! Space is filled between the write of a batch and its sync, so that one sync serves both. With
//! threads the one in the background fills it, while the leader waits for the disk. It writes
//! nothing but newlines, and only after everything that the log has claimed, so it cannot meet a
//! line. Wherever it stops, or a crash stops it, what is there is free space: newlines, and zeros
//! where pages were lost.

use std::io;
use std::sync::Arc;

use crate::storage::{StorageFile, write_all};
use crate::sync::Mutex;
use crate::temporary::set_len;

/// How much is written at once. Larger writes leave large pages in the cache of some systems, in
/// which every later small overwrite costs more.
const PIECE: usize = 64 << 10;

/// The end of what is filled is a multiple of this: whole pages.
const PAGE: u64 = 4096;

/// Fills the space after the end of one segment, on any thread, until the log cuts it.
#[derive(Debug)]
pub(crate) struct Preallocator {
    file: Arc<dyn StorageFile>,
    name: String,
    filled: Mutex<Filled>,
}

#[derive(Debug)]
struct Filled {
    /// Where what was claimed or filled ends. Space is filled from here on.
    end: u64,
    /// How far space is to be filled.
    goal: u64,
}

impl Preallocator {
    /// Fills space as far as it was asked for. If that fails the log goes on without it, so no
    /// error leaves here.
    pub(crate) fn fill(&self) {
        static NEWLINES: [u8; PIECE] = [b'\n'; PIECE];
        loop {
            // Taken for each piece, so that an append waits for one piece at most.
            let mut filled = self.filled.lock();
            if filled.end >= filled.goal {
                return;
            }
            let left = usize::try_from(filled.goal - filled.end).unwrap_or(PIECE);
            let piece = &NEWLINES[..left.min(PIECE)];
            if let Err(error) = write_all(&*self.file, piece, filled.end) {
                tracing::debug!(file = self.name, %error, "no free space after the log's end");
                filled.goal = filled.end;
                return;
            }
            filled.end += piece.len() as u64;
        }
    }
}

/// The log's own side of it.
#[derive(Debug)]
pub(super) struct Preallocation {
    preallocator: Arc<Preallocator>,
    /// How much is filled at a time; nothing if it is 0.
    bytes: u64,
    /// The log alone writes before this. Spares looking under the lock.
    claimed: u64,
    /// How far space was asked for.
    asked: u64,
}

impl Preallocation {
    /// Nothing is filled yet after `end`.
    pub(super) fn new(file: Arc<dyn StorageFile>, name: &str, end: u64, bytes: u64) -> Self {
        let filled = Mutex::new(Filled { end, goal: end });
        let name = name.to_owned();
        Preallocation {
            preallocator: Arc::new(Preallocator { file, name, filled }),
            bytes,
            claimed: end,
            asked: end,
        }
    }

    /// The log is about to write up to `end`: space that is filled from now on lies after it.
    pub(super) fn claim(&mut self, end: u64) {
        if end > self.claimed {
            let mut filled = self.preallocator.filled.lock();
            filled.end = filled.end.max(end);
            self.claimed = filled.end;
        }
    }

    /// The preallocator, if there should be more space after `end`.
    pub(super) fn wanted(&mut self, end: u64) -> Option<&Arc<Preallocator>> {
        // Half of it is left when more is asked for, so that appends need not wait for it.
        if self.bytes == 0 || self.asked > end.saturating_add(self.bytes / 2) {
            return None;
        }
        Some(self.ask(end, self.bytes))
    }

    /// Asks for `bytes` after `end`: whole pages, unless that is beyond any file.
    pub(super) fn ask(&mut self, end: u64, bytes: u64) -> &Arc<Preallocator> {
        let goal = end.saturating_add(bytes);
        self.asked = goal.checked_next_multiple_of(PAGE).unwrap_or(goal);
        self.preallocator.filled.lock().goal = self.asked;
        &self.preallocator
    }

    /// Whether there may be free space after `end` that an append did not find room for. No more of
    /// it is made ahead in this segment.
    pub(super) fn gives_way(&mut self, end: u64) -> bool {
        self.bytes = 0;
        self.asked > end
    }

    /// Cuts the file at `end`. Nothing is filled any more until the log asks again.
    pub(super) fn cut(&mut self, end: u64) -> io::Result<()> {
        // The lock is held over the cut: a piece written after it would lie after a hole.
        let mut filled = self.preallocator.filled.lock();
        filled.goal = 0;
        self.asked = end;
        set_len(&*self.preallocator.file, end)?;
        filled.end = end;
        self.claimed = end;
        Ok(())
    }
}

impl Drop for Preallocation {
    /// The next owner of the file must not meet a thread that still writes in it.
    fn drop(&mut self) {
        self.preallocator.filled.lock().goal = 0;
    }
}
