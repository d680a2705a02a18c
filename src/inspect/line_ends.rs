//! A segment whose lines end with CR LF: something took it for a text and converted it. Every byte of it is there.

use std::io;

use crate::error::Result;
use crate::position::Epoch;
use crate::storage::{Access, Storage, StorageFile};
use crate::wal::Segment;

/// A header is shorter.
const HEADER: u64 = 512;

/// What became of the ends of the lines.
pub(super) const CONVERTED: &str = "its lines end with CR LF, not with LF: something has converted it as a text, and it is \
     read as it was before";

/// Opens the segment `epoch` as it was before something converted the ends of its lines, and says whether something has.
pub(super) fn open(storage: &dyn Storage, epoch: Epoch) -> Result<(Segment, bool)> {
    let segment = Segment::open(storage, epoch, Access::Read)?;
    let start = segment.read(0, segment.limit.min(HEADER))?;
    let end = memchr::memchr(b'\n', &start).unwrap_or(0);
    if !start[..end].ends_with(b"\r") {
        return Ok((segment, false));
    }
    let mut bytes = segment.read(0, segment.limit)?;
    let mut kept = 0;
    // A line is JSON without control characters, so that a CR stands nowhere else.
    for at in 0..bytes.len() {
        if bytes[at] != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    bytes.truncate(kept);
    let segment = Segment {
        limit: bytes.len() as u64,
        file: Box::new(InMemory(bytes)),
        ..segment
    };
    Ok((segment, true))
}

/// A file that is only read.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl StorageFile for InMemory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let length = rest.len().min(buf.len());
        buf[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
