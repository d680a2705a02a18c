//! What happens to a disk without any call: writeback, dropped caches, rot.
//!
//! An event can be planned just before a call, or applied by the owner between two processes.

use serde::{Deserialize, Serialize};

use super::fault::Subset;

/// One thing that happens on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum DiskEvent {
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
    /// subset says, of all files in order. A lost length counts as a page of its own, after the
    /// pages of its file; with it goes everything that lies past the durable length. It stays
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

impl DiskEvent {
    /// The word for it in a trace.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            DiskEvent::WritebackPage { .. }
            | DiskEvent::WritebackSize { .. }
            | DiskEvent::Writeback(_) => "writeback",
            DiskEvent::CacheDrop(_) => "cache-drop",
            DiskEvent::FlipBit { .. } => "flipped-bit",
            DiskEvent::ZeroSectors { .. } => "zeroed-sectors",
            DiskEvent::Truncate { .. } => "truncated",
            DiskEvent::Replace { .. } => "old-copy",
            DiskEvent::Stray { .. } => "stray-file",
        }
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
