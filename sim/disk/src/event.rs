//! What happens to a disk without any call: writeback, dropped caches, rot.
//!
//! An event can be planned just before a call, or applied by the owner between two processes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::disk::Disk;
use super::fault::Subset;
use super::inode::{InodeId, Retry};
use super::page::{PAGE_BYTES, Page, SECTOR_SIZE, page_of, within};

/// One thing that happens on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum Event {
    /// The kernel writes back the current version of a dirty page.
    WritebackPage {
        /// The file, by its live name.
        file: String,
        /// The page.
        page: u64,
    },
    /// The kernel makes the oldest pending length of a file durable, if a write caused it.
    WritebackSize {
        /// The file, by its live name.
        file: String,
    },
    /// The kernel writes back one of all the things that it could, this one in order, counted
    /// round.
    Writeback(u64),
    /// Pages of failed syncs leave the cache and fall back to what is on disk: those that the
    /// subset says, of all files in order. A lost length counts as a page of its own, behind the
    /// pages of its file; with it goes everything that lies behind the durable length. It stays
    /// while the file is open or has dirty pages.
    CacheDrop(Subset),
    /// One bit of a file is wrong.
    FlipBit {
        /// The file, by its live name.
        file: String,
        /// The byte.
        offset: u64,
        /// The bit, 0 to 7.
        bit: u8,
    },
    /// Sectors of a file are zeros.
    ZeroSectors {
        /// The file, by its live name.
        file: String,
        /// The first one, in units of 512 bytes.
        sector: u64,
        /// How many.
        count: u64,
    },
    /// A file is shorter.
    Truncate {
        /// The file, by its live name.
        file: String,
        /// Its new length in bytes, shorter than before.
        len: u64,
    },
    /// A file has other bytes: an old copy of it, say.
    Replace {
        /// The file, by its live name.
        file: String,
        /// Its bytes.
        #[serde(with = "bytes_as_text")]
        bytes: Vec<u8>,
    },
    /// There is a file more: a stray, or a temporary file that somebody left.
    Stray {
        /// Its name; nothing happens if it is taken.
        file: String,
        /// Its bytes.
        #[serde(with = "bytes_as_text")]
        bytes: Vec<u8>,
    },
}

impl Event {
    /// The name under which the event is counted when it happens.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::WritebackPage { .. } | Event::WritebackSize { .. } | Event::Writeback(_) => {
                "writeback"
            }
            Event::CacheDrop(_) => "cache-drop",
            Event::FlipBit { .. } => "flipped-bit",
            Event::ZeroSectors { .. } => "zeroed-sectors",
            Event::Truncate { .. } => "truncated",
            Event::Replace { .. } => "old-copy",
            Event::Stray { .. } => "stray-file",
        }
    }
}

impl Disk {
    /// Makes `event` happen while no process runs. `false` if there is nothing that it could happen
    /// to, or it would change nothing.
    ///
    /// Damage to a file strikes what is durable and what the cache shows alike. `Truncate` and
    /// `Replace` also end everything that is pending of the file's bytes.
    pub fn happen(&mut self, event: &Event) -> bool {
        self.happen_while(event, &|_| false)
    }

    /// The same while a process runs that has some files open: the kernel keeps the length of
    /// those.
    pub(super) fn happen_while(
        &mut self,
        event: &Event,
        is_open: &dyn Fn(InodeId) -> bool,
    ) -> bool {
        match event {
            Event::WritebackPage { file, page } => {
                let id = self.live_inode(file);
                id.is_some_and(|id| self.write_back(id, Some(*page)))
            }
            Event::WritebackSize { file } => {
                let id = self.live_inode(file);
                id.is_some_and(|id| self.write_back(id, None))
            }
            Event::Writeback(number) => {
                let candidates = self.write_back_candidates();
                let place = number.checked_rem(candidates.len() as u64);
                let place = place.and_then(|place| usize::try_from(place).ok());
                place.is_some_and(|place| {
                    let (id, page) = candidates[place];
                    self.write_back(id, page)
                })
            }
            Event::CacheDrop(subset) => self.drop_cache(subset, is_open),
            Event::FlipBit { file, offset, bit } => {
                self.damage_bytes(file, |content| flip(content, *offset, *bit))
            }
            Event::ZeroSectors {
                file,
                sector,
                count,
            } => self.damage_bytes(file, |content| zero_sectors(content, *sector, *count)),
            Event::Truncate { file, len } => self.replace_bytes(file, |content| {
                if *len < content.len() {
                    content.cut(*len);
                    content.set_len(*len);
                }
            }),
            Event::Replace { file, bytes } => {
                self.replace_bytes(file, |content| *content = Content::from_bytes(bytes))
            }
            Event::Stray { file, bytes } => self.add_durable(file, bytes),
        }
    }

