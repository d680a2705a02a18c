//! What survives a power cut, as data: printable, storable, and small enough to shrink.
//!
//! A choice names the records that survive; what it does not name is lost.
//! [`ImageSpace`](super::ImageSpace) reads it leniently: what its profile does not permit is
//! brought to the nearest thing that it does, so every choice stands for a legal image and a
//! shrinker can leave out whatever it likes.

use std::collections::BTreeMap;

use super::names::{InodeId, NameOutcome};
use serde::{Deserialize, Serialize};

/// What survives one power cut. The default is: nothing that is pending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    /// What became of each name record, by its number; without an entry the old state stays.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<u64, NameOutcome>,
    /// How many of a file's pending lengths were reached; without an entry none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<InodeId, u32>,
    /// Which version of a page is there: 1 is the oldest pending one; without an entry the durable
    /// one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pages: BTreeMap<InodeId, BTreeMap<u64, u32>>,
    /// Torn pages: only some of their sectors are of the version above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tears: Vec<Tear>,
    /// How a page past the old end reads if it did not survive.
    #[serde(skip_serializing_if = "Fill::is_zeros")]
    pub fill: Fill,
    /// What a bad device does on top. Read by the profile `hostile-device` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device: Vec<DeviceExtra>,
}

/// A torn page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tear {
    /// The file.
    pub inode: InodeId,
    /// The page.
    pub page: u64,
    /// Bit i: sector i is of the version that the choice names for the page.
    pub newer_sectors: u8,
    /// The version of the other sectors: any older one, 0 is the durable one.
    #[serde(default)]
    pub older: u32,
}

/// What lies in a page that grew into the file and whose data did not survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fill {
    /// Zeros.
    #[default]
    Zeros,
    /// Bytes that are a fixed function of this number, the file and the offset.
    Garbage(u64),
}

impl Fill {
    fn is_zeros(&self) -> bool {
        *self == Fill::Zeros
    }
}

/// What only a bad device does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum DeviceExtra {
    /// A sector of a surviving pending page was written in part: its first bytes are new, the rest
    /// is of an older version.
    ShornSector {
        /// The file.
        inode: InodeId,
        /// The page.
        page: u64,
        /// The sector in the page, 0 to 7.
        sector: u8,
        /// How many of its 512 bytes are new.
        keep: u16,
        /// The version of the rest.
        #[serde(default)]
        older: u32,
    },
    /// A sector cannot be read until it is written again.
    UnreadableSector {
        /// The file.
        inode: InodeId,
        /// The page.
        page: u64,
        /// The sector in the page, 0 to 7.
        sector: u8,
    },
    /// The device lied: a page that was synced is again what it was before that sync.
    Revert {
        /// The file.
        inode: InodeId,
        /// The page.
        page: u64,
    },
}

impl Choice {
    /// Which version of a page is there, 0 for the durable one.
    #[must_use]
    pub fn version(&self, inode: InodeId, page: u64) -> u32 {
        let pages = self.pages.get(&inode);
        pages
            .and_then(|pages| pages.get(&page))
            .copied()
            .unwrap_or(0)
    }
}

impl DeviceExtra {
    /// The file that it strikes.
    pub(super) fn inode_mut(&mut self) -> &mut InodeId {
        match self {
            DeviceExtra::ShornSector { inode, .. }
            | DeviceExtra::UnreadableSector { inode, .. }
            | DeviceExtra::Revert { inode, .. } => inode,
        }
    }
}

/// One thing that a power cut decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it is about.
    pub about: About,
    /// How many ways it can go: 0 is "nothing survived", the last one is "everything survived".
    pub options: u32,
}

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// How many of the metadata records, in order, survive (`linux-ordered` only).
    Metadata,
    /// One name record.
    Name {
        /// Its number.
        record: u64,
    },
    /// The length of one file.
    Size {
        /// The file.
        inode: InodeId,
    },
    /// The version of one page.
    Page {
        /// The file.
        inode: InodeId,
        /// The page.
        page: u64,
    },
}

/// A page that a power cut may tear, or where a bad device may strike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeakSpot {
    /// The file.
    pub inode: InodeId,
    /// The page.
    pub page: u64,
    /// How many versions there are besides the durable one: with one or more the page can be shorn.
    pub versions: u32,
    /// Whether the page was synced since the last power cut, so that a device may take it back.
    pub can_revert: bool,
}
