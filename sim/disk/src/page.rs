//! One immutable page of 4096 bytes, shared by every version, file and disk that holds it.
//!
//! Pages are the unit in which a power cut chooses. They are never changed in place once shared, so
//! that a copy of a whole disk costs a reference count a page, and a page is hashed at most once.
//! Small files leave most of a page blank: what follows its last byte that is not zero is not
//! kept.

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

struct Frozen {
    /// Up to the last byte that is not zero.
    bytes: Box<[u8]>,
    hash: OnceLock<u128>,
}

impl Page {
    /// A page that begins with `bytes`, at most a page of them, and is blank after them.
    pub(super) fn new(bytes: &[u8]) -> Self {
        debug_assert!(bytes.len() <= PAGE_BYTES, "a page is not longer");
        Page::trimmed(Vec::from(&bytes[..extent(bytes)]))
    }

    /// `page`, or a blank one, with `part` at byte `start`. Where nothing changes it is the same page: what a recovery writes
    /// again costs no copy.
    pub(super) fn written(page: Option<&Page>, start: usize, part: &[u8]) -> Self {
        if let Some(page) = page.filter(|page| page.holds(start, part)) {
            return page.clone();
        }
        let old = page.map_or(&[][..], Page::bytes);
        let end = start + part.len();
        debug_assert!(end <= PAGE_BYTES, "a page is not longer");
        let mut bytes = Vec::with_capacity(old.len().max(end));
        bytes.extend_from_slice(&old[..start.min(old.len())]);
        bytes.resize(start, 0);
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(old.get(end..).unwrap_or_default());
        bytes.truncate(extent(&bytes));
        Page::trimmed(bytes)
    }

    fn trimmed(bytes: Vec<u8>) -> Self {
        Page(Arc::new(Frozen {
            bytes: bytes.into_boxed_slice(),
            hash: OnceLock::new(),
        }))
    }

    fn holds(&self, start: usize, part: &[u8]) -> bool {
        let bytes = self.bytes().get(start..).unwrap_or_default();
        let (same, behind) = part.split_at(part.len().min(bytes.len()));
        bytes.starts_with(same) && behind.iter().all(|byte| *byte == 0)
    }

    /// Whether this is the same page, not only one with the same bytes.
    pub(super) fn is_same(&self, other: &Page) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The bytes up to the last one that is not zero. After them the page is blank.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// All bytes of the page.
    pub(super) fn whole(&self) -> [u8; PAGE_BYTES] {
        let mut whole = [0; PAGE_BYTES];
        whole[..self.extent()].copy_from_slice(self.bytes());
        whole
    }

    pub(super) fn hash(&self) -> u128 {
        *self.0.hash.get_or_init(|| hash128(self.bytes()))
    }

    /// Whether all bytes are zero: such a page is the same content as no page at all.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes().is_empty()
    }

    /// How many bytes there are up to the last one that is not zero.
    pub(super) fn extent(&self) -> usize {
        self.bytes().len()
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
        Some(Page::new(&self.bytes()[..from]))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:016x})", self.hash() >> 64)
    }
}

/// How many bytes there are up to the last one that is not zero.
fn extent(bytes: &[u8]) -> usize {
    let (rest, words) = bytes.as_rchunks::<64>();
    match words.iter().rposition(|word| *word != [0; 64]) {
        Some(index) => {
            let end = rest.len() + (index + 1) * 64;
            let last = bytes[..end].iter().rposition(|byte| *byte != 0);
            last.map_or(0, |index| index + 1)
        }
        None => rest
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |i| i + 1),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ends_with_its_last_byte_that_is_not_zero() {
        for len in [0, 1, 63, 64, 65, 200, PAGE_BYTES] {
            for last in 0..len {
                let mut bytes = vec![0; len];
                bytes[last] = 7;
                assert_eq!(Page::new(&bytes).extent(), last + 1);
            }
            assert!(Page::new(&vec![0; len]).is_blank());
        }
    }

    #[test]
    fn what_is_written_lies_over_what_was_there() {
        let page = Page::new(b"abcdef");
        let written = |start, part: &[u8]| Page::written(Some(&page), start, part);
        assert_eq!(written(2, b"XY").bytes(), b"abXYef");
        assert_eq!(written(4, b"XYZ").bytes(), b"abcdXYZ");
        assert_eq!(written(8, b"X").bytes(), b"abcdef\0\0X");
        assert_eq!(written(4, b"\0\0\0").bytes(), b"abcd");
        assert_eq!(Page::written(None, 1, b"X").bytes(), b"\0X");
        assert!(Page::written(None, 1, b"\0").is_blank());
        for (start, part) in [(0, &b"abc"[..]), (4, b"ef\0"), (6, b"\0"), (9, b"\0")] {
            assert!(written(start, part).is_same(&page));
        }
    }
}
