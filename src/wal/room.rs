//! Free space ahead of the log's end, so that an append overwrites instead of growing the file,
//! which costs a second trip to the disk, and a journal commit on many file systems.
//!
//! ```text
//! header │ lines … │ newlines …            │
//!                  └ end of the log        └ end of what was made ahead
//! ```
//!
//! Space is made between the write of a batch and its sync, so that one sync serves both. With
//! threads the one in the background makes it, while the leader waits for the disk. Whoever makes
//! it writes nothing but newlines, and only behind everything that the log has claimed, so it
//! cannot meet a line. Wherever it stops, or a crash stops it, what is there is free space: newlines,
//! and zeros where pages were lost.

use std::io;
use std::sync::Arc;

use crate::storage::StorageFile;
use crate::sync::Mutex;
use crate::temporary::{set_len, write_all};

/// How much is written at once. Larger writes leave large pages in the cache of some systems, in
/// which every later small overwrite costs more.
const PIECE: usize = 64 << 10;

/// The end of what is made is a multiple of this: whole pages.
const PAGE: u64 = 4096;

/// The space behind the end of one segment. Whoever holds it may make more of it, until the log
/// cuts it.
#[derive(Debug)]
pub(crate) struct Room {
    file: Arc<dyn StorageFile>,
    name: String,
    made: Mutex<Made>,
}

#[derive(Debug)]
struct Made {
    /// Where what was claimed or made ends. Space is made from here on.
    end: u64,
    /// How far space is to be made.
    goal: u64,
}

impl Room {
    /// Makes space as far as it was asked for. If that fails the log goes on without it, so no
    /// error leaves here.
    pub(crate) fn make(&self) {
        static NEWLINES: [u8; PIECE] = [b'\n'; PIECE];
        loop {
            // Taken for each piece, so that nobody waits for more than one.
            let mut made = self.made.lock();
            if made.end >= made.goal {
                return;
            }
            let left = usize::try_from(made.goal - made.end).unwrap_or(PIECE);
            let piece = &NEWLINES[..left.min(PIECE)];
            if let Err(error) = write_all(&*self.file, piece, made.end) {
                tracing::debug!(file = self.name, %error, "no room ahead of the log's end");
                made.goal = made.end;
                return;
            }
            made.end += piece.len() as u64;
        }
    }
}

/// The log's own side of it.
#[derive(Debug)]
pub(super) struct Ahead {
    room: Arc<Room>,
    /// How much is made at a time; nothing if it is 0.
    bytes: u64,
    /// At least so far nobody else writes. Spares looking under the lock.
    claimed: u64,
    /// How far space was asked for.
    asked: u64,
}

impl Ahead {
    /// Nothing is made yet behind `end`.
    pub(super) fn new(file: Arc<dyn StorageFile>, name: &str, end: u64, bytes: u64) -> Self {
        let made = Mutex::new(Made { end, goal: end });
        let name = name.to_owned();
        Ahead {
            room: Arc::new(Room { file, name, made }),
            bytes,
            claimed: end,
            asked: end,
        }
    }

    /// The log is about to write up to `end`: space that is made from now on lies behind it.
    pub(super) fn claim(&mut self, end: u64) {
        if end > self.claimed {
            let mut made = self.room.made.lock();
            made.end = made.end.max(end);
            self.claimed = made.end;
        }
    }

    /// The room, if there should be more of it behind `end`.
    pub(super) fn wanted(&mut self, end: u64) -> Option<&Arc<Room>> {
        if self.bytes == 0 || self.asked > end.saturating_add(self.bytes / 2) {
            return None;
        }
        Some(self.ask(end, self.bytes))
    }

    /// Asks for room for `bytes` behind `end`: whole pages, unless that is beyond any file.
    pub(super) fn ask(&mut self, end: u64, bytes: u64) -> &Arc<Room> {
        let goal = end.saturating_add(bytes);
        self.asked = goal.checked_next_multiple_of(PAGE).unwrap_or(goal);
        self.room.made.lock().goal = self.asked;
        &self.room
    }

    /// Cuts the file at `end`. Nobody makes space any more until the log wants it again.
    pub(super) fn cut(&mut self, end: u64) -> io::Result<()> {
        let mut made = self.room.made.lock();
        made.goal = 0;
        self.asked = end;
        set_len(&*self.room.file, end)?;
        made.end = end;
        self.claimed = end;
        Ok(())
    }
}

impl Drop for Ahead {
    /// Whoever owns the file next must not meet somebody who still writes in it.
    fn drop(&mut self) {
        self.room.made.lock().goal = 0;
    }
}
