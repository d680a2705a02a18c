//! Storage calls that other logs leave out, get wrong, or ignore the errors of.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use beaver_storage::{InterposedFile, Interposer, Storage};

use super::interposed::{is_recovering, library_through, locked};
use beaver_sim::beaver::files::{segment_epoch, snapshot_epoch};
use beaver_sim::subject::AnySubject;

/// How a disk is misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskMisuse {
    /// Nothing is cut off, neither a torn tail nor a failed write.
    NeverCuts,
    /// Appends go where the file ended once, also after it was cut.
    StaleOffset,
    /// The directory is not synced after a snapshot got its name.
    SnapshotNameNotSynced,
    /// The directory is not synced after a segment got its name.
    SegmentNameNotSynced,
    /// Nothing is removed.
    NeverRemoves,
    /// A snapshot is renamed before its data is synced.
    RenamedBeforeSync,
    /// Only every third sync of the log is done.
    SyncedNowAndThen,
    /// A sync that fails counts as one that succeeded.
    SyncErrorSwallowed,
}

impl DiskMisuse {
    /// The library on a disk that is misused like this.
    #[must_use]
    pub fn mutant(self) -> AnySubject {
        library_through(move || MisusedDisk {
            misuse: self,
            renamed: Mutex::default(),
            syncs: Mutex::default(),
            ends: Mutex::default(),
        })
    }
}

#[derive(Debug)]
struct MisusedDisk {
    misuse: DiskMisuse,
    /// The last name that a rename gave.
    renamed: Mutex<String>,
    /// Syncs of the log so far.
    syncs: Mutex<u64>,
    /// Where files ended at most.
    ends: Mutex<BTreeMap<String, u64>>,
}

impl MisusedDisk {
    fn is(&self, misuse: DiskMisuse) -> bool {
        self.misuse == misuse
    }
}

impl Interposer for MisusedDisk {
    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        to.clone_into(&mut locked(&self.renamed));
        next.rename(from, to)
    }

    fn remove(&self, next: &dyn Storage, name: &str) -> io::Result<()> {
        if self.is(DiskMisuse::NeverRemoves) && !name.ends_with(".tmp") {
            return Ok(());
        }
        next.remove(name)
    }

    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        let renamed = std::mem::take(&mut *locked(&self.renamed));
        let snapshot = snapshot_epoch(&renamed).is_some();
        let segment = segment_epoch(&renamed).is_some();
        if (snapshot && self.is(DiskMisuse::SnapshotNameNotSynced))
            || (segment && self.is(DiskMisuse::SegmentNameNotSynced))
        {
            return Ok(());
        }
        next.sync_dir()
    }

    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        if !self.is(DiskMisuse::StaleOffset) {
            return file.next().write_at(buf, offset);
        }
        let name = file.name();
        let name = name.trim_end_matches(".tmp").to_owned();
        let mut ends = locked(&self.ends);
        let stale = *ends.entry(name.clone()).or_insert(file.next().len()?);
        let at = match is_recovering(file) {
            true => offset,
            false => offset.max(stale),
        };
        let written = file.next().write_at(buf, at);
        let end = file.next().len()?;
        ends.insert(name, end.max(stale));
        written
    }

    fn set_len(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        if self.is(DiskMisuse::NeverCuts) {
            return Ok(());
        }
        if self.is(DiskMisuse::StaleOffset) {
            let end = file.next().len()?;
            let mut ends = locked(&self.ends);
            let stale = ends.entry(file.name().to_string()).or_insert(end);
            *stale = end.max(*stale);
        }
        file.next().set_len(len)
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        let name = file.name();
        match self.misuse {
            DiskMisuse::RenamedBeforeSync if name.starts_with("snapshot-") => Ok(()),
            DiskMisuse::SyncedNowAndThen if segment_epoch(&name).is_some() => {
                let mut syncs = locked(&self.syncs);
                *syncs += 1;
                match syncs.is_multiple_of(3) {
                    true => file.next().sync_data(),
                    false => Ok(()),
                }
            }
            DiskMisuse::SyncErrorSwallowed => {
                let _ = file.next().sync_data();
                Ok(())
            }
            _ => file.next().sync_data(),
        }
    }
}
