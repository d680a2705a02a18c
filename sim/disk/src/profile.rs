//! What kind of file system the simulated disk is: what may survive in which order, and what a sync
//! drags along.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A crash profile. Ordered from the mildest to the worst, with the device faults last.
///
/// | profile | a file sync or `sync_dir` also commits |
/// | --- | --- |
/// | `linux-ordered` | every earlier name and `set_len`, of all files, if what is synced has metadata of its own pending: a file its creation or a length, the directory a name |
/// | `btrfs-like` | a file sync: that file's own new names |
/// | the others | nothing |
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing that was not synced survives.
    Strict,
    /// Names and `set_len` survive as a prefix, in order: ext4, XFS.
    LinuxOrdered,
    /// Names survive in any combination, a rename is atomic: Btrfs.
    BtrfsLike,
    /// What POSIX promises and no more.
    #[default]
    Posix,
    /// As `Posix`; a rename may leave neither name, and lost data reads as garbage.
    Alice,
    /// As `Posix`, on a device that shears sectors, cannot read them, and lies about syncs.
    HostileDevice,
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
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Strict => "strict",
            Profile::LinuxOrdered => "linux-ordered",
            Profile::BtrfsLike => "btrfs-like",
            Profile::Posix => "posix",
            Profile::Alice => "alice",
            Profile::HostileDevice => "hostile-device",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
    }

    /// What may survive, in one line.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Profile::Strict => "nothing that was not synced survives",
            Profile::LinuxOrdered => "names and set_len survive as a prefix, in order: ext4, XFS",
            Profile::BtrfsLike => "names survive in any combination, a rename is atomic: Btrfs",
            Profile::Posix => {
                "what POSIX promises and no more: names survive in any combination, a rename may \
                 leave both"
            }
            Profile::Alice => {
                "as posix; a rename may leave neither name, and lost data reads as garbage"
            }
            Profile::HostileDevice => {
                "as posix, on a device that shears sectors, cannot read them, and lies about syncs"
            }
        }
    }

    /// Whether a page that grew into a file and was lost may show garbage. The plain enumeration shows
    /// zeros, because garbage would make one image into endlessly many;
    /// [`TornImages`](super::TornImages) has each such image once with garbage.
    #[must_use]
    pub fn fills_with_garbage(self) -> bool {
        self == Profile::Alice
    }

    /// How the two halves of a rename hang together.
    pub(super) fn rename_rule(self) -> RenameRule {
        match self {
            Profile::Strict | Profile::LinuxOrdered | Profile::BtrfsLike => RenameRule::Atomic,
            Profile::Posix | Profile::HostileDevice => RenameRule::AdditionFirst,
            Profile::Alice => RenameRule::Independent,
        }
    }
}

/// How the removal of the old name and the addition of the new one hang together, where a file is
/// renamed. A directory is always moved as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenameRule {
    /// Both survive, or neither does.
    Atomic,
    /// The old name goes only where the new one is there.
    AdditionFirst,
    /// Each for itself.
    Independent,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
