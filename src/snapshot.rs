//! Snapshots: the whole state after a position, in one file that is there whole or not at all.
//!
//! ```text
//! {"snapshot":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":7,
//!  "last_seq":3141,"last_crc":"5d0c77aa","state":…,"crc":"…"}       one line
//! ```
//!
//! The name says the epoch, the document says the position, and the checksum covers both: a
//! snapshot under a wrong name is damage. The store and the checksum of the epoch's last line say
//! which log it is of; version 1 has neither. Writing is content before name, name before use.

use std::ops::Range;
use std::sync::Arc;

use crate::boundary::Boundary;
use crate::checksum::{self, ChecksumError, ChecksumKind, TRAILER};
use crate::directory::{self, LockedDirectory};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::format::{VERSION, WITHOUT_IDENTITY};
use crate::json::{read_u64, write_u64};
use crate::names;
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Access, Storage, StorageFile, StorageLock};
use crate::store_id::StoreId;
use crate::temporary;
use crate::window::{ReadWindow, Reads, read_exact};

/// A snapshot that was read and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The end of the epoch that the state covers.
    pub boundary: Boundary,
    /// The state, JSON on one line, byte for byte as it was written.
    pub state: Vec<u8>,
}

/// A snapshot as it stands in its file: a large one is not copied to get at its state.
#[derive(Debug)]
pub(crate) struct SnapshotDocument {
    pub(crate) boundary: Boundary,
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
            boundary: self.boundary,
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
    /// Held until the last clone is dropped; nothing where the caller owns the directory.
    _lock: Option<Arc<dyn StorageLock>>,
}

