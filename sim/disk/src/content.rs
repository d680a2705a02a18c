//! The bytes of one file: a length and the pages that are not blank.
//!
//! No page and nothing inside a page lies at or after the length, and what has no page reads as
//! zeros. The disk side of a file is the one exception: writeback may have put a page there whose
//! size record is still pending; see [`Inode`](super::inode::Inode).
//!
//! Pages stand in chunks that copies share, so that a write to a file of a gigabyte copies the numbers of
//! a few pages and not of all of them, and hashes those anew.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::mixing::{hash128, mix128};
use super::page::{PAGE_BYTES, PAGE_SIZE, Page, kept_of, page_of, within};

/// Pages of a chunk.
const CHUNK: u64 = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    /// By the number of their first page, divided by [`CHUNK`]. None is without pages.
    chunks: BTreeMap<u64, Arc<Chunk>>,
    hash: OnceLock<u128>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    /// By their numbers in the file.
    pages: BTreeMap<u64, Page>,
    hash: OnceLock<u128>,
}

impl Chunk {
    fn hash(&self) -> u128 {
        *self.hash.get_or_init(|| {
            let pages = self.pages.iter();
            let hashes = pages.map(|(index, page)| page_hash(*index, page));
            hashes.fold(0, u128::wrapping_add)
        })
    }
}

/// What a page adds to the hash of a file.
pub(super) fn page_hash(index: u64, page: &Page) -> u128 {
    match page.is_blank() {
        true => 0,
        false => mix128(page.hash(), u128::from(index)),
    }
}

impl Content {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut content = Content::default();
        for (index, chunk) in (0..).zip(bytes.chunks(PAGE_BYTES)) {
            content.set_page(index, Some(Page::new(chunk)));
        }
        content.len = bytes.len() as u64;
        content
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let len = usize::try_from(self.len).expect("a file in memory fits");
        let mut bytes = vec![0; len];
        self.read(&mut bytes, 0);
        bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn page(&self, index: u64) -> Option<&Page> {
        self.chunks.get(&(index / CHUNK))?.pages.get(&index)
    }

    pub(super) fn page_bytes(&self, index: u64) -> [u8; PAGE_BYTES] {
        self.page(index).map_or([0; PAGE_BYTES], Page::whole)
    }

    pub(super) fn pages(&self) -> impl DoubleEndedIterator<Item = (u64, &Page)> {
        let chunks = self.chunks.values();
        let pages = chunks.flat_map(|chunk| chunk.pages.iter());
        pages.map(|(index, page)| (*index, page))
    }

    /// Copies what there is from `offset` on and says how many bytes that was.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let left = self.len.saturating_sub(offset);
        let count = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let (mut done, mut at) = (0, offset);
        while done < count {
            let start = within(at);
            let part = (PAGE_BYTES - start).min(count - done);
            let target = &mut buf[done..done + part];
            let page = self.page(page_of(at)).map_or(&[][..], Page::bytes);
            let there = page.get(start..).unwrap_or_default();
            let (copied, blank) = target.split_at_mut(part.min(there.len()));
            copied.copy_from_slice(&there[..copied.len()]);
            blank.fill(0);
            done += part;
            at += part as u64;
        }
        count
    }

    pub(super) fn set_page(&mut self, index: u64, page: Option<Page>) {
        self.hash = OnceLock::new();
        let page = page.filter(|page| !page.is_blank());
        if page.is_none() && self.page(index).is_none() {
            return;
        }
        let chunk = Arc::make_mut(self.chunks.entry(index / CHUNK).or_default());
        chunk.hash = OnceLock::new();
        match page {
            Some(page) => chunk.pages.insert(index, page),
            None => chunk.pages.remove(&index),
        };
        if chunk.pages.is_empty() {
            self.chunks.remove(&(index / CHUNK));
        }
    }

    /// Changes the length alone. The caller has cut, or knows that nothing lies past it.
    pub(super) fn set_len(&mut self, len: u64) {
        self.hash = OnceLock::new();
        self.len = len;
    }

    /// Makes everything from byte `len` on zeros, without changing the length.
    pub(super) fn cut(&mut self, len: u64) {
        let behind = len.div_ceil(PAGE_SIZE);
        let first = behind.div_ceil(CHUNK);
        if self.chunks.range(first..).next().is_some() {
            self.hash = OnceLock::new();
            self.chunks.split_off(&first);
        }
        // Of the chunk that stays in part.
        let part = self.chunks.get(&(behind / CHUNK));
        let part = part.map(|chunk| chunk.pages.range(behind..));
        let cut: Vec<u64> = part
            .into_iter()
            .flatten()
            .map(|(index, _)| *index)
            .collect();
        for index in cut {
            self.set_page(index, None);
        }
        let last = page_of(len);
        if let Some(page) = self.page(last) {
            let page = page.cut(kept_of(len, last));
            self.set_page(last, page);
        }
    }

    /// A hash of length and bytes; equal for equal contents however they came about.
    pub(super) fn hash(&self) -> u128 {
        *self
            .hash
            .get_or_init(|| Content::hash_of(self.len, self.page_hashes()))
    }

    /// What all pages add to the hash.
    pub(super) fn page_hashes(&self) -> u128 {
        let chunks = self.chunks.values().map(|chunk| chunk.hash());
        chunks.fold(0, u128::wrapping_add)
    }

    /// The hash of a content of this length, whose pages add this much.
    pub(super) fn hash_of(len: u64, page_hashes: u128) -> u128 {
        mix128(page_hashes, hash128(&len.to_le_bytes()))
    }
}
