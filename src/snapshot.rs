//! Snapshots: the whole state after a position, in one file that is there whole or not at all.
//!
//! ```text
//! {"snapshot":"beaver","version":1,"epoch":7,"last_seq":3141,"state":…,"crc":"…"}\n
//! ```
//!
//! The name says the epoch, the document says the position, and the checksum covers both: a
//! snapshot under a wrong name is damage. Writing is content before name, name before use (see
//! `temporary`).

use std::ops::Range;
use std::sync::Arc;

use crate::checksum::{self, ChecksumError, ChecksumKind, TRAILER};
use crate::directory;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::format::VERSION;
use crate::json::{read_u64, write_u64};
use crate::names;
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage, StorageFile};
use crate::temporary;
use crate::window::{ReadWindow, Reads};

/// A snapshot that was read and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last position that the state covers.
    pub position: Position,
    /// The state, JSON on one line, byte for byte as it was written.
    pub state: Vec<u8>,
}

/// A snapshot as it stands in its file: a large one is not copied to get at its state.
#[derive(Debug)]
pub(crate) struct SnapshotDocument {
    pub(crate) position: Position,
    bytes: Vec<u8>,
    state: Range<usize>,
}

impl SnapshotDocument {
    /// The state, byte for byte as it was written.
    pub(crate) fn state(&self) -> &[u8] {
        &self.bytes[self.state.clone()]
    }

    fn into_snapshot(mut self) -> Snapshot {
        self.bytes.truncate(self.state.end);
        self.bytes.drain(..self.state.start);
        Snapshot {
            position: self.position,
            state: self.bytes,
        }
    }
}

/// A snapshot that cannot be believed.
#[derive(Clone, Debug)]
pub struct DamagedSnapshot {
    /// Its file.
    pub file: String,
    /// What is wrong with it.
    pub error: Error,
}

/// The snapshots of a directory.
///
/// For a state machine on a log, [`Store`](crate::Store) does all of this; this is for those who
/// bring their own log.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    storage: Arc<dyn Storage>,
}

impl SnapshotStore {
    /// The snapshots in `storage`.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        SnapshotStore { storage }
    }

    /// Writes the state after `position`; durable, its name too, when it returns. Of two snapshots
    /// of one epoch the later replaces the earlier. `state` is JSON on one line.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`] if `state` is empty or has a line break; [`Error::Storage`]: older
    /// snapshots are untouched, and the new one is there whole or not at all.
    pub fn write(&self, position: Position, state: &[u8]) -> Result<()> {
        if state.is_empty() || memchr::memchr(b'\n', state).is_some() {
            let reason = "the state is empty or contains a line break".to_owned();
            return Err(Error::InvalidEvent { reason });
        }
        write(
            &*self.storage,
            position,
            &encode(position, |out| out.extend_from_slice(state)),
        )
    }

    /// The newest valid snapshot, and the damaged ones that were passed over to get there.
    ///
    /// # Errors
    /// [`Error::Storage`] if something cannot be read, [`Error::Version`] for a snapshot of a newer
    /// format: neither is damage.
    pub fn load(&self) -> Result<(Option<Snapshot>, Vec<DamagedSnapshot>)> {
        let mut damaged = Vec::new();
        for epoch in directory::list(&*self.storage)?.snapshots.into_iter().rev() {
            match read(&*self.storage, epoch)? {
                Ok(document) => return Ok((Some(document.into_snapshot()), damaged)),
                Err(damage) => damaged.push(damage),
            }
        }
        Ok((None, damaged))
    }

    /// Removes all snapshots but the newest valid one and the `keep_old` before it, oldest first.
    /// Damaged ones older than the newest valid one go too. Answers with how many went.
    ///
    /// # Errors
    /// As [`load`](SnapshotStore::load); some may be removed.
    pub fn prune(&self, keep_old: usize) -> Result<usize> {
        let mut epochs = directory::list(&*self.storage)?.snapshots;
        let mut kept = Vec::new();
        for epoch in epochs.iter().rev() {
            if kept.len() <= keep_old && read(&*self.storage, *epoch)?.is_ok() {
                kept.push(*epoch);
            }
        }
        let newest = kept.first().copied().unwrap_or_default();
        epochs.retain(|epoch| *epoch < newest && !kept.contains(epoch));
        if !epochs.is_empty() {
            // The name of the newest may be in the cache only.
            directory::sync(&*self.storage)?;
        }
        for epoch in &epochs {
            directory::remove(&*self.storage, &names::snapshot(*epoch))?;
        }
        if !epochs.is_empty() {
            directory::sync(&*self.storage)?;
        }
        Ok(epochs.len())
    }
}

/// The document of a snapshot whose state is what `state` appends.
pub(crate) fn encode(position: Position, state: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"{\"snapshot\":\"beaver\",\"version\":".to_vec();
    write_u64(&mut out, VERSION);
    out.extend_from_slice(b",\"epoch\":");
    write_u64(&mut out, position.epoch.0);
    out.extend_from_slice(b",\"last_seq\":");
    write_u64(&mut out, position.seq.0);
    out.extend_from_slice(b",\"state\":");
    state(&mut out);
    checksum::seal(ChecksumKind::Snapshot, position.epoch, &mut out, 0);
    out.push(b'\n');
    out
}

/// Puts a document in its place. A failed sync of the directory leaves a snapshot that may vanish,
/// so nothing it covers may be removed.
pub(crate) fn write(storage: &dyn Storage, position: Position, document: &[u8]) -> Result<()> {
    let name = names::snapshot(position.epoch);
    temporary::prepare(storage, &name, document)?.rename(storage)?;
    failpoint::hit(failpoint::SNAPSHOT_SYNC_DIR)
        .map_err(|error| Error::storage("sync_dir", ".", error))?;
    directory::sync(storage)
}

