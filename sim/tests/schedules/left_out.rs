//! A storage that leaves one step of a protocol out: it says `Ok` and does nothing, or does less.
//!
//! The library above it is unchanged. It believes that it has taken the step, as a library would
//! that has forgotten it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use beaver::{Access, Storage, StorageFile, StorageLock};

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Removing the new segment when a rotate fails behind its rename.
    UndoOfRotate,
    /// Syncing the directory after that.
    SyncOfUndo,
    /// Writing the last batch again when a log is opened.
    Rewrite,
    /// Writing the marker lines again, the last ones of that batch.
    MarkersInRewrite,
    /// Taking what was verified: what is written again is read a second time.
    VerifiedBuffer,
    /// Cutting with `set_len`, when a log is opened and when a write has failed.
    Cut,
    /// Cutting with `set_len`: free space is written over what is to go, and nothing is done where
    /// free space is already.
    CutByWriting,
    /// The sync after the rewrite, where nothing had to be cut.
    IdleSync,
    /// The second read: the answer of the first one is given again.
    SecondRead,
    /// Every sync of a segment.
    SyncOfLog,
    /// Passing on the error of a sync.
    ErrorOfSync,
    /// The directory sync after a segment was made.
    DirSyncOfSegment,
    /// The directory sync after a snapshot was published.
    DirSyncOfSnapshot,
    /// The sync of temporary files before they are renamed.
    SyncOfTemporary,
    /// Removing files.
    Removal,
}

/// What the storage remembers of one process.
#[derive(Debug, Default)]
struct Memory {
    /// A rename to a segment, or the directory sync behind it, has failed.
    publish_failed: bool,
    /// The newest segment was removed.
    undone: bool,
    /// The last name that was renamed to.
    renamed: String,
    /// Every temporary name that was renamed.
    published: BTreeSet<String>,
    /// What was read, by file, offset and length.
    read: BTreeMap<(String, u64, usize), Vec<u8>>,
}

/// The directory.
#[derive(Debug)]
pub(crate) struct LeftOut {
    step: Step,
    inner: Arc<dyn Storage>,
    memory: Arc<Mutex<Memory>>,
}

/// One file.
#[derive(Debug)]
struct LeftOutFile {
    step: Step,
    name: String,
    inner: Box<dyn StorageFile>,
    memory: Arc<Mutex<Memory>>,
    /// Whether the last `set_len` changed nothing and a rewrite followed.
    idle: Mutex<(bool, bool)>,
}

impl LeftOut {
    /// `inner` without `step`.
    pub(crate) fn new(step: Step, inner: Arc<dyn Storage>) -> Self {
        let memory = Arc::default();
        LeftOut {
            step,
            inner,
            memory,
        }
    }

