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
    /// A sync of a snapshot that fails counts as one that succeeded.
    SnapshotSyncErrorSwallowed,
    /// Events are synced up to the 64th of a segment, and no further.
    NotSyncedFrom65,
    /// What some programs take for the end of a line is written as one.
    LineSeparatorsAreLineEnds,
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
            last_seq: Mutex::default(),
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
    /// The last seq that was written to each file.
    last_seq: Mutex<BTreeMap<String, u64>>,
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
        let name = file.name();
        if self.is(DiskMisuse::NotSyncedFrom65)
            && let Some(seq) = last_seq(buf)
        {
            locked(&self.last_seq).insert(name.to_string(), seq);
        }
        let written_anew = segment_epoch(&name).is_some() && !is_recovering(file);
        if self.is(DiskMisuse::LineSeparatorsAreLineEnds) && written_anew {
            return file.next().write_at(&with_line_ends(buf), offset);
        }
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
            DiskMisuse::SnapshotSyncErrorSwallowed if name.starts_with("snapshot-") => {
                let _ = file.next().sync_data();
                Ok(())
            }
            DiskMisuse::NotSyncedFrom65 if !is_recovering(file) => {
                match locked(&self.last_seq).get(&*name) {
                    Some(65..) => Ok(()),
                    _ => file.next().sync_data(),
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

/// The last seq in these lines.
fn last_seq(lines: &[u8]) -> Option<u64> {
    const FIELD: &[u8] = b"{\"seq\":";
    let mut lines = lines.rsplit(|byte| *byte == b'\n');
    let digits = lines.find_map(|line| line.strip_prefix(FIELD))?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// The same bytes, with U+0085 and U+2028 as line ends of the same length.
fn with_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() {
        let end: &[u8] = match &bytes[at..] {
            [0xC2, 0x85, ..] => b"\r\n",
            [0xE2, 0x80, 0xA8, ..] => b" \r\n",
            _ => continue,
        };
        bytes[at..at + end.len()].copy_from_slice(end);
    }
    bytes
}