/// Reads the snapshot of `epoch`. Damage is a value, not an error; it is looked at twice.
pub(crate) fn read(
    storage: &dyn Storage,
    epoch: Epoch,
) -> Result<Result<SnapshotDocument, DamagedSnapshot>> {
    let name = names::snapshot(epoch);
    let file = storage
        .open(&name, Access::Read)
        .map_err(|error| Error::storage("open", &name, error))?;
    let once = read_all(&*file, &name, Reads::Plain)?;
    let mut decoded = decode(&name, epoch, once);
    if decoded.is_err() {
        decoded = decode(&name, epoch, read_all(&*file, &name, Reads::Confirmed)?);
    }
    match decoded {
        Ok(document) => Ok(Ok(document)),
        Err(error @ Error::Version { .. }) => Err(error),
        Err(error) => Ok(Err(DamagedSnapshot { file: name, error })),
    }
}

fn read_all(file: &dyn StorageFile, name: &str, reads: Reads) -> Result<Vec<u8>> {
    let len = file
        .len()
        .map_err(|error| Error::storage("len", name, error))?;
    let mut window = ReadWindow::new(file, name, len);
    window.restart(0, reads);
    while window.extend()? {}
    Ok(window.into_shown())
}

/// Reads a document. Valid is: the canonical frame, the checksum, and the epoch of its name.
pub(crate) fn decode(name: &str, epoch: Epoch, bytes: Vec<u8>) -> Result<SnapshotDocument> {
    let corrupt = |offset: usize, reason: &str| Error::Corrupt {
        file: name.to_owned(),
        offset: offset as u64,
        reason: reason.to_owned(),
    };
    let Some(line) = bytes.strip_suffix(b"\n") else {
        return Err(corrupt(
            bytes.len(),
            "the document does not end in a newline",
        ));
    };
    let (version, position, state_at) =
        frame(line).ok_or_else(|| corrupt(0, "not the frame of a snapshot"))?;
    match checksum::verify_checksum(ChecksumKind::Snapshot, epoch, line) {
        Ok(()) => {}
        Err(ChecksumError::Missing) => return Err(corrupt(line.len(), "no checksum at the end")),
        Err(ChecksumError::Mismatch { expected, found }) => {
            let (file, seq) = (
                name.to_owned(),
                position.map_or(Seq(0), |position| position.seq),
            );
            return Err(Error::ChecksumMismatch {
                file,
                offset: 0,
                seq,
                expected,
                found,
            });
        }
    }
    if version != VERSION {
        return Err(Error::Version {
            file: name.to_owned(),
            found: version,
            supported: VERSION,
        });
    }
    let position = position.filter(|position| position.epoch == epoch);
    let position = position.ok_or_else(|| corrupt(0, "the document is of another epoch"))?;
    let state = state_at..line.len() - TRAILER;
    Ok(SnapshotDocument {
        position,
        bytes,
        state,
    })
}

/// Version, position (of a known version) and the offset of the state.
fn frame(line: &[u8]) -> Option<(u64, Option<Position>, usize)> {
    let content = &line[..line.len().checked_sub(TRAILER)?];
    let rest = content.strip_prefix(b"{\"snapshot\":\"beaver\",\"version\":")?;
    let (version, rest) = decimal(rest)?;
    if version != VERSION {
        return Some((version, None, 0));
    }
    let (epoch, rest) = decimal(rest.strip_prefix(b",\"epoch\":")?)?;
    let (last_seq, rest) = decimal(rest.strip_prefix(b",\"last_seq\":")?)?;
    let state = rest.strip_prefix(b",\"state\":")?;
    Some((
        version,
        Some(Position::new(epoch, last_seq)),
        content.len() - state.len(),
    ))
}

/// A plain decimal at the start of `text`, and what follows it.
fn decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let (number, digits) = read_u64(text)?;
    Some((number, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_byte_for_byte() {
        let position = Position::new(7, 3141);
        let document = encode(position, |out| out.extend_from_slice(b"{\"a\":1e400}"));
        let document = decode("s", Epoch(7), document).unwrap();
        assert_eq!(document.state(), b"{\"a\":1e400}");
        assert_eq!(
            document.into_snapshot(),
            Snapshot {
                position,
                state: b"{\"a\":1e400}".to_vec()
            }
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let document = encode(Position::new(7, 3141), |out| {
            out.extend_from_slice(b"[1,2]")
        });
        for bit in 0..document.len() * 8 {
            let mut damaged = document.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode("s", Epoch(7), damaged).is_err(), "bit {bit}");
        }
        for len in 0..document.len() {
            assert!(
                decode("s", Epoch(7), document[..len].to_vec()).is_err(),
                "cut to {len}"
            );
        }
    }

    #[test]
    fn a_snapshot_under_a_wrong_name_is_damage() {
        let document = encode(Position::new(7, 1), |out| out.extend_from_slice(b"0"));
        assert!(decode("s", Epoch(8), document).is_err());
    }

    #[test]
    fn a_newer_version_is_not_damage() {
        let mut document = b"{\"snapshot\":\"beaver\",\"version\":9,\"x\":0".to_vec();
        checksum::seal(ChecksumKind::Snapshot, Epoch(7), &mut document, 0);
        document.push(b'\n');
        assert!(matches!(
            decode("s", Epoch(7), document),
            Err(Error::Version { found: 9, .. })
        ));
    }
}