    fn live_inode(&self, name: &str) -> Option<InodeId> {
        self.names.live.get(name).copied()
    }

    /// Changes bytes of a file wherever it is stored.
    fn damage_bytes(&mut self, name: &str, strike: impl Fn(&mut Content)) -> bool {
        let Some(id) = self.live_inode(name) else {
            return false;
        };
        let inode = self.inode_mut(id);
        let before = (inode.live.hash(), inode.disk.hash());
        let old = inode.live.clone();
        strike(Arc::make_mut(&mut inode.live));
        strike(Arc::make_mut(&mut inode.disk));
        for (index, versions) in &mut inode.pages {
            let (old, new) = (old.page(*index), inode.live.page(*index));
            if old.map(Page::hash) != new.map(Page::hash) {
                let last = versions.last_mut();
                last.expect("a dirty page has a version").page = new.cloned();
            }
        }
        before != (inode.live.hash(), inode.disk.hash())
    }

    /// Changes the bytes that the cache shows and makes the result durable.
    fn replace_bytes(&mut self, name: &str, strike: impl Fn(&mut Content)) -> bool {
        let Some(id) = self.live_inode(name) else {
            return false;
        };
        let inode = self.inode_mut(id);
        let (len, before) = (inode.live.len(), inode.live.hash());
        strike(Arc::make_mut(&mut inode.live));
        if inode.live.hash() == before {
            return false;
        }
        inode.disk = inode.live.clone();
        inode.sizes.clear();
        inode.pages.clear();
        inode.unsaved.clear();
        inode.retry = Retry::default();
        self.changed(id, len);
        true
    }
}

fn flip(content: &mut Content, offset: u64, bit: u8) {
    if offset < content.len() {
        let mut page = content.page_bytes(page_of(offset));
        page[within(offset)] ^= 1 << (bit % 8);
        content.set_page(page_of(offset), Some(Page::new(&page)));
    }
}

fn zero_sectors(content: &mut Content, sector: u64, count: u64) {
    let start = sector.saturating_mul(SECTOR_SIZE);
    let end = start.saturating_add(count.saturating_mul(SECTOR_SIZE));
    let end = end.min(content.len());
    let mut at = start;
    while at < end {
        let from = within(at);
        let part = usize::try_from(end - at).map_or(PAGE_BYTES, |left| left.min(PAGE_BYTES));
        let part = part.min(PAGE_BYTES - from);
        let mut page = content.page_bytes(page_of(at));
        page[from..from + part].fill(0);
        content.set_page(page_of(at), Some(Page::new(&page)));
        at += part as u64;
    }
}

/// Bytes as a JSON string: as text where they are text, and as `hex:` and digits where not.
mod bytes_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    const HEX: &str = "hex:";

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.starts_with(HEX) => to.serialize_str(text),
            _ => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                to.serialize_str(&(HEX.to_owned() + &digits.collect::<String>()))
            }
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let Some(digits) = text.strip_prefix(HEX) else {
            return Ok(text.into_bytes());
        };
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| {
            let plain = pair.iter().all(u8::is_ascii_hexdigit);
            let pair = std::str::from_utf8(pair).ok().filter(|_| plain);
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|_| rest.is_empty());
        bytes.ok_or_else(|| de::Error::custom("expected an even number of hex digits after hex:"))
    }
}
