//! Which images are made of a recording.

use beaver_disk::Profile;

/// Which images are made.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// The rules of the disk.
    pub profile: Profile,
    /// With at most this many combinations at a point all are made. Of more, the corners and samples, this many.
    pub cap: u64,
    /// The same for the combinations in which one page is torn.
    pub torn_cap: u64,
    /// Whether each image is tried with every number of lines with which it may come about.
    pub all_acks: bool,
}

impl ImageOptions {
    /// The usual ones under a profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        ImageOptions {
            profile,
            cap: 256,
            torn_cap: 256,
            all_acks: false,
        }
    }
}
