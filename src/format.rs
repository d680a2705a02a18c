//! What segments and snapshots have in common beside the checksum: the version that both begin
//! with.
//!
//! | version | says besides |
//! | --- | --- |
//! | 1 | nothing: whose a file is cannot be told |
//! | 2 | the store, and the checksum of the last line of the epoch that a header seals or a snapshot covers |
//!
//! In version 2 the checksums of the other lines of a segment cover the store, too: see
//! [`checksum`](crate::checksum).
//!
//! Version 1 is read for ever. A store that has it is written in version 2 from its next rotate on.
//! A file of a newer version is neither read nor called damaged; see
//! [`Error::Version`](crate::Error::Version).

/// The newest version that this library reads, and the one that it writes. A new kind of line needs
/// a new one.
pub(crate) const VERSION: u64 = 2;

/// The version without identity.
pub(crate) const WITHOUT_IDENTITY: u64 = 1;