    fn file(&self, name: &str, inner: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(LeftOutFile {
            step: self.step,
            name: name.to_owned(),
            inner,
            memory: Arc::clone(&self.memory),
            idle: Mutex::default(),
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }
}

fn is_segment(name: &str) -> bool {
    name.starts_with("wal-") && name.ends_with(".jsonl")
}

impl Storage for LeftOut {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(name, self.inner.open(name, access)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let renamed = self.inner.rename(from, to);
        let mut memory = self.memory();
        to.clone_into(&mut memory.renamed);
        memory.publish_failed |= renamed.is_err() && is_segment(to);
        memory.published.insert(from.to_owned());
        renamed
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut memory = self.memory();
        let undoes = memory.publish_failed && name == memory.renamed;
        if self.step == Step::Removal || (self.step == Step::UndoOfRotate && undoes) {
            memory.publish_failed = false;
            return Ok(());
        }
        memory.undone = undoes;
        drop(memory);
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut memory = self.memory();
        let undone = std::mem::take(&mut memory.undone);
        let segment = is_segment(&memory.renamed);
        let snapshot = memory.renamed.starts_with("snapshot-");
        drop(memory);
        let skipped = match self.step {
            Step::SyncOfUndo => undone,
            Step::DirSyncOfSegment => segment,
            Step::DirSyncOfSnapshot => snapshot,
            _ => false,
        };
        if skipped {
            return Ok(());
        }
        let synced = self.inner.sync_dir();
        let mut memory = self.memory();
        memory.publish_failed = synced.is_err() && segment && !undone;
        if synced.is_ok() {
            memory.renamed.clear();
        }
        synced
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.inner.lock()
    }
}

impl LeftOutFile {
    /// Whether a write at `offset` lies in front of the end: then it is the rewrite of a log that
    /// is being opened.
    fn is_rewrite(&self, offset: u64) -> io::Result<bool> {
        Ok(self.is_segment() && offset < self.inner.len()?)
    }

    /// A segment goes on under the name under which it was made.
    fn is_segment(&self) -> bool {
        is_segment(&self.name) || (self.name.starts_with("wal-") && self.is_published())
    }

    fn is_published(&self) -> bool {
        self.memory.lock().unwrap().published.contains(&self.name)
    }
}

impl StorageFile for LeftOutFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.step != Step::SecondRead {
            return self.inner.read_at(buf, offset);
        }
        // What was read before, wholly or as part of something larger, is not read again.
        let key = |(name, start, len): &(String, u64, usize)| {
            *name == self.name
                && *start <= offset
                && offset + buf.len() as u64 <= start + *len as u64
        };
        let mut memory = self.memory.lock().unwrap();
        if let Some(((_, start, _), bytes)) = memory.read.iter().find(|(k, _)| key(k)) {
            let from = usize::try_from(offset - start).unwrap();
            let count = buf.len().min(bytes.len().saturating_sub(from));
            buf[..count].copy_from_slice(&bytes[from..from + count]);
            return Ok(count);
        }
        let count = self.inner.read_at(buf, offset)?;
        let key = (self.name.clone(), offset, buf.len());
        memory.read.insert(key, buf[..count].to_vec());
        Ok(count)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let rewrite = self.is_rewrite(offset)?;
        if rewrite {
            self.idle.lock().unwrap().1 = true;
        }
        match self.step {
            Step::Rewrite if rewrite => Ok(buf.len()),
            Step::MarkersInRewrite if rewrite => {
                let marker = b"{\"synced\"";
                let at = buf.windows(marker.len()).position(|bytes| bytes == marker);
                match at {
                    Some(0) => Ok(buf.len()),
                    Some(at) => self.inner.write_at(&buf[..at], offset).map(|_| buf.len()),
                    None => self.inner.write_at(buf, offset),
                }
            }
            Step::VerifiedBuffer if rewrite => {
                let mut again = buf.to_vec();
                let count = self.inner.read_at(&mut again, offset)?;
                self.inner.write_at(&again[..count], offset)
            }
            _ => self.inner.write_at(buf, offset),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let longer = self.inner.len()?.saturating_sub(len);
        if self.step == Step::Cut && longer > 0 {
            return Ok(());
        }
        if self.step == Step::CutByWriting && longer > 0 {
            let free = vec![b'\n'; usize::try_from(longer).unwrap()];
            let mut there = free.clone();
            self.inner.read_at(&mut there, len)?;
            if there.iter().all(|byte| matches!(byte, b'\n' | 0)) {
                return Ok(());
            }
            return self.inner.write_at(&free, len).map(|_| ());
        }
        let unchanged = len == self.inner.len()?;
        *self.idle.lock().unwrap() = (unchanged, false);
        self.inner.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap());
        let segment = self.is_segment();
        let temporary = self.name.ends_with(".tmp") && !self.is_published();
        match self.step {
            Step::IdleSync if idle == (true, true) => Ok(()),
            Step::SyncOfLog if segment => Ok(()),
            Step::SyncOfTemporary if temporary => Ok(()),
            Step::ErrorOfSync => self.inner.sync_data().or(Ok(())),
            _ => self.inner.sync_data(),
        }
    }
}
