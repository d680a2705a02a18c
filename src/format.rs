//! What segments and snapshots have in common beside the checksum: the version that both begin
//! with.
//!
//! A file of another version is neither read nor called damaged; see
//! [`Error::Version`](crate::Error::Version).

/// The version that this library writes and reads. A new kind of line needs a new one.
pub(crate) const VERSION: u64 = 1;
