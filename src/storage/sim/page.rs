//! One immutable page of 4096 bytes, shared by every version, file and disk that holds it.
//!
//! Pages are the unit in which a power cut chooses. They are never changed in place once shared, so
//! that a copy of a whole disk costs a reference count a page, and a page is hashed at most once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::mixing::hash128;

/// Bytes of a page: the unit of caching and of survival.
pub const PAGE_SIZE: u64 = 4096;
/// Bytes of a sector: what a device writes whole or not at all.
pub const SECTOR_SIZE: u64 = 512;

pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const SECTOR_BYTES: usize = 512;
pub(super) const SECTORS: usize = PAGE_BYTES / SECTOR_BYTES;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Page(Arc<Frozen>);

#[derive(Clone)]
struct Frozen {
    bytes: [u8; PAGE_BYTES],
    hash: OnceLock<u128>,
    /// How many bytes there are up to the last one that is not zero.
    extent: OnceLock<usize>,
}

impl Page {
    pub(super) fn new(bytes: [u8; PAGE_BYTES]) -> Self {
        Page(Arc::new(Frozen {
            bytes,
            hash: OnceLock::new(),
            extent: OnceLock::new(),
        }))
    }

    pub(super) fn bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.0.bytes
    }

    pub(super) fn hash(&self) -> u128 {
        let hash = || hash128(&self.0.bytes[..self.extent()]);
        *self.0.hash.get_or_init(hash)
    }

    /// Whether all bytes are zero: such a page is the same content as no page at all.
    pub(super) fn is_blank(&self) -> bool {
        self.extent() == 0
    }

    /// How many bytes there are up to the last one that is not zero. Small files leave most of a page blank, so what asks
    /// about whole pages asks this first.
    pub(super) fn extent(&self) -> usize {
        *self.0.extent.get_or_init(|| {
            let (words, _) = self.0.bytes.as_chunks::<64>();
            let used = words.iter().rposition(|word| *word != [0; 64]);
            let end = used.map_or(0, |index| (index + 1) * 64);
            let last = self.0.bytes[..end].iter().rposition(|byte| *byte != 0);
            last.map_or(0, |index| index + 1)
        })
    }

    /// This page with zeros from byte `from` on; itself if it has nothing else there, `None` if
    /// nothing is left.
    pub(super) fn cut(&self, from: usize) -> Option<Page> {
        if from == 0 {
            return None;
        }
        if from >= self.extent() {
            return Some(self.clone());
        }
        let mut bytes = self.0.bytes;
        bytes[from..].fill(0);
        Some(Page::new(bytes))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:016x})", self.hash() >> 64)
    }
}

/// The number of the page that holds byte `offset`.
pub(super) fn page_of(offset: u64) -> u64 {
    offset / PAGE_SIZE
}

/// The place of byte `offset` inside its page.
pub(super) fn within(offset: u64) -> usize {
    usize::try_from(offset % PAGE_SIZE).expect("less than a page fits")
}

/// How many bytes of page `index` lie in front of byte `len` of the file.
pub(super) fn kept_of(len: u64, index: u64) -> usize {
    let kept = len.saturating_sub(index.saturating_mul(PAGE_SIZE));
    usize::try_from(kept.min(PAGE_SIZE)).expect("at most a page fits")
}
