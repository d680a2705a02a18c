//! Reading a file forward in large pieces, with constant memory.
//!
//! A plain read is believed as long as what it shows proves itself by a checksum. What proves
//! nothing (free space, damage, the end of the log) must not rest on the word of one read: for that
//! there are *confirmed* reads, which read a piece until two reads in a row agree.

use std::io::ErrorKind;

use crate::error::{Error, Result};
use crate::storage::StorageFile;

/// How many bytes one read asks for.
const PIECE: usize = 256 << 10;

/// How often a piece is read in search of two reads that agree.
const CONFIRM_ATTEMPTS: usize = 4;

/// Whether one read is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Plain,
    Confirmed,
}

/// A window that moves forward over a file.
pub(crate) struct ReadWindow<'f> {
    file: &'f dyn StorageFile,
    name: &'f str,
    /// Where reading ends: the length of the file, or of the part that may be shown.
    limit: u64,
    reads: Reads,
    /// Offset of `buffer[used]`.
    position: u64,
    /// Shown is `used..filled`; what comes after it is memory that was needed before.
    buffer: Vec<u8>,
    used: usize,
    filled: usize,
}

impl<'f> ReadWindow<'f> {
    /// A window at the start of the first `limit` bytes of `file`.
    pub(crate) fn new(file: &'f dyn StorageFile, name: &'f str, limit: u64) -> Self {
        ReadWindow {
            file,
            name,
            limit,
            reads: Reads::Plain,
            position: 0,
            buffer: Vec::new(),
            used: 0,
            filled: 0,
        }
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &'f str {
        self.name
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How bytes are read now.
    pub(crate) fn reads(&self) -> Reads {
        self.reads
    }

    /// Starts again at `position`; what was read before is forgotten.
    pub(crate) fn restart(&mut self, position: u64, reads: Reads) {
        (self.used, self.filled) = (0, 0);
        self.position = position;
        self.reads = reads;
    }

    /// Steps over `count` bytes that were shown.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
        self.position += count as u64;
        debug_assert!(
            self.used <= self.filled,
            "only what was shown can be consumed"
        );
    }

    /// What is in the window.
    pub(crate) fn shown(&self) -> &[u8] {
        &self.buffer[self.used..self.filled]
    }

    /// What is in the window, when nothing more is read.
    pub(crate) fn into_shown(mut self) -> Vec<u8> {
        self.buffer.truncate(self.filled);
        self.buffer.drain(..self.used);
        self.buffer
    }

    /// The `count` bytes that were consumed last, if nothing was shown since.
    pub(crate) fn consumed(&self, count: usize) -> &[u8] {
        &self.buffer[self.used - count..self.used]
    }

    /// Shows more bytes after those in the window. `Ok(false)` means that there are none.
    pub(crate) fn extend(&mut self) -> Result<bool> {
        let from = self.position + self.shown().len() as u64;
        let left = self.limit.saturating_sub(from);
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        if count == 0 {
            return Ok(false);
        }
        // Forget what was consumed, but only when that is most of the buffer, so that a long line
        // is not moved for each piece.
        if self.used * 2 >= self.filled {
            self.buffer.copy_within(self.used..self.filled, 0);
            (self.used, self.filled) = (0, self.filled - self.used);
        }
        let end = self.filled + count;
        if self.buffer.len() < end {
            self.reserve((end - self.filled) as u64)?;
            self.buffer.resize(end, 0);
        }
        read_exact(
            self.file,
            self.name,
            &mut self.buffer[self.filled..end],
            from,
        )?;
        if self.reads == Reads::Confirmed {
            self.confirm(end, from)?;
        }
        self.filled = end;
        Ok(true)
    }

    /// Reads `buffer[filled..end]` again until two reads in a row agree.
    fn confirm(&mut self, end: usize, from: u64) -> Result<()> {
        let once = &mut self.buffer[self.filled..end];
        let mut again = vec![0; once.len()];
        for _ in 0..CONFIRM_ATTEMPTS {
            read_exact(self.file, self.name, &mut again, from)?;
            if again == once {
                return Ok(());
            }
            once.copy_from_slice(&again);
        }
        Err(Error::UnstableRead {
            file: self.name.to_owned(),
            offset: from,
        })
    }

    /// Makes room for `count` more bytes, so that a file that is larger than all memory is refused
    /// and does not end the process.
    pub(crate) fn reserve(&mut self, count: u64) -> Result<()> {
        let refused = |error| Error::out_of("memory to read a file", error);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let more = count.saturating_sub(self.buffer.len() - self.filled);
        let reserved = self.buffer.try_reserve(more);
        reserved.map_err(|error| refused(std::io::Error::new(ErrorKind::OutOfMemory, error)))
    }

    /// The next byte, without stepping over it.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        if self.shown().is_empty() && !self.extend()? {
            return Ok(None);
        }
        Ok(self.shown().first().copied())
    }
}

/// Fills `buffer` from `offset` on. A short read goes on with the rest; an interrupted one did
/// nothing and is made again.
pub(crate) fn read_exact(
    file: &dyn StorageFile,
    name: &str,
    buffer: &mut [u8],
    offset: u64,
) -> Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            // The length said that there is more, so the end here is an error, never the end of the
            // log.
            Ok(0) => {
                return Err(Error::storage(
                    "read_at",
                    name,
                    ErrorKind::UnexpectedEof.into(),
                ));
            }
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::storage("read_at", name, error)),
        }
    }
    Ok(())
}
