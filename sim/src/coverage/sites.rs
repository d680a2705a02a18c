//! Every place in the library that makes a storage call.

use super::Site;

/// All sites.
pub const SITES: &[Site] = &[];

/// x
#[derive(Debug)]
pub struct Unreached;
