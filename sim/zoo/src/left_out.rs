//! Steps of the protocol that are storage calls, left out.
//!
//! A model of the protocol broke a promise in some short history without each of these steps. So each
//! is needed, and a simulator that does not notice when it is missing is blind there.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use beaver_storage::{InterposedFile, Interposer, Storage, write_all};

use super::interposed::{is_recovering, library_through, locked};
use beaver_sim::beaver::files::segment_epoch;
use beaver_sim::subject::AnySubject;

/// A step that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolStep {
    /// A rotate that fails from its `rename` on does not remove the new segment again.
    UndoOfRotate,
    /// It removes the new segment, and does not sync the directory then.
    DirectorySyncOfUndo,
    /// Open writes the last batch again, and leaves out the marker lines.
    MarkersInRewrite,
    /// Open writes the last batch again from a second read, not from what it verified.
    VerifiedBuffer,
    /// Open does not write the last batch again.
    Rewrite,
    /// A failed write is overwritten with free space, not cut off.
    CutOfFailedWrite,
    /// Open does not cut free space after the last line.
    CutOfFreeSpace,
    /// Neither is cut.
    BothCuts,
    /// Open does not sync where it has cut nothing and written what was there already.
    IdleSync,
    /// Open takes what looks damaged as it was read the first time.
    SecondRead,
    /// Open judges what the cache shows.
    DropOfCache,
}

impl ProtocolStep {
    /// The library without this step.
    #[must_use]
    pub fn left_out(self) -> AnySubject {
        match self {
            Self::UndoOfRotate | Self::DirectorySyncOfUndo => library_through(move || Undo {
                removes: self == Self::DirectorySyncOfUndo,
                ..Undo::default()
            }),
            Self::MarkersInRewrite => library_through(|| MarkersInRewrite),
            Self::VerifiedBuffer => library_through(|| VerifiedBuffer),
            Self::Rewrite => library_through(|| Rewrite),
            Self::CutOfFailedWrite | Self::CutOfFreeSpace | Self::BothCuts => {
                library_through(move || Cuts {
                    running: self != Self::CutOfFreeSpace,
                    opening: self != Self::CutOfFailedWrite,
                })
            }
            Self::IdleSync => library_through(IdleSync::default),
            Self::SecondRead => library_through(SecondRead::default),
            Self::DropOfCache => library_through(|| DropOfCache),
        }
    }
}

/// A rotate is not undone, or its undo is not synced.
#[derive(Debug, Default)]
struct Undo {
    /// Whether the new segment is removed at least.
    removes: bool,
    /// The segment whose name is not known to be durable.
    published: Mutex<Option<String>>,
    /// Whether the next directory sync is that of an undo.
    undoing: Mutex<bool>,
}

impl Interposer for Undo {
    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        if segment_epoch(to).is_some() {
            *locked(&self.published) = Some(to.to_owned());
        }
        next.rename(from, to)
    }

    fn remove(&self, next: &dyn Storage, name: &str) -> io::Result<()> {
        if locked(&self.published).as_deref() != Some(name) {
            return next.remove(name);
        }
        *locked(&self.undoing) = true;
        match self.removes {
            true => next.remove(name),
            false => Ok(()),
        }
    }

    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        if std::mem::take(&mut *locked(&self.undoing)) {
            *locked(&self.published) = None;
            if self.removes {
                return Ok(());
            }
        }
        next.sync_dir()?;
        *locked(&self.published) = None;
        Ok(())
    }
}

#[derive(Debug)]
struct MarkersInRewrite;

impl Interposer for MarkersInRewrite {
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        if !is_recovering(file) {
            return file.next().write_at(buf, offset);
        }
        let mut at = 0;
        for line in buf.split_inclusive(|byte| *byte == b'\n') {
            if !line.starts_with(b"{\"synced\"") {
                write_all(file.next(), line, offset + at as u64)?;
            }
            at += line.len();
        }
        Ok(buf.len())
    }
}

#[derive(Debug)]
struct VerifiedBuffer;

impl Interposer for VerifiedBuffer {
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        if !is_recovering(file) {
            return file.next().write_at(buf, offset);
        }
        let mut again = vec![0; buf.len()];
        let count = file.next().read_at(&mut again, offset)?;
        again[count..].copy_from_slice(&buf[count..]);
        file.next().write_at(&again, offset)
    }
}

#[derive(Debug)]
struct Rewrite;

impl Interposer for Rewrite {
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        if is_recovering(file) {
            return Ok(buf.len());
        }
        file.next().write_at(buf, offset)
    }
}

/// Segments are not cut while they are in use, or while they are opened.
#[derive(Debug)]
struct Cuts {
    running: bool,
    opening: bool,
}

impl Interposer for Cuts {
    fn set_len(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        let opening = is_recovering(file);
        if opening && self.opening {
            return Ok(());
        }
        if opening || !self.running {
            return file.next().set_len(len);
        }
        let end = file.next().len()?;
        let blank = vec![b'\n'; usize::try_from(end.saturating_sub(len)).unwrap_or(0)];
        write_all(file.next(), &blank, len)
    }
}

#[derive(Debug, Default)]
struct IdleSync {
    /// Whether something on the disk was changed since the process began.
    changed: Mutex<bool>,
}

impl Interposer for IdleSync {
    fn set_len(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        *locked(&self.changed) |= file.next().len()? != len;
        file.next().set_len(len)
    }

    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        let mut there = vec![0; buf.len()];
        let count = file.next().read_at(&mut there, offset)?;
        *locked(&self.changed) |= there[..count] != *buf;
        file.next().write_at(buf, offset)
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        if is_recovering(file) && !*locked(&self.changed) {
            return Ok(());
        }
        file.next().sync_data()
    }
}

/// What was read once is what every later read of the same recovery gives.
#[derive(Debug, Default)]
struct SecondRead {
    first: Mutex<BTreeMap<(Arc<str>, u64), u8>>,
    recovered: Mutex<bool>,
}

impl Interposer for SecondRead {
    fn read_at(&self, file: &InterposedFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = file.next().read_at(buf, offset)?;
        if *locked(&self.recovered) {
            return Ok(count);
        }
        let mut first = locked(&self.first);
        for (byte, at) in buf[..count].iter_mut().zip(offset..) {
            *byte = *first.entry((file.name(), at)).or_insert(*byte);
        }
        Ok(count)
    }

    fn drop_cache(&self, file: &InterposedFile) -> io::Result<()> {
        // What is read now is read for the first time.
        *locked(&self.recovered) = false;
        locked(&self.first).clear();
        file.next().drop_cache()
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        *locked(&self.recovered) = true;
        file.next().sync_data()
    }
}

#[derive(Debug)]
struct DropOfCache;

impl Interposer for DropOfCache {
    fn drop_cache(&self, _file: &InterposedFile) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
