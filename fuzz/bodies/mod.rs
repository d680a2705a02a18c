//! What the fuzz targets run: any bytes in, and promises that must hold for them.
//!
//! `tests/fuzz_corpus.rs` runs the same bodies over the inputs in `fuzz/seeds/`, on any toolchain.
//! An input that once broke a promise is kept there. With the nightly toolchain and `cargo-fuzz`:
//!
//! ```text
//! cargo +nightly fuzz run segment fuzz/corpus/segment fuzz/seeds/segment -- \
//!     -max_total_time=60 -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=2048
//! ```
//!
//! (or `snapshot`, `event`, `directory`; and `scenario`, which is the simulator's). *Never panic* and *never allocate beyond a bound* are
//! watched by libFuzzer: no input of a few kilobytes may ask for 64 MiB at once. *Never hang* is
//! also watched here: storage calls are counted, and there is a limit for the size of the input.
//!
//! # Input
//! An input is the bytes of one file; for `directory`, of several, each after a line `@NAME`. A
//! random checksum is never right, so a line may leave it open: `"crc":"*"}` at the end of a line
//! stands for the right one.

pub(crate) mod directory;
pub(crate) mod event;
pub(crate) mod log;
pub(crate) mod segment;
pub(crate) mod snapshot;

use std::sync::Arc;

use beaver::{ChecksumKind, Epoch, SegmentId, Storage, StoreId, calculate_checksum};
use beaver_disk::{Disk, Image, Profile, SimDisk, SimOptions};

/// Longer inputs show nothing that shorter ones do not.
pub(crate) const MAX_INPUT: usize = 64 << 10;

/// A disk that holds `files`. Its calls are limited by their size.
pub(crate) fn disk(files: &[(String, Vec<u8>)]) -> SimDisk {
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let image = Image::from_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes)));
    let options = SimOptions {
        max_calls: Some(2_000 + 200 * files.len() as u64 + bytes as u64),
        ..SimOptions::default()
    };
    SimDisk::new(image.disk(Profile::Posix), options)
}

/// An empty disk, to write a copy on.
pub(crate) fn empty() -> Arc<dyn Storage> {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default()).storage()
}

/// `text` as the bytes of a file of `epoch`: with the right checksum where a line leaves it open. Whose
/// file it is, a first line of version 2 says.
pub(crate) fn sealed(epoch: Epoch, text: &[u8]) -> Vec<u8> {
    const OPEN: &[u8] = b",\"crc\":\"*\"}";
    let store = text.strip_prefix(b"{\"wal\":\"beaver\",\"version\":2,\"store\":\"");
    let store = store.and_then(|rest| str::from_utf8(rest.get(..16)?).ok());
    let store = store.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let segment = SegmentId {
        epoch,
        store: store.map(StoreId),
    };
    let mut bytes = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (content, newline) = match line.split_last() {
            Some((b'\n', content)) => (content, &b"\n"[..]),
            _ => (line, &b""[..]),
        };
        match content.strip_suffix(OPEN) {
            None => bytes.extend_from_slice(content),
            Some(start) => bytes.extend_from_slice(&seal(segment, start)),
        }
        bytes.extend_from_slice(newline);
    }
    bytes
}

/// The line that begins with `start`, with its checksum.
fn seal(segment: SegmentId, start: &[u8]) -> Vec<u8> {
    let kind = match start {
        [b'{', b'"', b'w', ..] => ChecksumKind::Header,
        [b'{', b'"', b's', b'y', ..] => ChecksumKind::Marker,
        [b'{', b'"', b's', b'n', ..] => ChecksumKind::Snapshot,
        [b'{', b'"', b'l', ..] => ChecksumKind::Lost,
        _ => ChecksumKind::Event,
    };
    let line = |digits: &str| [start, b",\"crc\":\"", digits.as_bytes(), b"\"}"].concat();
    let crc = calculate_checksum(kind, segment, &line("00000000"));
    line(&format!(
        "{:08x}",
        crc.expect("the line has a place for it")
    ))
}