impl SnapshotStore {
    /// Takes the directory `storage`, which holds snapshots alone, and removes what an interrupted
    /// write has left there.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Storage`].
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let LockedDirectory {
            storage,
            lock,
            listing,
        } = LockedDirectory::lock_store(storage)?;
        for name in &listing.temporaries {
            directory::remove(&*storage, name)?;
        }
        let _lock = Some(Arc::from(lock));
        Ok(SnapshotStore { storage, _lock })
    }

    /// The snapshots in `storage`, a directory that the caller owns: by the lock of a
    /// [`Wal`](crate::Wal) that is open in it, say.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        let _lock = None;
        SnapshotStore { storage, _lock }
    }

    /// Writes the state at `boundary`, which is what [`Wal::rotate`](crate::Wal::rotate) returned,
    /// or a position alone where the log is another one. Durable, its name too, when it returns. Of
    /// two snapshots of one epoch the later replaces the earlier. `state` is JSON on one line.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`] if `state` is empty or has a line break; [`Error::Storage`]: older
    /// snapshots are untouched, and the new one is there whole or not at all.
    pub fn write(&self, boundary: impl Into<Boundary>, state: &[u8]) -> Result<()> {
        if state.is_empty() || memchr::memchr(b'\n', state).is_some() {
            let reason = "the state is empty or contains a line break".to_owned();
            return Err(Error::InvalidEvent { reason });
        }
        let boundary = boundary.into();
        let document = encode(boundary, |out| out.extend_from_slice(state));
        write(&*self.storage, boundary.position.epoch, &document)
    }

    /// The newest valid snapshot, and the damaged ones that were passed over to get there. Its name
    /// is durable when this returns: what is shown once is shown after a power cut too.
    ///
    /// # Errors
    /// [`Error::Storage`] if something cannot be read, [`Error::Version`] for a snapshot of a newer
    /// format: neither is damage.
    pub fn load(&self) -> Result<(Option<Snapshot>, Vec<DamagedSnapshot>)> {
        let mut damaged = Vec::new();
        let epochs = directory::list(&*self.storage)?.snapshots;
        // The process before may have been killed between a rename and the sync of the directory.
        if !epochs.is_empty() {
            directory::sync(&*self.storage)?;
        }
        for epoch in epochs.into_iter().rev() {
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

/// The document of a snapshot whose state is what `state` appends: of version 1 where it is not
/// known whose it is.
pub(crate) fn encode(boundary: Boundary, state: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let Position { epoch, seq } = boundary.position;
    let identity = boundary.store.zip(boundary.crc);
    let mut out = b"{\"snapshot\":\"beaver\",\"version\":".to_vec();
    write_u64(&mut out, identity.map_or(WITHOUT_IDENTITY, |_| VERSION));
    if let Some((store, _)) = identity {
        out.extend_from_slice(format!(",\"store\":\"{store}\"").as_bytes());
    }
    out.extend_from_slice(b",\"epoch\":");
    write_u64(&mut out, epoch.0);
    out.extend_from_slice(b",\"last_seq\":");
    write_u64(&mut out, seq.0);
    if let Some((_, crc)) = identity {
        out.extend_from_slice(format!(",\"last_crc\":\"{crc:08x}\"").as_bytes());
    }
    out.extend_from_slice(b",\"state\":");
    state(&mut out);
    checksum::seal(ChecksumKind::Snapshot, epoch, &mut out, 0);
    out.push(b'\n');
    out
}

/// Puts a document in its place. A failed sync of the directory leaves a snapshot that may vanish,
/// so nothing it covers may be removed.
pub(crate) fn write(storage: &dyn Storage, epoch: Epoch, document: &[u8]) -> Result<()> {
    let name = names::snapshot(epoch);
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

/// How many bytes of a snapshot hold everything before its state.
const FRAME: u64 = 256;

/// What the snapshot of `epoch` says that it covers, from its first bytes, unverified. Nothing if
/// they do not say it.
pub(crate) fn glance(storage: &dyn Storage, epoch: Epoch) -> Result<Option<Boundary>> {
    let name = names::snapshot(epoch);
    let file = storage.open(&name, Access::Read);
    let file = file.map_err(|error| Error::storage("open", &name, error))?;
    let len = file.len();
    let len = len.map_err(|error| Error::storage("len", &name, error))?;
    let mut bytes = vec![0; usize::try_from(len.min(FRAME)).expect("it is short")];
    read_exact(&*file, &name, &mut bytes, 0)?;
    Ok(frame(&bytes).and_then(|(_, boundary, _)| boundary))
}

fn read_all(file: &dyn StorageFile, name: &str, reads: Reads) -> Result<Vec<u8>> {
    let len = file
        .len()
        .map_err(|error| Error::storage("len", name, error))?;
    let mut window = ReadWindow::new(file, name, len);
    window.restart(0, reads);
    window.reserve(len)?;
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
    let content = line.len().checked_sub(TRAILER).map(|end| &line[..end]);
    let (version, boundary, state_at) = content
        .and_then(frame)
        .ok_or_else(|| corrupt(0, "not the frame of a snapshot"))?;
    match checksum::verify_checksum(ChecksumKind::Snapshot, epoch, line) {
        Ok(()) => {}
        Err(ChecksumError::Missing) => return Err(corrupt(line.len(), "no checksum at the end")),
        Err(ChecksumError::Mismatch { expected, found }) => {
            let seq = boundary.map_or(Seq(0), |boundary| boundary.position.seq);
            let file = name.to_owned();
            return Err(Error::ChecksumMismatch {
                file,
                offset: 0,
                seq,
                expected,
                found,
            });
        }
    }
    let Some(boundary) = boundary else {
        return Err(Error::Version {
            file: name.to_owned(),
            found: version,
            supported: VERSION,
        });
    };
    if boundary.position.epoch != epoch {
        return Err(corrupt(0, "the document is of another epoch"));
    }
    let state = state_at..line.len() - TRAILER;
    Ok(SnapshotDocument {
        boundary,
        bytes,
        state,
    })
}

/// Version, boundary (of a known version) and the offset of the state.
fn frame(content: &[u8]) -> Option<(u64, Option<Boundary>, usize)> {
    let rest = content.strip_prefix(b"{\"snapshot\":\"beaver\",\"version\":")?;
    let (version, mut rest) = decimal(rest)?;
    if !(WITHOUT_IDENTITY..=VERSION).contains(&version) {
        return Some((version, None, 0));
    }
    let (mut store, mut crc) = (None, None);
    if version > WITHOUT_IDENTITY {
        let digits;
        (digits, rest) = text(rest, b",\"store\":\"", StoreId::DIGITS)?;
        store = Some(StoreId::parse(digits)?);
    }
    let (epoch, after) = decimal(rest.strip_prefix(b",\"epoch\":")?)?;
    let (last_seq, mut rest) = decimal(after.strip_prefix(b",\"last_seq\":")?)?;
    if version > WITHOUT_IDENTITY {
        let digits;
        (digits, rest) = text(rest, b",\"last_crc\":\"", checksum::DIGITS)?;
        crc = Some(checksum::parse_digits(digits)?);
    }
    let state = rest.strip_prefix(b",\"state\":")?;
    let boundary = Boundary {
        store,
        crc,
        ..Boundary::from(Position::new(epoch, last_seq))
    };
    Some((version, Some(boundary), content.len() - state.len()))
}

/// A text of `length` bytes after `name` and a quote, and what follows its closing quote.
fn text<'a>(bytes: &'a [u8], name: &[u8], length: usize) -> Option<(&'a [u8], &'a [u8])> {
    let (text, rest) = bytes.strip_prefix(name)?.split_at_checked(length)?;
    Some((text, rest.strip_prefix(b"\"")?))
}

/// A plain decimal at the start of `text`, and what follows it.
fn decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let (number, digits) = read_u64(text)?;
    Some((number, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified() -> Boundary {
        Boundary {
            store: Some(StoreId(0x6f1d_0c5b_e2a9_4417)),
            crc: Some(0x5d0c_77aa),
            ..Boundary::from(Position::new(7, 3141))
        }
    }

    #[test]
    fn a_document_reads_back_byte_for_byte() {
        let old = Boundary::from(Position::new(7, 3141));
        for boundary in [old, identified()] {
            let document = encode(boundary, |out| out.extend_from_slice(b"{\"a\":1e400}"));
            let document = decode("s", Epoch(7), document).unwrap();
            assert_eq!(document.state(), b"{\"a\":1e400}");
            assert_eq!(
                document.into_snapshot(),
                Snapshot {
                    boundary,
                    state: b"{\"a\":1e400}".to_vec()
                }
            );
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let document = encode(identified(), |out| out.extend_from_slice(b"[1,2]"));
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
        let document = encode(Position::new(7, 1).into(), |out| {
            out.extend_from_slice(b"0")
        });
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
