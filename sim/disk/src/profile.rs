//! What kind of file system the simulated disk is: what may survive in which order, and what a sync
//! drags along.
//!
//! | profile | names | a file sync or `sync_dir` also commits |
//! | --- | --- | --- |
//! | `strict` | nothing pending survives, data and sizes neither | nothing |
//! | `linux-ordered` | a prefix, in order, over all files, `set_len` included | every earlier name and `set_len` of all files |
//! | `btrfs-like` | any subset, a rename is atomic; overwritten pages never tear | a file sync: that file's own new names |
//! | `posix` | any subset; a rename may leave both names | nothing |
//! | `alice` | any subset; a rename may leave both names or neither | nothing |
//! | `hostile-device` | as `posix`, with device extras | nothing |

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A crash profile. Ordered from the mildest to the worst, with the device faults last.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing that was not synced survives.
    Strict,
    /// Metadata survives as a prefix, in order: ext4, XFS.
    LinuxOrdered,
    /// Metadata in any order, each rename atomic; a file sync commits the file's own new names:
    /// Btrfs.
    BtrfsLike,
    /// What POSIX promises and no more.
    #[default]
    Posix,
    /// As `posix`, and a rename may lose both names: the worst case without device faults.
    Alice,
    /// As `posix`, on a device that shears, loses and takes back sectors where the choice asks for
    /// it.
    HostileDevice,
}

/// The text is not the name of a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown profile {found:?}: expected one of strict, linux-ordered, btrfs-like, posix, alice, hostile-device"
)]
pub struct UnknownProfile {
    /// The text.
    pub found: String,
}

impl Profile {
    /// All profiles, the mildest first.
    pub const ALL: [Profile; 6] = [
        Profile::Strict,
        Profile::LinuxOrdered,
        Profile::BtrfsLike,
        Profile::Posix,
        Profile::Alice,
        Profile::HostileDevice,
    ];

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Strict => "strict",
            Profile::LinuxOrdered => "linux-ordered",
            Profile::BtrfsLike => "btrfs-like",
            Profile::Posix => "posix",
            Profile::Alice => "alice",
            Profile::HostileDevice => "hostile-device",
        }
    }

    /// One line on what may survive.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Profile::Strict => "nothing that was not synced survives",
            Profile::LinuxOrdered => {
                "names and set_len survive as a prefix, in order; any sync commits all earlier ones (ext4, XFS)"
            }
            Profile::BtrfsLike => {
                "names survive in any order, a rename is atomic; a file sync commits the file's own new names (Btrfs)"
            }
            Profile::Posix => {
                "names survive in any order; a rename may leave both names (the contract)"
            }
            Profile::Alice => {
                "as posix, and a rename may leave neither name (the worst case without device faults)"
            }
            Profile::HostileDevice => {
                "as posix, with shorn and unreadable sectors and synced pages that revert"
            }
        }
    }

    /// Whether a rename may leave both names.
    pub(super) fn rename_may_leave_both(self) -> bool {
        matches!(
            self,
            Profile::Posix | Profile::Alice | Profile::HostileDevice
        )
    }

    /// Whether a rename may leave neither name.
    pub(super) fn rename_may_leave_neither(self) -> bool {
        self == Profile::Alice
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let found = Profile::ALL.into_iter().find(|p| p.name() == text);
        found.ok_or_else(|| UnknownProfile {
            found: text.to_owned(),
        })
    }
}
